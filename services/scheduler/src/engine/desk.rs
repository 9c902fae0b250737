//! An operator's acts on schedules, and looks at them. The caller owns the transaction and writes the act down in it.

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::schedule::NewSchedule;

/// A schedule as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// The kind of job.
    pub job: String,
    /// When it is due.
    pub spec: String,
    /// `configuration` or `api`.
    pub made_by: String,
    /// What each run is given.
    pub arguments: Value,
    /// What a missed tick is worth.
    pub missed: String,
    /// Attempts of a run.
    pub attempts_max: i32,
    /// How long an attempt may take.
    pub time_limit_ms: Option<i64>,
    /// What happens then.
    pub over_time: String,
    /// The next tick, as far as anybody can tell.
    pub next_tick: Option<Timestamp>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// How its last run ended, or how it is.
    pub last_state: Option<String>,
    /// What tick that stands for.
    pub last_tick: Option<Timestamp>,
    /// What came of it.
    pub last_outcome: Option<String>,
}

/// A run as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunView {
    /// Which run.
    pub run_id: Uuid,
    /// Its schedule.
    pub schedule: String,
    /// The kind of job.
    pub job: String,
    /// The moment it stands for.
    pub tick: Timestamp,
    /// The session it stands for.
    pub session_date: Option<NaiveDate>,
    /// What it was given.
    pub arguments: Value,
    /// Whether an operator made it.
    pub by_hand: bool,
    /// `waiting`, `running`, `done`, `dead` or `withdrawn`.
    pub state: String,
    /// When it runs, while it waits.
    pub due_at: Timestamp,
    /// Attempts so far.
    pub attempts: i32,
    /// Attempts before it is dead.
    pub attempts_max: i32,
    /// When its first attempt began.
    pub first_started_at: Option<Timestamp>,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long its last attempt took.
    pub took_ms: Option<i64>,
    /// What came of it, or what it waits for.
    pub outcome: Option<String>,
}

/// A line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineView {
    /// Rises from line to line.
    pub line_id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub line: String,
}

/// Why an act was refused.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No such schedule.
    #[error("there is no schedule {0}: `daybook admin jobs list` shows all")]
    NoSchedule(String),
    /// The name is taken.
    #[error("there is a schedule {0} already")]
    Taken(String),
    /// The kind is not known.
    #[error("no process knows a job of the kind {0}; known are {1}")]
    NoKind(String, String),
    /// It is in the configuration.
    #[error("{0} is part of the configuration and would come back; pause it instead")]
    Configured(String),
    /// The moment is over.
    #[error("{0} is over: its tick would never come")]
    Over(String),
    /// Not now: a run by hand for this very microsecond is there.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// All schedules, by name.
pub async fn schedules(conn: &mut PgConnection) -> Result<Vec<ScheduleView>, DbError> {
    let views = sqlx::query_as!(
        ScheduleView,
        r#"select s.name, s.job, s.spec, s.made_by, s.arguments, s.missed, s.attempts_max, s.time_limit_ms, s.over_time,
                  s.next_tick, s.paused_at, r.state as "last_state?", r.tick as "last_tick?", r.outcome as "last_outcome?"
             from job_schedules s
             left join lateral (select state, tick, outcome
                                  from job_runs
                                 where schedule = s.name
                                 order by tick desc
                                 limit 1) r on true
            order by s.name"#,
    );
    Ok(views.fetch_all(conn).await?)
}

/// One schedule.
///
/// # Errors
/// There is none of this name.
pub async fn schedule(conn: &mut PgConnection, name: &str) -> Result<ScheduleView, DeskError> {
    let all = schedules(conn).await?;
    let found = all.into_iter().find(|schedule| schedule.name == name);
    found.ok_or_else(|| DeskError::NoSchedule(name.to_owned()))
}

/// A schedule's runs, latest tick first, those before a tick.
pub async fn runs(
    conn: &mut PgConnection,
    schedule: &str,
    before: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<RunView>, DbError> {
    let views = sqlx::query_as!(
        RunView,
        r#"select run_id, schedule, job, tick, session_date, arguments, by_hand, state, due_at, attempts, attempts_max,
                  first_started_at, started_at, finished_at, outcome,
                  (extract(epoch from finished_at - started_at) * 1000)::bigint as took_ms
             from job_runs
            where schedule = $1
              and tick < coalesce($2::timestamptz, 'infinity')
            order by tick desc
            limit $3"#,
        schedule,
        before,
        limit,
    );
    Ok(views.fetch_all(conn).await?)
}

/// One run; `None` when there is none, or none any more.
pub async fn run(conn: &mut PgConnection, run: Uuid) -> Result<Option<RunView>, DbError> {
    let view = sqlx::query_as!(
        RunView,
        r#"select run_id, schedule, job, tick, session_date, arguments, by_hand, state, due_at, attempts, attempts_max,
                  first_started_at, started_at, finished_at, outcome,
                  (extract(epoch from finished_at - started_at) * 1000)::bigint as took_ms
             from job_runs
            where run_id = $1"#,
        run,
    );
    Ok(view.fetch_optional(conn).await?)
}

/// A run's log, oldest first, the lines after one.
pub async fn lines(conn: &mut PgConnection, run: Uuid, after: i64, limit: i64) -> Result<Vec<LineView>, DbError> {
    let lines = sqlx::query_as!(
        LineView,
        "select line_id, at, line from job_run_lines where run_id = $1 and line_id > $2 order by line_id limit $3",
        run,
        after,
        limit,
    );
    Ok(lines.fetch_all(conn).await?)
}

/// A run of this schedule as soon as a worker is free and no other run of it is under way, even while it is paused. Given
/// arguments go over the schedule's own.
///
/// # Errors
/// No such schedule.
pub async fn run_by_hand(
    conn: &mut PgConnection,
    id: Uuid,
    name: &str,
    arguments: &Map<String, Value>,
) -> Result<Uuid, DeskError> {
    let made = sqlx::query!(
        "insert into job_runs (run_id, schedule, job, tick, arguments, by_hand, due_at, attempts_max, time_limit_ms, over_time)
         select $1, s.name, s.job, t, s.arguments || $3::jsonb, true, t, s.attempts_max, s.time_limit_ms, s.over_time
           from job_schedules s, daybook_now() as t
          where s.name = $2",
        id,
        name,
        Value::Object(arguments.clone()),
    );
    match made.execute(conn).await.map_err(DbError::from)?.rows_affected() {
        0 => Err(DeskError::NoSchedule(name.to_owned())),
        _ => Ok(id),
    }
}

/// Its ticks make no runs and its waiting runs wait, those by hand apart. A run under way goes on.
///
/// # Errors
/// No such schedule. True when it was not paused before.
pub async fn pause(conn: &mut PgConnection, name: &str) -> Result<bool, DeskError> {
    let seen = schedule(conn, name).await?;
    sqlx::query!(
        "update job_schedules set paused_at = coalesce(paused_at, daybook_now()), next_tick = null where name = $1",
        name,
    )
    .execute(conn)
    .await
    .map_err(DbError::from)?;
    Ok(seen.paused_at.is_none())
}

/// Since when it is paused; `None` when it is not, or is none.
pub async fn paused_at(conn: &mut PgConnection, name: &str) -> Result<Option<Timestamp>, DbError> {
    let paused = sqlx::query_scalar!("select paused_at from job_schedules where name = $1", name);
    Ok(paused.fetch_optional(conn).await?.flatten())
}

/// It goes on. The ticks of the pause were missed, and what they are worth its policy says.
///
/// # Errors
/// No such schedule. True when it was paused.
pub async fn resume(conn: &mut PgConnection, name: &str) -> Result<bool, DeskError> {
    let seen = schedule(conn, name).await?;
    sqlx::query!("update job_schedules set paused_at = null where name = $1", name)
        .execute(conn)
        .await
        .map_err(DbError::from)?;
    Ok(seen.paused_at.is_some())
}

/// Makes a schedule for a kind of job that the configuration knows.
///
/// # Errors
/// The name is taken, the kind unknown, or its only moment over.
pub async fn add(conn: &mut PgConnection, new: &NewSchedule) -> Result<(), DeskError> {
    let kinds =
        sqlx::query_scalar!("select distinct job from job_schedules where made_by = 'configuration' order by job")
            .fetch_all(&mut *conn)
            .await
            .map_err(DbError::from)?;
    if !kinds.contains(&new.job) {
        return Err(DeskError::NoKind(new.job.clone(), kinds.join(", ")));
    }
    let now = db::database_time(conn).await?;
    if matches!(new.when, super::When::At(at) if at <= now) {
        return Err(DeskError::Over(new.when.to_string()));
    }
    let added = sqlx::query!(
        "insert into job_schedules (name, job, spec, made_by, arguments, missed, attempts_max, time_limit_ms, over_time, since,
                                    planned_to)
         values ($1, $2, $3, 'api', $4, $5, $6, $7, $8, $9, $9)
             on conflict do nothing",
        new.name,
        new.job,
        new.when.to_string(),
        new.arguments,
        new.missed.as_str(),
        new.attempts_max,
        new.time_limit_ms(),
        new.over_time(),
        now,
    );
    match added.execute(conn).await.map_err(DbError::from)?.rows_affected() {
        0 => Err(DeskError::Taken(new.name.clone())),
        _ => Ok(()),
    }
}

/// Takes a schedule away that [`add`] made, and withdraws its waiting runs. Their history stays.
///
/// # Errors
/// No such schedule, or one of the configuration.
pub async fn remove(conn: &mut PgConnection, name: &str) -> Result<(), DeskError> {
    if schedule(conn, name).await?.made_by != "api" {
        return Err(DeskError::Configured(name.to_owned()));
    }
    sqlx::query!("delete from job_schedules where name = $1", name)
        .execute(&mut *conn)
        .await
        .map_err(DbError::from)?;
    sqlx::query!(
        "update job_runs
            set state = 'withdrawn', finished_at = daybook_now(), outcome = 'its schedule was removed'
          where schedule = $1
            and state = 'waiting'",
        name,
    )
    .execute(conn)
    .await
    .map_err(DbError::from)?;
    Ok(())
}
