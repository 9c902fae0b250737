"""PATCH: a new order in the place of the old one."""

from decimal import Decimal

from alpaca.trading.enums import TimeInForce
from alpaca.trading.requests import ReplaceOrderRequest

from conftest import CENT, wait_for


def test_a_replacement_takes_the_place_of_the_old_order(customer, fresh_id):
    before = Decimal(customer.client.get_account().buying_power)
    old = customer.resting("PG", qty=2)
    price = (Decimal(str(old.limit_price)) * Decimal("0.9")).quantize(CENT)
    new = customer.client.replace_order_by_id(
        old.id, ReplaceOrderRequest(qty=3, limit_price=float(price), client_order_id=fresh_id)
    )
    assert new.id != old.id and new.replaces == old.id
    assert (new.client_order_id, float(new.qty)) == (fresh_id, 3)
    customer.until(new, "new")
    replaced = customer.until(old, "replaced")
    assert replaced.replaced_by == new.id and replaced.replaced_at is not None
    assert Decimal(customer.client.get_account().buying_power) == before - price * 3


def test_absent_fields_stay_as_they_were(customer):
    old = customer.resting("PG", qty=2, tif=TimeInForce.GTC)
    new = customer.client.replace_order_by_id(old.id, ReplaceOrderRequest(qty=5))
    assert (new.limit_price, new.time_in_force, new.symbol, new.side) == (
        old.limit_price,
        old.time_in_force,
        old.symbol,
        old.side,
    )
    customer.until(new, "new")


def test_a_chain_of_replacements_keeps_one_hold(customer):
    before = Decimal(customer.client.get_account().buying_power)
    order = customer.resting("PG", qty=1)
    for qty in (4, 2, 3):
        order = customer.until(customer.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=qty)), "new")
    held = Decimal(str(order.limit_price)) * 3
    wait_for(lambda: Decimal(customer.client.get_account().buying_power) == before - held)
    customer.client.cancel_order_by_id(order.id)
    customer.until(order, "canceled")
    assert Decimal(customer.client.get_account().buying_power) == before


def test_what_has_ended_cannot_be_replaced(customer, refused):
    order = customer.resting("PG")
    customer.client.cancel_order_by_id(order.id)
    customer.until(order, "canceled")
    with refused(422, 42210000, ""):
        customer.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3))


def test_an_unknown_order_cannot_be_replaced(client, refused, fresh_id):
    with refused(404, 40410000, "order not found"):
        client.replace_order_by_id(fresh_id, ReplaceOrderRequest(qty=3))


def test_a_replacement_that_costs_too_much_leaves_the_old_order(customer, refused):
    order = customer.resting("PG")
    money = Decimal(customer.client.get_account().buying_power)
    qty = int(money / Decimal(str(order.limit_price))) + 10
    with refused(403, 40310000, "insufficient buying power"):
        customer.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=qty))
    seen = customer.client.get_order_by_id(order.id)
    assert (seen.status.value, seen.qty) == ("new", order.qty)
