//! Schedules: which kind of job is due when, and what happens when it fails, takes long or was missed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use db::{DbError, PgConnection};
use serde_json::{Value, json};

use super::job::Job;
use super::when::{Missed, When};

/// The kinds of job that this process can run, by name.
#[derive(Clone, Default)]
pub struct Jobs(BTreeMap<&'static str, Arc<dyn Job>>);

impl Jobs {
    /// These kinds.
    pub fn new(jobs: impl IntoIterator<Item = Arc<dyn Job>>) -> Self {
        Jobs(jobs.into_iter().map(|job| (job.name(), job)).collect())
    }

    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Job>> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// What happens to an attempt that takes longer than its limit. An alert is raised either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverTime {
    /// It goes on.
    Alert,
    /// It is taken away from its worker and counts as failed.
    Kill,
}

impl OverTime {
    /// As it is stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            OverTime::Alert => "alert",
            OverTime::Kill => "kill",
        }
    }
}

impl std::str::FromStr for OverTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "alert" => Ok(OverTime::Alert),
            "kill" => Ok(OverTime::Kill),
            other => Err(format!("{other:?} is neither alert nor kill")),
        }
    }
}

/// A schedule about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Its name.
    pub name: String,
    /// The kind of job.
    pub job: String,
    /// When it is due.
    pub when: When,
    /// What each run is given; an object.
    pub arguments: Value,
    /// What a missed tick is worth.
    pub missed: Missed,
    /// Attempts of a run before it is dead. One that took its process with it counts, too.
    pub attempts_max: i32,
    /// How long one attempt may take, and what happens then.
    pub time_limit: Option<(Duration, OverTime)>,
}

impl NewSchedule {
    /// The schedule of a kind of job, under its name: five attempts, each missed tick runs, no time limit.
    pub fn new(job: impl Into<String>, when: When) -> Self {
        let job = job.into();
        NewSchedule {
            name: job.clone(),
            job,
            when,
            arguments: json!({}),
            missed: Missed::Each,
            attempts_max: 5,
            time_limit: None,
        }
    }

    pub(crate) fn time_limit_ms(&self) -> Option<i64> {
        self.time_limit
            .map(|(limit, _)| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX))
    }

    pub(crate) fn over_time(&self) -> &'static str {
        self.time_limit.map_or(OverTime::Alert, |(_, then)| then).as_str()
    }
}

/// The schedules of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Configured {
    /// Rises with each change of the list, so that an older program which starts again leaves a newer one's alone.
    pub generation: i32,
    /// All of them.
    pub schedules: Vec<NewSchedule>,
}

/// Any number, the same in all processes.
const INSTALLING: i64 = 0x0069_6e73_7461_6c6c;

/// Makes the schedules of the configuration, renews those that are there, and takes away those that were. What an operator
/// paused stays so; one whose time changed counts its ticks from now on. False, and nothing is done, when a newer program has
/// made its own: it may go on beside this one, and would not make them again.
pub(crate) async fn install(conn: &mut PgConnection, configured: &Configured) -> Result<bool, DbError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", INSTALLING)
        .execute(&mut *conn)
        .await?;
    let newest =
        sqlx::query_scalar!(r#"select max(generation) as "newest" from job_schedules where made_by = 'configuration'"#);
    if newest.fetch_one(&mut *conn).await? > Some(configured.generation) {
        return Ok(false);
    }
    renew(conn, configured).await?;
    let names: Vec<String> = configured.schedules.iter().map(|s| s.name.clone()).collect();
    sqlx::query!(
        "delete from job_schedules where made_by = 'configuration' and name <> all($1)",
        &names,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

async fn renew(conn: &mut PgConnection, Configured { generation, schedules }: &Configured) -> Result<(), DbError> {
    let text = |of: fn(&NewSchedule) -> String| schedules.iter().map(of).collect::<Vec<_>>();
    let names = text(|s| s.name.clone());
    let attempts: Vec<i32> = schedules.iter().map(|s| s.attempts_max).collect();
    let limits: Vec<Option<i64>> = schedules.iter().map(NewSchedule::time_limit_ms).collect();
    let arguments: Vec<Value> = schedules.iter().map(|s| s.arguments.clone()).collect();
    sqlx::query!(
        "insert into job_schedules as s (name, job, spec, arguments, missed, attempts_max, time_limit_ms, over_time,
                                         made_by, generation, since, planned_to)
         select u.name, u.job, u.spec, u.arguments, u.missed, u.attempts_max, u.time_limit_ms, u.over_time,
                'configuration', $9, t, t
           from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::integer[], $7::bigint[], $8::text[])
                  as u (name, job, spec, arguments, missed, attempts_max, time_limit_ms, over_time),
                daybook_now() as t
             on conflict (name) do update
            set job = excluded.job,
                spec = excluded.spec,
                arguments = excluded.arguments,
                missed = excluded.missed,
                attempts_max = excluded.attempts_max,
                time_limit_ms = excluded.time_limit_ms,
                over_time = excluded.over_time,
                made_by = excluded.made_by,
                generation = excluded.generation,
                planned_to = case when s.spec = excluded.spec then s.planned_to
                                  else greatest(s.planned_to, excluded.planned_to) end",
        &names,
        &text(|s| s.job.clone()),
        &text(|s| s.when.to_string()),
        &arguments,
        &text(|s| s.missed.as_str().to_owned()),
        &attempts,
        &limits as &[Option<i64>],
        &text(|s| s.over_time().to_owned()),
        generation,
    )
    .execute(conn)
    .await?;
    Ok(())
}
