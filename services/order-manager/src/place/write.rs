//! Writing what was decided: hold, order, event and outbox rows, set-based, in the caller's transaction.

use std::collections::HashMap;

use bus::{BusError, NewEvent};
use db::{DbError, PgConnection};
use domain::AccountId;
use ledger::Transfer;
use orders::{NewOrder, NewOrderEvent, Sequence, StoredOrder};
use risk::flags::Flag;
use wire::events::v1;

use super::decide::{Accepted, Books};
use crate::tries::Fault;

pub(super) async fn write(conn: &mut PgConnection, accepted: &[&Accepted], books: &Books) -> Result<(), Fault> {
    let holds: Vec<Transfer> = accepted.iter().map(|one| one.hold.clone()).collect();
    let posted = ledger::post(conn, &holds).await?;
    all_written("ledger_transfers", posted.len(), accepted.len())?;
    fail::fail_point!("api::tx_hold_made", |_| Err(DbError::Stale.into()));
    let rows: Vec<NewOrder> = accepted.iter().map(|one| one.new_order()).collect();
    let inserted = orders::insert(conn, &rows).await?;
    all_written("order_client_ids", inserted.len(), accepted.len())?;
    fail::fail_point!("api::tx_order_made", |_| Err(DbError::Stale.into()));
    let events: Vec<NewOrderEvent> = accepted.iter().map(|one| one.event.clone()).collect();
    orders::append_events(conn, &events).await?;
    orders::store_sequences(conn, &sequences(accepted, books)).await?;
    let flags: Vec<Flag> = accepted.iter().filter_map(|one| one.flag()).collect();
    risk::flags::raise(conn, &flags).await?;
    let outbox: Vec<NewEvent> = accepted.iter().flat_map(|one| bus_events(one)).collect();
    bus::append(conn, &outbox).await.map_err(database_error)?;
    Ok(())
}

/// Writers hold the account's lock, so a row that is there already means that one of them does not.
pub(crate) fn all_written(table: &'static str, written: usize, wanted: usize) -> Result<(), DbError> {
    if written == wanted {
        return Ok(());
    }
    Err(DbError::Inconsistent {
        table,
        what: format!("{} of {wanted} rows were there already", wanted - written),
    })
}

/// The numbers of the accounts that changed.
fn sequences(accepted: &[&Accepted], books: &Books) -> HashMap<AccountId, Sequence> {
    let accounts = accepted.iter().map(|one| one.order.account_id);
    accounts
        .filter_map(|id| Some((id, books.accounts.get(&id)?.sequence)))
        .collect()
}

/// For the executor what to send, for streams and notifications where to look.
fn bus_events(accepted: &Accepted) -> [NewEvent; 2] {
    let request_id = accepted.order.request_id.clone();
    let updated = v1::OrderUpdated {
        order_id: accepted.order.order_id.get(),
        account_id: accepted.order.account_id.get(),
        seq: accepted.event.seq,
        event: accepted.event.event.to_string(),
    };
    [
        NewEvent::order_accepted(&order_accepted(&accepted.order), request_id.clone()),
        NewEvent::order_updated(&updated, request_id),
    ]
}

/// The order as the executor files it.
pub(crate) fn order_accepted(order: &StoredOrder) -> v1::OrderAccepted {
    v1::OrderAccepted {
        order_id: order.order_id.get(),
        account_id: order.account_id.get(),
        symbol: order.symbol.to_string(),
        side: order.side.to_string(),
        qty: order.state.ordered.get(),
        limit_price: order.limit_price.get(),
        time_in_force: order.time_in_force.to_string(),
        session_date: order.session_date,
        submitted_at: order.submitted_at,
        submit_at: order.submit_at,
        expires_at: order.deadline(),
    }
}

/// Appending fails for the database's reasons only.
pub(crate) fn database_error(error: BusError) -> DbError {
    match error {
        BusError::Db(error) => error,
        other => DbError::Inconsistent {
            table: "outbox",
            what: other.to_string(),
        },
    }
}
