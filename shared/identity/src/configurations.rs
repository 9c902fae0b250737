//! What a customer sets about the account. Whether trading is suspended is a flag ([`crate::Flags`]); the rest is here.

use std::str::FromStr;

use db::{DbError, PgConnection};
use domain::{AccountId, Timestamp};

/// Which trades are confirmed by e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConfirmEmail {
    /// Every one.
    #[default]
    All,
    /// None.
    None,
}

impl ConfirmEmail {
    /// The word, for SQL and the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// A word that is no choice of e-mails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trade_confirm_email must be all or none")]
pub struct UnknownEmail;

impl FromStr for ConfirmEmail {
    type Err = UnknownEmail;

    fn from_str(word: &str) -> Result<Self, UnknownEmail> {
        [Self::All, Self::None]
            .into_iter()
            .find(|choice| choice.as_str() == word)
            .ok_or(UnknownEmail)
    }
}

/// The settings of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configurations {
    /// Whether parts of a share may be traded.
    pub fractional_trading: bool,
    /// Kept for the customer: no account can sell short, whatever it says.
    pub no_shorting: bool,
    /// Kept for the customer: nothing of the kind is traded.
    pub ptp_no_exception_entry: bool,
    /// Kept for the customer: which trades are confirmed by e-mail.
    pub trade_confirm_email: ConfirmEmail,
}

impl Default for Configurations {
    fn default() -> Self {
        Self {
            fractional_trading: true,
            no_shorting: false,
            ptp_no_exception_entry: false,
            trade_confirm_email: ConfirmEmail::All,
        }
    }
}

/// A change of some settings; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConfigurationChange {
    /// Whether parts of a share may be traded.
    pub fractional_trading: Option<bool>,
    /// Whether the customer wants no short sales.
    pub no_shorting: Option<bool>,
    /// Whether partnerships may be traded.
    pub ptp_no_exception_entry: Option<bool>,
    /// Which trades are confirmed by e-mail.
    pub trade_confirm_email: Option<ConfirmEmail>,
}

impl ConfigurationChange {
    /// These settings with the change made.
    #[must_use]
    pub fn made(self, to: Configurations) -> Configurations {
        Configurations {
            fractional_trading: self.fractional_trading.unwrap_or(to.fractional_trading),
            no_shorting: self.no_shorting.unwrap_or(to.no_shorting),
            ptp_no_exception_entry: self.ptp_no_exception_entry.unwrap_or(to.ptp_no_exception_entry),
            trade_confirm_email: self.trade_confirm_email.unwrap_or(to.trade_confirm_email),
        }
    }
}

/// The settings of an account; what is usual where nothing was set.
pub async fn get(conn: &mut PgConnection, id: AccountId) -> Result<Configurations, DbError> {
    let row = sqlx::query!(
        "select fractional_trading, no_shorting, ptp_no_exception_entry, trade_confirm_email
           from account_configurations
          where account_id = $1",
        id.get(),
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(Configurations::default());
    };
    Ok(Configurations {
        fractional_trading: row.fractional_trading,
        no_shorting: row.no_shorting,
        ptp_no_exception_entry: row.ptp_no_exception_entry,
        trade_confirm_email: row.trade_confirm_email.parse().map_err(|_| DbError::Inconsistent {
            table: "account_configurations",
            what: format!("{id}: {}", row.trade_confirm_email),
        })?,
    })
}

/// Stores the settings. Take the account's lock in the ledger first: an order reads them under it.
pub async fn put(
    conn: &mut PgConnection,
    id: AccountId,
    settings: Configurations,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into account_configurations (account_id, fractional_trading, no_shorting, ptp_no_exception_entry,
                                             trade_confirm_email, updated_at)
         values ($1, $2, $3, $4, $5, $6)
             on conflict (account_id) do update
            set fractional_trading = excluded.fractional_trading, no_shorting = excluded.no_shorting,
                ptp_no_exception_entry = excluded.ptp_no_exception_entry,
                trade_confirm_email = excluded.trade_confirm_email, updated_at = excluded.updated_at",
        id.get(),
        settings.fractional_trading,
        settings.no_shorting,
        settings.ptp_no_exception_entry,
        settings.trade_confirm_email.as_str(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
