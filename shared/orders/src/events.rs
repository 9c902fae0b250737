//! The account's event log: one row a change, the order as it then was.

use crate::write::{texts, uuids};
use db::{DbError, PgConnection};
use domain::order::StreamEvent;
use domain::{AccountId, ExecId, Money, OrderId, OrderStatus, Price, Qty, RequestId, Timestamp};
use rust_decimal::Decimal;

/// The execution behind a fill or bust event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The venue's name for it.
    pub exec_id: ExecId,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
    /// Shares the account owns after it.
    pub position_qty: Decimal,
}

/// One event about to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrderEvent {
    /// Whose.
    pub account_id: AccountId,
    /// Its number in the account, given under the lock.
    pub seq: i64,
    /// Which order.
    pub order_id: OrderId,
    /// What happened.
    pub event: StreamEvent,
    /// When.
    pub at: Timestamp,
    /// The status readers saw right after it.
    pub status: OrderStatus,
    /// Shares filled after it.
    pub filled_qty: Qty,
    /// Exact dollars of those fills.
    pub filled_notional: Money,
    /// The execution, for fills and busts.
    pub execution: Option<Execution>,
    /// Who or what caused it, with the reason.
    pub cause: String,
    /// The request it goes back to.
    pub request_id: RequestId,
}

/// Appends the events.
///
/// # Errors
/// A repeated number is a defect of the caller (`order_events_pkey`); else what the database says.
pub async fn append_events(conn: &mut PgConnection, events: &[NewOrderEvent]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    let execution = |pick: fn(&Execution) -> Decimal| -> Vec<Option<Decimal>> {
        events.iter().map(|e| e.execution.as_ref().map(pick)).collect()
    };
    sqlx::query!(
        "insert into order_events (account_id, seq, order_id, event, at, status, filled_qty, filled_notional,
                                   exec_id, exec_qty, exec_price, position_qty, cause, request_id)
         select *
           from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::numeric[],
                       $8::numeric[], $9::text[], $10::numeric[], $11::numeric[], $12::numeric[], $13::text[],
                       $14::text[])",
        &uuids(events, |e| e.account_id.get()),
        &events.iter().map(|e| e.seq).collect::<Vec<_>>(),
        &uuids(events, |e| e.order_id.get()),
        &events.iter().map(|e| e.event.to_string()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.at).collect::<Vec<_>>(),
        &texts(events, |e| e.status.as_str()),
        &events.iter().map(|e| e.filled_qty.get()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.filled_notional.get()).collect::<Vec<_>>(),
        &events
            .iter()
            .map(|e| e.execution.as_ref().map(|x| x.exec_id.to_string()))
            .collect::<Vec<_>>() as &[Option<String>],
        &execution(|x| x.qty.get()) as &[Option<Decimal>],
        &execution(|x| x.price.get()) as &[Option<Decimal>],
        &execution(|x| x.position_qty) as &[Option<Decimal>],
        &texts(events, |e| e.cause.as_str()),
        &texts(events, |e| e.request_id.as_str()),
    )
    .execute(conn)
    .await?;
    Ok(())
}
