//! What a job is to the engine: something that can run, again if need be, and that asks before each write whether the run is
//! still its own.

use std::fmt;
use std::time::Duration;

use chassis::step::StepError;
use chrono::NaiveDate;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use domain::calendar::to_new_york;
use futures::future::BoxFuture;
use serde_json::Value;
use tracing::{info, warn};
use uuid::Uuid;

/// A kind of job. It may run twice for one tick (at least once), never twice at a time.
pub trait Job: Send + Sync + 'static {
    /// The kind, as schedules name it: `end-of-day`.
    fn name(&self) -> &'static str;

    /// Does the work. Each transaction begins with [`Run::check`]; what was done before a crash is found by its keys.
    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>>;
}

/// How an attempt ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The work is done; a line for the history.
    Finished(String),
    /// Nothing failed, but there is something to wait for: the same run comes again then. Not counted as an attempt.
    Again {
        /// When.
        at: Timestamp,
        /// What is waited for, in words.
        why: String,
    },
}

/// How an attempt ended badly. Made by `?` from any error.
#[derive(Debug)]
pub enum JobError {
    /// It may go well another time: tried again after a pause, so often as its schedule says.
    Failed(StepError),
    /// It will not: no further attempt, an operator has to look.
    Fatal(String),
    /// Another worker has the run now. Nothing may be written any more.
    Lost,
}

impl JobError {
    /// A failure in words.
    pub fn failed(text: impl Into<String>) -> Self {
        JobError::Failed(StepError::msg(text))
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        JobError::Failed(StepError::from(error))
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::Failed(error) => error.fmt(f),
            JobError::Fatal(why) => f.write_str(why),
            JobError::Lost => f.write_str("another worker has the run"),
        }
    }
}

/// One attempt at one tick of a schedule, as its job sees it.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) pool: PgPool,
    pub(crate) id: Uuid,
    pub(crate) schedule: String,
    pub(crate) job: String,
    pub(crate) tick: Timestamp,
    pub(crate) session_date: Option<NaiveDate>,
    pub(crate) arguments: Value,
    pub(crate) attempt: i32,
    pub(crate) attempts_max: i32,
    pub(crate) epoch: i64,
}

impl Run {
    /// Begins a run outside of any worker, at once and for an hour: for tests of a job, and for tools. It is a real run, with
    /// its row, its epoch and its log.
    ///
    /// # Errors
    /// What the database says; among others that a run of this schedule is under way.
    pub async fn begin(pool: &PgPool, id: Uuid, schedule: &str, arguments: Value) -> Result<Run, DbError> {
        let row = sqlx::query!(
            "insert into job_runs (run_id, schedule, job, tick, arguments, by_hand, state, due_at, attempts, attempts_max,
                                   over_time, epoch, lease_until, first_started_at, started_at)
             select $1, $2, $2, t, $3, true, 'running', t, 1, 1, 'alert', 1, t + interval '1 hour', t, t
               from daybook_now() as t
          returning tick",
            id,
            schedule,
            arguments,
        )
        .fetch_one(pool)
        .await?;
        Ok(Run {
            pool: pool.clone(),
            id,
            schedule: schedule.to_owned(),
            job: schedule.to_owned(),
            tick: row.tick,
            session_date: None,
            arguments,
            attempt: 1,
            attempts_max: 1,
            epoch: 1,
        })
    }

    /// Which run this is, in the history and in the log.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The schedule it belongs to.
    pub fn schedule(&self) -> &str {
        &self.schedule
    }

    /// The moment it stands for, however late it runs.
    pub fn tick(&self) -> Timestamp {
        self.tick
    }

    /// The business date it stands for: the argument `date` if it has one, else the session whose tick it is, else New York's
    /// date at the tick.
    ///
    /// # Errors
    /// [`JobError::Fatal`] when the argument is no date.
    pub fn date(&self) -> Result<NaiveDate, JobError> {
        let named = self
            .arguments
            .get("date")
            .map(|value| value.as_str().unwrap_or_default());
        match (named, self.session_date) {
            (Some(text), _) => text
                .parse()
                .map_err(|_| JobError::Fatal(format!("the argument date is {text:?}, write it as 2026-11-23"))),
            (None, Some(date)) => Ok(date),
            (None, None) => Ok(to_new_york(self.tick).date_naive()),
        }
    }

    /// Which attempt this is, from 1. Counted when it began, so that one that took the process with it counts, too.
    pub fn attempt(&self) -> i32 {
        self.attempt
    }

    /// What the schedule, or an operator, gave it; an object.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// Rises with each attempt: who holds an older one writes nothing.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The first statement of each transaction of a job: nobody takes the run over until that transaction ends.
    ///
    /// # Errors
    /// [`JobError::Lost`] when somebody has taken it over already, or its time was up.
    pub async fn check(&self, conn: &mut PgConnection) -> Result<(), JobError> {
        let held = sqlx::query_scalar!(
            "select run_id from job_runs where run_id = $1 and epoch = $2 and state = 'running' for key share",
            self.id,
            self.epoch,
        )
        .fetch_optional(conn)
        .await?;
        held.map(|_| ()).ok_or(JobError::Lost)
    }

    /// Adds a line to the run's stored log, and to the process' own. Never fails: a lost line is no lost work.
    pub async fn log(&self, line: impl Into<String> + Send) {
        let line: String = line.into();
        info!(run.id = %self.id, schedule = self.schedule, "{}: {line}", self.schedule);
        if let Err(error) = write_line(&self.pool, self.id, &line).await {
            warn!(run.id = %self.id, %error, "a log line of {} could not be stored", self.schedule);
        }
    }
}

/// Stores a line of a run's log.
pub(crate) async fn write_line(pool: &PgPool, run: Uuid, line: &str) -> Result<(), DbError> {
    sqlx::query!(
        "insert into job_run_lines (run_id, at, line) values ($1, daybook_now(), $2)",
        run,
        line,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How long before an attempt that failed comes again: twice as long each time up to a limit, and then a random half less, so
/// that what failed together does not come together.
pub(crate) fn backoff(attempt: i32, first: Duration, longest: Duration, jitter: impl FnOnce(u64) -> u64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    let whole = first.saturating_mul(2u32.pow(doublings)).min(longest);
    let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
    whole - Duration::from_millis(jitter(half.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_jitter_takes_at_most_half() {
        let second = Duration::from_secs(1);
        let pause = |attempt, jitter: fn(u64) -> u64| backoff(attempt, 5 * second, 60 * second, jitter);
        let whole: Vec<u64> = (1..=6).map(|attempt| pause(attempt, |_| 0).as_secs()).collect();
        assert_eq!(whole, [5, 10, 20, 40, 60, 60]);
        assert_eq!(pause(1, |below| below - 1), Duration::from_millis(2_500));
        assert_eq!(pause(i32::MAX, |_| 0), 60 * second, "however often");
    }
}
