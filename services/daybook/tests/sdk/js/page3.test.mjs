// What docs/alpaca-clients.md shows of the 3.x SDK: the passages between `docs:begin` and `docs:end` stand there as they are.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, far } from "./common.mjs";

// docs:begin connect
import Alpaca from "alpaca-3";

const { APCA_API_BASE_URL: baseUrl, APCA_API_KEY_ID: keyId, APCA_API_SECRET_KEY: secretKey } = process.env;
const alpaca = new Alpaca({ baseUrl, keyId, secretKey });
// docs:end connect

const status = (id, wanted) => eventually(wanted, async () => (await alpaca.getOrder(id)).status === wanted);

test("the page for client authors", async () => {
  // docs:begin stream
  const updates = [];
  alpaca.trade_ws.onOrderUpdate((update) => updates.push(update));
  const connected = new Promise((resolve) => alpaca.trade_ws.onConnect(resolve));
  alpaca.trade_ws.connect();
  await connected;
  alpaca.trade_ws.subscribe(["trade_updates"]);
  // docs:end stream
  await eventually("a first update", async () => {
    const probe = await alpaca.createOrder({
      symbol: "F", qty: 1, side: "buy", type: "limit", time_in_force: "day", limit_price: await far("F"),
    });
    await alpaca.cancelOrder(probe.id);
    await status(probe.id, "canceled");
    return updates.length > 0;
  });
  // docs:begin order
  const client_order_id = crypto.randomUUID();
  const order = await alpaca.createOrder({
    symbol: "AAPL", qty: 1, side: "buy", type: "limit", time_in_force: "day", limit_price: "100.00", client_order_id,
  });
  // docs:end order
  await status(order.id, "new");
  // docs:begin cancel
  const found = await alpaca.getOrderByClientId(client_order_id);
  await alpaca.cancelOrder(found.id);
  // docs:end cancel
  assert.equal(found.id, order.id);
  const told = () => updates.filter((update) => update.order.client_order_id === client_order_id)
    .map((update) => update.event).filter((event) => event !== "pending_new");
  await eventually("the end", () => told().includes("canceled"));
  assert.deepEqual(told(), ["accepted", "new", "pending_cancel", "canceled"]);
  alpaca.trade_ws.disconnect();
});
