//! A consumer and a handler as a step.
//!
//! One transaction a batch: position first (so that a fenced owner learns it before it does anything), then the
//! effect. A batch whose message is at fault is split until that message stands alone; no split skips anything, each
//! part is a transaction of its own that moves the position over exactly what it handled.

use std::future::Future;
use std::time::Duration;

use chassis::step::{Progress, Step, StepError};
use db::DbError;
use sqlx::PgConnection;
use tracing::{error, info};

use crate::{BusError, Consumer, Event, parked};

/// How soon to look again at what waits above the horizon.
const HELD_BACK: Duration = Duration::from_millis(1);

/// Turns events into effects.
pub trait Handler: Send {
    /// Writes the effect of all events, in order, in this transaction. It may be called again with the same events, or
    /// with a part of them, after a rollback. No network calls in here.
    fn handle(
        &mut self,
        conn: &mut PgConnection,
        events: &[Event],
    ) -> impl Future<Output = Result<(), HandleError>> + Send;

    /// The transaction of the last [`Handler::handle`] was committed: wake others, publish to memory.
    fn committed(&mut self) {}

    /// It was not, or nobody knows: forget what was prepared for [`Handler::committed`].
    fn rolled_back(&mut self) {}
}

/// Why events could not be handled, by what follows from it.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// One of the messages can never be handled: parked without further tries.
    #[error("cannot be handled: {0}")]
    Poison(String),
    /// Something else is not ready; try the same again later. Never parks.
    #[error("not now: {0}")]
    Later(String),
    /// The bus failed, or the payload cannot be read.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The database failed. Parks only for what the data are to blame for.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Any other failure, counted as a try of the message.
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for HandleError {
    fn from(error: sqlx::Error) -> Self {
        HandleError::Db(error.into())
    }
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nobody's fault: the same again later.
    Again,
    /// Somebody else owns the partition.
    Fenced,
    /// A message's fault, perhaps.
    Count,
    /// A message's fault for certain.
    Park,
}

impl HandleError {
    fn verdict(&self) -> Verdict {
        match self {
            HandleError::Poison(_) | HandleError::Bus(BusError::Decode { .. }) => Verdict::Park,
            HandleError::Later(_) | HandleError::Bus(BusError::Incarnation { .. }) => Verdict::Again,
            HandleError::Bus(BusError::Fenced) => Verdict::Fenced,
            HandleError::Bus(BusError::Db(error)) | HandleError::Db(error) if is_of_the_data(error) => Verdict::Count,
            HandleError::Bus(BusError::Db(_)) | HandleError::Db(_) => Verdict::Again,
            HandleError::Failed(_) => Verdict::Count,
        }
    }
}

/// Whether a failure of the database may come from what was written. A full disk, a missing grant or a table of
/// another version would fail every message: such errors must not park them all.
fn is_of_the_data(error: &DbError) -> bool {
    match error {
        DbError::Stale | DbError::Duplicate { .. } | DbError::Inconsistent { .. } => true,
        DbError::Sqlx(sqlx::Error::Database(refusal)) => {
            // Data exception, integrity violation, raised by a trigger.
            refusal
                .code()
                .is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.starts_with(class)))
        }
        DbError::Sqlx(error) => {
            matches!(
                error,
                sqlx::Error::RowNotFound | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }
            )
        }
    }
}

/// The step of a consuming service.
pub struct Runner<H> {
    name: &'static str,
    consumer: Consumer,
    handler: H,
}

impl<H: Handler> Runner<H> {
    /// A runner; `name` is for logs and metrics.
    pub fn new(name: &'static str, consumer: Consumer, handler: H) -> Self {
        Runner {
            name,
            consumer,
            handler,
        }
    }

    /// The consumer inside.
    pub fn consumer(&mut self) -> &mut Consumer {
        &mut self.consumer
    }

    /// The handler inside.
    pub fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Works a batch off, splitting it where a message is at fault.
    async fn work_off(&mut self, events: &[Event]) -> Result<(), HandleError> {
        let mut todo = vec![events];
        while let Some(part) = todo.pop() {
            let Err(failure) = self.attempt(part).await else {
                continue;
            };
            match (failure.verdict(), part) {
                (Verdict::Again, _) => return Err(failure),
                (Verdict::Fenced, _) => return Ok(self.fenced()),
                (_, [event]) => {
                    if self.again_or_park(event, failure).await? == Verdict::Fenced {
                        return Ok(());
                    }
                }
                _ => {
                    let (first, rest) = part.split_at(part.len() / 2);
                    todo.extend([rest, first]);
                }
            }
        }
        Ok(())
    }

    /// One transaction: position, effect, commit.
    async fn attempt(&mut self, events: &[Event]) -> Result<(), HandleError> {
        let outcome = self.transact(events).await;
        match &outcome {
            Ok(()) => self.handler.committed(),
            Err(_) => self.handler.rolled_back(),
        }
        outcome
    }

    async fn transact(&mut self, events: &[Event]) -> Result<(), HandleError> {
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        self.consumer.store(&mut tx, events).await?;
        fail::fail_point!("consumer::tx_seen_marked");
        let rest = self.consumer.join_parked(&mut tx, events).await?;
        if !rest.is_empty() {
            self.handler.handle(&mut tx, &rest).await?;
        }
        self.commit(tx).await?;
        self.consumer.advance(events);
        Ok(())
    }

    /// When the answer to a commit is lost nobody knows whether it happened: the stored position will tell.
    async fn commit(&mut self, tx: db::Tx) -> Result<(), HandleError> {
        if let Err(error) = tx.commit().await {
            self.consumer.rewind();
            return Err(error.into());
        }
        fail::fail_point!("consumer::committed_not_acked");
        Ok(())
    }

    /// A message stands alone and has failed once: tries it again if that may help, then parks it with its order.
    async fn again_or_park(&mut self, event: &Event, mut failure: HandleError) -> Result<Verdict, HandleError> {
        let alone = std::slice::from_ref(event);
        for _ in 1..self.consumer.bus().settings().tries {
            if failure.verdict() != Verdict::Count {
                break;
            }
            match self.attempt(alone).await {
                Ok(()) => return Ok(Verdict::Count),
                Err(error) => failure = error,
            }
        }
        match failure.verdict() {
            Verdict::Again => Err(failure),
            Verdict::Fenced => {
                self.fenced();
                Ok(Verdict::Fenced)
            }
            Verdict::Count | Verdict::Park => {
                self.park(event, &failure).await?;
                Ok(Verdict::Park)
            }
        }
    }

    async fn park(&mut self, event: &Event, failure: &HandleError) -> Result<(), HandleError> {
        let cause = with_causes(failure);
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        self.consumer.store(&mut tx, std::slice::from_ref(event)).await?;
        self.consumer.park(&mut tx, event, &cause).await?;
        self.commit(tx).await?;
        self.consumer.advance(std::slice::from_ref(event));
        let group = self.consumer.group();
        metrics::counter!("daybook_bus_parked_total", "consumer_group" => group).increment(1);
        error!(order.id = %event.order_id, request.id = %event.request_id, consumer_group = group, kind = event.kind,
            "parked order {}: {cause}", event.order_id);
        Ok(())
    }

    /// Handles one message that an operator requeued. True: there was one.
    async fn work_off_requeued(&mut self) -> Result<bool, HandleError> {
        let Some(event) = self.consumer.next_requeued().await? else {
            return Ok(false);
        };
        let mut failure = match self.handle_requeued(&event).await {
            Ok(()) => return Ok(true),
            Err(failure) => failure,
        };
        for _ in 1..self.consumer.bus().settings().tries {
            if failure.verdict() != Verdict::Count {
                break;
            }
            match self.handle_requeued(&event).await {
                Ok(()) => return Ok(true),
                Err(error) => failure = error,
            }
        }
        match failure.verdict() {
            Verdict::Again => return Err(failure),
            Verdict::Fenced => self.fenced(),
            Verdict::Count | Verdict::Park => self.park_again(&event, &failure).await?,
        }
        Ok(true)
    }

    async fn handle_requeued(&mut self, event: &Event) -> Result<(), HandleError> {
        let outcome = self.transact_requeued(event).await;
        match &outcome {
            Ok(()) => self.handler.committed(),
            Err(_) => self.handler.rolled_back(),
        }
        outcome
    }

    async fn transact_requeued(&mut self, event: &Event) -> Result<(), HandleError> {
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        self.consumer.hold(&mut tx, event).await?;
        if parked::remove(&mut tx, self.consumer.member(), event).await? {
            self.handler.handle(&mut tx, std::slice::from_ref(event)).await?;
        }
        self.commit(tx).await
    }

    async fn park_again(&mut self, event: &Event, failure: &HandleError) -> Result<(), HandleError> {
        let cause = with_causes(failure);
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        self.consumer.hold(&mut tx, event).await?;
        parked::wait_again(&mut tx, self.consumer.member(), event, &cause).await?;
        self.commit(tx).await?;
        error!(order.id = %event.order_id, "order {} stays parked: {cause}", event.order_id);
        Ok(())
    }

    /// Part of any rebalance: what was done in vain was rolled back, the new owner does it.
    fn fenced(&mut self) {
        self.consumer.rewind();
        self.consumer.look_now();
        info!(
            consumer_group = self.consumer.group(),
            "{} lost a partition to another owner", self.name
        );
    }
}

impl<H: Handler> Step for Runner<H> {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let change = self.consumer.keep_leases().await?;
        if !change.gained.is_empty() || !change.lost.is_empty() {
            info!(consumer_group = self.consumer.group(), gained = ?change.gained, lost = ?change.lost,
                "{} now owns {} partitions", self.name, self.consumer.owned().len());
        }
        if self.work_off_requeued().await? {
            return Ok(Progress::Worked);
        }
        let batch = self.consumer.bus().settings().batch;
        let fetched = self.consumer.fetch(batch).await?;
        if fetched.events.is_empty() {
            return Ok(if fetched.held_back {
                Progress::Soon(HELD_BACK)
            } else {
                Progress::Idle
            });
        }
        self.work_off(&fetched.events).await?;
        Ok(Progress::Worked)
    }
}

/// An error with what it came from, in one line: the operator reads it in the list of parked messages.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}
