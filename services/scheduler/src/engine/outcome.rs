//! What an attempt's end does to its run. Each act names the epoch it ends: who was taken over changes nothing.

use chassis::ids::Ids;
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::Timestamp;
use uuid::Uuid;

use super::alerts::{self, NewAlert};
use super::job::backoff;
use super::{Settings, alert_kinds};

/// An attempt that ends.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) run_id: Uuid,
    pub(crate) schedule: String,
    pub(crate) tick: Timestamp,
    pub(crate) epoch: i64,
    pub(crate) attempts: i32,
    pub(crate) attempts_max: i32,
}

impl Attempt {
    /// What alerts about it name.
    pub(crate) fn subject(&self) -> String {
        let tick = self.tick.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        format!("{} {tick}", self.schedule)
    }
}

/// The work is done. False when the run is another's.
pub(crate) async fn finished(conn: &mut PgConnection, attempt: &Attempt, summary: &str) -> Result<bool, DbError> {
    let now = db::database_time(conn).await?;
    let ended = end(conn, attempt, "done", now, summary).await?;
    if ended {
        for kind in [alert_kinds::JOB_OVER_TIME, alert_kinds::JOB_DEAD] {
            alerts::clear(conn, kind, &attempt.subject(), now).await?;
        }
        line(conn, attempt.run_id, now, &format!("done: {summary}")).await?;
    }
    Ok(ended)
}

/// The same run comes again at `at`, and this was no attempt. False when the run is another's.
pub(crate) async fn again(
    conn: &mut PgConnection,
    attempt: &Attempt,
    at: Timestamp,
    why: &str,
) -> Result<bool, DbError> {
    let now = db::database_time(conn).await?;
    let said_before = sqlx::query_scalar!("select outcome from job_runs where run_id = $1", attempt.run_id)
        .fetch_optional(&mut *conn)
        .await?
        .flatten();
    let put_back = sqlx::query!(
        "update job_runs
            set state = 'waiting', owner = null, epoch = epoch + 1, due_at = $3, attempts = attempts - 1, outcome = $4
          where run_id = $1
            and epoch = $2
            and state = 'running'",
        attempt.run_id,
        attempt.epoch,
        at,
        why,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected()
        > 0;
    // A job that waits for long says the same each time.
    if put_back && said_before.as_deref() != Some(why) {
        line(conn, attempt.run_id, now, &format!("waits: {why}")).await?;
    }
    Ok(put_back)
}

/// It failed: again after a pause, or dead with an alert when that was the last attempt or `fatal`. False when the run is
/// another's.
pub(crate) async fn failed(
    conn: &mut PgConnection,
    settings: &Settings,
    ids: &dyn Ids,
    attempt: &Attempt,
    why: &str,
    fatal: bool,
) -> Result<bool, DbError> {
    let now = db::database_time(conn).await?;
    if fatal || attempt.attempts >= attempt.attempts_max {
        return dead(conn, attempt, why, now).await;
    }
    let pause = backoff(
        attempt.attempts,
        settings.backoff_first,
        settings.backoff_longest,
        |below| ids.jitter(below),
    );
    let due = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
    let waits = sqlx::query!(
        "update job_runs
            set state = 'waiting', owner = null, epoch = epoch + 1, due_at = $3, outcome = $4
          where run_id = $1
            and epoch = $2
            and state = 'running'",
        attempt.run_id,
        attempt.epoch,
        due,
        why,
    );
    let waits = waits.execute(&mut *conn).await?.rows_affected() > 0;
    if waits {
        let text = format!(
            "attempt {} failed, the next in {} s: {why}",
            attempt.attempts,
            pause.as_secs()
        );
        line(conn, attempt.run_id, now, &text).await?;
    }
    Ok(waits)
}

/// No further attempt.
async fn dead(conn: &mut PgConnection, attempt: &Attempt, why: &str, now: Timestamp) -> Result<bool, DbError> {
    let ended = end(conn, attempt, "dead", now, why).await?;
    if ended {
        let text = format!(
            "dead after {} of {} attempts: {why}",
            attempt.attempts, attempt.attempts_max
        );
        line(conn, attempt.run_id, now, &text).await?;
        let alert = NewAlert {
            kind: alert_kinds::JOB_DEAD,
            subject: attempt.subject(),
            message: format!("run {} is {text}", attempt.run_id),
        };
        alerts::raise(conn, &alert, now).await?;
    }
    Ok(ended)
}

async fn end(
    conn: &mut PgConnection,
    attempt: &Attempt,
    state: &str,
    now: Timestamp,
    outcome: &str,
) -> Result<bool, DbError> {
    let ended = sqlx::query!(
        "update job_runs
            set state = $3, owner = null, epoch = epoch + 1, finished_at = $4, outcome = $5
          where run_id = $1
            and epoch = $2
            and state = 'running'",
        attempt.run_id,
        attempt.epoch,
        state,
        now,
        outcome,
    );
    Ok(ended.execute(conn).await?.rows_affected() > 0)
}

/// A line of the run's log, in the transaction of what it tells.
pub(crate) async fn line(conn: &mut PgConnection, run: Uuid, now: Timestamp, text: &str) -> Result<(), DbError> {
    sqlx::query!(
        "insert into job_run_lines (run_id, at, line) values ($1, $2, $3)",
        run,
        now,
        text,
    )
    .execute(conn)
    .await?;
    Ok(())
}
