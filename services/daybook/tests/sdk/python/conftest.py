"""A customer's program: what it knows is in demo.env, and nothing else. Prices come from the exchange's public quotes.

What the brokerage does to a customer is done by its own command, `daybook admin`, which DAYBOOK_ADMIN says how to call.
"""

import contextlib
import json
import os
import shlex
import subprocess
import time
import urllib.request
import uuid
from decimal import ROUND_DOWN, ROUND_UP, Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest

BASE_URL = os.environ["APCA_API_BASE_URL"]
KEY_ID = os.environ["APCA_API_KEY_ID"]
SECRET = os.environ["APCA_API_SECRET_KEY"]
QUOTES = os.environ["DAYBOOK_QUOTES_URL"]
CENT = Decimal("0.01")


def wait_for(what, patience=60):
    """What `what` gives as soon as it is true; a test waits for conditions, never for time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        seen = what()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited {patience} s in vain")


def quote(symbol):
    """Bid and ask in dollars, as the exchange's page for people says them: a line of heads, a line of values."""
    with urllib.request.urlopen(f"{QUOTES}/quotes/{symbol}", timeout=10) as answer:
        values = answer.read().decode().splitlines()[1].split()
    return Decimal(values[1]), Decimal(values[3])


class Refused:
    """`with refused(403, 40310000, "buying power") as error:` the call inside is refused in this way."""

    def __init__(self, status, code, words):
        self.status, self.code, self.words, self.body = status, code, words, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        assert kind is APIError, f"expected a refusal, not {error!r}"
        self.body = json.loads(str(error))
        assert (error.status_code, error.code) == (self.status, self.code), self.body
        assert self.words in error.message, self.body
        return True


@pytest.fixture
def refused():
    return Refused


class Customer:
    """The SDK's client and the few gestures that tests repeat."""

    def __init__(self, client):
        self.client = client

    def limit(self, symbol, qty, price, side=OrderSide.BUY, tif=TimeInForce.DAY, **more):
        request = LimitOrderRequest(
            symbol=symbol, qty=qty, side=side, time_in_force=tif, limit_price=float(price), **more
        )
        return self.client.submit_order(request)

    def resting(self, symbol, qty=2, tif=TimeInForce.DAY, **more):
        """A buy so far below the market that it rests, once the exchange has it."""
        bid, _ = quote(symbol)
        order = self.limit(symbol, qty, (bid / 2).quantize(CENT, ROUND_DOWN), tif=tif, **more)
        return self.until(order, "new")

    def bought(self, symbol, qty):
        """Shares, bought a little above the market."""
        _, ask = quote(symbol)
        order = self.limit(symbol, qty, (ask * Decimal("1.05")).quantize(CENT, ROUND_UP))
        return self.until(order, "filled")

    def until(self, order, status):
        def there():
            seen = self.client.get_order_by_id(order.id)
            return seen if seen.status.value == status else None

        return wait_for(there)


@pytest.fixture
def client():
    return TradingClient(KEY_ID, SECRET, url_override=BASE_URL)


@pytest.fixture
def customer(client):
    """Leaves no open order behind, so that one test's hold is not another's surprise."""
    yield Customer(client)
    client.cancel_orders()
    wait_for(lambda: client.get_orders() == [])


@pytest.fixture
def fresh_id():
    return str(uuid.uuid4())


@pytest.fixture
def configurations(client):
    """The customer's configurations, put back as they were."""
    usual = client.get_account_configurations()
    yield usual
    client.set_account_configurations(usual)


def operate(*words):
    """`daybook admin …`, and what it says."""
    command = [*shlex.split(os.environ["DAYBOOK_ADMIN"]), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def a_customer():
    """A new customer with a thousand dollars, whom nobody else knows. Nothing removes it, and no order of it stays open."""
    words = operate("customer", "create", "A customer of the SDK suite").split()
    account = words[words.index("account") + 1]
    operate("deposit", account, "1000")
    keys = dict(line.split("=", 1) for line in operate("key", "issue", account).splitlines() if "=" in line)
    client = TradingClient(keys["APCA_API_KEY_ID"], keys["APCA_API_SECRET_KEY"], url_override=BASE_URL)
    # 429 is an answer to look at here, not to wait for.
    client._retry_codes = [504]
    someone = Customer(client)
    someone.account = account
    try:
        wait_for(lambda: known(client))
        yield someone
    finally:
        client.cancel_orders()


@pytest.fixture
def newcomer():
    with a_customer() as someone:
        yield someone


def known(client):
    """Whether a new key is felt already."""
    try:
        return client.get_account()
    except APIError as error:
        assert error.status_code == 401, error
        return None
