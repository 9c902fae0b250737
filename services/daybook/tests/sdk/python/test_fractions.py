"""Fractions, dollars, market orders, and closing positions."""

from decimal import Decimal

from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import ClosePositionRequest, LimitOrderRequest, MarketOrderRequest

from conftest import CENT, quote, wait_for


def market(client, symbol, side=OrderSide.BUY, tif=TimeInForce.DAY, **size):
    return client.submit_order(MarketOrderRequest(symbol=symbol, side=side, time_in_force=tif, **size))


def shares(client, symbol):
    held = {one.symbol: Decimal(one.qty) for one in client.get_all_positions()}
    return held.get(symbol, Decimal(0))


def test_a_market_order_fills_and_shows_no_limit(customer):
    order = market(customer.client, "NVDA", qty=2)
    filled = customer.until(order, "filled")
    assert filled.type.value == "market" and filled.limit_price is None
    assert float(filled.filled_avg_price) <= float(quote("NVDA")[1]) * 1.1


def test_a_fraction_of_a_share_is_bought_and_sold(customer):
    before = shares(customer.client, "MSFT")
    customer.until(market(customer.client, "MSFT", qty=0.25), "filled")
    assert shares(customer.client, "MSFT") == before + Decimal("0.25")
    customer.until(market(customer.client, "MSFT", side=OrderSide.SELL, qty=0.25), "filled")
    assert shares(customer.client, "MSFT") == before


def test_dollars_buy_shares(customer):
    order = market(customer.client, "GOOGL", notional=100)
    assert (order.qty, float(order.notional)) == (None, 100)
    filled = customer.until(order, "filled")
    spent = Decimal(filled.filled_qty) * Decimal(filled.filled_avg_price)
    assert 90 <= spent <= 105


def test_a_dollar_based_limit_buy_spends_no_more_than_its_dollars(customer):
    limit = (quote("META")[1] * Decimal("1.02")).quantize(CENT)
    before = Decimal(customer.client.get_account().cash)
    order = customer.client.submit_order(
        LimitOrderRequest(symbol="META", notional=250, side="buy", time_in_force="day", limit_price=float(limit))
    )
    customer.until(order, "filled")
    wait_for(lambda: Decimal(customer.client.get_account().cash) < before)
    assert before - Decimal(customer.client.get_account().cash) <= 250


def test_an_open_position_is_closed_in_part_and_whole(customer):
    customer.bought("TSLA", 10)
    held = shares(customer.client, "TSLA")
    closing = customer.client.close_position("TSLA", ClosePositionRequest(qty="4"))
    customer.until(closing, "filled")
    assert shares(customer.client, "TSLA") == held - 4
    customer.until(customer.client.close_position("TSLA"), "filled")
    assert shares(customer.client, "TSLA") == 0


def test_closing_what_is_not_there_is_404(client, refused):
    with refused(404, 40410000, "position does not exist"):
        client.close_position("LLY")


def test_all_positions_are_closed_after_their_orders(customer):
    customer.bought("HD", 3)
    ask = quote("HD")[1]
    customer.limit("HD", 3, ask * 2 // 1, side=OrderSide.SELL)
    answers = customer.client.close_all_positions(cancel_orders=True)
    assert "HD" in {answer.symbol for answer in answers}
    assert all(answer.status == 200 for answer in answers), answers
    wait_for(lambda: customer.client.get_all_positions() == [])


def test_a_fraction_is_for_the_day(client, refused):
    with refused(422, 42210000, "fractional orders must be DAY orders"):
        market(client, "MSFT", qty=0.5, tif=TimeInForce.GTC)
