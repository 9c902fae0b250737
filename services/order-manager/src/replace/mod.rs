//! Replacing orders: a new order that is to take an old one's place, batched like new orders (ORD-8).
//!
//! 1. lock the orders of the batch by id, then their accounts; 2. look at everything the decision needs; 3. decide in
//!    arrival order: may the old order be replaced, do the new terms pass, does the larger hold of the two fit (BP-4);
//! 4. write hold, order, wish, event and outbox rows set-based and commit. The old order works on until the venue decides.

mod decide;
mod write;

use std::collections::BTreeSet;

use bus::{Bus, Topic};
use chassis::batch::BatchWork;
use chassis::clock::SharedClock;
use db::{DbError, PgPool, Tx};
use domain::{AccountId, ClientOrderId, OrderId, RequestId};
use identity::limits::Limits as RequestLimits;
use instruments::Instruments;
use orders::StoredOrder;
use sessions::Sessions;

use crate::batch::{Settle, in_halves};
use crate::draft::Change;
use crate::error::{PlaceOrderError, ReplaceError};
use crate::place::decide::recent::Recent;
use crate::place::decide::{Command, Replacement, decide_replacement};
use crate::place::{Controls, Known, books, strike};
use crate::prices::ReferencePrices;
use crate::tries::{Fault, StoresOrders, commit, in_tries};

/// One request to replace an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplaceCommand {
    /// Whose; another account's orders are not found.
    pub(crate) account: AccountId,
    /// The order to replace.
    pub(crate) order: OrderId,
    /// The new order's id, drawn before the queue, so that a repeated try is the same order.
    pub(crate) order_id: OrderId,
    /// The new order's name: the caller's, or ours.
    pub(crate) client_order_id: ClientOrderId,
    /// What is to be different.
    pub(crate) change: Change,
    /// The request it came with.
    pub(crate) request_id: RequestId,
}

/// The new order.
pub(crate) type ReplaceReply = Result<StoredOrder, ReplaceError>;

/// A transaction that only has to be committed.
struct Prepared {
    tx: Tx,
    decided: Vec<Result<Replacement, ReplaceError>>,
    /// Nothing was written.
    is_empty: bool,
}

/// One batcher's worker.
#[derive(Clone)]
pub(crate) struct ReplaceWork {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) bus: Bus,
    pub(crate) sessions: Sessions,
    pub(crate) prices: ReferencePrices,
    pub(crate) instruments: Instruments,
    /// When canceling is too much (RSK-8).
    pub(crate) request_limits: RequestLimits,
    pub(crate) controls: Controls,
}

impl BatchWork for ReplaceWork {
    type Item = ReplaceCommand;
    type Reply = ReplaceReply;

    async fn run(&mut self, batch: Vec<ReplaceCommand>) -> Vec<ReplaceReply> {
        let _first = self.bus.hurry();
        in_halves(self, &batch).await
    }
}

impl Settle for ReplaceWork {
    type Item = ReplaceCommand;
    type Reply = ReplaceReply;

    async fn settle(&self, batch: &[ReplaceCommand]) -> Result<Vec<ReplaceReply>, DbError> {
        in_tries(self, batch).await
    }

    fn away(&self, _: &ReplaceCommand) -> ReplaceReply {
        Err(ReplaceError::Order(PlaceOrderError::Unavailable))
    }

    fn broken(&self, _: &ReplaceCommand) -> ReplaceReply {
        Err(ReplaceError::Order(PlaceOrderError::Internal))
    }

    fn describe(&self, command: &ReplaceCommand) -> String {
        format!("order {} in place of {}", command.order_id, command.order)
    }
}

impl StoresOrders for ReplaceWork {
    type Item = ReplaceCommand;
    type Error = ReplaceError;

    fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn attempt(&self, batch: &[ReplaceCommand]) -> Result<Vec<ReplaceReply>, (Vec<ReplaceReply>, Fault)> {
        let Prepared { tx, decided, is_empty } = self.prepare(batch).await.map_err(|fault| (vec![], fault))?;
        let replies: Vec<ReplaceReply> = decided.into_iter().map(|one| one.map(|taken| taken.order)).collect();
        if is_empty {
            // Nothing was written: a rollback says so in one round trip, and its failure changes nothing.
            let _ = tx.rollback().await;
            return Ok(replies);
        }
        match commit(tx).await {
            Ok(()) => {
                let open = replies.iter().flatten().map(StoredOrder::open_value);
                open.for_each(|value| self.controls.remember_value(value));
                self.bus.wake(Topic::Orders);
                self.bus.wake(Topic::OrderUpdates);
                Ok(replies)
            }
            Err(fault) => Err((replies, fault)),
        }
    }
}

impl ReplaceWork {
    /// Everything up to, and without, the commit.
    async fn prepare(&self, batch: &[ReplaceCommand]) -> Result<Prepared, Fault> {
        let mut tx = db::begin(&self.pool).await?;
        let asked: BTreeSet<OrderId> = batch.iter().map(|command| command.order).collect();
        let stored = orders::lock_chains(&mut tx, &Vec::from_iter(asked), &[]).await?;
        let (now, calendar, table) = (self.clock.now(), self.sessions.calendar(), self.request_limits.table());
        let wanted: Vec<Result<(&StoredOrder, Command), ReplaceError>> = batch
            .iter()
            .map(|command| {
                let (old, wanted) = decide::replaceable(command, &stored)?;
                decide::in_its_life(old, &calendar, now)?;
                let known = Command {
                    reference: self.prices.get(&old.symbol),
                    volume: self.instruments.average_volume(&old.symbol),
                    ..wanted
                };
                Ok((old, known))
            })
            .collect();
        let commands: Vec<Command> = wanted.iter().flatten().map(|(_, wanted)| wanted.clone()).collect();
        let accounts: BTreeSet<AccountId> = commands.iter().map(|command| command.account).collect();
        let cash = ledger::lock(&mut tx, &Vec::from_iter(accounts)).await?;
        let in_force = self.controls.in_force(&mut tx).await?;
        let known = Known {
            in_force: &in_force,
            table: &table,
            now,
        };
        let mut books = books(&mut tx, &commands, cash, known).await?;
        let none = Recent::default();
        let given = in_force.given(now, &calendar, &none);
        let mut replaced: BTreeSet<OrderId> = BTreeSet::new();
        let decided: Vec<Result<Replacement, ReplaceError>> = wanted
            .iter()
            .map(|wanted| {
                let (old, wanted) = wanted.as_ref().map_err(Clone::clone)?;
                // Two of one batch may want the same order.
                if replaced.contains(&old.order_id) {
                    return Err(ReplaceError::NotOpen);
                }
                let taken = decide_replacement(&mut books, wanted, old, given)?;
                replaced.insert(old.order_id);
                Ok(taken)
            })
            .collect();
        let taken: Vec<&Replacement> = decided.iter().flatten().collect();
        if !taken.is_empty() {
            write::write(&mut tx, &taken, &books, now).await?;
        }
        let refused = wanted
            .iter()
            .zip(&decided)
            .filter_map(|(wanted, one)| match (wanted, one) {
                (Ok((_, command)), Err(ReplaceError::Order(why))) if why.is_churn() => Some(command),
                _ => None,
            });
        let struck = strike(&mut tx, &books, &Vec::from_iter(refused), now).await?;
        Ok(Prepared {
            is_empty: taken.is_empty() && !struck,
            tx,
            decided,
        })
    }
}
