//! The trading calendar: every process follows the operators' exceptions, and brings the table of sessions in step when
//! it starts.

use std::time::Duration;

use chassis::clock::SharedClock;
use chassis::metrics::{count, describe_gauge};
use chassis::step::{Progress, Step, StepError};
use db::{DbError, PgPool};
use domain::calendar::{Calendar, to_new_york};
use sessions::Sessions;
use tracing::info;

/// How soon a process follows.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// How often a start waits for others' turns.
const TURNS: u32 = 10;
const TURN: Duration = Duration::from_millis(500);

/// Reads the exceptions again and again.
pub(super) struct FollowCalendar {
    pool: PgPool,
    sessions: Sessions,
    clock: SharedClock,
}

impl FollowCalendar {
    pub(super) fn new(pool: PgPool, sessions: Sessions, clock: SharedClock) -> Self {
        describe_gauge(
            "daybook_calendar_days_known",
            "Days until the holiday table of this version ends.",
        );
        FollowCalendar { pool, sessions, clock }
    }

    fn days_known(&self) -> u32 {
        let today = to_new_york(self.clock.now()).date_naive();
        let left = *Calendar::known_days().end() - today;
        count(usize::try_from(left.num_days()).unwrap_or(0))
    }
}

impl Step for FollowCalendar {
    fn name(&self) -> &'static str {
        "calendar"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let mut conn = self.pool.acquire().await?;
        if self.sessions.refresh(&mut conn).await? {
            info!("the trading calendar has changed");
        }
        metrics::gauge!("daybook_calendar_days_known").set(self.days_known());
        Ok(Progress::Idle)
    }
}

/// The calendar as it has to be before the first order. A newer version may know other holidays than the table.
/// Processes that start together take turns.
pub(super) async fn prepare(pool: &PgPool, sessions: &Sessions) -> Result<(), DbError> {
    db::with_retry(TURNS, |_| TURN, || bring_in_step(pool, sessions)).await
}

async fn bring_in_step(pool: &PgPool, sessions: &Sessions) -> Result<(), DbError> {
    let mut tx = db::begin(pool).await?;
    let changed = sessions::sync(&mut tx).await?;
    sessions.refresh(&mut tx).await?;
    tx.commit().await?;
    if changed > 0 {
        info!(
            rows = changed,
            "brought {changed} rows of the table of sessions in step"
        );
    }
    Ok(())
}
