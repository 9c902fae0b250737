//! Schedules and alerts: an operator's acts on them, from the command line or through the operator's listener.

use std::time::Duration;

use anyhow::bail;
use db::DbError;
use scheduler::engine::alerts;
use scheduler::engine::desk::{self, DeskError, RunView, ScheduleView};
use scheduler::engine::{NewSchedule, OverTime};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Desk, show_jobs};
use crate::cli::{AddJob, Alerts, Jobs};

/// The longest name of a schedule.
const LONGEST_NAME: usize = 100;

/// A schedule as an operator writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleDraft {
    /// Its name.
    pub name: String,
    /// The kind of job.
    pub job: String,
    /// When it is due: cron text, `close + 10m`, `at 2026-11-23T21:00:00Z` or `by hand`.
    pub spec: String,
    /// What each run is given.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// What a missed tick is worth.
    #[serde(default)]
    pub missed: Option<String>,
    /// Attempts of a run.
    #[serde(default)]
    pub attempts_max: Option<i32>,
    /// How long an attempt may take.
    #[serde(default)]
    pub time_limit_ms: Option<u64>,
    /// What happens then.
    #[serde(default)]
    pub over_time: Option<String>,
}

impl ScheduleDraft {
    /// The schedule, if every field is right.
    ///
    /// # Errors
    /// The field, and what is wrong with it.
    pub fn read(self) -> Result<NewSchedule, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.chars().all(plain) {
            return Err(format!("name: 1 to {LONGEST_NAME} of letters, digits, - _ and ."));
        }
        let when = self.spec.parse().map_err(|error| format!("spec: {error}"))?;
        let mut new = NewSchedule {
            name: self.name,
            arguments: Value::Object(self.arguments),
            ..NewSchedule::new(self.job, when)
        };
        if let Some(missed) = self.missed {
            new.missed = missed.parse().map_err(|error| format!("missed: {error}"))?;
        }
        if let Some(attempts) = self.attempts_max {
            new.attempts_max = attempts;
        }
        if !(1..=1_000).contains(&new.attempts_max) {
            return Err("attempts_max: must be 1 to 1000".to_owned());
        }
        let over_time = self.over_time.map_or(Ok(OverTime::Alert), |text| text.parse());
        let over_time = over_time.map_err(|error| format!("over_time: {error}"))?;
        if self.time_limit_ms == Some(0) {
            return Err("time_limit_ms: must be more than 0".to_owned());
        }
        new.time_limit = self
            .time_limit_ms
            .map(|limit| (Duration::from_millis(limit), over_time));
        Ok(new)
    }
}

impl TryFrom<AddJob> for ScheduleDraft {
    type Error = anyhow::Error;

    fn try_from(add: AddJob) -> anyhow::Result<Self> {
        let seconds = add.time_limit.map(u64::try_from).transpose()?;
        Ok(ScheduleDraft {
            name: add.name,
            job: add.job,
            spec: add.due.text(),
            arguments: object(add.arguments),
            missed: Some(add.missed),
            attempts_max: Some(add.attempts),
            time_limit_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
            over_time: Some(add.over_time),
        })
    }
}

fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key, Value::String(value)))
        .collect()
}

impl Desk {
    /// The same desk with somebody else at it.
    #[must_use]
    pub fn seat(&self, actor: impl Into<String>) -> Desk {
        Desk {
            actor: actor.into(),
            ..self.clone()
        }
    }

    /// Runs a job as soon as a worker is free.
    ///
    /// # Errors
    /// No such schedule, or what the database says.
    pub async fn run_job(&self, name: &str, arguments: &Map<String, Value>) -> Result<RunView, DeskError> {
        let mut tx = db::begin(&self.pool).await?;
        let id = desk::run_by_hand(&mut tx, self.ids.uuid(), name, arguments).await?;
        let detail = format!("run {id} {}", Value::Object(arguments.clone()));
        self.write_down(&mut tx, "run_job", name.to_owned(), detail).await?;
        let run = desk::run(&mut tx, id).await?;
        tx.commit().await.map_err(DbError::from)?;
        run.ok_or_else(|| DeskError::NoSchedule(name.to_owned()))
    }

    /// Lets a schedule rest, or go on. Only a change is written down.
    ///
    /// # Errors
    /// No such schedule, or what the database says.
    pub async fn pause_job(&self, name: &str, paused: bool) -> Result<ScheduleView, DeskError> {
        let mut tx = db::begin(&self.pool).await?;
        let changed = if paused {
            desk::pause(&mut tx, name).await?
        } else {
            desk::resume(&mut tx, name).await?
        };
        if changed {
            let act = if paused { "pause_job" } else { "resume_job" };
            self.write_down(&mut tx, act, name.to_owned(), String::new()).await?;
        }
        let view = desk::schedule(&mut tx, name).await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(view)
    }

    /// Makes a schedule.
    ///
    /// # Errors
    /// Its name is taken, its kind unknown, its only moment over; or what the database says.
    pub async fn add_job(&self, new: &NewSchedule) -> Result<ScheduleView, DeskError> {
        let mut tx = db::begin(&self.pool).await?;
        desk::add(&mut tx, new).await?;
        let detail = format!("{} {} {}", new.job, new.when, new.arguments);
        self.write_down(&mut tx, "add_job", new.name.clone(), detail).await?;
        let view = desk::schedule(&mut tx, &new.name).await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(view)
    }

    /// Takes a schedule away that [`Desk::add_job`] made.
    ///
    /// # Errors
    /// No such schedule, or one of the configuration; or what the database says.
    pub async fn remove_job(&self, name: &str) -> Result<(), DeskError> {
        let mut tx = db::begin(&self.pool).await?;
        desk::remove(&mut tx, name).await?;
        self.write_down(&mut tx, "remove_job", name.to_owned(), String::new())
            .await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(())
    }

    /// Takes note of an alert. False when there is no open one of this id, or somebody was quicker.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ack_alert(&self, alert: Uuid) -> Result<bool, DbError> {
        let mut tx = db::begin(&self.pool).await?;
        let now = db::database_time(&mut tx).await?;
        let acked = alerts::ack(&mut tx, alert, &self.actor, now).await?;
        if acked {
            self.write_down(&mut tx, "ack_alert", alert.to_string(), String::new())
                .await?;
        }
        tx.commit().await?;
        Ok(acked)
    }
}

/// Does what a command about jobs says.
pub(super) async fn jobs(desk: &Desk, command: Jobs) -> anyhow::Result<()> {
    match command {
        Jobs::List { json } => show_jobs::list(desk, json).await?,
        Jobs::Show { name, limit, json } => show_jobs::one(desk, &name, limit, json).await?,
        Jobs::Logs { run, json } => show_jobs::logs(desk, run, json).await?,
        Jobs::Run { name, date, arguments } => {
            let mut given = object(arguments);
            given.extend(date.map(|date| ("date".to_owned(), json!(date))));
            let run = desk.run_job(&name, &given).await?;
            println!(
                "run {} of {name} is due; `daybook admin jobs logs {}`",
                run.run_id, run.run_id
            );
        }
        Jobs::Pause { name } => {
            desk.pause_job(&name, true).await?;
            println!("{name} is paused");
        }
        Jobs::Resume { name } => {
            desk.pause_job(&name, false).await?;
            println!("{name} goes on");
        }
        Jobs::Add(add) => {
            let new = ScheduleDraft::try_from(*add)?.read().map_err(anyhow::Error::msg)?;
            let view = desk.add_job(&new).await?;
            println!("{} runs {}: {}", view.name, view.job, view.spec);
        }
        Jobs::Remove { name } => {
            desk.remove_job(&name).await?;
            println!("{name} is gone; its history stays");
        }
    }
    Ok(())
}

/// Does what a command about alerts says.
pub(super) async fn alerts(desk: &Desk, command: Alerts) -> anyhow::Result<()> {
    match command {
        Alerts::List { all, json } => show_jobs::alerts(desk, all, json).await?,
        Alerts::Ack { alert } => {
            if !desk.ack_alert(alert).await? {
                bail!("no open alert {alert} waits for somebody: `daybook admin alerts list`");
            }
            println!("noted");
        }
    }
    Ok(())
}
