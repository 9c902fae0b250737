// The 4.x SDK, as published: its generated clients and its trading stream.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NotFoundError, PermissionError, ValidationError, streaming, trading } from "alpaca-4";
import { BASE_URL, KEY_ID, SECRET, eventually, far, near } from "./common.mjs";

const configuration = new trading.Configuration({ basePath: BASE_URL, keyId: KEY_ID, secret: SECRET });
const orders = new trading.OrdersApi(configuration);
const positions = new trading.PositionsApi(configuration);

const limit = (symbol, qty, limitPrice, more = {}) =>
  orders.postOrder({
    postOrderRequest: { symbol, qty, side: "buy", type: "limit", timeInForce: "day", limitPrice, ...more },
  });

const until = (orderId, status) =>
  eventually(`${orderId} to be ${status}`, async () => {
    const seen = await orders.getOrderByOrderID({ orderId });
    return seen.status === status && seen;
  });

async function resting(symbol) {
  return until((await limit(symbol, "2", await far(symbol))).id, "new");
}

after(() => orders.deleteAllOrders());

test("the account has money", async () => {
  const account = await new trading.AccountsApi(configuration).getAccount();
  assert.equal(account.status, "ACTIVE");
  assert.ok(Number(account.cash) > 0);
});

test("an order is placed, read, listed and canceled", async () => {
  const placed = await resting("KO");
  const found = await orders.getOrderByClientOrderId({ clientOrderId: placed.clientOrderId });
  assert.equal(found.id, placed.id);
  const open = await orders.getAllOrders({ status: "open", symbols: "KO" });
  assert.ok(open.some((one) => one.id === placed.id));
  await orders.deleteOrderByOrderID({ orderId: placed.id });
  await until(placed.id, "canceled");
});

test("a replacement takes the place", async () => {
  const old = await resting("PG");
  const replacement = await orders.patchOrderByOrderId({ orderId: old.id, patchOrderRequest: { qty: "3" } });
  assert.equal(replacement.replaces, old.id);
  await until(replacement.id, "new");
  assert.equal((await until(old.id, "replaced")).replacedBy, replacement.id);
  await orders.deleteOrderByOrderID({ orderId: replacement.id });
  await until(replacement.id, "canceled");
});

test("a position is opened, and closed in two steps", async () => {
  await until((await limit("HD", "4", await near("HD"))).id, "filled");
  const held = await positions.getOpenPosition({ symbolOrAssetId: "HD" });
  assert.ok(Number(held.qty) >= 4);
  const listed = (await positions.getAllOpenPositions()).find((one) => one.symbol === "HD");
  assert.deepEqual([listed.assetId, listed.qty], [held.assetId, held.qty]);
  const half = await positions.deleteOpenPosition({ symbolOrAssetId: "HD", qty: 2 });
  await until(half.id, "filled");
  const rest = await positions.deleteOpenPosition({ symbolOrAssetId: "HD" });
  await until(rest.id, "filled");
  await assert.rejects(positions.getOpenPosition({ symbolOrAssetId: "HD" }), NotFoundError);
});

test("clock, calendar, assets, activities, configurations, history", async () => {
  assert.ok((await new trading.ClockApi(configuration).legacyClock()).nextOpen > new Date());
  const days = await new trading.CalendarApi(configuration).legacyCalendar({
    start: new Date("2026-11-26"), end: new Date("2026-11-27"),
  });
  assert.equal(days.length, 1);
  const assets = new trading.AssetsApi(configuration);
  assert.ok((await assets.getV2Assets({ status: "active" })).length >= 20);
  assert.equal((await assets.getV2AssetsSymbolOrAssetId({ symbolOrAssetId: "AAPL" })).tradable, true);
  const activities = new trading.AccountActivitiesApi(configuration);
  assert.ok((await activities.getAccountActivities({ activityTypes: ["FILL", "CSD"] })).length > 0);
  const configurations = new trading.AccountConfigurationsApi(configuration);
  const usual = await configurations.getAccountConfig();
  assert.equal(usual.suspendTrade, false);
  const change = (suspendTrade) => configurations.patchAccountConfig({ accountConfigurations: { suspendTrade } });
  assert.equal((await change(true)).suspendTrade, true);
  try {
    await assert.rejects(limit("KO", "1", await far("KO")), PermissionError);
  } finally {
    assert.deepEqual(await change(false), usual);
  }
  const history = await new trading.PortfolioHistoryApi(configuration).getAccountPortfolioHistory({ period: "1M" });
  assert.equal(history.timestamp.length, history.equity.length);
});

test("refusals are the SDK's own errors", async () => {
  await assert.rejects(limit("KO", "1", "10.123"), ValidationError);
  await assert.rejects(limit("LLY", "1", "900", { side: "sell" }), PermissionError);
  await assert.rejects(orders.getOrderByOrderID({ orderId: crypto.randomUUID() }), NotFoundError);
});

test("the trading stream tells of each step", async () => {
  const told = [];
  const stream = new streaming.TradingStream({
    credentials: { keyId: KEY_ID, secret: SECRET }, url: `${BASE_URL.replace(/^http/, "ws")}/stream`,
  });
  stream.onTradeUpdate((update) => told.push(update));
  stream.connect();
  stream.subscribeTradeUpdates();
  await eventually("a first update", async () => {
    const probe = await resting("F");
    await orders.deleteOrderByOrderID({ orderId: probe.id });
    await until(probe.id, "canceled");
    return told.length > 0;
  });
  const placed = await resting("KO");
  await orders.deleteOrderByOrderID({ orderId: placed.id });
  const of = () => told.filter((update) => update.order.id === placed.id).map((update) => update.event)
    .filter((event) => event !== "pending_new"); // told where the exchange took long to answer
  await eventually("the end", () => of().includes("canceled"));
  assert.deepEqual(of(), ["accepted", "new", "pending_cancel", "canceled"]);
  stream.disconnect();
});
