//! What a message points to, as it stands in the account's history.

use db::{DbError, PgConnection};
use domain::order::StreamEvent;
use domain::{AccountId, OrderId, Side, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

/// A row of `order_events`, with its order.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Whose.
    pub account: AccountId,
    /// The row's number in the account's sequence.
    pub seq: i64,
    /// Which order.
    pub order: OrderId,
    /// What happened.
    pub event: StreamEvent,
    /// When.
    pub at: Timestamp,
    /// The ticker.
    pub symbol: String,
    /// Bought or sold.
    pub side: Side,
    /// Shares asked for.
    pub qty: Decimal,
    /// Shares filled after it.
    pub filled_qty: Decimal,
    /// Dollars of those fills.
    pub filled_notional: Decimal,
    /// The execution, on fills, busts and corrections.
    pub execution: Option<Execution>,
    /// Who or what caused it, with the reason.
    pub cause: String,
    /// Whether the order had ended before, canceled, expired or rejected.
    pub ended_before: bool,
}

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    /// The venue's name for it.
    pub id: String,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
}

struct Row {
    account_id: Uuid,
    seq: i64,
    order_id: Uuid,
    event: String,
    at: Timestamp,
    symbol: String,
    side: String,
    qty: Decimal,
    filled_qty: Decimal,
    filled_notional: Decimal,
    exec_id: Option<String>,
    exec_qty: Option<Decimal>,
    exec_price: Option<Decimal>,
    cause: String,
    ended_before: bool,
}

/// The rows under these numbers, those that exist.
///
/// # Errors
/// What the database says; a row with a word nobody knows is inconsistent.
pub async fn read(conn: &mut PgConnection, pointers: &[(AccountId, i64)]) -> Result<Vec<Fact>, DbError> {
    let accounts: Vec<Uuid> = pointers.iter().map(|(account, _)| account.get()).collect();
    let numbers: Vec<i64> = pointers.iter().map(|(_, seq)| *seq).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select e.account_id, e.seq, e.order_id, e.event, e.at, o.symbol, o.side, o.qty, e.filled_qty,
                  e.filled_notional, e.exec_id, e.exec_qty, e.exec_price, e.cause,
                  exists (select from order_events f
                           where f.account_id = e.account_id
                             and f.order_id = e.order_id
                             and f.seq < e.seq
                             and f.event in ('canceled', 'expired', 'rejected')) as "ended_before!"
             from unnest($1::uuid[], $2::bigint[]) as w (account_id, seq)
             join order_events e using (account_id, seq)
             join orders o on o.order_id = e.order_id"#,
        &accounts,
        &numbers,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Fact::try_from).collect()
}

impl TryFrom<Row> for Fact {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let execution = match (row.exec_id, row.exec_qty, row.exec_price) {
            (Some(id), Some(qty), Some(price)) => Some(Execution { id, qty, price }),
            _ => None,
        };
        Ok(Self {
            account: AccountId::new(row.account_id),
            seq: row.seq,
            order: OrderId::new(row.order_id),
            event: word("order_events", &row.event)?,
            at: row.at,
            symbol: row.symbol,
            side: word("orders", &row.side)?,
            qty: row.qty,
            filled_qty: row.filled_qty,
            filled_notional: row.filled_notional,
            execution,
            cause: row.cause,
            ended_before: row.ended_before,
        })
    }
}

fn word<T: std::str::FromStr>(table: &'static str, text: &str) -> Result<T, DbError> {
    text.parse().map_err(|_| DbError::Inconsistent {
        table,
        what: format!("unknown word {text:?}"),
    })
}
