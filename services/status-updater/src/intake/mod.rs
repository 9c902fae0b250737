//! The intake: what the venue tells by itself, written to the bus by one owner.
//!
//! The stream brings reports within milliseconds; the venue's record of executions, polled behind it, brings what the
//! stream lost. Both end in the same place, where an execution is known by its id, so one told three ways is booked once.
//! Reports and the place they were read to are committed together, under the lease `intake:<venue>`.

mod cursors;
mod feed;
mod memory;
mod poll;
mod translate;

use crate::config::Deps;
use bus::{Bus, BusError, NamedLease, NewEvent, Topic};
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::step::{Progress, Step, StepError, Wake};
use chrono::TimeDelta;
use cursors::Cursors;
use db::DbError;
use domain::{AccountId, OrderId, RequestId, Timestamp};
use feed::{Feed, Heard};
use memory::Memory;
use orders::VenueExec;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};
use translate::Told;
use venue::Venue;

/// Settings of the intake.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Most updates of one transaction.
    pub batch: usize,
    /// Updates read ahead of the transaction; then the venue has to wait.
    pub buffer: usize,
    /// How often the venue's record of executions is looked at.
    pub poll_every: Duration,
    /// Executions younger than this are left to the stream while it stands, and the cursor never passes them: what the
    /// venue records a little late is still found.
    pub grace: Duration,
    /// The longest the venue may keep a step waiting, per kind of call; at most two fifths of the lease. The stream is not
    /// read meanwhile, and who waits longer is no owner any more. What came in time is kept.
    pub venue_within: Duration,
    /// An order that the venue does not know is nobody's only after it said so for this long: its own parts need not learn
    /// of an order all at once (saga row 15).
    pub nobodys_after: Duration,
    /// First pause after the stream could not be opened; doubles up to `reconnect_at_most`.
    pub reconnect_after: Duration,
    /// Longest pause between two tries to open the stream.
    pub reconnect_at_most: Duration,
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            batch: 256,
            buffer: 2_048,
            poll_every: Duration::from_secs(3),
            grace: Duration::from_secs(2),
            venue_within: Duration::from_secs(4),
            nobodys_after: Duration::from_secs(60),
            reconnect_after: Duration::from_millis(250),
            reconnect_at_most: Duration::from_secs(5),
        }
    }
}

/// The step that takes a venue's reports in.
pub struct Intake<V> {
    venue: Arc<V>,
    pool: PgPool,
    bus: Bus,
    clock: SharedClock,
    ids: SharedIds,
    settings: IntakeSettings,
    lease: NamedLease,
    /// The epoch under which the rest of this is true.
    epoch: Option<i64>,
    cursors: Cursors,
    feed: Option<Feed>,
    wake: Option<Wake>,
    memory: Memory,
    failures: u32,
    connect_at: Option<Timestamp>,
    poll_at: Option<Timestamp>,
    /// The stream may have missed something, so the record is asked for the young ones too.
    gap: bool,
}

/// Whose an order is, and the request that placed it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    account: AccountId,
    request: RequestId,
}

impl<V: Venue> Intake<V> {
    pub(crate) fn new(deps: &Deps<V>, settings: IntakeSettings, wake: Option<Wake>) -> Self {
        let lease = deps.bus.lease(format!("intake:{}", deps.venue.name()));
        Self {
            venue: Arc::clone(&deps.venue),
            pool: deps.pool.clone(),
            bus: deps.bus.clone(),
            clock: Arc::clone(&deps.clock),
            ids: Arc::clone(&deps.ids),
            settings,
            lease,
            epoch: None,
            cursors: Cursors::default(),
            feed: None,
            wake,
            memory: Memory::default(),
            failures: 0,
            connect_at: None,
            poll_at: None,
            gap: true,
        }
    }

    /// True while this one is the owner, with what the last owner wrote loaded.
    async fn is_owner(&mut self) -> Result<bool, StepError> {
        if !self.lease.keep().await? {
            self.forget();
            return Ok(false);
        }
        if self.epoch != self.lease.epoch() {
            self.forget();
            self.cursors = cursors::load(
                &mut *self.pool.acquire().await.map_err(DbError::from)?,
                self.venue.name(),
            )
            .await?;
            self.epoch = self.lease.epoch();
            info!(
                venue = self.venue.name(),
                "takes the reports of {} in",
                self.venue.name()
            );
        }
        Ok(true)
    }

    /// Drops everything that may not be true any more; the cursors are read again before anything else.
    fn forget(&mut self) {
        self.epoch = None;
        self.feed = None;
        self.memory = Memory::default();
        self.gap = true;
        self.poll_at = None;
    }

    /// Opens the stream if it is closed and the time has come. A venue that cannot be reached is polled meanwhile.
    async fn open_stream(&mut self) {
        let now = self.clock.now();
        if self.feed.is_some() || self.connect_at.is_some_and(|at| now < at) {
            return;
        }
        let opening = self.venue.updates(self.cursors.stream.clone());
        let opened = tokio::time::timeout_at(self.deadline(), opening).await;
        match opened.unwrap_or(Err(venue::Fault::Timeout)) {
            Ok(updates) => {
                fail::fail_point!("stream::reconnected");
                info!(venue = self.venue.name(), since = ?self.cursors.stream, "listens to {}", self.venue.name());
                self.feed = Some(Feed::new(updates, self.wake.clone(), self.settings.buffer));
                self.failures = 0;
                self.connect_at = None;
                // Whatever came between two connections is in the record.
                self.gap = true;
                self.poll_at = None;
            }
            Err(fault) => self.lost(&fault),
        }
    }

    /// Until when the venue may take.
    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.venue_within.min(self.bus.settings().lease * 2 / 5)
    }

    fn lost(&mut self, fault: &venue::Fault) {
        self.feed = None;
        self.failures += 1;
        metrics::counter!("daybook_status_updater_stream_lost_total", "fault" => fault.word()).increment(1);
        if self.failures == 1 {
            warn!(
                venue = self.venue.name(),
                "the reports of {} do not come: {fault}",
                self.venue.name()
            );
        }
        let doublings = (self.failures - 1).min(10);
        let pause = (self.settings.reconnect_after * 2_u32.pow(doublings)).min(self.settings.reconnect_at_most);
        let jitter = self.ids.jitter(u64::try_from(pause.as_millis() / 4).unwrap_or(0));
        self.connect_at = Some(self.clock.now() + delta(pause + Duration::from_millis(jitter)));
    }

    /// Takes what the stream has brought. The number of updates looked at.
    async fn take_stream(&mut self) -> Result<usize, StepError> {
        let Some(feed) = &mut self.feed else { return Ok(0) };
        let Heard { updates, broken } = feed.take(self.settings.batch);
        let (took, last) = (updates.len(), updates.last().and_then(|update| update.event_id.clone()));
        let told: Vec<Told> = updates.iter().filter_map(translate::update).collect();
        for update in &updates {
            self.memory.name(update.order.venue_order_id.clone(), update.order.key);
        }
        let cursors = Cursors {
            stream: last.or_else(|| self.cursors.stream.clone()),
            ..self.cursors.clone()
        };
        self.append(told, cursors, "stream").await?;
        if let Some(fault) = broken {
            self.lost(&fault);
        }
        Ok(took)
    }

    /// Writes reports to the bus, together with the place they were read to.
    async fn append(&mut self, told: Vec<Told>, cursors: Cursors, source: &'static str) -> Result<usize, StepError> {
        let owners = self.owners(&told).await?;
        let received_at = self.clock.now();
        let venue = self.venue.name();
        let reports: Vec<NewEvent> = told
            .iter()
            .filter_map(|told| told.report(venue, &owners, source, received_at))
            .collect();
        // A stream of words that change nothing is no reason for a commit, except for the very first: without a place to
        // go on from, the next connection would begin with what comes then, and no poll finds an end that was missed.
        let first_place = self.cursors.stream.is_none() && cursors.stream.is_some();
        if reports.is_empty() && !first_place && (source == "stream" || cursors == self.cursors) {
            self.cursors = cursors;
            return Ok(0);
        }
        let executions: Vec<VenueExec> = told.iter().filter_map(|told| told.execution(venue)).collect();
        if let Err(error) = self.commit(&reports, &cursors).await {
            // Nobody knows whether it happened: read the cursors again, and tell twice rather than never.
            self.forget();
            return Err(error.into());
        }
        self.cursors = cursors;
        self.memory.told(executions);
        if !reports.is_empty() {
            self.bus.wake(Topic::VenueReports);
            let count = u64::try_from(reports.len()).unwrap_or(0);
            metrics::counter!("daybook_status_updater_intake_total", "source" => source).increment(count);
        }
        Ok(reports.len())
    }

    async fn commit(&mut self, reports: &[NewEvent], cursors: &Cursors) -> Result<(), BusError> {
        let mut tx = db::begin(&self.pool).await?;
        self.lease.check(&mut tx).await?;
        bus::append(&mut tx, reports).await?;
        cursors::store(&mut tx, self.venue.name(), cursors, self.clock.now()).await?;
        fail::fail_point!("poll::page_done");
        Ok(tx.commit().await.map_err(DbError::from)?)
    }

    /// Whose the orders are; those not in the answer are none of ours.
    async fn owners(&mut self, told: &[Told]) -> Result<HashMap<OrderId, Owner>, DbError> {
        let (mut owners, mut unknown) = (HashMap::new(), Vec::new());
        for key in told.iter().filter_map(|told| told.key) {
            match self.memory.owner(key) {
                Some(owner) => drop(owners.insert(key, owner.clone())),
                None => unknown.push(key),
            }
        }
        if unknown.is_empty() {
            return Ok(owners);
        }
        unknown.sort_unstable();
        unknown.dedup();
        let mut conn = self.pool.acquire().await?;
        for order in orders::read::by_ids(&mut conn, &unknown).await? {
            let owner = Owner {
                account: order.account_id,
                request: order.request_id,
            };
            self.memory.own(order.order_id, owner.clone());
            owners.insert(order.order_id, owner);
        }
        Ok(owners)
    }
}

impl<V: Venue> Step for Intake<V> {
    fn name(&self) -> &'static str {
        "status-updater-intake"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.is_owner().await? {
            return Ok(Progress::Idle);
        }
        self.open_stream().await;
        let took = self.take_stream().await?;
        // Opening the stream may have taken a while.
        let polled = self.poll_is_due() && self.is_owner().await? && self.poll().await?;
        Ok(if took > 0 || polled {
            Progress::Worked
        } else {
            Progress::Idle
        })
    }
}

fn delta(pause: Duration) -> TimeDelta {
    TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX)
}
