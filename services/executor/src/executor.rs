//! The step: take answers and events in, decide, write all of it in one transaction, then launch the calls.
//!
//! An intent is always committed before its call, and an outcome is reported in the transaction that records it. If
//! that transaction fails, everything decided is forgotten, the partitions are loaded again, and the answers that were
//! not recorded are taken in once more.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Event, Fetched, Topic};
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step, StepError, Wake};
use chrono::TimeDelta;
use db::{DbError, PgPool, Tx};
use domain::calendar::Calendar;
use domain::{OrderId, Timestamp};
use risk::{InForce, Risk};
use sessions::Sessions;
use sqlx::PgConnection;
use tracing::{error, info, warn};
use uuid::Uuid;
use venue::Venue;

use crate::book::{Answer, Book, Changes, Context, InFlight, Submission, Wish};
use crate::calls::Calls;
use crate::{Config, Deps, breakers, metrics, store, traces};

/// The consumer group of the topic `orders`.
pub const GROUP: &str = "executor";

/// How soon to look again at what waits above the log's horizon.
const HELD_BACK: Duration = Duration::from_millis(1);
/// A long book takes a while to count.
const COUNT_EVERY: TimeDelta = TimeDelta::seconds(1);

/// The executor of one process.
pub struct Executor<V> {
    pool: PgPool,
    bus: Bus,
    clock: SharedClock,
    ids: SharedIds,
    sessions: Sessions,
    risk: Risk,
    /// The kill switches in force at the last step; none: they could not be read.
    in_force: Option<Arc<InForce>>,
    /// In force at the last step.
    calendar: Arc<Calendar>,
    config: Config,
    venue: Arc<V>,
    consumer: Consumer,
    book: Book,
    calls: Calls<V>,
    /// Partitions whose submissions are in the book.
    loaded: BTreeSet<i16>,
    /// Partitions that are ours and not loaded yet.
    wanted: BTreeSet<i16>,
    /// Something failed: memory and tables may have come apart.
    stale: bool,
    /// Orders of the next batch may be filed already, although nothing says so.
    suspicious: bool,
    /// No new calls.
    draining: bool,
    /// When the venue's breaker was last read.
    looked_at: Option<Timestamp>,
    /// When the book was last counted, for the metrics.
    counted_at: Option<Timestamp>,
    wake: Wake,
}

impl<V: Venue> Executor<V> {
    /// An executor that owns nothing yet.
    pub fn new(config: Config, deps: Deps<V>) -> Self {
        metrics::describe();
        let Deps {
            pool,
            bus,
            venue,
            clock,
            ids,
            sessions,
        } = deps;
        let wake = bus.waker(Topic::Orders);
        let consumer = bus.consumer(GROUP, Topic::Orders);
        let (book, calls) = (Book::new(config.venue_window), Calls::new(venue.clone(), wake.clone()));
        let (loaded, wanted) = (BTreeSet::new(), BTreeSet::new());
        let (stale, suspicious, draining) = (false, false, false);
        let calendar = sessions.calendar();
        Self {
            pool,
            bus,
            clock,
            ids,
            sessions,
            risk: Risk::new(),
            in_force: None,
            calendar,
            config,
            venue,
            consumer,
            book,
            calls,
            loaded,
            wanted,
            stale,
            suspicious,
            draining,
            looked_at: None,
            counted_at: None,
            wake,
        }
    }

    /// Rings when there may be something to do: an event, or the answer to a call.
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Calls that have no answer yet.
    pub fn in_flight(&self) -> InFlight {
        self.calls.in_flight()
    }

    /// Waits until every call has its answer; the next step records them. For tests and for the end of the process.
    pub async fn calls_settled(&mut self) {
        self.calls.settled().await;
    }

    /// From now on no call is begun; answers are still recorded.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Brings the book in line with the partitions that are ours.
    async fn keep_partitions(&mut self) -> Result<(), StepError> {
        let change = self.consumer.keep_leases().await?;
        self.book.forget(&change.lost);
        for partition in &change.lost {
            self.loaded.remove(partition);
            self.wanted.remove(partition);
        }
        self.wanted.extend(&change.gained);
        if self.stale {
            self.book.clear();
            self.wanted.append(&mut self.loaded);
            self.stale = false;
        }
        if self.wanted.is_empty() {
            return Ok(());
        }
        fail::fail_point!("lease::acquired");
        let partitions: Vec<i16> = self.wanted.iter().copied().collect();
        let mut conn = self.pool.acquire().await?;
        let now = self.clock.now();
        let mut last = Some((i16::MIN, Uuid::nil()));
        let mut open = 0;
        while let Some(after) = last {
            let page = store::open_of(&mut conn, &partitions, after, self.config.load_page).await?;
            last = page
                .last()
                .map(|submission| (submission.partition, submission.order_id.get()));
            open += page.len();
            for submission in page {
                self.book
                    .load(submission, |lane, order_id| self.calls.is_out(lane, order_id), now);
            }
        }
        info!(partitions = ?partitions, open, "took over {open} open submissions");
        self.loaded.append(&mut self.wanted);
        fail::fail_point!("lease::loaded");
        Ok(())
    }

    /// Tells the other executors what was learned of the venue, learns what they know, and takes its part of the retries: one
    /// row, read now and then, written only when something changes.
    async fn keep_breaker(&mut self) -> Result<(), StepError> {
        let now = self.clock.now();
        let look = TimeDelta::from_std(self.config.breaker_look).unwrap_or(TimeDelta::MAX);
        let is_due = self.looked_at.is_none_or(|at| (now - at).abs() >= look);
        if !is_due && !self.book.patience.has_news(now) {
            return Ok(());
        }
        let (venue, patience) = (self.venue.name(), &mut self.book.patience);
        let mut conn = self.pool.acquire().await?;
        if self.looked_at.is_none() {
            breakers::ensure(&mut conn, venue).await?;
        }
        if let Some(pause) = patience.budget.untold_pause(now) {
            breakers::pause(&mut conn, venue, pause).await?;
            patience.budget.told();
        }
        let ours = match patience.breaker.change() {
            Some((change, seen)) => breakers::change(&mut conn, venue, change, seen).await?,
            None => false,
        };
        let row = breakers::get(&mut conn, venue).await?;
        patience.adopt(row.stored(), ours, row.pause(), now);
        if let Some(draw) = patience.retries.draw(row.credit, now)
            && breakers::draw(&mut conn, venue, row.credit, draw.left).await?
        {
            patience.retries.drew(draw);
        }
        metrics::breaker(&row, row.credit.retries(now), ours);
        self.looked_at = Some(now);
        Ok(())
    }

    /// Takes in what became of each call, whatever becomes of the step.
    fn hear(&mut self, now: Timestamp) {
        for fault in self.calls.heard() {
            if self.book.patience.heard(&self.config, fault.as_ref(), now)
                && let Some(fault) = fault
            {
                warn!(
                    venue = self.venue.name(),
                    "the venue is left alone for a while: {fault}"
                );
            }
        }
    }

    /// One step, with all that may fail and leave memory apart from the tables.
    async fn work(&mut self) -> Result<Progress, StepError> {
        if self.consumer.owned().is_empty() {
            return Ok(Progress::Idle);
        }
        let answers = self.take_answers();
        let answered = answers.len();
        let Batch {
            tx,
            events,
            inbox,
            held_back,
        } = self.next_batch().await?;
        self.keep_switches().await;
        let now = self.clock.now();
        self.hear(now);
        self.decide(answers, inbox.wishes, inbox.known, now);
        if self.book.changes().is_empty() && tx.is_none() {
            let more = self.launch(answered, now);
            return Ok(if more {
                Progress::Worked
            } else {
                self.rest(held_back, now)
            });
        }
        let mut tx = match tx {
            Some(tx) => tx,
            None => db::begin(&self.pool).await?,
        };
        for (event, cause) in &inbox.poisoned {
            self.consumer.park(&mut tx, event, cause).await?;
        }
        self.fence(&mut tx, &events).await?;
        write(&mut tx, &mut self.book, now).await?;
        tx.commit().await?;
        fail::fail_point!("executor::intent_committed");
        self.consumer.advance(&events);
        self.launch(answered, now);
        Ok(Progress::Worked)
    }

    /// The next messages, read: one that an operator requeued, or what the log has.
    async fn next_batch(&mut self) -> Result<Batch, StepError> {
        if self.draining {
            return Ok(Batch::default());
        }
        if let Some(event) = self.consumer.next_requeued().await? {
            return self.open_requeued(event).await;
        }
        let Fetched { events, held_back } = self.consumer.fetch(self.config.batch).await?;
        fail::fail_point!("executor::dequeued");
        if events.is_empty() {
            return Ok(Batch {
                held_back,
                ..Batch::default()
            });
        }
        let mut tx = db::begin(&self.pool).await?;
        // Stored first: that makes sure of the partitions before anything is done.
        self.consumer.store(&mut tx, &events).await?;
        let rest = self.consumer.join_parked(&mut tx, &events).await?.into_owned();
        let mut inbox = Inbox::read(rest);
        inbox.known = self.known(&mut tx, &inbox.wishes).await?;
        Ok(Batch {
            tx: Some(tx),
            events,
            inbox,
            held_back,
        })
    }

    async fn open_requeued(&mut self, event: Event) -> Result<Batch, StepError> {
        let mut tx = db::begin(&self.pool).await?;
        let mut inbox = Inbox::default();
        match Wish::read(&event) {
            Err(cause) => self.consumer.park_again(&mut tx, &event, &cause).await?,
            Ok(wish) => {
                if self.consumer.take_requeued(&mut tx, &event).await? {
                    inbox.wishes.push((event, wish));
                }
            }
        }
        inbox.known = self.known(&mut tx, &inbox.wishes).await?;
        Ok(Batch {
            tx: Some(tx),
            inbox,
            ..Batch::default()
        })
    }

    /// As many answers as a step records, in an order that does not depend on which came first.
    fn take_answers(&mut self) -> Vec<Answer> {
        let mut answers = self.calls.answers(self.config.answers);
        answers.sort_by_key(|answer| {
            let filed = self.book.get(answer.order_id).map(|submission| submission.filed);
            (filed, answer.order_id, answer.lane)
        });
        answers
    }

    /// Takes the kill switches in force for this step. While nobody can read them nothing new is sent; cancels are.
    async fn keep_switches(&mut self) {
        self.in_force = match self.risk.fresh() {
            Some(fresh) => Some(fresh),
            None => match self.read_switches().await {
                Ok(read) => Some(read),
                Err(error) => {
                    error!(%error, "the kill switches cannot be read, so no order is sent: {error}");
                    None
                }
            },
        };
    }

    async fn read_switches(&self) -> Result<Arc<InForce>, DbError> {
        self.risk.current(&mut *self.pool.acquire().await?).await
    }

    /// Takes the calendar in force for this step. If it is a new one, nothing that waits by the old one is left to.
    fn keep_calendar(&mut self) {
        let calendar = self.sessions.calendar();
        if !Arc::ptr_eq(&calendar, &self.calendar) {
            self.calendar = calendar;
            self.book.calendar_changed();
        }
    }

    /// Feeds everything to the book, and has it choose the next calls.
    fn decide(
        &mut self,
        answers: Vec<Answer>,
        wishes: Vec<(Event, Wish)>,
        known: HashMap<OrderId, Submission>,
        now: Timestamp,
    ) {
        self.keep_calendar();
        let Self {
            config,
            calendar,
            ids,
            venue,
            in_force,
            ..
        } = self;
        let context = Context {
            now,
            config,
            calendar,
            ids: &**ids,
            venue: venue.name(),
            risk: in_force.as_deref(),
        };
        for answer in answers {
            self.book.answer(&context, answer);
        }
        for (event, wish) in wishes {
            // Two wishes of one batch may be about the same order.
            self.book.wish(&context, &event, wish, &known);
        }
        if !self.draining {
            self.book.choose(&context, self.calls.in_flight());
        }
    }

    /// Stored rows of orders that are not in the book: those somebody wants to cancel or asks about, and after a failure
    /// all.
    async fn known(
        &self,
        conn: &mut PgConnection,
        wishes: &[(Event, Wish)],
    ) -> Result<HashMap<OrderId, Submission>, StepError> {
        let asked = |(event, wish): &(Event, Wish)| match wish {
            Wish::Send(_) if !self.suspicious => vec![],
            Wish::Replace(requested) => vec![event.order_id, OrderId::new(requested.replaces)],
            _ => vec![event.order_id],
        };
        let ids: Vec<Uuid> = wishes
            .iter()
            .flat_map(asked)
            .filter(|id| self.book.get(*id).is_none())
            .map(OrderId::get)
            .collect();
        if ids.is_empty() {
            Ok(HashMap::new())
        } else {
            Ok(store::by_ids(conn, &ids).await?)
        }
    }

    /// Makes sure of the partitions whose rows are written without an event of theirs; the others are made sure of by
    /// their position.
    async fn fence(&self, conn: &mut PgConnection, events: &[Event]) -> Result<(), StepError> {
        let moved: BTreeSet<i16> = events.iter().map(|event| event.partition).collect();
        let written: BTreeSet<i16> = self
            .book
            .touched()
            .iter()
            .map(|submission| submission.partition)
            .collect();
        let rest: Vec<i16> = written.difference(&moved).copied().collect();
        Ok(self.consumer.fence(conn, &rest).await?)
    }

    /// Makes the calls; says whether there are answers that the step did not take.
    fn launch(&mut self, answered: usize, now: Timestamp) -> bool {
        let more = self.calls.recorded(answered);
        let Changes { jobs, reports, .. } = self.book.committed();
        for job in jobs {
            let span = traces::begin(self.bus.tracer(), self.venue.name(), &job, &self.book);
            self.calls.launch(job, span);
        }
        for topic in [Topic::VenueReports, Topic::Orders] {
            if reports.iter().any(|report| report.topic == topic) {
                self.bus.wake(topic);
            }
        }
        if self.counted_at.is_none_or(|at| (now - at).abs() >= COUNT_EVERY) {
            self.counted_at = Some(now);
            metrics::stand(self.calls.in_flight(), self.book.census(&self.config));
        }
        more
    }

    fn rest(&self, held_back: bool, now: Timestamp) -> Progress {
        let due = self
            .book
            .next_due(now)
            .filter(|_| !self.draining)
            .map(|at| (at - now).to_std().unwrap_or_default());
        match (held_back, due) {
            (true, due) => Progress::Soon(due.unwrap_or(HELD_BACK).min(HELD_BACK)),
            (false, Some(due)) => Progress::Soon(due),
            (false, None) => Progress::Idle,
        }
    }
}

impl<V: Venue> Step for Executor<V> {
    fn name(&self) -> &'static str {
        "executor"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.keep_partitions().await?;
        self.keep_breaker().await?;
        match self.work().await {
            Ok(progress) => {
                self.suspicious = false;
                let has_news = self.book.patience.has_news(self.clock.now());
                Ok(if has_news { Progress::Worked } else { progress })
            }
            Err(error) => {
                self.stale = true;
                self.suspicious = true;
                self.consumer.rewind();
                self.consumer.look_now();
                Err(error)
            }
        }
    }
}

/// Everything the book decided, and the reports of it.
async fn write(conn: &mut PgConnection, book: &mut Book, now: Timestamp) -> Result<(), StepError> {
    let new: Vec<&Submission> = book.touched().into_iter().filter(|s| !s.memory.stored).collect();
    let filed_before = store::file(conn, &new, now).await?;
    book.take_back(&filed_before);
    let touched = book.touched();
    let stored: Vec<&Submission> = touched.iter().copied().filter(|s| s.memory.stored).collect();
    let again: Vec<&Submission> = stored
        .iter()
        .copied()
        .filter(|s| !s.memory.open && !s.is_done())
        .collect();
    ::metrics::histogram!("daybook_executor_step_size").record(chassis::metrics::count(touched.len()));
    store::move_on(conn, &stored, now).await?;
    store::reopen(conn, &again).await?;
    store::steps(conn, &book.changes().steps, now).await?;
    bus::append(conn, &book.changes().reports).await?;
    Ok(())
}

/// What a step works on, and the transaction that holds its positions.
#[derive(Default)]
struct Batch {
    tx: Option<Tx>,
    /// What was fetched, parked messages included.
    events: Vec<Event>,
    inbox: Inbox,
    held_back: bool,
}

/// Messages, read.
#[derive(Default)]
struct Inbox {
    wishes: Vec<(Event, Wish)>,
    /// Messages to set aside, with their cause.
    poisoned: Vec<(Event, String)>,
    /// Stored rows of orders that the book does not have.
    known: HashMap<OrderId, Submission>,
}

impl Inbox {
    /// Reads messages. One that cannot be read is set aside, and all later ones of its order with it (V12).
    fn read(events: Vec<Event>) -> Self {
        let mut inbox = Self::default();
        let mut parked: HashSet<OrderId> = HashSet::new();
        for event in events {
            match Wish::read(&event) {
                Ok(_) if parked.contains(&event.order_id) => {
                    inbox
                        .poisoned
                        .push((event, "behind a message that is parked".to_owned()));
                }
                Ok(wish) => inbox.wishes.push((event, wish)),
                Err(cause) => {
                    error!(order.id = %event.order_id, request.id = %event.request_id, "message parked: {cause}");
                    ::metrics::counter!("daybook_executor_parked_total").increment(1);
                    parked.insert(event.order_id);
                    inbox.poisoned.push((event, cause));
                }
            }
        }
        inbox
    }
}
