//! A customer's account: who it belongs to, how it may buy, and what it may not do at the moment.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chassis::ids::Ids;
use db::DbError;
use domain::{AccountId, Timestamp};
use sqlx::PgConnection;

/// How sale proceeds count before they settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AccountKind {
    /// They may be spent at once, not withdrawn (BP-9).
    #[default]
    LimitedMargin,
    /// They wait for settlement (BP-8).
    CashStrict,
}

impl AccountKind {
    /// The word, for SQL and operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LimitedMargin => "limited_margin",
            Self::CashStrict => "cash_strict",
        }
    }

    /// Whether the ledger keeps sale proceeds apart until they settle.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::CashStrict)
    }
}

/// A word that is no kind of account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("account kind must be limited_margin or cash_strict")]
pub struct UnknownKind;

impl FromStr for AccountKind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        [Self::LimitedMargin, Self::CashStrict]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(UnknownKind)
    }
}

/// The tier of an account: which request limits and risk settings it has, apart from its own. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tier(Arc<str>);

/// A text that cannot name a tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tier has 1 to 32 small letters, digits, - and _, a letter first")]
pub struct BadTier;

impl Tier {
    /// Every account's, unless an operator says otherwise.
    pub const STANDARD: &str = "standard";

    /// The name of a tier.
    ///
    /// # Errors
    /// Longer than 32 letters, or others than names are made of.
    pub fn new(name: &str) -> Result<Self, BadTier> {
        let (first, rest) = name.split_at_checked(1).ok_or(BadTier)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let fits = first.bytes().all(|b| b.is_ascii_lowercase()) && rest.bytes().all(plain) && name.len() <= 32;
        fits.then(|| Self(name.into())).ok_or(BadTier)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tier {
    fn default() -> Self {
        Self(Self::STANDARD.into())
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an account may not do at the moment.
///
/// Placing reads them under the account's lock in the ledger; whoever changes them takes that lock first, in the same
/// transaction, so that no order slips through behind a block (`api::account_blocked_race`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// `status` is `ACTIVE`.
    pub active: bool,
    /// Nothing at all.
    pub account_blocked: bool,
    /// No orders.
    pub trading_blocked: bool,
    /// No money in or out.
    pub transfers_blocked: bool,
    /// Sells only.
    pub closing_only: bool,
    /// The customer paused trading.
    pub trade_suspended_by_user: bool,
}

/// A change of some flags; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlagChange {
    /// Nothing at all.
    pub account_blocked: Option<bool>,
    /// No orders.
    pub trading_blocked: Option<bool>,
    /// No money in or out.
    pub transfers_blocked: Option<bool>,
    /// Sells only.
    pub closing_only: Option<bool>,
    /// The customer paused trading.
    pub trade_suspended_by_user: Option<bool>,
}

/// An account as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The number a person quotes.
    pub number: String,
    /// Whose it is.
    pub name: String,
    /// How it may buy.
    pub kind: AccountKind,
    /// Which limits it has.
    pub tier: Tier,
    /// `ACTIVE` for a usable account.
    pub status: String,
    /// What it may not do.
    pub flags: Flags,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// What a new account needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Whose it is.
    pub name: String,
    /// How it may buy.
    pub kind: AccountKind,
}

struct Row {
    account_id: uuid::Uuid,
    account_number: String,
    name: String,
    kind: String,
    tier: String,
    status: String,
    account_blocked: bool,
    trading_blocked: bool,
    transfers_blocked: bool,
    closing_only: bool,
    trade_suspended_by_user: bool,
    created_at: Timestamp,
}

impl TryFrom<Row> for Account {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let wrong = || DbError::Inconsistent {
            table: "accounts",
            what: format!("{}: kind {}, tier {}", row.account_id, row.kind, row.tier),
        };
        Ok(Account {
            id: AccountId::new(row.account_id),
            kind: row.kind.parse().map_err(|_| wrong())?,
            tier: Tier::new(&row.tier).map_err(|_| wrong())?,
            flags: Flags {
                active: row.status == "ACTIVE",
                account_blocked: row.account_blocked,
                trading_blocked: row.trading_blocked,
                transfers_blocked: row.transfers_blocked,
                closing_only: row.closing_only,
                trade_suspended_by_user: row.trade_suspended_by_user,
            },
            number: row.account_number,
            name: row.name,
            status: row.status,
            created_at: row.created_at,
        })
    }
}

/// Opens an account. Its balances are opened by the ledger, in the same transaction.
pub async fn create(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    new: &NewAccount,
    now: Timestamp,
) -> Result<Account, DbError> {
    let id = AccountId::new(ids.uuid());
    // Numbers are short for people's sake, so two may collide: then another one is drawn.
    loop {
        let number = format!("DB{:09}", ids.jitter(1_000_000_000));
        let done = sqlx::query!(
            "insert into accounts (account_id, account_number, name, kind, created_at)
             values ($1, $2, $3, $4, $5)
             on conflict on constraint accounts_number_key do nothing",
            id.get(),
            number,
            new.name,
            new.kind.as_str(),
            now,
        )
        .execute(&mut *conn)
        .await?;
        if done.rows_affected() == 1 {
            let flags = Flags {
                active: true,
                ..Flags::default()
            };
            return Ok(Account {
                id,
                number,
                name: new.name.clone(),
                kind: new.kind,
                tier: Tier::default(),
                status: "ACTIVE".to_owned(),
                flags,
                created_at: now,
            });
        }
    }
}

/// One account.
pub async fn get(conn: &mut PgConnection, id: AccountId) -> Result<Option<Account>, DbError> {
    sqlx::query_as!(
        Row,
        "select account_id, account_number, name, kind, tier, status, account_blocked, trading_blocked,
                transfers_blocked, closing_only, trade_suspended_by_user, created_at
           from accounts
          where account_id = $1",
        id.get(),
    )
    .fetch_optional(conn)
    .await?
    .map(Account::try_from)
    .transpose()
}

/// All accounts, oldest first.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Account>, DbError> {
    sqlx::query_as!(
        Row,
        "select account_id, account_number, name, kind, tier, status, account_blocked, trading_blocked,
                transfers_blocked, closing_only, trade_suspended_by_user, created_at
           from accounts
          order by account_id",
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Account::try_from)
    .collect()
}

/// What each of these accounts may not do; one that does not exist is left out.
pub async fn flags(conn: &mut PgConnection, accounts: &[AccountId]) -> Result<HashMap<AccountId, Flags>, DbError> {
    let ids: Vec<_> = accounts.iter().map(|id| id.get()).collect();
    let rows = sqlx::query!(
        "select account_id, status = 'ACTIVE' as \"active!\", account_blocked, trading_blocked, transfers_blocked, closing_only,
                trade_suspended_by_user
           from accounts
          where account_id = any($1)",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let flags = rows.into_iter().map(|row| {
        let flags = Flags {
            active: row.active,
            account_blocked: row.account_blocked,
            trading_blocked: row.trading_blocked,
            transfers_blocked: row.transfers_blocked,
            closing_only: row.closing_only,
            trade_suspended_by_user: row.trade_suspended_by_user,
        };
        (AccountId::new(row.account_id), flags)
    });
    Ok(flags.collect())
}

/// Moves an account to another tier; `false` when there is no such account.
pub async fn set_tier(conn: &mut PgConnection, id: AccountId, tier: &Tier) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update accounts set tier = $2 where account_id = $1",
        id.get(),
        tier.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Changes some flags; `false` when there is no such account. Take the account's lock in the ledger first.
pub async fn set_flags(conn: &mut PgConnection, id: AccountId, change: FlagChange) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update accounts
            set account_blocked = coalesce($2, account_blocked),
                trading_blocked = coalesce($3, trading_blocked),
                transfers_blocked = coalesce($4, transfers_blocked),
                closing_only = coalesce($5, closing_only),
                trade_suspended_by_user = coalesce($6, trade_suspended_by_user)
          where account_id = $1",
        id.get(),
        change.account_blocked,
        change.trading_blocked,
        change.transfers_blocked,
        change.closing_only,
        change.trade_suspended_by_user,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    //! Names of tiers.
    use super::*;

    #[test]
    fn a_tier_is_named_as_its_column_allows() {
        for good in ["standard", "a", "pro-2_x"] {
            assert_eq!(Tier::new(good).expect(good).as_str(), good);
        }
        let long = "a".repeat(33);
        for bad in ["", "Pro", "2x", "-a", "a b", "é", "pr\u{f6}", long.as_str()] {
            assert_eq!(Tier::new(bad), Err(BadTier), "{bad:?}");
        }
    }
}
