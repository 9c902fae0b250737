// What docs/alpaca-clients.md shows of the 4.x SDK: the passages between `docs:begin` and `docs:end` stand there as they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, far } from "./common.mjs";

// docs:begin connect
import { streaming, trading } from "alpaca-4";

const { APCA_API_BASE_URL: basePath, APCA_API_KEY_ID: keyId, APCA_API_SECRET_KEY: secret } = process.env;
const configuration = new trading.Configuration({ basePath, keyId, secret });
const orders = new trading.OrdersApi(configuration);
// docs:end connect

const status = (orderId, wanted) =>
  eventually(wanted, async () => (await orders.getOrderByOrderID({ orderId })).status === wanted);

test("the page for client authors", async () => {
  // docs:begin stream
  const updates = [];
  const stream = new streaming.TradingStream({
    credentials: { keyId, secret }, url: `${basePath.replace(/^http/, "ws")}/stream`,
  });
  stream.onTradeUpdate((update) => updates.push(update));
  stream.connect();
  stream.subscribeTradeUpdates();
  // docs:end stream
  await eventually("a first update", async () => {
    const probe = await orders.postOrder({
      postOrderRequest: {
        symbol: "F", qty: "1", side: "buy", type: "limit", timeInForce: "day", limitPrice: await far("F"),
      },
    });
    await orders.deleteOrderByOrderID({ orderId: probe.id });
    await status(probe.id, "canceled");
    return updates.length > 0;
  });
  // docs:begin order
  const clientOrderId = crypto.randomUUID();
  const order = await orders.postOrder({
    postOrderRequest: {
      symbol: "AAPL", qty: "1", side: "buy", type: "limit", timeInForce: "day", limitPrice: "100.00", clientOrderId,
    },
  });
  // docs:end order
  await status(order.id, "new");
  // docs:begin cancel
  const found = await orders.getOrderByClientOrderId({ clientOrderId });
  await orders.deleteOrderByOrderID({ orderId: found.id });
  // docs:end cancel
  assert.equal(found.id, order.id);
  const told = () => updates.filter((update) => update.order.id === order.id)
    .map((update) => update.event).filter((event) => event !== "pending_new");
  await eventually("the end", () => told().includes("canceled"));
  assert.deepEqual(told(), ["accepted", "new", "pending_cancel", "canceled"]);
  stream.disconnect();
});
