// The 3.x SDK, as published: its client and its WebSocket.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import Alpaca from "alpaca-3";
import { BASE_URL, KEY_ID, SECRET, eventually, far, near } from "./common.mjs";

const alpaca = new Alpaca({ baseUrl: BASE_URL, keyId: KEY_ID, secretKey: SECRET });

const order = (symbol, qty, limit_price, more = {}) =>
  alpaca.createOrder({ symbol, qty, side: "buy", type: "limit", time_in_force: "day", limit_price, ...more });

const until = (id, status) =>
  eventually(`${id} to be ${status}`, async () => {
    const seen = await alpaca.getOrder(id);
    return seen.status === status && seen;
  });

async function resting(symbol) {
  return until((await order(symbol, 2, await far(symbol))).id, "new");
}

async function refused(call, status, code, words) {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  const { response } = error;
  assert.equal(response.status, status, JSON.stringify(response.data));
  assert.equal(response.data.code, code);
  assert.match(response.data.message, words);
}

after(() => alpaca.cancelAllOrders());

test("the account has money", async () => {
  const account = await alpaca.getAccount();
  assert.equal(account.status, "ACTIVE");
  assert.ok(Number(account.cash) > 0);
});

test("an order is placed, read, listed and canceled", async () => {
  const placed = await resting("KO");
  assert.equal((await alpaca.getOrderByClientId(placed.client_order_id)).id, placed.id);
  const open = await alpaca.getOrders({ status: "open", symbols: "KO" });
  assert.ok(open.some((one) => one.id === placed.id));
  await alpaca.cancelOrder(placed.id);
  await until(placed.id, "canceled");
  await refused(alpaca.cancelOrder(placed.id), 422, 42210000, /already in "canceled" state/);
});

test("a replacement takes the place", async () => {
  const old = await resting("PG");
  const replacement = await alpaca.replaceOrder(old.id, { qty: 3 });
  assert.equal(replacement.replaces, old.id);
  await until(replacement.id, "new");
  assert.equal((await until(old.id, "replaced")).replaced_by, replacement.id);
  await alpaca.cancelOrder(replacement.id);
  await until(replacement.id, "canceled");
});

test("a position is opened and closed", async () => {
  await until((await order("MA", 2, await near("MA"))).id, "filled");
  const held = await alpaca.getPosition("MA");
  assert.ok(Number(held.qty) >= 2);
  const listed = (await alpaca.getPositions()).find((one) => one.symbol === "MA");
  assert.deepEqual([listed.asset_id, listed.qty], [held.asset_id, held.qty]);
  await until((await alpaca.closePosition("MA")).id, "filled");
  await refused(alpaca.getPosition("MA"), 404, 40410000, /position does not exist/);
  const entries = await alpaca.getAccountActivities({ activityTypes: "FILL" });
  assert.ok(entries.some((entry) => entry.symbol === "MA"));
});

test("a market order buys dollars of a share", async () => {
  const placed = await alpaca.createOrder({
    symbol: "NVDA", notional: 20, side: "buy", type: "market", time_in_force: "day",
  });
  const filled = await until(placed.id, "filled");
  assert.ok(Number(filled.filled_qty) < 1);
});

test("clock, calendar, assets, configurations, history", async () => {
  assert.ok(new Date((await alpaca.getClock()).next_open) > new Date());
  const days = await alpaca.getCalendar({ start: "2026-11-26", end: "2026-11-27" });
  assert.deepEqual(days.map((day) => [day.date, day.close]), [["2026-11-27", "13:00"]]);
  assert.ok((await alpaca.getAssets({ status: "active" })).length >= 20);
  assert.equal((await alpaca.getAsset("AAPL")).tradable, true);
  const usual = await alpaca.getAccountConfigurations();
  assert.equal(usual.suspend_trade, false);
  assert.equal((await alpaca.updateAccountConfigurations({ suspend_trade: true })).suspend_trade, true);
  try {
    await refused(order("KO", 1, await far("KO")), 403, 40310000, /trading is suspended by the user/);
  } finally {
    assert.deepEqual(await alpaca.updateAccountConfigurations({ suspend_trade: false }), usual);
  }
  const history = await alpaca.getPortfolioHistory({ period: "1M", timeframe: "1D" });
  assert.equal(history.timestamp.length, history.equity.length);
});

test("refusals keep their words", async () => {
  await refused(order("KO", 1, 10.123), 422, 42210000, /sub-penny/);
  await refused(order("KO", 0, 10), 422, 40010001, /qty must be > 0/);
  await refused(order("LLY", 1, 900, { side: "sell" }), 403, 40310000, /not allowed to short/);
});

test("the WebSocket tells of each step", async () => {
  const told = [];
  const { trade_ws } = alpaca;
  trade_ws.onOrderUpdate((update) => told.push(update));
  const connected = new Promise((resolve) => trade_ws.onConnect(resolve));
  trade_ws.connect();
  await connected;
  trade_ws.subscribe(["trade_updates"]);
  await eventually("a first update", async () => {
    const probe = await resting("F");
    await alpaca.cancelOrder(probe.id);
    await until(probe.id, "canceled");
    return told.length > 0;
  });
  const placed = await resting("KO");
  await alpaca.cancelOrder(placed.id);
  const of = () => told.filter((update) => update.order.id === placed.id).map((update) => update.event)
    .filter((event) => event !== "pending_new"); // told where the exchange took long to answer
  await eventually("the end", () => of().includes("canceled"));
  assert.deepEqual(of(), ["accepted", "new", "pending_cancel", "canceled"]);
  trade_ws.disconnect();
});
