//! Orders with a time of their own: `expires_at`, and the age of good-till-canceled ones (TIF-2, TIF-5). What is due is found
//! by its index, not by timers, so that nothing is missed over a restart or a jump of the clock.
//!
//! The end is asked for as at the close; an order whose submission is in doubt ends once it is known (SAGA 29).

use std::sync::Arc;
use std::time::Duration;

use bus::NamedLease;
use chassis::step::{Progress, Step, StepError};
use chrono::TimeDelta;
use domain::Timestamp;

use crate::Deps;
use crate::engine::JobError;
use crate::expiry::{self, DuePlace, Owner, Place};

/// What is due and open was asked to end and waits for the exchange. It is looked at again this often, for what was stored
/// late or could not be asked.
const ROUND: TimeDelta = TimeDelta::seconds(30);

/// How deadlines are kept.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// From one look to the next.
    pub every: Duration,
    /// Orders of one transaction.
    pub batch: i64,
    /// Transactions at a time.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            every: Duration::from_secs(1),
            batch: 2_000,
            workers: 2,
        }
    }
}

/// The loop, one page a step. One process at a time.
pub struct Deadlines<V> {
    settings: Settings,
    deps: Arc<Deps<V>>,
    lease: NamedLease,
    /// The last one looked at in this round.
    after: Option<DuePlace>,
    begun_at: Option<Timestamp>,
}

impl<V> Deadlines<V> {
    /// A loop that has looked at nothing yet.
    pub fn new(settings: Settings, deps: Arc<Deps<V>>) -> Self {
        let lease = deps.bus.lease("scheduler-deadlines");
        Deadlines {
            settings,
            deps,
            lease,
            after: None,
            begun_at: None,
        }
    }

    fn begin_round(&mut self, now: Timestamp) {
        if self.begun_at.is_none_or(|begun| now - begun >= ROUND || now < begun) {
            self.begun_at = Some(now);
            self.after = None;
        }
    }
}

impl<V: venue::Venue> Step for Deadlines<V> {
    fn name(&self) -> &'static str {
        "scheduler-deadlines"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.lease.keep().await? {
            self.begun_at = None;
            return Ok(Progress::Idle);
        }
        let pool = &self.deps.pool;
        let now = db::database_time(&mut *pool.acquire().await?).await?;
        self.begin_round(now);
        let limit = self.settings.batch * i64::try_from(self.settings.workers).unwrap_or(1);
        let pool = &self.deps.pool;
        let due = expiry::due(&mut *pool.acquire().await?, now, self.after, limit).await?;
        let Some(last) = due.last().copied() else {
            return Ok(Progress::Idle);
        };
        let mut page: Vec<Place> = due.iter().map(|due| due.place).collect();
        page.sort_by_key(|place| (place.account_id, place.order_id));
        let owner = Owner::Lease(&self.lease);
        let tally = expiry::expire(pool, &self.deps.bus, owner, &page, self.settings.workers).await;
        tally.map_err(|error| match error {
            JobError::Failed(error) => error,
            other => StepError::msg(other.to_string()),
        })?;
        self.after = Some(last);
        Ok(Progress::Worked)
    }
}
