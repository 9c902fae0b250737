//! A transaction that stores orders: tried again where that may help, and looked up when the answer to its COMMIT is lost.

use std::future::Future;
use std::time::Duration;

use db::{DbError, PgPool, Tx};
use orders::StoredOrder;
use tracing::{debug, error};

use crate::batch::passes_by_itself;
use crate::error::PlaceOrderError;
use crate::place::unreadable;

/// Tries of a batch that failed in a way that may pass.
pub(crate) const TRIES: u32 = 3;
/// Pause before another try; a deadlock's other side or a restarting database needs a moment.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

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

impl<E: Into<DbError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault::Failed(error.into())
    }
}

/// An order that is stored, or why it is not.
pub(crate) type Outcome<E> = Result<StoredOrder, E>;

/// The outcomes; and where the transaction did not surely commit, why.
pub(crate) type Attempt<E> = Result<Vec<Outcome<E>>, (Vec<Outcome<E>>, Fault)>;

/// Work that stores an order for each item, all of them in one transaction.
pub(crate) trait StoresOrders: Sync {
    /// What is asked.
    type Item: Sync;
    /// Why one is refused.
    type Error: From<PlaceOrderError> + Send;

    /// Where the books are.
    fn pool(&self) -> &PgPool;
    /// One transaction. With the fault come the outcomes that would have been.
    fn attempt(&self, batch: &[Self::Item]) -> impl Future<Output = Attempt<Self::Error>> + Send;
}

/// Does the batch, again where that may help. An error means that nothing of it is stored.
pub(crate) async fn in_tries<W: StoresOrders>(work: &W, batch: &[W::Item]) -> Result<Vec<Outcome<W::Error>>, DbError> {
    let mut tried = 0;
    loop {
        tried += 1;
        let (outcomes, fault) = match work.attempt(batch).await {
            Ok(outcomes) => return Ok(outcomes),
            Err((outcomes, fault)) => (outcomes, fault),
        };
        match fault {
            Fault::Failed(error) if tried < TRIES && passes_by_itself(&error, batch.len()) => {
                debug!(%error, tried, "a batch failed, trying it again: {error}");
            }
            Fault::Failed(error) => return Err(error),
            Fault::NoRisk(error) => {
                let refused = unreadable(&error);
                return Ok(batch.iter().map(|_| Err(refused.clone().into())).collect());
            }
            Fault::CommitUnknown => match was_committed(work.pool(), &outcomes).await {
                Ok(true) => return Ok(outcomes),
                Ok(false) if tried < TRIES => {}
                Ok(false) => return Err(DbError::from(sqlx::Error::WorkerCrashed)),
                // Nobody can tell: the caller looks the order up by its client_order_id.
                Err(error) => {
                    error!(%error, "the outcome of a commit is unknown: {error}");
                    let unknown = || Err(PlaceOrderError::Unknown.into());
                    return Ok(outcomes.into_iter().map(|outcome| outcome.and(unknown())).collect());
                }
            },
        }
        tokio::time::sleep(PAUSE * tried).await;
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

/// Whether the transaction behind these outcomes happened. The account's lock is taken first: a server process that
/// still works on the lost COMMIT holds it, so what is read after it is final.
async fn was_committed<E>(pool: &PgPool, outcomes: &[Outcome<E>]) -> Result<bool, DbError> {
    let Some(order) = outcomes.iter().flatten().next() else {
        return Ok(true);
    };
    let mut tx = db::begin(pool).await?;
    ledger::lock(&mut tx, &[order.account_id]).await?;
    let stored = orders::read::by_client_id(&mut tx, order.account_id, &order.client_order_id).await?;
    tx.rollback().await?;
    Ok(stored.is_some_and(|stored| stored.order_id == order.order_id))
}
