//! The account: balances of one moment, positions at their last quotes.

use chassis::http::ApiError;
use db::DbError;
use domain::calendar::to_new_york;
use domain::{AccountId, Money};
use identity::Account;
use ledger::CashBalance;
use rust_decimal::Decimal;
use wire::rest::{self, Text};

use super::history::last_equity;
use super::market::day_before;
use super::positions::market_value;
use crate::app::Deps;
use crate::http::database_error;

/// `GET /v2/account`. Cash and shares are read in one snapshot, so a fill between them cannot make money.
pub(crate) async fn account(deps: &Deps, id: AccountId) -> Result<rest::Account, ApiError> {
    let read = read(deps, id).await.map_err(database_error)?;
    let mut shown = holder(&read.account);
    balances(&mut shown, &read);
    shown.balance_asof = day_before(&deps.sessions.calendar(), deps.clock.now());
    Ok(shown)
}

/// What an account is worth now.
pub(super) async fn equity_now(deps: &Deps, id: AccountId) -> Result<Money, DbError> {
    Ok(read(deps, id).await?.equity())
}

/// An account at one moment.
struct Read {
    account: Account,
    cash: CashBalance,
    shares: Money,
    last_equity: Option<Money>,
}

impl Read {
    fn equity(&self) -> Money {
        Money::from_decimal(self.cash.cash().get() + self.shares.get())
    }
}

async fn read(deps: &Deps, id: AccountId) -> Result<Read, DbError> {
    let mut tx = deps
        .pool
        .begin_with("begin isolation level repeatable read, read only")
        .await?;
    let missing = |table| {
        move || DbError::Inconsistent {
            table,
            what: format!("{id} has a key and no row"),
        }
    };
    let account = identity::accounts::get(&mut tx, id)
        .await?
        .ok_or_else(missing("accounts"))?;
    let cash = ledger::cash(&mut tx, id).await?.ok_or_else(missing("ledger_cash"))?;
    let shares = market_value(&mut tx, id, &deps.instruments).await?;
    let today = to_new_york(deps.clock.now()).date_naive();
    let last_equity = last_equity(&mut tx, id, today).await?;
    tx.rollback().await?;
    Ok(Read {
        account,
        cash,
        shares,
        last_equity,
    })
}

/// Everything but the amounts, which are zero here.
fn holder(account: &Account) -> rest::Account {
    let flags = account.flags;
    rest::Account {
        id: account.id.get(),
        account_number: account.number.clone(),
        status: account.status.clone().into(),
        crypto_status: "INACTIVE".into(),
        currency: "USD".into(),
        created_at: account.created_at,
        trading_blocked: flags.trading_blocked,
        transfers_blocked: flags.transfers_blocked,
        account_blocked: flags.account_blocked,
        trade_suspended_by_user: flags.trade_suspended_by_user,
        shorting_enabled: false,
        pattern_day_trader: false,
        cash: Text::ZERO,
        buying_power: Text::ZERO,
        regt_buying_power: Text::ZERO,
        daytrading_buying_power: Text::ZERO,
        effective_buying_power: Text::ZERO,
        non_marginable_buying_power: Text::ZERO,
        options_buying_power: Text::ZERO,
        bod_dtbp: Text::ZERO,
        accrued_fees: Text::ZERO,
        pending_transfer_in: Text::ZERO,
        pending_transfer_out: Text::ZERO,
        portfolio_value: Text::ZERO,
        equity: Text::ZERO,
        last_equity: Text::ZERO,
        long_market_value: Text::ZERO,
        short_market_value: Text::ZERO,
        position_market_value: Text::ZERO,
        initial_margin: Text::ZERO,
        maintenance_margin: Text::ZERO,
        last_maintenance_margin: Text::ZERO,
        sma: Text::ZERO,
        intraday_adjustments: Text::ZERO,
        pending_reg_taf_fees: Text::ZERO,
        multiplier: Text(Decimal::ONE),
        daytrade_count: 0,
        crypto_tier: 0,
        options_approved_level: 0,
        options_trading_level: 0,
        balance_asof: None,
    }
}

/// BP-11. An account that was not there at the last close was worth nothing.
fn balances(shown: &mut rest::Account, read: &Read) {
    let Read { cash, shares, .. } = read;
    let buying_power = Text::from(cash.buying_power());
    shown.cash = cash.cash().into();
    shown.buying_power = buying_power;
    shown.regt_buying_power = buying_power;
    shown.effective_buying_power = buying_power;
    shown.non_marginable_buying_power = buying_power;
    shown.accrued_fees = cash.accrued_fees.or_zero().into();
    shown.pending_transfer_in = cash.dep_pending.into();
    shown.pending_transfer_out = cash.wd_pending.into();
    let equity = Text::from(read.equity());
    shown.equity = equity;
    shown.portfolio_value = equity;
    shown.last_equity = read.last_equity.unwrap_or(Money::ZERO).round_to_cent().into();
    shown.long_market_value = Text::from(*shares);
    shown.position_market_value = Text::from(*shares);
}
