"""What docs/alpaca-clients.md and the README show of alpaca-py: the passages between `docs:begin` and `docs:end` stand there as they are."""

# docs:begin connect
import os
import queue
import threading
import uuid

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest
from alpaca.trading.stream import TradingStream

base, key, secret = (os.environ[name] for name in ("APCA_API_BASE_URL", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY"))
client = TradingClient(key, secret, url_override=base)
# docs:end connect

from conftest import wait_for


def test_the_page_for_client_authors(customer):
    # docs:begin stream
    updates = queue.Queue()

    async def on_update(update):
        updates.put(update)

    stream = TradingStream(key, secret, url_override=base.replace("http", "ws") + "/stream")  # the full path
    stream.subscribe_trade_updates(on_update)
    threading.Thread(target=stream.run, daemon=True).start()
    # docs:end stream

    def listens():
        client.cancel_order_by_id(customer.resting("F", qty=1).id)
        return not updates.empty()

    wait_for(listens)
    # docs:begin order
    client_order_id = str(uuid.uuid4())
    request = LimitOrderRequest(
        symbol="AAPL",
        qty=1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        limit_price=100,
        client_order_id=client_order_id,
    )
    order = client.submit_order(request)
    # docs:end order
    customer.until(order, "new")
    # docs:begin cancel
    found = client.get_order_by_client_id(client_order_id)
    client.cancel_order_by_id(found.id)
    # docs:end cancel
    assert found.id == order.id
    told = []
    while "canceled" not in told:
        update = updates.get(timeout=60)
        if update.order.client_order_id == client_order_id:
            told.append(update.event)
    assert [event for event in told if event != "pending_new"] == ["accepted", "new", "pending_cancel", "canceled"]
    stream.stop()


def test_the_first_order_of_the_readme(customer, capsys):
    # docs:begin readme
    import os
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest

    client = TradingClient(os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"], url_override=os.environ["APCA_API_BASE_URL"])
    order = client.submit_order(MarketOrderRequest(symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    print(client.get_order_by_id(order.id).status)
    client.submit_order(LimitOrderRequest(symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=100))
    print([(p.symbol, p.qty, p.avg_entry_price) for p in client.get_all_positions()])
    # docs:end readme
    status, positions = capsys.readouterr().out.splitlines()
    assert status.startswith("OrderStatus.") and positions.startswith("[")
    customer.until(order, "filled")
    assert float(client.get_open_position("AAPL").qty) >= 10
    assert [(float(one.qty), float(one.limit_price)) for one in client.get_orders()] == [(10, 100)]
