//! Writing what was decided: hold, order, wish, event and outbox rows, set-based, in the caller's transaction.

use bus::NewEvent;
use db::PgConnection;
use domain::{OrderId, Timestamp};
use ledger::Transfer;
use orders::{NewOrder, NewOrderEvent, Replaces};
use std::collections::HashMap;
use wire::events::v1;

use crate::place::decide::{Books, Replacement};
use crate::place::{all_written, database_error, new_order, order_accepted};
use crate::tries::Fault;

pub(super) async fn write(
    conn: &mut PgConnection,
    taken: &[&Replacement],
    books: &Books,
    now: Timestamp,
) -> Result<(), Fault> {
    let holds: Vec<Transfer> = taken.iter().filter_map(|one| one.hold.clone()).collect();
    let posted = ledger::post(conn, &holds).await?;
    all_written("ledger_transfers", posted.len(), holds.len())?;
    fail::fail_point!("replace::tx_delta_held", |_| Err(db::DbError::Stale.into()));
    let rows: Vec<NewOrder> = taken.iter().filter_map(|one| row(one)).collect();
    let inserted = orders::insert(conn, &rows).await?;
    all_written("order_client_ids", inserted.len(), taken.len())?;
    let wishes: Vec<(OrderId, OrderId)> = taken
        .iter()
        .map(|one| (one.event.order_id, one.order.order_id))
        .collect();
    orders::wish_to_replace(conn, &wishes, now).await?;
    let events: Vec<NewOrderEvent> = taken.iter().map(|one| one.event.clone()).collect();
    orders::append_events(conn, &events).await?;
    let accounts = taken.iter().map(|one| one.order.account_id);
    let sequences: HashMap<_, _> = accounts
        .filter_map(|id| Some((id, books.accounts.get(&id)?.sequence)))
        .collect();
    orders::store_sequences(conn, &sequences).await?;
    let outbox: Vec<NewEvent> = taken.iter().flat_map(|one| bus_events(one)).collect();
    bus::append(conn, &outbox).await.map_err(database_error)?;
    Ok(())
}

fn row(taken: &Replacement) -> Option<NewOrder> {
    let order = taken.order.chain.replaces?;
    let root = taken.order.root();
    Some(NewOrder {
        replaces: Some(Replaces { order, root }),
        ..new_order(&taken.order)
    })
}

/// For the executor what to ask the venue for, for streams and notifications where to look.
fn bus_events(taken: &Replacement) -> [NewEvent; 2] {
    let request_id = taken.order.request_id.clone();
    let requested = v1::ReplaceRequested {
        order: order_accepted(&taken.order),
        replaces: taken.event.order_id.get(),
        at_venue: taken.old_at_venue.as_ref().map(ToString::to_string),
    };
    let updated = v1::OrderUpdated {
        order_id: taken.event.order_id.get(),
        account_id: taken.event.account_id.get(),
        seq: taken.event.seq,
        event: taken.event.event.to_string(),
    };
    [
        NewEvent::replace_requested(&requested, request_id.clone()),
        NewEvent::order_updated(&updated, request_id),
    ]
}
