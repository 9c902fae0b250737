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
use std::time::Duration;

use bus::{Bus, Topic};
use chassis::batch::BatchWork;
use chassis::clock::SharedClock;
use db::{DbError, PgPool, Tx};
use domain::AccountId;
use identity::limits::Limits as RequestLimits;
use orders::StoredOrder;
use orders::churn::Strike;
use sessions::Sessions;
use tracing::{debug, error, info};

use crate::batch::{Settle, in_halves, passes_by_itself};
use crate::error::PlaceOrderError;
pub(crate) use controls::{Controls, unreadable};
pub(crate) use decide::new_order;
use decide::{Accepted, Command, decide, strikes};
pub(crate) use look::{Known, books};
use taken::Taken;
pub(crate) use terms::terms;
pub use times::{Asked, NewYork, Untimely};
pub(crate) use write::{all_written, database_error, order_accepted};

/// What a caller is told.
pub type Reply = Result<StoredOrder, PlaceOrderError>;

/// Tries of a batch that failed in a way that may pass.
const TRIES: u32 = 3;
/// Pause before another try; a deadlock's other side or a restarting database needs a moment.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a batch was not done.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The transaction did not happen.
    Failed(DbError),
    /// COMMIT was sent and its answer is lost.
    CommitUnknown,
    /// Nobody can tell which kill switches are in force (RSK-6).
    NoRisk(DbError),
}

/// A transaction that only has to be committed.
struct Prepared {
    tx: Tx,
    decided: Vec<Result<Accepted, PlaceOrderError>>,
    /// Nothing was written.
    is_empty: bool,
}

impl<E: Into<DbError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault::Failed(error.into())
    }
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
        in_halves(self, &batch).await
    }
}

impl Settle for PlaceWork {
    type Item = Command;
    type Reply = Reply;

    async fn settle(&self, batch: &[Command]) -> Result<Vec<Reply>, DbError> {
        self.settle_in_tries(batch).await
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

impl PlaceWork {
    /// Does the batch, again where that may help. An error means that nothing of it is stored.
    async fn settle_in_tries(&self, batch: &[Command]) -> Result<Vec<Reply>, DbError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let (replies, fault) = match self.attempt(batch).await {
                Ok(replies) => return Ok(replies),
                Err((replies, fault)) => (replies, fault),
            };
            match fault {
                Fault::Failed(error) if tried < TRIES && passes_by_itself(&error, batch.len()) => {
                    debug!(%error, tried, "a batch failed, trying it again: {error}");
                }
                Fault::Failed(error) => return Err(error),
                Fault::NoRisk(error) => {
                    let refused = unreadable(&error);
                    return Ok(batch.iter().map(|_| Err(refused.clone())).collect());
                }
                Fault::CommitUnknown => match self.was_committed(&replies).await {
                    Ok(true) => return Ok(replies),
                    Ok(false) if tried < TRIES => {}
                    Ok(false) => return Err(DbError::from(sqlx::Error::WorkerCrashed)),
                    // Nobody can tell: the caller looks the order up by its client_order_id.
                    Err(error) => {
                        error!(%error, "the outcome of a commit is unknown: {error}");
                        return Ok(replies
                            .into_iter()
                            .map(|reply| reply.and(Err(PlaceOrderError::Unknown)))
                            .collect());
                    }
                },
            }
            tokio::time::sleep(PAUSE * tried).await;
        }
    }

    /// One transaction. With the fault come the replies that would have been given.
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
        let strikes = strikes(&books, batch, &decided, now);
        note_churn(&decided, &strikes);
        orders::churn::strike(&mut tx, &strikes).await?;
        Ok(Prepared {
            is_empty: accepted.is_empty() && strikes.is_empty(),
            tx,
            decided,
        })
    }

    /// Whether the transaction behind these replies happened. The account's lock is taken first: a server process
    /// that still works on the lost COMMIT holds it, so what is read after it is final.
    async fn was_committed(&self, replies: &[Reply]) -> Result<bool, DbError> {
        let Some(order) = replies.iter().flatten().next() else {
            return Ok(true);
        };
        let mut tx = db::begin(&self.pool).await?;
        ledger::lock(&mut tx, &[order.account_id]).await?;
        let stored = orders::read::by_client_id(&mut tx, order.account_id, &order.client_order_id).await?;
        tx.rollback().await?;
        Ok(stored.is_some_and(|stored| stored.order_id == order.order_id))
    }
}

/// A strike is worth a line: somebody may call about it.
fn note_churn(decided: &[Result<Accepted, PlaceOrderError>], strikes: &[Strike]) {
    let refused = decided
        .iter()
        .filter(|one| matches!(one, Err(PlaceOrderError::Churning { .. })));
    metrics::counter!("daybook_order_manager_churn_refused_total").increment(refused.count() as u64);
    for strike in strikes {
        info!(
            account.id = %strike.account, strikes = strike.strikes, until = %strike.cool_off_until,
            "account {} cancels too much in {}", strike.account, strike.symbol
        );
    }
}

/// Commits; the outcome may stay unknown.
pub(crate) async fn commit(tx: Tx) -> Result<(), Fault> {
    fail::fail_point!("api::tx_before_commit", |_| Err(DbError::Stale.into()));
    let outcome = tx.commit().await.map_err(DbError::from);
    fail::fail_point!("api::commit_unknown", |_| Err(Fault::CommitUnknown));
    outcome.map_err(|error| {
        if error.is_connection_lost() {
            Fault::CommitUnknown
        } else {
            Fault::Failed(error)
        }
    })
}
