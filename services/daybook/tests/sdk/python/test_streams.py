"""Trade updates: the SDK's WebSocket, and the server-sent events that other SDKs read."""

import asyncio
import json
import queue
import threading
import urllib.parse
import urllib.request
from datetime import timedelta

import pytest
from alpaca.trading.stream import TradingStream

from conftest import BASE_URL, KEY_ID, SECRET, wait_for

HEADERS = {"APCA-API-KEY-ID": KEY_ID, "APCA-API-SECRET-KEY": SECRET}


@pytest.fixture
def updates(customer):
    """What the SDK's stream hands to a handler, from the moment it listens."""
    seen, stream = queue.Queue(), TradingStream(KEY_ID, SECRET, url_override=BASE_URL.replace("http", "ws") + "/stream")

    async def handler(update):
        seen.put(update)

    stream.subscribe_trade_updates(handler)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()

    def listens():
        """The first update of an order proves that the stream listens."""
        order = customer.resting("F", qty=1)
        customer.client.cancel_order_by_id(order.id)
        customer.until(order, "canceled")
        return not seen.empty()

    wait_for(listens)
    yield seen
    stream.stop()
    thread.join(timeout=20)


# Told between "accepted" and "new" where the exchange took long to answer, as it does on a busy machine.
IN_DOUBT = "pending_new"


def of_order(seen, order, last):
    """The updates of one order up to the event `last`, without the one of a submission in doubt."""
    updates = []
    while not updates or updates[-1].event != last:
        update = seen.get(timeout=60)
        if update.order.id == order.id and update.event != IN_DOUBT:
            updates.append(update)
    return updates


def test_the_stream_tells_of_a_canceled_order_in_order(customer, updates):
    order = customer.resting("KO")
    customer.client.cancel_order_by_id(order.id)
    told = of_order(updates, order, "canceled")
    assert [one.event for one in told] == ["accepted", "new", "pending_cancel", "canceled"]
    assert [one.order.status.value for one in told] == ["accepted", "new", "pending_cancel", "canceled"]


def test_the_stream_tells_of_each_execution(customer, updates):
    order = customer.bought("JPM", 30)
    told = of_order(updates, order, "fill")
    executions = [one for one in told if one.event in ("partial_fill", "fill")]
    assert sum(one.qty for one in executions) == 30
    assert all(one.price <= float(order.limit_price) and one.execution_id for one in executions)
    assert executions[-1].position_qty >= 30
    assert executions[-1].order.status.value == "filled"


def events(**query):
    """A replay that ends by itself: the bare updates between two moments or ids."""
    url = f"{BASE_URL}/v2/events/trades?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=HEADERS), timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [line.decode().rstrip("\n") for line in answer]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_replay_gives_each_event_once_and_resumes_by_id(customer):
    order = customer.resting("KO")
    customer.client.cancel_order_by_id(order.id)
    ended = customer.until(order, "canceled")
    # What happened at the very moment is not after it.
    since, until = order.created_at - timedelta(microseconds=1), ended.updated_at
    replayed = events(since=since.isoformat(), until=until.isoformat())
    told = [one for one in replayed if one["order"]["id"] == str(order.id) and one["event"] != IN_DOUBT]
    assert [one["event"] for one in told][:3] == ["accepted", "new", "pending_cancel"], replayed
    ids = [one["event_id"] for one in told]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)
    rest = events(since_id=ids[0], until_id=ids[2])
    mine = [one for one in rest if one["order"]["id"] == str(order.id) and one["event"] != IN_DOUBT]
    assert [one["event_id"] for one in mine] == ids[1:3]


def test_a_wrong_secret_does_not_listen():
    import websockets

    async def tries():
        async with websockets.connect(BASE_URL.replace("http", "ws") + "/stream") as socket:
            await socket.send(json.dumps({"action": "authenticate", "data": {"key_id": KEY_ID, "secret_key": "wrong"}}))
            return json.loads(await socket.recv())

    assert asyncio.run(tries())["data"]["status"] == "unauthorized"
