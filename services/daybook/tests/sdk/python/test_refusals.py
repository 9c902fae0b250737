"""Every documented refusal that one request of a customer, or a few, bring about: as docs/refusals.md has it, and nothing stored or held."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide
from alpaca.trading.requests import ClosePositionRequest, ReplaceOrderRequest

from conftest import BASE_URL, CENT, KEY_ID, quote, wait_for
from refusals import (
    ANY,
    ASKING,
    CANCELING,
    CLOSING,
    PLACING,
    REPLACING,
    SETTING,
    STREAMS,
    Row,
    check,
    documented,
    is_of,
    order,
    refusal,
)
from test_adversity import MET as MET_IN_TROUBLE
from test_operator import CHURNED, LIMITED, OPERATED

NOBODYS = "00000000-0000-0000-0000-000000000000"
NOW = datetime.now(timezone.utc)
# The one second of a day in which no calendar has a session.
BETWEEN_SESSIONS = datetime.now(ZoneInfo("America/New_York")).replace(hour=23, minute=59, second=59, microsecond=500000) + timedelta(days=1)


def later(**span):
    return (NOW + timedelta(**span)).isoformat()


def placing(**fields):
    return lambda client: client.post("/orders", order(**fields))


def asking(path, query=None, **more):
    return lambda client: client.get(path, query, **more)


def closing(symbol, **query):
    return lambda client: client.delete(f"/positions/{symbol}", query)


def setting(**values):
    return lambda client: client.patch("/account/configurations", values)


def no_json(client):
    """Through the SDK's session, beneath the method that would write JSON."""
    headers = client._get_default_headers()
    client._one_request("POST", f"{BASE_URL}/v2/orders", {"headers": headers, "data": "{"}, retry=0)


def wrong_secret(_):
    TradingClient(KEY_ID, "wrong", url_override=BASE_URL).get_account()


# What one request says, whatever the account has.
AT_ONCE = {
    Row(ANY, 401, 40110000, "request is not authorized"): wrong_secret,
    Row(ANY, 404, 40410000, "there is nothing at /v3/orders"): asking("/orders", api_version="v3"),
    Row(ANY, 405, 40510000, "method is not offered on this path"): lambda client: client.put("/orders", order()),
    Row(ANY, 413, 41310000, "request body is larger than 64 KiB"): placing(client_order_id="x" * 65_536),
    Row(ANY, 400, 40010000, "request body format is invalid"): no_json,
    Row(ANY, 422, 40010001, "request body must be a JSON object"): lambda client: client.post("/orders", [order()]),
    Row(ANY, 422, 40010001, "query parameter status is given more than once"): asking("/orders", "status=open&status=all"),
    Row(ANY, 422, 40010001, "invalid path: …"): asking("/orders/%FF"),
    Row(PLACING, 422, 40010001, "symbol is required"): placing(symbol=None),
    Row(PLACING, 422, 40010001, "qty or notional is required"): placing(qty=None),
    Row(PLACING, 422, 40010001, "only one of qty or notional is accepted"): placing(notional="10"),
    Row(PLACING, 422, 40010001, "qty must be > 0"): placing(qty="0"),
    Row(PLACING, 422, 40010001, "qty is not a decimal number: write it in plain digits, like 12.34"): placing(qty="1_000"),
    Row(PLACING, 422, 40010001, "qty has too many digits: at most 9 decimals and 28 digits"): placing(qty="0.1234567891"),
    Row(PLACING, 422, 40010001, "notional has too many digits: at most 2 decimals"): placing(qty=None, notional="10.001"),
    Row(PLACING, 422, 40010001, "qty is too large"): placing(qty="9" * 27),
    Row(PLACING, 422, 40010001, "qty must be a number, or a number in quotes"): placing(qty=[1]),
    Row(PLACING, 422, 40010001, "expires_at must be a time with its offset, like 2026-11-24T15:30:00-05:00"): placing(expires_at="soon"),
    Row(PLACING, 422, 40010001, "invalid time_in_force: use day, gtc, ioc or fok"): placing(time_in_force="gtx"),
    Row(PLACING, 422, 40010001, "limit orders require a limit price"): placing(limit_price=None),
    Row(PLACING, 422, 40010001, "market orders require no limit price: leave limit_price out"): placing(type="market"),
    Row(PLACING, 422, 40010001, "stop_price is only for stop orders"): placing(stop_price="9"),
    Row(PLACING, 422, 40010001, "client_order_id must be no more than 128 characters"): placing(client_order_id="x" * 129),
    Row(PLACING, 422, 40010001, "client_order_id must not hold control characters"): placing(client_order_id="a\nb"),
    Row(PLACING, 422, 40010001, "position_intent sell_to_close contradicts side buy"): placing(position_intent="sell_to_close"),
    Row(PLACING, 422, 42210000, "order type stop is not offered yet: use type limit with a limit_price"): placing(
        type="stop", limit_price=None, stop_price="9"
    ),
    Row(PLACING, 422, 42210000, "order_class bracket is not offered yet: use order_class simple"): placing(order_class="bracket"),
    Row(
        PLACING, 422, 42210000, "extended_hours is not offered yet: send it as false, the order works in the regular session"
    ): placing(extended_hours=True),
    Row(PLACING, 422, 42210000, "fractional orders must be DAY orders"): placing(qty="0.5", time_in_force="gtc"),
    Row(PLACING, 422, 42210000, "fractional orders must be simple orders"): placing(qty="0.5", order_class="bracket"),
    Row(PLACING, 422, 42210000, "extended hours order must be DAY or GTC limit orders"): placing(
        type="market", limit_price=None, extended_hours=True
    ),
    Row(
        PLACING, 422, 42210000, "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria"
    ): placing(limit_price="10.123"),
    Row(PLACING, 422, 42210000, 'asset "XXXX" not found'): placing(symbol="XXXX"),
    Row(PLACING, 422, 42210000, "submit_at must be in the future: leave it out to send the order now"): placing(
        submit_at=later(hours=-1)
    ),
    Row(PLACING, 422, 42210000, "submit_at must be at most 90 days ahead: 2026-11-24T16:00:00-05:00 at the latest"): placing(
        submit_at=later(days=91)
    ),
    Row(
        PLACING,
        422,
        42210000,
        "submit_at of an ioc or fok order must be while the market is open: the next session is "
        "2026-11-24T09:30:00-05:00 to 2026-11-24T16:00:00-05:00",
    ): placing(time_in_force="ioc", submit_at=BETWEEN_SESSIONS.isoformat()),
    Row(PLACING, 422, 42210000, "expires_at is only for day and gtc orders: leave it out"): placing(
        time_in_force="ioc", expires_at=later(hours=1)
    ),
    Row(
        PLACING, 422, 42210000, "expires_at must be more than 60 seconds ahead: later than 2026-11-24T09:30:00-05:00"
    ): placing(expires_at=later(seconds=5)),
    Row(PLACING, 422, 42210000, "expires_at must be at most 90 days ahead: 2026-11-24T16:00:00-05:00 at the latest"): placing(
        time_in_force="gtc", expires_at=later(days=91)
    ),
    Row(
        PLACING,
        422,
        42210000,
        "expires_at is after the close of the order's session, 2026-11-24T16:00:00-05:00: send an earlier one, or time_in_force gtc",
    ): placing(expires_at=later(days=3)),
    Row(
        PLACING,
        422,
        42210000,
        "the order would have no time to trade: it begins to work at 2026-11-24T16:00:00-05:00 and ends at "
        "2026-11-24T09:30:00-05:00, send a later expires_at",
    ): placing(time_in_force="gtc", submit_at=later(hours=5), expires_at=later(hours=4)),
    Row(PLACING, 403, 40310000, 'asset "AAPL" is not fractionable'): placing(symbol="AMZN", qty="0.5"),
    Row(PLACING, 403, 40310000, "limit_price 110.01 is more than 10 percent above the last price, 100"): placing(limit_price="999"),
    Row(PLACING, 403, 40310000, "cost basis must be >= minimal amount of order 1"): placing(limit_price="0.5"),
    Row(PLACING, 403, 40310000, "account is not allowed to short"): placing(symbol="LLY", side="sell", limit_price="900"),
    Row(REPLACING, 404, 40410000, f"order not found for {NOBODYS}"): lambda client: client.replace_order_by_id(
        NOBODYS, ReplaceOrderRequest(qty=3)
    ),
    Row(CANCELING, 404, 40410000, f"order not found for {NOBODYS}"): lambda client: client.cancel_order_by_id(NOBODYS),
    Row(CLOSING, 404, 40410000, "asset not found for XXXX"): lambda client: client.close_position("XXXX"),
    Row(CLOSING, 404, 40410000, "position does not exist"): lambda client: client.close_position("LLY"),
    Row(CLOSING, 422, 40010001, "only one of qty or percentage is accepted"): closing("LLY", qty="1", percentage="50"),
    Row(CLOSING, 422, 40010001, "percentage must be > 0"): closing("LLY", percentage="0"),
    Row(CLOSING, 422, 40010001, "percentage must be <= 100"): closing("LLY", percentage="100.1"),
    Row(SETTING, 400, 40010000, "suspend_trade must be true or false"): setting(suspend_trade="maybe"),
    Row(SETTING, 400, 40010000, "trade_confirm_email must be all or none"): setting(trade_confirm_email="some"),
    Row(ASKING, 422, 40010001, "invalid status: use open or closed or all"): asking("/orders", {"status": "old"}),
    Row(ASKING, 422, 40010001, 'invalid activity type "GIFT": use FILL, FEE, CSD, CSW and the like'): asking(
        "/account/activities/GIFT"
    ),
    Row(ASKING, 422, 40010001, "nested must be true or false"): asking("/orders", {"nested": "maybe"}),
    Row(ASKING, 422, 40010001, "after must be a time like 2026-11-23T14:30:00Z"): asking("/orders", {"after": "noon"}),
    Row(ASKING, 422, 40010001, "start must be a date like 2026-11-23"): asking("/calendar", {"start": "monday"}),
    Row(ASKING, 422, 40010001, "limit must be a whole number from 1 to 500"): asking("/orders", {"limit": 501}),
    Row(ASKING, 422, 40010001, "period must be a number and a unit D, W, M or A, like 3M, at most 1000"): asking(
        "/account/portfolio/history", {"period": "3X"}
    ),
    Row(ASKING, 422, 40010001, "client_order_id is required"): asking("/orders:by_client_order_id"),
    Row(ASKING, 422, 40010001, "page_token must be the id of an activity"): asking("/account/activities", {"page_token": "1"}),
    Row(ASKING, 422, 40010001, "before_order_id names no order of this account"): asking("/orders", {"before_order_id": NOBODYS}),
    Row(ASKING, 422, 40010001, "timeframe must be at least 15Min for this period"): asking(
        "/account/portfolio/history", {"period": "20D", "timeframe": "1Min"}
    ),
    Row(ASKING, 422, 40010001, "only two of start, end and period are accepted"): asking(
        "/account/portfolio/history", {"period": "1D", "start": later(days=-3), "end": later(days=-2)}
    ),
    Row(ASKING, 422, 40010001, "start must be before the end, and not in the future"): asking(
        "/account/portfolio/history", {"start": later(days=3)}
    ),
    Row(ASKING, 422, 42210000, "this pnl_reset is not offered yet: leave it out"): asking(
        "/account/portfolio/history", {"pnl_reset": "per_day"}
    ),
    Row(ASKING, 404, 40410000, f"order not found for {NOBODYS}"): lambda client: client.get_order_by_id(NOBODYS),
    Row(ASKING, 404, 40410000, "asset not found for XXXX"): lambda client: client.get_asset("XXXX"),
    Row(ASKING, 404, 40410000, "position does not exist"): lambda client: client.get_open_position("LLY"),
    Row(STREAMS, 400, 40010000, "this path is a WebSocket: it wants GET with the headers of an upgrade"): asking(
        "", api_version="stream"
    ),
    Row(STREAMS, 422, 40010001, "only one of since and since_id is accepted"): asking(
        "/events/trades", {"since": later(days=-1), "since_id": "00000000000099999999"}
    ),
    Row(STREAMS, 422, 40010001, "since_id is no event_id"): asking("/events/trades", {"since_id": "the last"}),
    Row(STREAMS, 422, 40010001, "since_id names no event of this account"): asking(
        "/events/trades", {"since_id": "00000000000099999999"}
    ),
}


def taken_id(customer):
    """The order that had the id has ended; it is taken for ever."""
    first = customer.resting("KO")
    ended(customer, first)
    return lambda: customer.limit("KO", 1, 10, client_order_id=first.client_order_id)


def suspended(customer):
    customer.client.patch("/account/configurations", {"suspend_trade": True})
    return lambda: placing()(customer.client)


def whole_shares_only(customer):
    customer.client.patch("/account/configurations", {"fractional_trading": False})
    return lambda: placing(qty="0.5")(customer.client)


def own_sell(customer):
    customer.bought("MA", 2)
    ask = quote("MA")[1]
    customer.until(customer.limit("MA", 1, (ask * Decimal("1.04")).quantize(CENT), side=OrderSide.SELL), "new")
    return lambda: customer.limit("MA", 1, (ask * Decimal("1.05")).quantize(CENT))


def money_for_less(customer):
    money, (bid, _) = Decimal(customer.client.get_account().buying_power), quote("LLY")
    return lambda: customer.limit("LLY", int(money / bid) + 1, bid)


def shares_for_less(customer):
    customer.bought("MA", 2)
    customer.until(customer.limit("MA", 1, (quote("MA")[1] * Decimal("1.04")).quantize(CENT), side=OrderSide.SELL), "new")
    held = int(float(customer.client.get_open_position("MA").qty))
    return lambda: customer.limit("MA", held, (quote("MA")[1] * Decimal("1.04")).quantize(CENT), side=OrderSide.SELL)


def replaced_when_filled(customer):
    order = customer.bought("KO", 1)
    return lambda: customer.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3))


def canceled_when_filled(customer):
    order = customer.bought("KO", 1)
    return lambda: customer.client.cancel_order_by_id(order.id)


def replaced_before_it_is_sent(customer):
    waiting = customer.client.post("/orders", order(time_in_force="gtc", submit_at=later(days=2)))
    return lambda: customer.client.replace_order_by_id(waiting["id"], ReplaceOrderRequest(qty=3))


def replaced_in_parts(customer):
    resting = customer.resting("KO", qty=1.5)
    return lambda: customer.client.replace_order_by_id(resting.id, ReplaceOrderRequest(qty=3))


def a_part_of_one_share(customer):
    customer.bought("XOM", 2)
    return lambda: customer.client.close_position("XOM", ClosePositionRequest(percentage="1"))


# What it takes orders, shares or settings for: each makes them and gives the request.
AFTER = {
    Row(PLACING, 422, 40010001, "client_order_id must be unique"): taken_id,
    Row(PLACING, 403, 40310000, "trading is suspended by the user"): suspended,
    Row(PLACING, 403, 40310000, "fractional trading is switched off in the account's configurations"): whole_shares_only,
    Row(PLACING, 403, 40310000, "potential wash trade detected. use complex orders"): own_sell,
    Row(PLACING, 403, 40310000, "insufficient buying power"): money_for_less,
    Row(PLACING, 403, 40310000, "insufficient qty available for order (requested: 4, available: 3)"): shares_for_less,
    Row(REPLACING, 422, 42210000, 'order is already in "filled" state'): replaced_when_filled,
    Row(REPLACING, 422, 42210000, "unable to replace order, order isn't sent to exchange yet"): replaced_before_it_is_sent,
    Row(
        REPLACING, 422, 42210000, "unable to replace order, fractional, notional and market orders cannot be replaced"
    ): replaced_in_parts,
    Row(CANCELING, 422, 42210000, 'order is already in "filled" state'): canceled_when_filled,
    Row(CLOSING, 422, 42210000, "the part is less than one share: send a larger one"): a_part_of_one_share,
}

# The one with a test of its own.
NOT_OPEN = Row(REPLACING, 422, 42210000, "unable to replace order, order is not open")


@pytest.fixture
def unharmed(client):
    """Whatever is refused inside changes neither orders nor money."""
    before = holdings(client)
    yield
    assert holdings(client) == before


def holdings(client):
    return client.get_account().buying_power, len(client.get_orders())


def ended(customer, order):
    customer.client.cancel_order_by_id(order.id)
    customer.until(order, "canceled")


@pytest.mark.parametrize("row", AT_ONCE, ids=str)
def test_refused_at_once(client, unharmed, row):
    check(refusal(lambda: AT_ONCE[row](client)), row)


@pytest.mark.parametrize("row", AFTER, ids=str)
def test_refused_after_what_was_done(customer, configurations, row):
    call = AFTER[row](customer)
    before = holdings(customer.client)
    check(refusal(call), row)
    assert holdings(customer.client) == before


def test_what_is_being_canceled_cannot_be_replaced(customer):
    """The exchange may be faster than the second request: then there is another order."""

    def asked_in_time():
        order = customer.resting("KO")
        customer.client.cancel_order_by_id(order.id)
        error = refusal(lambda: customer.client.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3)))
        customer.until(order, "canceled")
        return error if is_of(error, NOT_OPEN) else None

    check(wait_for(asked_in_time), NOT_OPEN)


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
    ask = (quote("MA")[1] * Decimal("1.05")).quantize(CENT)
    with refused(403, 40310000, "insufficient qty available for order") as refusal:
        customer.limit("MA", int(float(free)) + 7, ask, side=OrderSide.SELL)
    assert refusal.body["available"] == free
    assert refusal.body["symbol"] == "MA"


def test_an_unknown_client_order_id_is_404(client, refused, fresh_id):
    with refused(404, 40410000, "order not found"):
        client.get_order_by_client_id(fresh_id)


def test_every_documented_refusal_is_met():
    tables = (AT_ONCE, AFTER, OPERATED, [NOT_OPEN, LIMITED, CHURNED], MET_IN_TROUBLE)
    listed = [row for table in tables for row in table]
    assert len(listed) == len(set(listed)), "a row is in two tables"
    assert set(listed) == set(documented())
