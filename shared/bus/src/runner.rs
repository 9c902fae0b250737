//! A consumer and a handler as a step.
//!
//! One transaction a batch: position first (so that a fenced owner learns it before it does anything), then the
//! effect. A batch whose message is at fault is split until that message stands alone; no split skips anything, each
//! part is a transaction of its own that moves the position over exactly what it handled.

use std::future::Future;
use std::time::Duration;

use chassis::step::{Progress, Step, StepError};
use chassis::trace::Span;
use db::DbError;
use sqlx::PgConnection;
use tracing::{error, info, warn};

use crate::{BusError, Consumer, Event, Fetched, LeaseChange, traces};

/// How soon to look again at what waits above the horizon.
const HELD_BACK: Duration = Duration::from_millis(1);

/// Events of one turn of work that can wait, while others are served.
const SHORT_TURN: usize = 128;

/// Turns events into effects.
pub trait Handler: Send {
    /// Writes the effect of all events, in order, in this transaction. It may be called again with the same events, or
    /// with a part of them, after a rollback. No network calls in here.
    fn handle(
        &mut self,
        conn: &mut PgConnection,
        events: &[Event],
    ) -> impl Future<Output = Result<(), HandleError>> + Send;

    /// Whether nobody waits for what becomes of these events, so that it is done in short turns between the requests of
    /// those who do wait (see [`crate::Bus::hurry`]).
    fn can_wait(&self, _events: &[Event]) -> bool {
        false
    }

    /// What an event tells, in a word, for the span of its handling. Asked only where that is traced.
    fn word(&self, _event: &Event) -> Option<String> {
        None
    }

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
            HandleError::Later(_)
            | HandleError::Bus(
                BusError::Incarnation { .. } | BusError::Engine { .. } | BusError::NoKafka | BusError::Kafka(_),
            ) => Verdict::Again,
            HandleError::Bus(BusError::Fenced) => Verdict::Fenced,
            HandleError::Bus(BusError::Db(error)) | HandleError::Db(error) if is_of_the_data(error) => Verdict::Count,
            HandleError::Bus(BusError::Db(_)) | HandleError::Db(_) => Verdict::Again,
            HandleError::Failed(_) => Verdict::Count,
        }
    }

    /// The server canceled a statement that ran out of time. The same batch would again, for ever; half of it may not.
    fn took_too_long(&self) -> bool {
        let (HandleError::Bus(BusError::Db(DbError::Sqlx(error))) | HandleError::Db(DbError::Sqlx(error))) = self
        else {
            return false;
        };
        let code = error.as_database_error().and_then(|refusal| refusal.code());
        code.is_some_and(|code| code == "57014")
    }
}

/// The later half first: the list is a stack.
fn halves(events: &[Event]) -> [&[Event]; 2] {
    let (first, rest) = events.split_at(events.len() / 2);
    [rest, first]
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

/// What one transaction is about.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// Events as fetched: the position moves over them.
    Fetched(&'a [Event]),
    /// A parked message that an operator wants handled: it is taken out, the position stays.
    Requeued(&'a Event),
}

impl<'a> Part<'a> {
    /// All of its messages.
    fn events(self) -> &'a [Event] {
        match self {
            Part::Fetched(events) => events,
            Part::Requeued(event) => std::slice::from_ref(event),
        }
    }

    /// The message, if it stands alone.
    fn alone(self) -> Option<&'a Event> {
        match self {
            Part::Fetched([event]) | Part::Requeued(event) => Some(event),
            Part::Fetched(_) => None,
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

    async fn work(&mut self) -> Result<Progress, HandleError> {
        let requeued = self.work_off_requeued().await?;
        let batch = self.consumer.bus().settings().batch;
        let Fetched { events, held_back } = self.consumer.fetch(batch).await?;
        if self.consumer.bus().is_hurried() && self.handler.can_wait(&events) {
            self.work_off_in_turns(&events).await?;
        } else {
            self.work_off(&events).await?;
        }
        Ok(match (requeued || !events.is_empty(), held_back) {
            (true, _) => Progress::Worked,
            (false, true) => Progress::Soon(HELD_BACK),
            (false, false) => Progress::Idle,
        })
    }

    /// Works a batch off that can wait: in short turns while others are served, else at once.
    async fn work_off_in_turns(&mut self, mut events: &[Event]) -> Result<(), HandleError> {
        let bus = self.consumer.bus().clone();
        while !events.is_empty() {
            let _turn = bus.turn().await;
            let most = if bus.is_hurried() { SHORT_TURN } else { events.len() };
            let (now, later) = events.split_at(most.min(events.len()));
            self.work_off(now).await?;
            events = later;
        }
        Ok(())
    }

    /// Works a batch off, splitting it where a message is at fault.
    async fn work_off(&mut self, events: &[Event]) -> Result<(), HandleError> {
        let mut todo = vec![events];
        while let Some(part) = todo.pop().filter(|part| !part.is_empty()) {
            let Err(failure) = self.attempt(Part::Fetched(part)).await else {
                continue;
            };
            match failure.verdict() {
                Verdict::Again if part.len() > 1 && failure.took_too_long() => todo.extend(halves(part)),
                Verdict::Again | Verdict::Fenced => return Err(failure),
                Verdict::Count | Verdict::Park if part.len() == 1 => {
                    self.again_or_park(Part::Fetched(part), failure).await?;
                }
                Verdict::Count | Verdict::Park => todo.extend(halves(part)),
            }
        }
        Ok(())
    }

    /// Handles one message that an operator requeued, if there is one. One a step, so that it holds up nobody.
    async fn work_off_requeued(&mut self) -> Result<bool, HandleError> {
        let Some(event) = self.consumer.next_requeued().await? else {
            return Ok(false);
        };
        let part = Part::Requeued(&event);
        let Err(failure) = self.attempt(part).await else {
            return Ok(true);
        };
        match self.again_or_park(part, failure).await {
            Err(failure) if failure.verdict() == Verdict::Again => {
                warn!(order.id = %event.order_id, "order {} stays requeued for now: {failure}", event.order_id);
                self.consumer.requeued_later();
                Ok(false)
            }
            done => done.map(|()| true),
        }
    }

    /// One transaction, and what the handler has to know of its end.
    async fn attempt(&mut self, part: Part<'_>) -> Result<(), HandleError> {
        let spans = self.spans(part);
        let outcome = self.transact(part).await;
        match &outcome {
            Ok(()) => self.handler.committed(),
            Err(failure) => {
                spans.iter().for_each(|span| span.fail(failure.to_string()));
                self.handler.rolled_back();
            }
        }
        outcome
    }

    fn spans(&self, part: Part<'_>) -> Vec<Span> {
        let (tracer, group) = (self.consumer.bus().tracer(), self.consumer.group());
        traces::handling(tracer, group, part.events(), |event| self.handler.word(event))
    }

    async fn transact(&mut self, part: Part<'_>) -> Result<(), HandleError> {
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        match part {
            Part::Fetched(events) => {
                self.consumer.store(&mut tx, events).await?;
                fail::fail_point!("consumer::tx_seen_marked");
                let rest = self.consumer.join_parked(&mut tx, events).await?;
                if !rest.is_empty() {
                    self.handler.handle(&mut tx, &rest).await?;
                }
            }
            Part::Requeued(event) => {
                if self.consumer.take_requeued(&mut tx, event).await? {
                    self.handler.handle(&mut tx, std::slice::from_ref(event)).await?;
                }
            }
        }
        self.commit(tx, part).await
    }

    /// When the answer to a commit is lost nobody knows whether it happened: the stored position will tell.
    async fn commit(&mut self, tx: db::Tx, part: Part<'_>) -> Result<(), HandleError> {
        if let Err(error) = tx.commit().await {
            self.consumer.rewind();
            return Err(error.into());
        }
        fail::fail_point!("consumer::committed_not_acked");
        if let Part::Fetched(events) = part {
            self.consumer.advance(events);
        }
        Ok(())
    }

    /// A message stands alone and has failed once: tries it again if that may help, then parks it with its order.
    async fn again_or_park(&mut self, part: Part<'_>, mut failure: HandleError) -> Result<(), HandleError> {
        for _ in 1..self.consumer.bus().settings().tries {
            if failure.verdict() != Verdict::Count {
                break;
            }
            match self.attempt(part).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        match (failure.verdict(), part.alone()) {
            (Verdict::Count | Verdict::Park, Some(event)) => self.park(part, event, &failure).await,
            _ => Err(failure),
        }
    }

    async fn park(&mut self, part: Part<'_>, event: &Event, failure: &HandleError) -> Result<(), HandleError> {
        let cause = with_causes(failure);
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        match part {
            Part::Fetched(events) => {
                self.consumer.store(&mut tx, events).await?;
                self.consumer.park(&mut tx, event, &cause).await?;
            }
            Part::Requeued(_) => self.consumer.park_again(&mut tx, event, &cause).await?,
        }
        self.commit(tx, part).await?;
        let group = self.consumer.group();
        metrics::counter!("daybook_bus_parked_total", "consumer_group" => group).increment(1);
        error!(order.id = %event.order_id, request.id = %event.request_id, consumer_group = group, kind = event.kind,
            "parked order {}: {cause}", event.order_id);
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
        if change != LeaseChange::default() {
            info!(consumer_group = self.consumer.group(), gained = ?change.gained, lost = ?change.lost,
                "{} now owns {} partitions", self.name, self.consumer.owned().len());
        }
        match self.work().await {
            Err(failure) if failure.verdict() == Verdict::Fenced => {
                self.fenced();
                Ok(Progress::Worked)
            }
            done => Ok(done?),
        }
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
