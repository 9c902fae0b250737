"""What schemathesis does besides asking."""

import os

import requests
import schemathesis

BASE = os.environ["APCA_API_BASE_URL"]
KEYS = (os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"])


@schemathesis.hook
def after_call(context, case, response):
    """A customer who has suspended trading gets no order taken, so it is lifted again at once."""
    if case.operation.label == "PATCH /v2/account/configurations" and response.status_code == 200:
        answer = requests.patch(f"{BASE}/v2/account/configurations", json={"suspend_trade": False}, auth=KEYS, timeout=20)
        answer.raise_for_status()


@schemathesis.hook("map_body").apply_to(method="POST", path="/v2/orders")
def for_something(context, body):
    """An order is for shares or for dollars, which its description leaves open: neither is no order at all."""
    if isinstance(body, dict) and not body.get("qty") and not body.get("notional"):
        body["qty"] = "1"
    return body
