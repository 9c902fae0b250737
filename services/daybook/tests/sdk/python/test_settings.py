"""Account configurations and portfolio history."""

from alpaca.trading.requests import GetPortfolioHistoryRequest

from conftest import wait_for


def test_a_customer_can_suspend_trading(customer, configurations, refused):
    changed = configurations.model_copy(update={"suspend_trade": True})
    assert customer.client.set_account_configurations(changed).suspend_trade is True
    assert customer.client.get_account().trade_suspended_by_user is True
    with refused(403, 40310000, ""):
        customer.limit("KO", 1, 10)
    customer.client.set_account_configurations(configurations)
    customer.resting("KO")


def test_history_has_as_many_values_as_times(client):
    history = wait_for(lambda: client.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D")))
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss) == len(history.profit_loss_pct)
    assert history.timeframe == "1D"
    assert history.timestamp == sorted(history.timestamp)
