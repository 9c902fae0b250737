//! Looks after runs: an attempt over its time, a run that its last worker left behind, one that no worker claims. And what is
//! old enough to be forgotten.

use chassis::ids::Ids;
use chassis::metrics::count;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::alerts::{self, NewAlert};
use super::outcome::{self, Attempt};
use super::{Settings, alert_kinds};

/// Runs of one look; the rest comes with the next.
const MOST: i64 = 100;
/// Old rows of one look.
const PRUNED: i64 = 1_000;

#[derive(FromRow)]
struct Trouble {
    run_id: Uuid,
    schedule: String,
    tick: Timestamp,
    epoch: i64,
    attempts: i32,
    attempts_max: i32,
    over_time: String,
    limit_ms: i64,
    left_behind: bool,
}

/// One look. The number of runs that it ended or put back.
pub(crate) async fn look_after(pool: &PgPool, settings: &Settings, ids: &dyn Ids) -> Result<usize, DbError> {
    let mut tx = db::begin(pool).await?;
    let now = db::database_time(&mut tx).await?;
    let mut ended = 0;
    for trouble in troubles(&mut tx).await? {
        ended += usize::from(settle(&mut tx, settings, ids, &trouble, now).await?);
    }
    let late = late(&mut tx, settings).await?;
    alerts::keep(&mut tx, alert_kinds::JOB_LATE, &late, now).await?;
    let gauges = gauges(&mut tx).await?;
    tx.commit().await?;
    gauges.set();
    Ok(ended)
}

/// Attempts over their time, and runs whose worker went silent in the last attempt. One that is in the middle of a transaction
/// is seen at the next look.
async fn troubles(conn: &mut PgConnection) -> Result<Vec<Trouble>, DbError> {
    let troubles = sqlx::query_as!(
        Trouble,
        r#"select run_id, schedule, tick, epoch, attempts, attempts_max, over_time, coalesce(time_limit_ms, 0) as "limit_ms!",
                  attempts >= attempts_max and lease_until < daybook_now() as "left_behind!"
             from job_runs
            where state = 'running'
              and ((attempts >= attempts_max and lease_until < daybook_now())
                   or (not told_over_time and started_at + time_limit_ms * interval '1 millisecond' < daybook_now()))
            order by due_at, run_id
            limit $1
              for update skip locked"#,
        MOST,
    );
    Ok(troubles.fetch_all(conn).await?)
}

/// True when the run was ended or put back.
async fn settle(
    conn: &mut PgConnection,
    settings: &Settings,
    ids: &dyn Ids,
    trouble: &Trouble,
    now: Timestamp,
) -> Result<bool, DbError> {
    let attempt = trouble.attempt();
    if trouble.left_behind {
        let why = "its worker went silent, as if the job had ended the process";
        return outcome::failed(conn, settings, ids, &attempt, why, false).await;
    }
    let why = format!(
        "attempt {} takes longer than {} s",
        trouble.attempts,
        trouble.limit_ms / 1_000
    );
    let alert = NewAlert {
        kind: alert_kinds::JOB_OVER_TIME,
        subject: attempt.subject(),
        message: format!("run {}: {why}", trouble.run_id),
    };
    alerts::raise(conn, &alert, now).await?;
    if trouble.over_time == "kill" {
        fail::fail_point!("job::over_time");
        return outcome::failed(conn, settings, ids, &attempt, &format!("killed: {why}"), false).await;
    }
    outcome::line(conn, trouble.run_id, now, &why).await?;
    sqlx::query!(
        "update job_runs set told_over_time = true where run_id = $1",
        trouble.run_id
    )
    .execute(conn)
    .await?;
    Ok(false)
}

impl Trouble {
    fn attempt(&self) -> Attempt {
        Attempt {
            run_id: self.run_id,
            schedule: self.schedule.clone(),
            tick: self.tick,
            epoch: self.epoch,
            attempts: self.attempts,
            attempts_max: self.attempts_max,
        }
    }
}

/// An alert for each schedule with a run that should have begun long ago. What is paused waits by somebody's wish.
async fn late(conn: &mut PgConnection, settings: &Settings) -> Result<Vec<NewAlert>, DbError> {
    let patience = i64::try_from(settings.late_after.as_millis()).unwrap_or(i64::MAX);
    let rows = sqlx::query!(
        r#"select r.schedule, min(r.due_at) as "due_at!"
             from job_runs r
            where r.state = 'waiting'
              and r.due_at < daybook_now() - $1::bigint * interval '1 millisecond'
              and not exists (select from job_schedules s where s.name = r.schedule and s.paused_at is not null)
            group by r.schedule"#,
        patience,
    )
    .fetch_all(conn)
    .await?;
    let alert = |schedule: String, due: Timestamp| NewAlert {
        kind: alert_kinds::JOB_LATE,
        message: format!("a run of {schedule} is due since {due} and no worker has claimed it"),
        subject: schedule,
    };
    Ok(rows.into_iter().map(|row| alert(row.schedule, row.due_at)).collect())
}

struct Gauges {
    waiting: i64,
    running: i64,
    alerts: i64,
    undelivered: i64,
}

async fn gauges(conn: &mut PgConnection) -> Result<Gauges, DbError> {
    let gauges = sqlx::query_as!(
        Gauges,
        r#"select (select count(*) from job_runs where state = 'waiting') as "waiting!",
                  (select count(*) from job_runs where state = 'running') as "running!",
                  (select count(*) from operator_alerts where acked_at is null and cleared_at is null) as "alerts!",
                  (select count(*)
                     from operator_alerts
                    where delivered_at is null
                      and acked_at is null
                      and cleared_at is null) as "undelivered!""#,
    );
    Ok(gauges.fetch_one(conn).await?)
}

impl Gauges {
    fn set(&self) {
        let number = |n: i64| count(usize::try_from(n).unwrap_or(0));
        metrics::gauge!("daybook_scheduler_runs_open", "state" => "waiting").set(number(self.waiting));
        metrics::gauge!("daybook_scheduler_runs_open", "state" => "running").set(number(self.running));
        metrics::gauge!("daybook_scheduler_alerts_open").set(number(self.alerts));
        metrics::gauge!("daybook_scheduler_webhook_waiting").set(number(self.undelivered));
    }
}

/// Forgets runs that ended, and alerts that were settled, before then. The number of rows.
pub(crate) async fn prune(conn: &mut PgConnection, before: Timestamp) -> Result<u64, DbError> {
    let runs = sqlx::query!(
        "delete from job_runs
          where run_id in (select run_id from job_runs where finished_at < $1 order by finished_at limit $2)",
        before,
        PRUNED,
    );
    let runs = runs.execute(&mut *conn).await?.rows_affected();
    let alerts = sqlx::query!(
        "delete from operator_alerts
          where alert_id in (select alert_id
                               from operator_alerts
                              where raised_at < $1
                                and last_raised_at < $1
                                and (cleared_at is not null or acked_at is not null)
                              order by raised_at
                              limit $2)",
        before,
        PRUNED,
    );
    Ok(runs + alerts.execute(conn).await?.rows_affected())
}
