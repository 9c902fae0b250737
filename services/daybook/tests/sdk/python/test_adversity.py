"""What customers are told while the house is in trouble, in an installation of its own: no database, no room, no calendar, defects."""

import contextlib
import json
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import SimpleNamespace

import pytest
import websockets.sync.client
from alpaca.trading.requests import ReplaceOrderRequest
from websockets.exceptions import InvalidStatus

from conftest import wait_for
from installation import Installation
from refusals import ASKING, CANCELING, PLACING, REPLACING, STREAMS, Row, check, is_of, order, refusal


class Harm:
    """What happens to the database, what takes it back, and the call that is refused meanwhile. Both may be done twice."""

    def __init__(self, do, undo, call):
        self.do, self.undo, self.call = do, undo, call


def placing(**fields):
    return lambda client, _: client.post("/orders", order(**fields))


def canceling(client, resting):
    client.cancel_order_by_id(resting)


def asking(client, _):
    client.get_orders()


def account(change, back):
    return Harm(f"update accounts set {change} where account_id = '{{account}}'", f"update accounts set {back}", placing())


def broken(call):
    return Harm("revoke all on orders from daybook_app", "grant select, insert, update on orders to daybook_app", call)


HARMED = {
    Row(PLACING, 422, 42210000, 'asset "AAPL" is not tradable'): Harm(
        "update assets set tradable = false where symbol = 'KO'",
        "update assets set tradable = true where symbol = 'KO'",
        placing(),
    ),
    # Listed, and quoted by nobody.
    Row(PLACING, 422, 42210000, 'there is no reference price of "AAPL" for a market order: send a limit order'): Harm(
        """insert into assets (asset_id, symbol, name, exchange, status, tradable, fractionable, updated_at)
           values (gen_random_uuid(), 'NEWCO', 'New', 'NYSE', 'active', true, true, daybook_now())
           on conflict (symbol) do update set status = 'active', tradable = true""",
        "delete from assets where symbol = 'NEWCO'",
        placing(symbol="NEWCO", type="market", limit_price=None),
    ),
    Row(PLACING, 403, 40310000, "account is not active"): account("status = 'ACCOUNT_CLOSED'", "status = 'ACTIVE'"),
    Row(PLACING, 403, 40310000, "account is blocked"): account("account_blocked = true", "account_blocked = false"),
    Row(PLACING, 403, 40310000, "account is restricted to closing positions"): account("closing_only = true", "closing_only = false"),
    Row(PLACING, 503, 50310000, "orders cannot be taken at the moment: instruments are not loaded yet"): Harm(
        # Whatever refers to them.
        "set local session_replication_role = replica; create table if not exists kept_assets as table assets; delete from assets",
        "insert into assets table kept_assets on conflict do nothing; drop table kept_assets",
        placing(),
    ),
    Row(PLACING, 500, 50010000, "internal server error"): broken(placing()),
    Row(CANCELING, 500, 50010000, "internal server error"): broken(canceling),
    Row(ASKING, 500, 50010000, "internal server error"): broken(asking),
}

FILLED_BY_THEN = Row(REPLACING, 422, 42210000, "qty must be > filled_qty, and 3 are filled: cancel the order to end the rest")
NOT_TAKEN = Row(PLACING, 503, 50310000, "the order was not taken, try again")
NOT_CANCELED = Row(CANCELING, 503, 50310000, "the cancel was not taken, try again")
UNREAD = Row(ASKING, 503, 50310000, "the database is away, try again")
UNKNOWN = Row(PLACING, 503, 50310000, "the outcome is unknown: look the order up by its client_order_id")
CALENDAR_ENDS = Row(ASKING, 503, 50310000, "the trading calendar ends before the next session")
FULL = Row(STREAMS, 503, 50310000, "too many stream connections at the moment")
ACCOUNT_FULL = Row(STREAMS, 503, 50310000, "too many stream connections of this account")
ADDRESS_FULL = Row(STREAMS, 429, 42910000, "rate limit exceeded")
STOPPING = Row(STREAMS, 503, 50310000, "the server is stopping, connect again")

WAITING = {
    Row(PLACING, 503, 50310000, "too many orders are waiting, try again"): lambda client, _: client.post("/orders", order()),
    Row(CANCELING, 503, 50310000, "too many cancels are waiting, try again"): canceling,
}

MET = [
    *HARMED,
    *WAITING,
    FILLED_BY_THEN,
    NOT_TAKEN,
    NOT_CANCELED,
    UNREAD,
    UNKNOWN,
    CALENDAR_ENDS,
    FULL,
    ACCOUNT_FULL,
    ADDRESS_FULL,
    STOPPING,
]


@pytest.fixture(scope="module")
def house():
    installation = Installation()
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


@pytest.fixture
def client(house):
    """Whatever is refused inside leaves neither orders nor holds, once the open orders are canceled."""
    client = house.client()
    before = holdings(client)
    yield client
    cancel_all(client)
    assert holdings(client) == before


def holdings(client):
    return client.get_account().buying_power, len(client.get_orders())


def cancel_all(client):
    client.cancel_orders()
    wait_for(lambda: client.get_orders() == [])


def resting(client, **fields):
    """An order that the exchange has."""
    placed = client.post("/orders", order(**fields))["id"]
    wait_for(lambda: client.get_order_by_id(placed).status.value == "new")
    return placed


@pytest.mark.parametrize("row", HARMED, ids=str)
def test_the_customer_is_told_of_harm(house, client, row):
    harm, open_order = HARMED[row], resting(client)
    do = harm.do.format(account=client.get_account().id)

    def told():
        house.sql(do)
        error = refusal(lambda: harm.call(house.client(), open_order))
        return error if is_of(error, row) else None

    try:
        check(wait_for(told), row)
    finally:
        house.sql(harm.undo)
    # Felt by the end of the test, so that the next one meets an installation as it was.
    wait_for(lambda: not is_of(refusal(lambda: harm.call(house.client(), open_order)), row))
    wait_for(lambda: refusal(lambda: client.post("/orders", order())) is None)


def test_a_total_that_is_filled_already_is_refused(house):
    client = house.client()
    open_order = resting(client, qty="10")
    house.exchange("late-print", client_order_id=open_order, qty="3", price="10")
    wait_for(lambda: Decimal(client.get_order_by_id(open_order).filled_qty) == 3)
    before = holdings(client)
    error = refusal(lambda: client.replace_order_by_id(open_order, ReplaceOrderRequest(qty=3)))
    check(error, FILLED_BY_THEN)
    assert holdings(client) == before
    assert client.get_order_by_id(open_order).status.value == "partially_filled"
    cancel_all(client)


def test_behind_a_table_that_somebody_locks_nothing_is_taken(house, client):
    open_order = resting(client)
    calls = {
        NOT_TAKEN: lambda client: client.post("/orders", order()),
        NOT_CANCELED: lambda client: client.cancel_order_by_id(open_order),
        UNREAD: lambda client: client.get_orders(),
    }
    with ThreadPoolExecutor(len(calls)) as pool, house.holding("lock table orders in access exclusive mode"):
        answers = {row: pool.submit(refusal, lambda call=call: call(house.client())) for row, call in calls.items()}
        for row, answer in answers.items():
            check(answer.result(), row)
    assert [(str(one.id), one.status.value) for one in client.get_orders()] == [(open_order, "new")]


@pytest.mark.parametrize("row", WAITING, ids=str)
def test_who_waits_too_long_behind_a_lock_has_to_ask_again(house, client, row):
    """One is taken up at a time, and each tries for a second or so: most of them would wait for longer than anybody should."""
    many = 16
    open_orders = [client.post("/orders", order())["id"] for _ in range(many)]
    before = holdings(client)
    with ThreadPoolExecutor(many) as pool, house.holding("lock table account_sequences in access exclusive mode"):
        calls = [pool.submit(refusal, lambda it=it: WAITING[row](house.client(), it)) for it in open_orders]
        errors = [call.result() for call in calls]
    check(next((error for error in errors if is_of(error, row)), None), row)
    assert all(errors), "nothing was taken"
    assert holdings(client) == before


# The transaction that has the account's money is in its COMMIT, and waits for a standby.
COMMITTING = """
    select count(*) from ledger_cash join pg_stat_activity on backend_xid = ledger_cash.xmax
     where account_id = '{account}' and wait_event = 'SyncRep'
"""


def test_a_crash_in_a_commit_leaves_an_order_to_look_up(house, client):
    committing = COMMITTING.format(account=client.get_account().id)
    names = []

    def lost():
        """Only for two seconds a COMMIT waits; then the order is simply taken."""
        names.append(str(uuid.uuid4()))
        placed = pool.submit(refusal, lambda: house.client().post("/orders", order(client_order_id=names[-1])))
        wait_for(lambda: placed.done() or house.sql(committing) == "1")
        if placed.done():
            return None
        house.crash_postgres()
        return placed.result()

    house.sql("alter system set synchronous_standby_names = 'nobody'")
    house.sql("select pg_reload_conf()")
    with ThreadPoolExecutor(1) as pool:
        try:
            error = wait_for(lost, patience=180)
        finally:
            house.start_postgres()
            house.sql("alter system reset synchronous_standby_names")
            house.sql("select pg_reload_conf()")
    check(error, UNKNOWN)
    wait_for(lambda: refusal(client.get_account) is None)
    # It was stored, and goes on like any other.
    wait_for(lambda: client.get_order_by_client_id(names[-1]).status.value == "new")


@contextlib.contextmanager
def listening(house):
    """A stream of server-sent events, once there is room for it."""
    request = urllib.request.Request(f"{house.url}/v2/events/trades")
    for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"):
        request.add_header(name, house.customer[name.replace("-", "_")])

    def opened():
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as full:
            assert full.code == 503, full
            return None

    with wait_for(opened):
        yield


def shake_hands(house):
    """A WebSocket of somebody who says nothing, or how it is refused, as the SDK would say it."""
    try:
        return websockets.sync.client.connect(house.url.replace("http", "ws") + "/stream")
    except InvalidStatus as refused:
        answer = refused.response
        return Refusal(answer.body.decode(), answer.status_code, SimpleNamespace(headers=answer.headers))


class Refusal(Exception):
    def __init__(self, body, status_code, response):
        super().__init__(body)
        self.status_code, self.response, self.message = status_code, response, json.loads(body)["message"]


def stranger(house):
    def inside():
        socket = shake_hands(house)
        return None if isinstance(socket, Refusal) else socket

    return wait_for(inside)


def test_streams_are_refused_without_room_for_them(house, client):
    def another():
        return refusal(lambda: client.get("/events/trades"))

    with stranger(house):
        check(shake_hands(house), ADDRESS_FULL)
        with listening(house), listening(house):
            check(another(), FULL)
    with listening(house), listening(house):
        # The stranger's place is free a moment after it has gone.
        check(wait_for(lambda: next((one for one in [another()] if is_of(one, ACCOUNT_FULL)), None)), ACCOUNT_FULL)


def test_a_stream_that_has_not_begun_when_the_server_stops(house, client):
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%event_seq from account_sequences%'"

    def cut_off():
        with ThreadPoolExecutor(1) as pool, house.second_door() as (url, process):
            with house.holding("lock table account_sequences in access exclusive mode"):
                opened = pool.submit(refusal, lambda: house.client(url).get("/events/trades"))
                wait_for(lambda: opened.done() or house.sql(waits) != "0")
                process.terminate()
                error = opened.result()
        return error if is_of(error, STOPPING) else None

    check(wait_for(cut_off, patience=180), STOPPING)


def test_nobody_knows_a_session_after_the_last(house, client):
    """An order-manager that keeps the NYSE's days, of which none is left: closed by operators, and the year after nobody has set."""
    with house.second_door(DAYBOOK_CALENDAR="nyse") as (url, _):
        try:
            house.sql(
                """insert into session_exceptions (day, kind, reason, added_by, added_at)
                   select day, 'closed', 'the SDK suite', 'the SDK suite', daybook_now()
                     from generate_series(current_date - 1, current_date + 3660, interval '1 day') day"""
            )

            def unknown():
                error = refusal(house.client(url).get_clock)
                return error if is_of(error, CALENDAR_ENDS) else None

            check(wait_for(unknown), CALENDAR_ENDS)
        finally:
            house.sql("delete from session_exceptions")
    wait_for(lambda: client.get_clock().is_open)
