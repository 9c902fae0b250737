//! Makes runs of due ticks, and looks after the runs that are under way: over time, left behind by a worker that died, waiting
//! for a worker that never comes.
//!
//! A tick has one run: unique by schedule and tick, or session. One planner plans at a time, and the schedule's place moves in
//! the commit of its runs, so one that died in the middle is followed by one that makes the same runs.

use chassis::ids::SharedIds;
use chassis::step::{Progress, Step, StepError, Wake};
use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use domain::calendar::Calendar;
use serde_json::Value;
use sessions::Sessions;
use sqlx::FromRow;
use tracing::{info, warn};
use uuid::Uuid;

use super::alerts::{self, NewAlert};
use super::schedule::{Configured, install};
use super::when::{Dealt, Tick, Unplannable, When};
use super::{Settings, alert_kinds, watch};

/// Any number, the same in all processes.
const PLANNING: i64 = 0x0070_6c61_6e6e_6572;

/// The step that plans.
pub struct Planner {
    settings: Settings,
    pool: PgPool,
    ids: SharedIds,
    sessions: Sessions,
    /// What configuration says; `None` once it is in the database.
    configured: Option<Configured>,
    workers: Wake,
    prune_at: Option<Timestamp>,
}

/// A schedule with how far its ticks were dealt with.
#[derive(Debug, FromRow)]
struct Row {
    name: String,
    job: String,
    spec: String,
    arguments: Value,
    missed: String,
    attempts_max: i32,
    time_limit_ms: Option<i64>,
    over_time: String,
    since: Timestamp,
    planned_to: Timestamp,
    planned_date: Option<NaiveDate>,
    next_tick: Option<Timestamp>,
}

/// What is to be done about a schedule.
struct Plan<'a> {
    row: &'a Row,
    ticks: Vec<Tick>,
    next: Option<Timestamp>,
}

impl Planner {
    /// A planner that makes `configured` at its first step, and wakes `workers` when there is something to run.
    pub fn new(
        settings: Settings,
        pool: PgPool,
        ids: SharedIds,
        sessions: Sessions,
        configured: Configured,
        workers: Wake,
    ) -> Self {
        Planner {
            settings,
            pool,
            ids,
            sessions,
            configured: Some(configured),
            workers,
            prune_at: None,
        }
    }

    async fn install(&mut self) -> Result<(), StepError> {
        if let Some(configured) = &self.configured {
            let mut tx = db::begin(&self.pool).await?;
            let installed = install(&mut tx, configured).await?;
            tx.commit().await?;
            if !installed {
                warn!("a newer program has made its schedules: this one leaves them alone");
            }
            self.configured = None;
        }
        Ok(())
    }

    /// All due ticks in one transaction. The number of runs that are new.
    async fn plan(&self) -> Result<u64, StepError> {
        let calendar = self.sessions.calendar();
        let mut tx = db::begin(&self.pool).await?;
        if !first_to_plan(&mut tx).await? {
            return Ok(0);
        }
        let now = db::database_time(&mut tx).await?;
        let rows = rows(&mut tx).await?;
        let mut plans = vec![];
        let mut unplannable = vec![];
        for row in &rows {
            match self.look(row, now, &calendar) {
                Ok(plan) => plans.push(plan),
                Err(error) => unplannable.push(complaint(row, &error)),
            }
        }
        if plans.iter().any(|plan| !plan.ticks.is_empty()) {
            fail::fail_point!("sched::tick_seen");
        }
        let made = self.make_runs(&mut tx, &plans).await?;
        move_on(&mut tx, &plans).await?;
        alerts::keep(&mut tx, alert_kinds::SCHEDULE_UNPLANNABLE, &unplannable, now).await?;
        tx.commit().await?;
        Ok(made)
    }

    fn look<'a>(&self, row: &'a Row, now: Timestamp, calendar: &Calendar) -> Result<Plan<'a>, String> {
        let when: When = row.spec.parse().map_err(|error| format!("{error}"))?;
        let missed = row.missed.parse()?;
        let dealt = Dealt {
            since: row.since,
            to: row.planned_to,
            date: row.planned_date,
        };
        let grace = TimeDelta::from_std(self.settings.on_time).unwrap_or(TimeDelta::MAX);
        let ticks = when
            .due(&dealt, now, calendar, missed, grace)
            .map_err(|error: Unplannable| error.to_string())?;
        let after = dealt_with(row, &ticks);
        let next = when.next(&after, now, calendar);
        Ok(Plan { row, ticks, next })
    }

    async fn make_runs(&self, conn: &mut PgConnection, plans: &[Plan<'_>]) -> Result<u64, DbError> {
        let runs: Vec<(&Row, &Tick)> = plans
            .iter()
            .flat_map(|plan| plan.ticks.iter().map(|tick| (plan.row, tick)))
            .collect();
        if runs.is_empty() {
            return Ok(0);
        }
        let text = |of: fn(&Row) -> &str| runs.iter().map(|(row, _)| of(row).to_owned()).collect::<Vec<_>>();
        let ids: Vec<Uuid> = runs.iter().map(|_| self.ids.uuid()).collect();
        let ticks: Vec<Timestamp> = runs.iter().map(|(_, tick)| tick.at).collect();
        let dates: Vec<Option<NaiveDate>> = runs.iter().map(|(_, tick)| tick.session_date).collect();
        let arguments: Vec<Value> = runs.iter().map(|(row, _)| row.arguments.clone()).collect();
        let attempts: Vec<i32> = runs.iter().map(|(row, _)| row.attempts_max).collect();
        let limits: Vec<Option<i64>> = runs.iter().map(|(row, _)| row.time_limit_ms).collect();
        let made = sqlx::query!(
            "insert into job_runs (run_id, schedule, job, tick, session_date, arguments, by_hand, due_at, attempts_max,
                                   time_limit_ms, over_time)
             select run_id, schedule, job, tick, session_date, arguments, false, tick, attempts_max, time_limit_ms, over_time
               from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::date[], $6::jsonb[], $7::integer[],
                           $8::bigint[], $9::text[])
                      as u (run_id, schedule, job, tick, session_date, arguments, attempts_max, time_limit_ms, over_time)
                 on conflict do nothing",
            &ids,
            &text(|row| &row.name),
            &text(|row| &row.job),
            &ticks,
            &dates as &[Option<NaiveDate>],
            &arguments,
            &attempts,
            &limits as &[Option<i64>],
            &text(|row| &row.over_time),
        );
        Ok(made.execute(conn).await?.rows_affected())
    }

    /// Old runs and alerts go, now and then.
    async fn prune(&mut self) -> Result<(), StepError> {
        let mut conn = self.pool.acquire().await?;
        let now = db::database_time(&mut conn).await?;
        if self.prune_at.is_some_and(|due| now < due) {
            return Ok(());
        }
        let keep = TimeDelta::from_std(self.settings.keep_history).unwrap_or(TimeDelta::MAX);
        let gone = watch::prune(&mut conn, now - keep).await?;
        if gone > 0 {
            info!(gone, "forgot {gone} old runs and alerts");
        }
        self.prune_at = Some(now + TimeDelta::minutes(10));
        Ok(())
    }
}

impl Step for Planner {
    fn name(&self) -> &'static str {
        "scheduler-planner"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.install().await?;
        let made = self.plan().await?;
        if made > 0 {
            fail::fail_point!("sched::run_made");
            metrics::counter!("daybook_scheduler_ticks_total").increment(made);
        }
        let ended = watch::look_after(&self.pool, &self.settings, &*self.ids).await?;
        if made > 0 || ended > 0 {
            self.workers.wake();
        }
        self.prune().await?;
        Ok(Progress::Idle)
    }
}

fn dealt_with(row: &Row, ticks: &[Tick]) -> Dealt {
    let last = ticks.last();
    Dealt {
        since: row.since,
        to: last.map_or(row.planned_to, |tick| tick.at.max(row.planned_to)),
        date: last.and_then(|tick| tick.session_date).max(row.planned_date),
    }
}

fn complaint(row: &Row, error: &str) -> NewAlert {
    NewAlert {
        kind: alert_kinds::SCHEDULE_UNPLANNABLE,
        subject: row.name.clone(),
        message: format!("nobody can tell when {} ({}) is due: {error}", row.name, row.spec),
    }
}

/// Of several planners one plans at a time: the others would find the same.
async fn first_to_plan(conn: &mut PgConnection) -> Result<bool, DbError> {
    let first = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "first!""#, PLANNING);
    Ok(first.fetch_one(conn).await?)
}

/// Read without a lock, which would be written down each second: [`move_on`] sees what changed meanwhile.
async fn rows(conn: &mut PgConnection) -> Result<Vec<Row>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select name, job, spec, arguments, missed, attempts_max, time_limit_ms, over_time, since, planned_to, planned_date,
                next_tick
           from job_schedules
          where paused_at is null
          order by name",
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Writes down how far the ticks were dealt with, where that changed. A schedule whose time was changed at this moment is
/// left alone.
async fn move_on(conn: &mut PgConnection, plans: &[Plan<'_>]) -> Result<(), DbError> {
    let changed: Vec<&Plan<'_>> = plans
        .iter()
        .filter(|plan| !plan.ticks.is_empty() || plan.next != plan.row.next_tick)
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = changed.iter().map(|plan| plan.row.name.clone()).collect();
    let dealt: Vec<Dealt> = changed.iter().map(|plan| dealt_with(plan.row, &plan.ticks)).collect();
    let specs: Vec<String> = changed.iter().map(|plan| plan.row.spec.clone()).collect();
    let to: Vec<Timestamp> = dealt.iter().map(|dealt| dealt.to).collect();
    let dates: Vec<Option<NaiveDate>> = dealt.iter().map(|dealt| dealt.date).collect();
    let next: Vec<Option<Timestamp>> = changed.iter().map(|plan| plan.next).collect();
    sqlx::query!(
        "update job_schedules s
            set planned_to = u.planned_to, planned_date = u.planned_date, next_tick = u.next_tick
           from unnest($1::text[], $2::text[], $3::timestamptz[], $4::date[], $5::timestamptz[])
                  as u (name, spec, planned_to, planned_date, next_tick)
          where s.name = u.name
            and s.spec = u.spec",
        &names,
        &specs,
        &to,
        &dates as &[Option<NaiveDate>],
        &next as &[Option<Timestamp>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
