// What both suites know: demo.env, the exchange's public prices, and how to wait for a condition.

import assert from "node:assert/strict";

export const BASE_URL = process.env.APCA_API_BASE_URL;
export const KEY_ID = process.env.APCA_API_KEY_ID;
export const SECRET = process.env.APCA_API_SECRET_KEY;

const PATIENCE_MS = 60_000;

/** What `look` gives as soon as it is true. */
export async function eventually(what, look) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`waited in vain for ${what}`);
}

/** Bid and ask, from the exchange's page for people: a line of heads, a line of values. */
export async function quote(symbol) {
  const answer = await fetch(`${process.env.DAYBOOK_QUOTES_URL}/quotes/${symbol}`);
  const values = (await answer.text()).split("\n")[1].trim().split(/\s+/);
  return { bid: Number(values[1]), ask: Number(values[3]) };
}

/** A price that rests: half the bid, in cents. */
export async function far(symbol) {
  return ((await quote(symbol)).bid / 2).toFixed(2);
}

/** A price that trades: a little above the ask. */
export async function near(symbol) {
  return ((await quote(symbol)).ask * 1.05).toFixed(2);
}
