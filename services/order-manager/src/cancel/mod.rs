//! Wishes to end an order: recorded with their event, batched like orders.
//!
//! A wish promises nothing but a later event (ORD-14): the executor takes it to the exchange. Repeating it changes
//! nothing, so a try that failed in an unknown way is simply repeated.

mod decide;

use std::collections::{BTreeSet, HashMap};

use bus::{Bus, NewEvent, Topic};
use chassis::batch::BatchWork;
use chassis::clock::SharedClock;
use db::{DbError, PgPool, Tx};
use domain::{AccountId, OrderId, RequestId, Timestamp};
use orders::{NewOrderEvent, Sequence, StoredOrder, WishKind};
use tracing::debug;
use wire::events::v1;

use crate::batch::{Settle, in_halves, passes_by_itself};
use crate::error::CancelError;
use crate::place::database_error;
use crate::tries::{PAUSE, TRIES};
use decide::{Wished, decide};

/// One request to cancel: one order, or all that an account had open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelCommand {
    /// Whose orders; another account's are not found.
    pub(crate) account: AccountId,
    /// Which.
    pub(crate) orders: Vec<OrderId>,
    /// The request it came with.
    pub(crate) request_id: RequestId,
}

/// One outcome an order, in the command's order.
pub(crate) type CancelReply = Vec<Result<(), CancelError>>;

/// One batcher's worker.
#[derive(Clone)]
pub(crate) struct CancelWork {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) bus: Bus,
}

impl BatchWork for CancelWork {
    type Item = CancelCommand;
    type Reply = CancelReply;

    async fn run(&mut self, batch: Vec<CancelCommand>) -> Vec<CancelReply> {
        let _first = self.bus.hurry();
        in_halves(self, &batch).await
    }
}

impl Settle for CancelWork {
    type Item = CancelCommand;
    type Reply = CancelReply;

    async fn settle(&self, batch: &[CancelCommand]) -> Result<Vec<CancelReply>, DbError> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.attempt(batch).await {
                Err(error) if tried < TRIES && passes_by_itself(&error, batch.len()) => {
                    debug!(%error, tried, "cancels failed, trying them again: {error}");
                }
                done => return done,
            }
            tokio::time::sleep(PAUSE * tried).await;
        }
    }

    fn away(&self, command: &CancelCommand) -> CancelReply {
        command.orders.iter().map(|_| Err(CancelError::Unavailable)).collect()
    }

    fn broken(&self, command: &CancelCommand) -> CancelReply {
        command.orders.iter().map(|_| Err(CancelError::Internal)).collect()
    }

    fn describe(&self, command: &CancelCommand) -> String {
        format!("the cancel of {} orders of {}", command.orders.len(), command.account)
    }
}

impl CancelWork {
    /// One transaction: orders by id, then accounts by id, the lock order of the whole product.
    async fn attempt(&self, batch: &[CancelCommand]) -> Result<Vec<CancelReply>, DbError> {
        let mut tx = db::begin(&self.pool).await?;
        let asked: BTreeSet<OrderId> = batch
            .iter()
            .flat_map(|command| command.orders.iter().copied())
            .collect();
        let asked: Vec<OrderId> = asked.into_iter().collect();
        let stored = orders::lock(&mut tx, &asked).await?;
        let (replies, wished) = decide(batch, &stored);
        if wished.is_empty() {
            tx.rollback().await?;
            return Ok(replies);
        }
        self.write(&mut tx, &wished).await?;
        fail::fail_point!("cancel::tx_before_commit", |_| Err(DbError::Stale));
        tx.commit().await?;
        self.bus.wake(Topic::Orders);
        self.bus.wake(Topic::OrderUpdates);
        fail::fail_point!("cancel::committed_not_answered");
        Ok(replies)
    }

    async fn write(&self, tx: &mut Tx, wished: &[Wished<'_>]) -> Result<(), DbError> {
        let accounts: BTreeSet<AccountId> = wished.iter().map(|wish| wish.order.account_id).collect();
        let accounts: Vec<AccountId> = accounts.into_iter().collect();
        ledger::lock(tx, &accounts).await?;
        let mut sequences = orders::sequences(tx, &accounts).await?;
        let now = self.clock.now();
        let ids: Vec<OrderId> = wished.iter().map(|wish| wish.order.order_id).collect();
        orders::wish_to_end(tx, &ids, WishKind::Cancel, now).await?;
        let events = wished
            .iter()
            .map(|wish| wish.event(&mut sequences, now))
            .collect::<Result<Vec<_>, _>>()?;
        orders::append_events(tx, &events).await?;
        orders::store_sequences(tx, &sequences).await?;
        let outbox: Vec<NewEvent> = wished
            .iter()
            .zip(&events)
            .flat_map(|(wish, event)| bus_events(wish, event))
            .collect();
        bus::append(tx, &outbox).await.map_err(database_error)
    }
}

impl Wished<'_> {
    fn event(&self, sequences: &mut HashMap<AccountId, Sequence>, now: Timestamp) -> Result<NewOrderEvent, DbError> {
        let order = self.order;
        let sequence = sequences
            .get_mut(&order.account_id)
            .ok_or_else(|| DbError::Inconsistent {
                table: "account_sequences",
                what: format!("{} has no row", order.account_id),
            })?;
        let (seq, at) = sequence.next_event_at(now);
        Ok(NewOrderEvent {
            account_id: order.account_id,
            seq,
            order_id: order.order_id,
            event: domain::order::StreamEvent::PendingCancel,
            at,
            status: domain::OrderStatus::PendingCancel,
            filled_qty: order.state.filled,
            filled_notional: order.state.notional,
            execution: None,
            cause: "customer".to_owned(),
            request_id: self.request_id.clone(),
        })
    }
}

fn bus_events(wish: &Wished<'_>, event: &NewOrderEvent) -> [NewEvent; 2] {
    let StoredOrder {
        order_id,
        account_id,
        symbol,
        ..
    } = wish.order;
    let request = v1::CancelRequested {
        order_id: order_id.get(),
        account_id: account_id.get(),
        symbol: symbol.to_string(),
        asked_by: "customer".to_owned(),
        requested_at: event.at,
    };
    let updated = v1::OrderUpdated {
        order_id: order_id.get(),
        account_id: account_id.get(),
        seq: event.seq,
        event: event.event.to_string(),
    };
    [
        NewEvent::cancel_requested(&request, wish.request_id.clone()),
        NewEvent::order_updated(&updated, wish.request_id.clone()),
    ]
}
