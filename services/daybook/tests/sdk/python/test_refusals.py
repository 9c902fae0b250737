"""Every documented refusal of an order: status, code and words, and nothing stored or held."""

from decimal import Decimal

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce

from conftest import quote


@pytest.fixture
def unharmed(client):
    """Whatever is refused inside changes neither orders nor money."""
    before = (client.get_account().buying_power, len(client.get_orders()))
    yield
    assert (client.get_account().buying_power, len(client.get_orders())) == before


def order(**fields):
    usual = dict(symbol="KO", qty="1", side="buy", type="limit", time_in_force="day", limit_price="10")
    usual.update(fields)
    return {name: value for name, value in usual.items() if value is not None}


REFUSALS = {
    "no quantity": (order(qty=None), 422, 40010001, "qty or notional is required"),
    "both quantities": (order(notional="10"), 422, 40010001, "only one of qty or notional is accepted"),
    "zero": (order(qty="0"), 422, 40010001, "qty must be > 0"),
    "below zero": (order(qty="-1"), 422, 40010001, "qty must be > 0"),
    "no limit": (order(limit_price=None), 422, 40010001, "limit orders require a limit price"),
    "unknown time in force": (order(time_in_force="gtx"), 422, 40010001, "invalid time_in_force"),
    "unknown type": (order(type="iceberg"), 422, 40010001, "invalid order type"),
    "long client id": (order(client_order_id="x" * 129), 422, 40010001, "no more than 128 characters"),
    "unknown asset": (order(symbol="NOSUCH"), 422, 42210000, 'asset "NOSUCH" not found'),
    "sub-penny": (order(limit_price="10.123"), 422, 42210000, "sub-penny increment does not fulfill minimum pricing criteria"),
    "stop order": (order(type="stop", limit_price=None, stop_price="9"), 422, 42210000, "stop"),
    "bracket": (order(order_class="bracket"), 422, 42210000, "bracket"),
    "extended hours": (order(extended_hours=True), 422, 42210000, "extended"),
    "opening auction": (order(time_in_force="opg"), 422, 42210000, "opg"),
    "under a dollar": (order(qty="1", limit_price="0.5"), 403, 40310000, "cost basis must be >= minimal amount of order 1"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(client, refused, unharmed, name):
    body, status, code, words = REFUSALS[name]
    with refused(status, code, words):
        client.post("/orders", body)


def test_buying_power_is_named_when_it_is_too_little(client, refused, unharmed):
    money = Decimal(client.get_account().buying_power)
    bid, _ = quote("KO")
    qty = int(money / bid) + 1
    with refused(403, 40310000, "insufficient buying power") as refusal:
        client.post("/orders", order(qty=str(qty), limit_price=str(bid)))
    assert Decimal(refusal.body["buying_power"]) == money
    assert Decimal(refusal.body["cost_basis"]) == qty * bid


def test_shares_that_are_not_there_cannot_be_sold(customer, refused):
    customer.bought("MA", 2)
    free = customer.client.get_open_position("MA").qty_available
    ask = quote("MA")[1]
    with refused(403, 40310000, "insufficient qty available for order") as refusal:
        customer.limit("MA", int(float(free)) + 7, ask * 2 // 1, side=OrderSide.SELL)
    assert refusal.body["available"] == free
    assert refusal.body["symbol"] == "MA"


def test_nothing_is_sold_short(client, refused, unharmed):
    with refused(403, 40310000, "not allowed to short"):
        client.post("/orders", order(symbol="LLY", side="sell", limit_price="900"))


def test_a_client_order_id_is_taken_for_ever(customer, refused, fresh_id):
    first = customer.resting("KO", client_order_id=fresh_id)
    customer.client.cancel_order_by_id(first.id)
    customer.until(first, "canceled")
    with refused(422, 40010001, "client_order_id must be unique"):
        customer.limit("KO", 1, 10, client_order_id=fresh_id)


def test_unknown_orders_are_404(client, refused, fresh_id):
    for call in (client.get_order_by_id, client.cancel_order_by_id):
        with refused(404, 40410000, "order not found"):
            call(fresh_id)
    with refused(404, 40410000, "order not found"):
        client.get_order_by_client_id(fresh_id)
