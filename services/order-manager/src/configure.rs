//! What customers set about their accounts.
//!
//! Written under the account's lock, where every order reads it: the next order after the answer feels it.

use chassis::http::ApiError;
use db::DbError;
use domain::AccountId;
use identity::configurations::{self, ConfigurationChange, Configurations, ConfirmEmail};
use identity::{FlagChange, accounts};
use sqlx::PgConnection;
use wire::rest::{self, Loose, UpdateConfigurations};

use crate::app::App;
use crate::error::ConfigureError;
use crate::http::database_error;

/// Nothing is lent to anybody.
const MULTIPLIER: &str = "1";

/// What a request changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change {
    suspend_trade: Option<bool>,
    rest: ConfigurationChange,
}

impl TryFrom<&UpdateConfigurations> for Change {
    type Error = ConfigureError;

    fn try_from(body: &UpdateConfigurations) -> Result<Self, ConfigureError> {
        only("max_margin_multiplier", body.max_margin_multiplier.as_ref(), MULTIPLIER)?;
        only(
            "max_options_trading_level",
            body.max_options_trading_level.as_ref(),
            "0",
        )?;
        Ok(Change {
            suspend_trade: flag("suspend_trade", body.suspend_trade.as_ref())?,
            rest: ConfigurationChange {
                fractional_trading: flag("fractional_trading", body.fractional_trading.as_ref())?,
                no_shorting: flag("no_shorting", body.no_shorting.as_ref())?,
                ptp_no_exception_entry: flag("ptp_no_exception_entry", body.ptp_no_exception_entry.as_ref())?,
                trade_confirm_email: email(body.trade_confirm_email.as_ref())?,
            },
        })
    }
}

fn flag(field: &'static str, value: Option<&Loose>) -> Result<Option<bool>, ConfigureError> {
    let expected = "true or false";
    let read = |value: &Loose| value.as_bool().ok_or(ConfigureError::Invalid { field, expected });
    value.map(read).transpose()
}

fn email(value: Option<&Loose>) -> Result<Option<ConfirmEmail>, ConfigureError> {
    let (field, expected) = ("trade_confirm_email", "all or none");
    let read = |value: &Loose| value.as_text().and_then(|word| word.parse().ok());
    value
        .map(|value| read(value).ok_or(ConfigureError::Invalid { field, expected }))
        .transpose()
}

/// A setting with one value: clients send it back as they got it.
fn only(field: &'static str, value: Option<&Loose>, expected: &'static str) -> Result<(), ConfigureError> {
    match value.map(Loose::as_text) {
        None => Ok(()),
        Some(Some(text)) if text == expected => Ok(()),
        Some(_) => Err(ConfigureError::Invalid { field, expected }),
    }
}

impl App {
    /// The settings of an account.
    pub(crate) async fn configurations(&self, account: AccountId) -> Result<rest::Configurations, ApiError> {
        let mut conn = self.connection().await?;
        read(&mut conn, account).await.map_err(database_error)
    }

    /// Changes some settings of an account and gives all of them.
    pub(crate) async fn configure(&self, account: AccountId, change: Change) -> Result<rest::Configurations, ApiError> {
        self.store(account, change).await.map_err(database_error)
    }

    async fn store(&self, account: AccountId, change: Change) -> Result<rest::Configurations, DbError> {
        let mut tx = db::begin(&self.deps().pool).await?;
        ledger::lock(&mut tx, &[account]).await?;
        let flags = FlagChange {
            trade_suspended_by_user: change.suspend_trade,
            ..FlagChange::default()
        };
        accounts::set_flags(&mut tx, account, flags).await?;
        let stored = configurations::get(&mut tx, account).await?;
        configurations::put(&mut tx, account, change.rest.made(stored), self.deps().clock.now()).await?;
        let now = read(&mut tx, account).await?;
        tx.commit().await?;
        Ok(now)
    }
}

async fn read(conn: &mut PgConnection, account: AccountId) -> Result<rest::Configurations, DbError> {
    let holder = accounts::get(conn, account)
        .await?
        .ok_or_else(|| DbError::Inconsistent {
            table: "accounts",
            what: format!("{account} has a key and no row"),
        })?;
    let settings = configurations::get(conn, account).await?;
    Ok(shown(holder.flags.trade_suspended_by_user, settings))
}

fn shown(suspended: bool, settings: Configurations) -> rest::Configurations {
    rest::Configurations {
        suspend_trade: suspended,
        trade_suspended_by_user: suspended,
        no_shorting: settings.no_shorting,
        trade_confirm_email: settings.trade_confirm_email.as_str().into(),
        fractional_trading: settings.fractional_trading,
        max_margin_multiplier: MULTIPLIER.into(),
        ptp_no_exception_entry: settings.ptp_no_exception_entry,
        max_options_trading_level: None,
    }
}
