"""The rows of docs/refusals.md, and what an answer has of them."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from alpaca.common.exceptions import APIError

PAGE = Path(__file__).parents[5] / "docs" / "refusals.md"

ANY, PLACING, REPLACING, CANCELING, CLOSING, SETTING, ASKING, STREAMS = (
    "Any request",
    "Placing an order",
    "Replacing an order",
    "Canceling an order",
    "Closing positions",
    "Configurations",
    "Questions",
    "Streams",
)


class Row(NamedTuple):
    """One refusal, by what a program sees of it. Its other columns are for people."""

    section: str
    status: int
    code: int
    message: str

    def __str__(self):
        return f"{self.section.split()[0]}-{self.status}-{self.message}"


def documented():
    """Each row of the page with its column `more keys`."""
    rows, section = {}, None
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and len(cells) == 6 and cells[1].isdigit():
            row = Row(section, int(cells[1]), int(cells[2]), cells[3].strip("`"))
            assert row not in rows, f"twice in {PAGE.name}: {row}"
            rows[row] = set(re.findall(r"`(\w+)`", cells[4]))
    return rows


# Ids, times, prices and symbols are examples in the page: their kind is compared, not their value.
EXAMPLES = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "{id}"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", "{time}"),
    (r"\b[A-Z]{2,5}(\b|$)", "{SYMBOL}"),
    (r"\b\d+(\.\d+)?\b", "{number}"),
    (r"send a later expires_at( or an earlier submit_at)?$", "send {a time}"),
    (r"^invalid path: .+", "invalid path: …"),
)


def kind(message):
    for example, name in EXAMPLES:
        message = re.sub(example, name, message)
    return message


def order(**fields):
    """A body that is taken as it stands: a share of KO, far below its price."""
    usual = dict(symbol="KO", qty="1", side="buy", type="limit", time_in_force="day", limit_price="10")
    usual.update(fields)
    return {name: value for name, value in usual.items() if value is not None}


def refusal(call):
    """How the SDK says that `call` was refused, or None if it was not."""
    try:
        call()
    except APIError as error:
        return error
    return None


def is_of(error, row):
    return error is not None and (error.status_code, kind(error.message)) == (row.status, kind(row.message))


def check(error, row):
    """What was answered is what the page says, key by key."""
    assert error is not None, f"it was not refused: {row}"
    body = json.loads(str(error))
    assert (error.status_code, body.get("code")) == (row.status, row.code), body
    assert kind(body["message"]) == kind(row.message), body
    assert set(body) - {"code", "message"} == documented().get(row, "the page has no such row"), body
    assert error.response.headers["X-Request-ID"]
