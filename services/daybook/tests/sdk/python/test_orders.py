"""Placing, reading, listing and canceling limit orders."""

from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import GetOrdersRequest

from conftest import CENT, quote, wait_for


def test_a_limit_buy_fills_at_its_price_or_better(customer):
    order = customer.bought("MSFT", 3)
    assert float(order.filled_qty) == 3
    assert 0 < float(order.filled_avg_price) <= float(order.limit_price)
    assert order.filled_at is not None and order.type.value == "limit"


def test_what_was_bought_can_be_sold(customer):
    customer.bought("V", 5)
    bid, _ = quote("V")
    order = customer.limit("V", 5, (bid * 95 / 100).quantize(CENT), side=OrderSide.SELL, tif=TimeInForce.GTC)
    sold = customer.until(order, "filled")
    assert float(sold.filled_avg_price) >= float(sold.limit_price)


def test_an_order_is_found_by_both_its_ids(customer, fresh_id):
    order = customer.resting("JNJ", client_order_id=fresh_id)
    assert customer.client.get_order_by_client_id(fresh_id).id == order.id
    assert customer.client.get_order_by_id(order.id).client_order_id == fresh_id


def test_an_ioc_order_far_from_the_market_ends_canceled(customer):
    bid, _ = quote("WMT")
    order = customer.limit("WMT", 1, (bid / 2).quantize(CENT), tif=TimeInForce.IOC)
    assert customer.until(order, "canceled").canceled_at is not None


def test_a_fok_order_within_the_market_fills_whole(customer):
    _, ask = quote("XOM")
    order = customer.limit("XOM", 1, (ask * 105 / 100).quantize(CENT), tif=TimeInForce.FOK)
    customer.until(order, "filled")


def test_lists_are_filtered_and_paged(customer):
    orders = [customer.resting(symbol) for symbol in ("F", "F", "HD")]
    of_one = customer.client.get_orders(GetOrdersRequest(symbols=["F"]))
    assert {one.id for one in of_one} == {orders[0].id, orders[1].id}
    rising = customer.client.get_orders(
        GetOrdersRequest(status=QueryOrderStatus.OPEN, direction="asc", limit=1, after=orders[0].submitted_at)
    )
    assert [one.id for one in rising] == [orders[1].id]
    for order in orders:
        customer.client.cancel_order_by_id(order.id)
        customer.until(order, "canceled")
    closed = customer.client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, symbols=["F", "HD"], limit=500))
    assert {one.id for one in orders} <= {one.id for one in closed}
    assert customer.client.get_orders(GetOrdersRequest(symbols=["F", "HD"])) == []


def test_cancel_all_names_each_order(customer):
    orders = [customer.resting(symbol) for symbol in ("KO", "PG")]
    answers = customer.client.cancel_orders()
    assert {answer.id for answer in answers} == {order.id for order in orders}
    assert all(answer.status == 200 for answer in answers)
    wait_for(lambda: customer.client.get_orders() == [])


def test_a_canceled_order_cannot_be_canceled(customer, refused):
    order = customer.resting("KO")
    customer.client.cancel_order_by_id(order.id)
    customer.until(order, "canceled")
    with refused(422, 42210000, 'order is already in "canceled" state'):
        customer.client.cancel_order_by_id(order.id)
