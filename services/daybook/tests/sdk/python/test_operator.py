"""What the brokerage does to a customer, as the customer is told: kill switches, blocks, restrictions, limits. All of it is taken back."""

import contextlib
import uuid

import pytest

from conftest import a_customer, operate, wait_for
from refusals import ANY, PLACING, Row, check, is_of, order, refusal

VENUE = "exchange"
# Where the customer has too little for it, an order that meets no other refusal is not taken either.
TOO_DEAR = dict(qty="400")


class Act:
    """A command, the commands that take it back, and the order that is refused meanwhile. `{account}` is the customer's."""

    def __init__(self, do, undo, body=None, open_before=0):
        self.do, self.undo, self.body, self.open_before = do, undo, body or order(**TOO_DEAR), open_before


@pytest.fixture(scope="module")
def guest():
    """One customer for all acts: they are taken back."""
    with a_customer() as someone:
        yield someone


def kill(*subject):
    set_, lift = (("kill", verb, *subject, "--reason", "the SDK suite") for verb in ("set", "lift"))
    # Two persons lift a switch.
    return Act(set_, [(*lift, "--by", "the desk"), (*lift, "--by", "the desk's second")])


def risk(*whose, **limit):
    ((name, value),) = limit.items()
    name = name.replace("_", "-")
    return ("risk", "set", *whose, f"{name}={value}"), [("risk", "set", *whose, f"{name}=default")]


ITS_OWN = ("--account", "{account}")

OPERATED = {
    Row(PLACING, 403, 40310000, "new orders are stopped in this symbol"): kill("symbol", "KO"),
    Row(PLACING, 403, 40310000, "new orders are stopped for this account"): kill("account", "{account}"),
    Row(PLACING, 403, 40310000, "new orders are stopped at the exchange"): kill("venue", VENUE),
    Row(PLACING, 403, 40310000, "new orders are stopped for everybody"): kill("firm"),
    Row(PLACING, 403, 40310000, "account is not allowed to trade"): Act(("block", "{account}"), [("unblock", "{account}")]),
    Row(PLACING, 403, 40310000, "order value 250000.00 is above the limit of 200000.00"): Act(*risk(*ITS_OWN, max_order_value=100)),
    # Of so small a part of any average one share is left.
    Row(
        PLACING,
        403,
        40310000,
        "qty 20000 is above the limit of 18000, 5 percent of the average daily volume of 360000: send smaller orders",
    ): Act(*risk(*ITS_OWN, max_volume_share="0.00000001")),
    Row(PLACING, 403, 40310000, "too many open orders: at most 500, cancel some first"): Act(
        *risk(*ITS_OWN, max_open_orders=1), open_before=1
    ),
    Row(PLACING, 403, 40310000, "too many open orders in AAPL: at most 50, cancel some first"): Act(
        *risk(*ITS_OWN, max_open_orders_per_symbol=1), open_before=1
    ),
    Row(PLACING, 403, 40310000, "all open orders together may be worth at most 2000000.00: cancel some first"): Act(
        *risk(*ITS_OWN, max_open_value=100)
    ),
    Row(PLACING, 403, 40310000, "the firm's limit of open orders is reached, try again later"): Act(
        *risk("--firm", max_firm_open_value=1)
    ),
    # The orders before the command is felt are taken.
    Row(PLACING, 403, 40310000, "an equal order was placed less than 2 seconds ago"): Act(
        *risk(*ITS_OWN, refuse_duplicates="true"), body=order(symbol="F", limit_price="2")
    ),
    Row(PLACING, 403, 40310000, "trading in AAPL is restricted"): Act(
        ("risk", "restrict", "add", "KO", *ITS_OWN, "--reason", "the SDK suite"),
        [("risk", "restrict", "remove", "KO", *ITS_OWN)],
    ),
}

LIMITED = Row(ANY, 429, 42910000, "rate limit exceeded")
CHURNED = Row(PLACING, 429, 42910000, "rate limit exceeded")


@contextlib.contextmanager
def done(act, customer):
    """However the test ends, each step back is tried."""

    def command(words):
        operate(*(word.format(account=customer.account) for word in words))

    with contextlib.ExitStack() as back:
        for words in reversed(act.undo):
            back.callback(command, words)
        command(act.do)
        yield


@pytest.mark.parametrize("row", OPERATED, ids=str)
def test_the_customer_is_told_what_the_brokerage_did(guest, row):
    act = OPERATED[row]

    def answer():
        return refusal(lambda: guest.client.post("/orders", act.body))

    try:
        for _ in range(act.open_before):
            guest.limit("KO", 1, 10)
        with done(act, guest):
            wait_for(lambda: is_of(answer(), row), patience=20)
            check(answer(), row)
        # Felt by the end of the test, so that the next one meets an installation as it was.
        wait_for(lambda: not is_of(answer(), row), patience=20)
    finally:
        guest.client.cancel_orders()


def retry_after(error):
    return int(error.response.headers["Retry-After"])


def test_too_many_requests_are_told_when_to_come_back(newcomer):
    operate("limits", "set", "--account", newcomer.account, "--class", "read", "--per-minute", 1, "--burst", 1)
    error = wait_for(lambda: refusal(newcomer.client.get_account))
    check(error, LIMITED)
    assert 1 <= retry_after(error) <= 60
    # Another class of requests goes on.
    newcomer.client.post("/orders", order(symbol="F", limit_price="2"))
    newcomer.client.cancel_orders()


def test_who_cancels_too_much_places_nothing_for_a_while(newcomer):
    tier = f"sdk-{uuid.uuid4().hex[:8]}"
    operate("limits", "set", "--tier", tier, "--class", "read", "--unlimited")
    operate("limits", "churn", tier, "--cancels-per-minute", 1, "--cancels-per-fill", 1, "--cool-off", 30)
    operate("limits", "tier", newcomer.account, tier)

    def placed_and_canceled():
        order_id = newcomer.client.post("/orders", order(symbol="F", limit_price="2"))["id"]
        newcomer.client.cancel_order_by_id(order_id)

    error = wait_for(lambda: refusal(placed_and_canceled), patience=20)
    check(error, CHURNED)
    assert 1 <= retry_after(error) <= 30
