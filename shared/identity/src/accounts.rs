//! A customer's account: who it belongs to, how it may buy, and what it may not do at the moment.

use std::collections::HashMap;
use std::str::FromStr;

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
        let wrong = |_| DbError::Inconsistent {
            table: "accounts",
            what: format!("{}: kind {}", row.account_id, row.kind),
        };
        Ok(Account {
            id: AccountId::new(row.account_id),
            kind: row.kind.parse().map_err(wrong)?,
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
        "select account_id, account_number, name, kind, status, account_blocked, trading_blocked, transfers_blocked,
                closing_only, trade_suspended_by_user, created_at
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
        "select account_id, account_number, name, kind, status, account_blocked, trading_blocked, transfers_blocked,
                closing_only, trade_suspended_by_user, created_at
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
