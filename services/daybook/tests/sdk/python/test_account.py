"""Account, positions, assets, clock, calendar, activities: what a customer reads."""

from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AccountStatus, AssetClass, AssetStatus
from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest

from conftest import BASE_URL, KEY_ID, wait_for


def test_the_account_is_active_and_its_amounts_are_texts(client):
    account = client.get_account()
    assert account.status is AccountStatus.ACTIVE
    assert Decimal(account.cash) > 0
    assert Decimal(account.buying_power) <= Decimal(account.cash)
    assert Decimal(account.equity) == Decimal(account.portfolio_value)
    assert account.multiplier == "1"
    assert account.shorting_enabled is False


def test_an_order_holds_its_money_and_a_cancel_gives_it_back(customer):
    before = Decimal(customer.client.get_account().buying_power)
    order = customer.resting("KO", qty=3)
    held = Decimal(str(order.limit_price)) * 3
    assert Decimal(customer.client.get_account().buying_power) == before - held
    customer.client.cancel_order_by_id(order.id)
    customer.until(order, "canceled")
    assert Decimal(customer.client.get_account().buying_power) == before


def test_a_wrong_secret_is_a_stranger():
    stranger = TradingClient(KEY_ID, "wrong", url_override=BASE_URL)
    with pytest.raises(APIError) as error:
        stranger.get_account()
    assert error.value.status_code == 401


def test_a_position_appears_with_the_fill(customer):
    customer.bought("PG", 4)
    position = customer.client.get_open_position("PG")
    assert Decimal(position.qty) >= 4
    assert Decimal(position.qty_available) == Decimal(position.qty)
    assert Decimal(position.avg_entry_price) > 0
    listed = {one.symbol: one for one in customer.client.get_all_positions()}
    assert listed["PG"].qty == position.qty
    by_id = customer.client.get_open_position(position.asset_id)
    assert by_id.symbol == "PG"


def test_no_position_is_404(client, refused):
    with refused(404, 40410000, "position does not exist"):
        client.get_open_position("LLY")


def test_assets_are_listed_and_found_by_symbol_and_id(client, refused):
    listed = client.get_all_assets(GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY))
    assert len(listed) >= 20
    apple = client.get_asset("AAPL")
    assert apple.tradable and apple.symbol == "AAPL"
    assert client.get_asset(str(apple.id)).symbol == "AAPL"
    with refused(404, 40410000, "asset not found"):
        client.get_asset("NOSUCH")


def test_clock_and_calendar(client):
    clock = client.get_clock()
    assert clock.next_open > clock.timestamp and clock.next_close > clock.timestamp
    days = client.get_calendar(GetCalendarRequest(start="2026-11-23", end="2026-11-27"))
    assert [str(day.date) for day in days] == ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"]
    assert (days[-1].close.hour, days[-1].close.minute) == (13, 0)


def test_activities_tell_of_the_fill(customer):
    order = customer.bought("UNH", 2)

    def told():
        entries = customer.client.get("/account/activities", {"activity_types": "FILL", "page_size": 100})
        return [entry for entry in entries if entry["order_id"] == str(order.id)]

    entries = wait_for(told)
    assert sum(Decimal(entry["qty"]) for entry in entries) == 2
    deposits = customer.client.get("/account/activities/CSD")
    assert Decimal(deposits[-1]["net_amount"]) > 0
