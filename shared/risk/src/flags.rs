//! What surveillance should see of orders that were taken: written with the order, in its transaction.

use db::{DbError, PgConnection};
use domain::{AccountId, OrderId, Symbol, Timestamp};
use uuid::Uuid;

/// The rule of an order that equals one of the last two seconds (RSK-4).
pub const DUPLICATE: &str = "duplicate";

/// Something about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Which order.
    pub order: OrderId,
    /// Which rule saw it.
    pub rule: String,
    /// Whose.
    pub account: AccountId,
    /// Its ticker.
    pub symbol: Symbol,
    /// The rest, for a person.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// Writes flags down, in the transaction of their orders.
///
/// # Errors
/// What the database says.
pub async fn raise(conn: &mut PgConnection, flags: &[Flag]) -> Result<(), DbError> {
    if flags.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into risk_flags (order_id, rule, account_id, symbol, detail, at)
         select *
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
         on conflict (order_id, rule) do nothing",
        &flags.iter().map(|flag| flag.order.get()).collect::<Vec<_>>(),
        &flags.iter().map(|flag| flag.rule.clone()).collect::<Vec<_>>(),
        &flags.iter().map(|flag| flag.account.get()).collect::<Vec<_>>(),
        &flags.iter().map(|flag| flag.symbol.to_string()).collect::<Vec<_>>(),
        &flags.iter().map(|flag| flag.detail.clone()).collect::<Vec<_>>(),
        &flags.iter().map(|flag| flag.at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest flags, of everybody or of one account.
///
/// # Errors
/// What the database says, or a row this program cannot have written.
pub async fn newest(conn: &mut PgConnection, account: Option<AccountId>, limit: i64) -> Result<Vec<Flag>, DbError> {
    match account {
        Some(account) => of_account(conn, account.get(), limit).await,
        None => of_all(conn, limit).await,
    }
}

struct Row {
    order_id: Uuid,
    rule: String,
    account_id: Uuid,
    symbol: String,
    detail: String,
    at: Timestamp,
}

impl TryFrom<Row> for Flag {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let symbol = Symbol::parse(&row.symbol).ok_or_else(|| DbError::Inconsistent {
            table: "risk_flags",
            what: format!("order {}: symbol {:?}", row.order_id, row.symbol),
        })?;
        Ok(Flag {
            order: OrderId::new(row.order_id),
            rule: row.rule,
            account: AccountId::new(row.account_id),
            symbol,
            detail: row.detail,
            at: row.at,
        })
    }
}

async fn of_account(conn: &mut PgConnection, account: Uuid, limit: i64) -> Result<Vec<Flag>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select order_id, rule, account_id, symbol, detail, at
           from risk_flags
          where account_id = $1
          order by at desc, order_id desc
          limit $2",
        account,
        limit,
    );
    rows.fetch_all(conn).await?.into_iter().map(Flag::try_from).collect()
}

async fn of_all(conn: &mut PgConnection, limit: i64) -> Result<Vec<Flag>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select order_id, rule, account_id, symbol, detail, at
           from risk_flags
          order by at desc, order_id desc
          limit $1",
        limit,
    );
    rows.fetch_all(conn).await?.into_iter().map(Flag::try_from).collect()
}
