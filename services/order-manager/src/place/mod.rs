//! Placing orders: many commands, one transaction, one answer each.
//!
//! 1. lock the accounts of the batch in id order; 2. in a second statement look at everything the decision needs;
//! 3. decide in Rust, in arrival order ([`decide()`], pure); 4. write everything set-based and commit; then wake the bus.
//!
//! A fault of the batch as a whole never fails a neighbour: what may pass is tried again, what does not is halved
//! until the item that cannot be done stands alone.

mod controls;
pub mod decide;
mod look;
mod taken;
mod terms;
mod times;
mod write;

use std::collections::BTreeSet;

use bus::{Bus, Topic};
use chassis::batch::BatchWork;
use chassis::clock::SharedClock;
use db::{DbError, PgConnection, PgPool, Tx};
use domain::{AccountId, Timestamp};
use identity::limits::Limits as RequestLimits;
use orders::StoredOrder;
use sessions::Sessions;
use tracing::info;

use crate::batch::{Settle, in_halves};
use crate::error::PlaceOrderError;
use crate::tries::{Fault, StoresOrders, commit, in_tries};
pub(crate) use controls::{Controls, unreadable};
pub(crate) use decide::new_order;
use decide::{Accepted, Books, Command, decide, strikes};
pub(crate) use look::{Known, books};
use taken::Taken;
pub(crate) use terms::terms;
pub use times::{Asked, NewYork, Untimely};
pub(crate) use write::{all_written, database_error, order_accepted};

/// What a caller is told.
pub type Reply = Result<StoredOrder, PlaceOrderError>;

/// A transaction that only has to be committed.
struct Prepared {
    tx: Tx,
    decided: Vec<Result<Accepted, PlaceOrderError>>,
    /// Nothing was written.
    is_empty: bool,
}

/// One batcher's worker.
#[derive(Clone)]
pub struct PlaceWork {
    /// Where the books are.
    pub pool: PgPool,
    /// What time it is.
    pub clock: SharedClock,
    /// Whom to wake.
    pub bus: Bus,
    /// Which session an order belongs to.
    pub sessions: Sessions,
    /// When canceling is too much (RSK-8).
    pub request_limits: RequestLimits,
    /// What orders are measured by.
    pub(crate) controls: Controls,
}

impl BatchWork for PlaceWork {
    type Item = Command;
    type Reply = Reply;

    async fn run(&mut self, batch: Vec<Command>) -> Vec<Reply> {
        fail::fail_point!("api::before_tx");
        let _first = self.bus.hurry();
        in_halves(self, &batch).await
    }
}

impl Settle for PlaceWork {
    type Item = Command;
    type Reply = Reply;

    async fn settle(&self, batch: &[Command]) -> Result<Vec<Reply>, DbError> {
        in_tries(self, batch).await
    }

    fn away(&self, _: &Command) -> Reply {
        Err(PlaceOrderError::Unavailable)
    }

    fn broken(&self, _: &Command) -> Reply {
        Err(PlaceOrderError::Internal)
    }

    fn describe(&self, command: &Command) -> String {
        format!("order {} of {}", command.order_id, command.account)
    }
}

impl StoresOrders for PlaceWork {
    type Item = Command;
    type Error = PlaceOrderError;

    fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn attempt(&self, batch: &[Command]) -> Result<Vec<Reply>, (Vec<Reply>, Fault)> {
        let Prepared { tx, decided, is_empty } = self.prepare(batch).await.map_err(|fault| (vec![], fault))?;
        let taken = Taken::of(&decided);
        let replies = decided
            .into_iter()
            .map(|one| one.map(|accepted| accepted.order))
            .collect::<Vec<Reply>>();
        if is_empty {
            // Nothing was written: a rollback says so in one round trip, and its failure changes nothing.
            let _ = tx.rollback().await;
            return Ok(replies);
        }
        match commit(tx).await {
            Ok(()) => {
                self.controls.remember(taken, self.clock.now());
                fail::fail_point!("api::committed_not_woken");
                self.bus.wake(Topic::Orders);
                self.bus.wake(Topic::OrderUpdates);
                fail::fail_point!("api::committed_not_answered");
                Ok(replies)
            }
            Err(fault) => Err((replies, fault)),
        }
    }
}

impl PlaceWork {
    /// Everything up to, and without, the commit.
    async fn prepare(&self, batch: &[Command]) -> Result<Prepared, Fault> {
        let mut tx = db::begin(&self.pool).await?;
        let accounts: BTreeSet<AccountId> = batch.iter().map(|command| command.account).collect();
        let accounts: Vec<AccountId> = accounts.into_iter().collect();
        let cash = ledger::lock(&mut tx, &accounts).await?;
        fail::fail_point!("api::tx_account_locked", |_| Err(DbError::Stale.into()));
        let in_force = self.controls.in_force(&mut tx).await?;
        // A statement of its own: one that waited for the lock would see its unlocked neighbours as they were before.
        let (now, table) = (self.clock.now(), self.request_limits.table());
        let known = Known {
            in_force: &in_force,
            table: &table,
            now,
        };
        let mut books = look::books(&mut tx, batch, cash, known).await?;
        self.controls.catch_up(&mut tx, &books, now).await?;
        let calendar = self.sessions.calendar();
        let decided: Vec<Result<Accepted, PlaceOrderError>> = {
            let recent = self.controls.recent();
            let given = in_force.given(now, &calendar, &recent);
            let decided = batch.iter().map(|command| decide(&mut books, command, given));
            decided.collect()
        };
        let accepted: Vec<&Accepted> = decided.iter().flatten().collect();
        if !accepted.is_empty() {
            write::write(&mut tx, &accepted, &books).await?;
        }
        let refused = batch.iter().zip(&decided);
        let refused = refused.filter(|(_, one)| one.as_ref().is_err_and(PlaceOrderError::is_churn));
        let refused: Vec<&Command> = refused.map(|(command, _)| command).collect();
        let struck = strike(&mut tx, &books, &refused, now).await?;
        Ok(Prepared {
            is_empty: accepted.is_empty() && !struck,
            tx,
            decided,
        })
    }
}

/// Counts the orders that were refused for churn, and writes the strikes among them. True if there are any.
pub(crate) async fn strike(
    conn: &mut PgConnection,
    books: &Books,
    refused: &[&Command],
    now: Timestamp,
) -> Result<bool, DbError> {
    metrics::counter!("daybook_order_manager_churn_refused_total").increment(refused.len() as u64);
    let strikes = strikes(books, refused, now);
    for strike in &strikes {
        // Worth a line: somebody may call about it.
        info!(
            account.id = %strike.account, strikes = strike.strikes, until = %strike.cool_off_until,
            "account {} cancels too much in {}", strike.account, strike.symbol
        );
    }
    orders::churn::strike(conn, &strikes).await?;
    Ok(!strikes.is_empty())
}
