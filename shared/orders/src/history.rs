//! Reading the accounts' event logs by number: what streams and replays are made of.

use crate::write::uuids;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, OrderId, Qty, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

/// One event as it was told: what happened, and what of the order changes as it was right after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEvent {
    /// Whose.
    pub account_id: AccountId,
    /// Its number in the account; no number is left out.
    pub seq: i64,
    /// Which order.
    pub order_id: OrderId,
    /// What happened.
    pub event: String,
    /// When; grows with the number.
    pub at: Timestamp,
    /// The status readers saw after it.
    pub status: String,
    /// Shares filled after it.
    pub filled_qty: Qty,
    /// Exact dollars of those fills.
    pub filled_notional: Money,
    /// The execution, for fills, busts and corrections.
    pub execution: Option<ToldExecution>,
    /// Who or what caused it, with the reason.
    pub cause: String,
}

/// The execution of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldExecution {
    /// The venue's name for it.
    pub exec_id: String,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
    /// Shares the account owned after it.
    pub position_qty: Decimal,
}

/// The events after these numbers, at most `most` an account, by account and number. One statement for any number of
/// accounts, a few rows of the primary key for each.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn events_after(
    conn: &mut PgConnection,
    places: &[(AccountId, i64)],
    most: i64,
) -> Result<Vec<ToldEvent>, DbError> {
    let (accounts, numbers) = columns(places);
    let rows = sqlx::query_as!(
        Row,
        "select e.account_id, e.seq, e.order_id, e.event, e.at, e.status, e.filled_qty, e.filled_notional, e.exec_id,
                e.exec_qty, e.exec_price, e.position_qty, e.cause
           from unnest($1::uuid[], $2::bigint[]) as w (account_id, after_seq)
          cross join lateral (
                select *
                  from order_events o
                 where o.account_id = w.account_id
                   and o.seq > w.after_seq
                 order by o.seq
                 limit $3) e
          order by e.account_id, e.seq",
        &accounts,
        &numbers,
        most,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(ToldEvent::try_from).collect()
}

/// Which of these accounts have events after their number.
pub async fn with_news(conn: &mut PgConnection, places: &[(AccountId, i64)]) -> Result<Vec<AccountId>, DbError> {
    let (accounts, numbers) = columns(places);
    let behind = sqlx::query_scalar!(
        "select s.account_id
           from unnest($1::uuid[], $2::bigint[]) as w (account_id, after_seq)
           join account_sequences s on s.account_id = w.account_id and s.event_seq > w.after_seq",
        &accounts,
        &numbers,
    )
    .fetch_all(conn)
    .await?;
    Ok(behind.into_iter().map(AccountId::new).collect())
}

/// The number of the account's last event; 0 before the first.
pub async fn last_event(conn: &mut PgConnection, account: AccountId) -> Result<i64, DbError> {
    let last = sqlx::query_scalar!(
        "select event_seq from account_sequences where account_id = $1",
        account.get(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(last.unwrap_or(0))
}

/// The number of the account's last event told at that moment or before it; 0 when there is none.
pub async fn last_event_until(conn: &mut PgConnection, account: AccountId, moment: Timestamp) -> Result<i64, DbError> {
    let last = sqlx::query_scalar!(r#"select order_events_until($1, $2) as "last!""#, account.get(), moment,)
        .fetch_one(conn)
        .await?;
    Ok(last)
}

fn columns(places: &[(AccountId, i64)]) -> (Vec<Uuid>, Vec<i64>) {
    let numbers = places.iter().map(|(_, seq)| *seq).collect();
    (uuids(places, |(account, _)| account.get()), numbers)
}

struct Row {
    account_id: Uuid,
    seq: i64,
    order_id: Uuid,
    event: String,
    at: Timestamp,
    status: String,
    filled_qty: Decimal,
    filled_notional: Decimal,
    exec_id: Option<String>,
    exec_qty: Option<Decimal>,
    exec_price: Option<Decimal>,
    position_qty: Option<Decimal>,
    cause: String,
}

impl TryFrom<Row> for ToldEvent {
    type Error = DbError;

    /// Fails only on a row this program cannot have written.
    fn try_from(row: Row) -> Result<Self, DbError> {
        let execution = match (row.exec_id, row.exec_qty, row.exec_price, row.position_qty) {
            (Some(exec_id), Some(qty), Some(price), Some(position_qty)) => Some(ToldExecution {
                exec_id,
                qty,
                price,
                position_qty,
            }),
            _ => None,
        };
        let filled_qty = Qty::new(row.filled_qty).map_err(|_| DbError::Inconsistent {
            table: "order_events",
            what: format!("event {} of {}: filled_qty", row.seq, row.account_id),
        })?;
        Ok(ToldEvent {
            account_id: AccountId::new(row.account_id),
            seq: row.seq,
            order_id: OrderId::new(row.order_id),
            event: row.event,
            at: row.at,
            status: row.status,
            filled_qty,
            filled_notional: Money::from_decimal(row.filled_notional),
            execution,
            cause: row.cause,
        })
    }
}
