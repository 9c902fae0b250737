//! What operators change, each in the caller's transaction, which carries the row of the act too (V16).

mod switches;

use db::{DbError, PgConnection};
use domain::{AccountId, Money, Symbol, Timestamp};

pub use switches::{LiftError, NewSwitch, Setting, lift, set, switches};

use crate::in_force::Row;
use crate::settings::{Overrides, Scope};

/// A symbol in which nobody, or one account, may place orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Ticker.
    pub symbol: Symbol,
    /// Whose orders; none: everybody's.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: String,
    /// The operator.
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
}

/// How often anything was changed.
pub(crate) async fn revision(conn: &mut PgConnection) -> Result<i64, DbError> {
    let revision = sqlx::query_scalar!("select revision from risk_revision")
        .fetch_one(conn)
        .await?;
    Ok(revision)
}

/// Keeps everybody else from changing anything until the transaction ends; readers go on.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn lock(conn: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query_scalar!("select revision from risk_revision for update")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// Every row of settings, by scope.
///
/// # Errors
/// See [`lock`], or a row this program cannot have written.
pub async fn all_overrides(conn: &mut PgConnection) -> Result<Vec<(Scope, Overrides)>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select scope, subject, max_order_value, max_volume_share, max_open_value, max_firm_open_value, max_open_orders,
                max_open_orders_per_symbol, collar, collar_below_dollar, refuse_duplicates, refuse_self_cross
           from risk_settings
          order by scope, subject",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What one scope says.
///
/// # Errors
/// See [`all_overrides`].
pub async fn overrides(conn: &mut PgConnection, scope: &Scope) -> Result<Overrides, DbError> {
    let (word, subject) = scope.words();
    let row = sqlx::query_as!(
        Row,
        "select scope, subject, max_order_value, max_volume_share, max_open_value, max_firm_open_value, max_open_orders,
                max_open_orders_per_symbol, collar, collar_below_dollar, refuse_duplicates, refuse_self_cross
           from risk_settings
          where scope = $1
            and subject = $2",
        word,
        subject,
    )
    .fetch_optional(conn)
    .await?;
    let read = row.map(<(Scope, Overrides)>::try_from).transpose()?;
    Ok(read.map(|(_, overrides)| overrides).unwrap_or_default())
}

/// Stores what one scope says; nothing at all takes its row away. [`lock`] comes first.
///
/// # Errors
/// See [`lock`].
pub async fn put_overrides(
    conn: &mut PgConnection,
    scope: &Scope,
    new: &Overrides,
    by: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let (word, subject) = scope.words();
    if *new == Overrides::default() {
        sqlx::query!(
            "delete from risk_settings where scope = $1 and subject = $2",
            word,
            subject
        )
        .execute(conn)
        .await?;
        return Ok(());
    }
    sqlx::query!(
        "insert into risk_settings (scope, subject, max_order_value, max_open_value, max_firm_open_value,
                                    max_open_orders, max_open_orders_per_symbol, collar, collar_below_dollar,
                                    refuse_duplicates, refuse_self_cross, changed_at, changed_by, max_volume_share)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict (scope, subject) do update
            set max_order_value = excluded.max_order_value, max_volume_share = excluded.max_volume_share, max_open_value = excluded.max_open_value,
                max_firm_open_value = excluded.max_firm_open_value, max_open_orders = excluded.max_open_orders,
                max_open_orders_per_symbol = excluded.max_open_orders_per_symbol, collar = excluded.collar,
                collar_below_dollar = excluded.collar_below_dollar, refuse_duplicates = excluded.refuse_duplicates,
                refuse_self_cross = excluded.refuse_self_cross, changed_at = excluded.changed_at,
                changed_by = excluded.changed_by",
        word,
        subject,
        new.max_order_value.map(Money::get),
        new.max_open_value.map(Money::get),
        new.max_firm_open_value.map(Money::get),
        new.max_open_orders,
        new.max_open_orders_per_symbol,
        new.collar,
        new.collar_below_dollar,
        new.refuse_duplicates,
        new.refuse_self_cross,
        now,
        by,
        new.max_volume_share,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The restricted list, by symbol.
///
/// # Errors
/// See [`all_overrides`].
pub async fn restrictions(conn: &mut PgConnection) -> Result<Vec<Restriction>, DbError> {
    let rows = sqlx::query!(
        "select symbol, subject, reason, added_by, added_at
           from restricted_symbols
          order by symbol, subject",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = || DbError::Inconsistent {
                table: "restricted_symbols",
                what: format!("{} {:?}", row.symbol, row.subject),
            };
            let account = match row.subject.as_str() {
                "" => None,
                id => Some(AccountId::new(id.parse().map_err(|_| wrong())?)),
            };
            Ok(Restriction {
                symbol: Symbol::parse(&row.symbol).ok_or_else(wrong)?,
                account,
                reason: row.reason,
                added_by: row.added_by,
                added_at: row.added_at,
            })
        })
        .collect()
}

/// Puts a symbol on the list; `false` when it was there.
///
/// # Errors
/// See [`lock`].
pub async fn restrict(conn: &mut PgConnection, new: &Restriction) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "insert into restricted_symbols (symbol, subject, reason, added_by, added_at)
         values ($1, $2, $3, $4, $5)
         on conflict (symbol, subject) do nothing",
        new.symbol.as_str(),
        new.account.map(|id| id.to_string()).unwrap_or_default(),
        new.reason,
        new.added_by,
        new.added_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a symbol off the list; `false` when it was not there.
///
/// # Errors
/// See [`lock`].
pub async fn unrestrict(conn: &mut PgConnection, symbol: &Symbol, account: Option<AccountId>) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "delete from restricted_symbols where symbol = $1 and subject = $2",
        symbol.as_str(),
        account.map(|id| id.to_string()).unwrap_or_default(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
