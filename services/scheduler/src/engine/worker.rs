//! Claims a run, runs it, reports.
//!
//! The claim raises the run's epoch and counts the attempt. While the job works, its lease is renewed beside it; when that
//! fails for too long by the worker's own clock, or the epoch has moved, the job is dropped where it stands. A process that
//! drains gives its run back, uncounted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step, StepError};
use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgPool};
use domain::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use tracing::{Instrument, debug, info, info_span, warn};
use uuid::Uuid;

use super::Settings;
use super::job::{Done, Job, JobError, Run};
use super::outcome::{self, Attempt};
use super::schedule::Jobs;

/// Tries of a report before the run is left to its lease: it runs again then.
const REPORT_TRIES: u32 = 5;

/// The step that claims one run and works on it to its end.
pub struct Worker {
    settings: Settings,
    pool: PgPool,
    ids: SharedIds,
    jobs: Jobs,
    kinds: Vec<String>,
    owner: Uuid,
    shutdown: Shutdown,
}

/// How an attempt ended, or why it did not.
enum Ended {
    /// By itself.
    Reported(Result<Done, JobError>),
    /// Somebody else has the run, or may have it.
    TakenOver,
    /// The process drains.
    Draining,
}

#[derive(FromRow)]
struct Claimed {
    run_id: Uuid,
    schedule: String,
    job: String,
    tick: Timestamp,
    session_date: Option<NaiveDate>,
    arguments: Value,
    attempts: i32,
    attempts_max: i32,
    epoch: i64,
    left_behind: bool,
}

impl Worker {
    /// A worker for these kinds of job.
    pub fn new(settings: Settings, pool: PgPool, ids: SharedIds, jobs: Jobs, shutdown: Shutdown) -> Self {
        Worker {
            settings,
            kinds: jobs.names(),
            owner: ids.uuid(),
            pool,
            ids,
            jobs,
            shutdown,
        }
    }

    /// The run that is due for longest, under a new epoch. `None` when there is none.
    async fn claim(&self) -> Result<Option<Claimed>, DbError> {
        loop {
            match self.try_claim().await {
                // Two runs of one schedule were claimed at once, and the other one won. Another schedule may have one that is
                // due: look again. Each loss is somebody's win, so this comes to an end.
                Err(DbError::Duplicate { constraint }) if constraint == "job_runs_one_running" => {}
                other => return other,
            }
        }
    }

    async fn try_claim(&self) -> Result<Option<Claimed>, DbError> {
        let lease = i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX);
        sqlx::query_as!(
            Claimed,
            r#"with due as (
                   select r.run_id, r.state = 'running' as left_behind
                     from job_runs r
                    where r.job = any($1)
                      and r.attempts < r.attempts_max
                      and ((r.state = 'running' and r.lease_until < daybook_now())
                           or (r.state = 'waiting'
                               and r.due_at <= daybook_now()
                               and not exists (select from job_runs o where o.schedule = r.schedule and o.state = 'running')
                               and (r.by_hand
                                    or not exists (select from job_schedules s
                                                    where s.name = r.schedule and s.paused_at is not null))))
                    order by r.due_at, r.run_id
                    limit 1
                      for update of r skip locked)
               update job_runs r
                  set state = 'running',
                      owner = $2,
                      epoch = r.epoch + 1,
                      attempts = r.attempts + 1,
                      lease_until = t.now + $3::bigint * interval '1 millisecond',
                      first_started_at = coalesce(r.first_started_at, t.now),
                      started_at = t.now,
                      told_over_time = false
                 from due, (select daybook_now() as now) t
                where r.run_id = due.run_id
            returning r.run_id, r.schedule, r.job, r.tick, r.session_date, r.arguments, r.attempts, r.attempts_max, r.epoch,
                      due.left_behind as "left_behind!""#,
            &self.kinds,
            self.owner,
            lease,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(DbError::from)
    }

    async fn begin(&self, claimed: Claimed) -> Result<(Arc<dyn Job>, Run), StepError> {
        let job = self.jobs.get(&claimed.job).cloned();
        let job = job.ok_or_else(|| StepError::msg(format!("claimed a run of the unknown kind {}", claimed.job)))?;
        let run = Run {
            pool: self.pool.clone(),
            id: claimed.run_id,
            schedule: claimed.schedule,
            job: claimed.job,
            tick: claimed.tick,
            session_date: claimed.session_date,
            arguments: claimed.arguments,
            attempt: claimed.attempts,
            attempts_max: claimed.attempts_max,
            epoch: claimed.epoch,
        };
        if claimed.left_behind {
            run.log(format!(
                "taken over from a worker that went silent, attempt {}",
                run.attempt
            ))
            .await;
        } else {
            debug!(run.id = %run.id, attempt = run.attempt, "{} begins", run.schedule);
        }
        Ok((job, run))
    }

    async fn work(&self, job: &dyn Job, run: &Run) -> Ended {
        let span = info_span!("run", run.id = %run.id, job = run.job, schedule = run.schedule);
        tokio::select! {
            biased;
            ended = job.run(run).instrument(span) => Ended::Reported(ended),
            () = self.heartbeats(run) => Ended::TakenOver,
            () = self.shutdown.wait() => Ended::Draining,
        }
    }

    /// Renews the run's lease until that is no longer possible: the epoch has moved, or the database did not answer until
    /// shortly before the lease ends by this process' own clock.
    async fn heartbeats(&self, run: &Run) {
        let lease = self.settings.lease;
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(lease / 3).await;
            let asked = Instant::now();
            let left = (lease * 4 / 5).saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left, self.renew(run)).await {
                Ok(Ok(true)) => renewed = asked,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => debug!(run.id = %run.id, %error, "a lease could not be renewed"),
                Err(_) => return,
            }
        }
    }

    async fn renew(&self, run: &Run) -> Result<bool, DbError> {
        let lease = i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX);
        let renewed = sqlx::query!(
            "update job_runs
                set lease_until = daybook_now() + $3::bigint * interval '1 millisecond'
              where run_id = $1
                and epoch = $2
                and state = 'running'",
            run.id,
            run.epoch,
            lease,
        );
        Ok(renewed.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Tells the database how it ended. False when the run was another's by then: what this worker says is not heard.
    async fn report(&self, run: &Run, ended: &Ended) -> Result<bool, DbError> {
        let attempt = run.as_attempt();
        let mut tx = db::begin(&self.pool).await?;
        let heard = match ended {
            Ended::TakenOver | Ended::Reported(Err(JobError::Lost)) => false,
            Ended::Draining => {
                let now = db::database_time(&mut tx).await?;
                outcome::again(&mut tx, &attempt, now, "given back by a process that stops").await?
            }
            Ended::Reported(Ok(Done::Finished(summary))) => outcome::finished(&mut tx, &attempt, summary).await?,
            Ended::Reported(Ok(Done::Again { at, why })) => {
                // A job that names a time that is over would else run without a rest.
                let now = db::database_time(&mut tx).await?;
                let soonest = now + TimeDelta::from_std(self.settings.again_after).unwrap_or(TimeDelta::MAX);
                outcome::again(&mut tx, &attempt, soonest.max(*at), why).await?
            }
            Ended::Reported(Err(error)) => {
                let fatal = matches!(error, JobError::Fatal(_));
                let (settings, ids) = (&self.settings, &*self.ids);
                outcome::failed(&mut tx, settings, ids, &attempt, &error.to_string(), fatal).await?
            }
        };
        tx.commit().await?;
        Ok(heard)
    }

    async fn run(&self, job: &dyn Job, run: &Run) -> Result<(), StepError> {
        let begun = Instant::now();
        let ended = self.work(job, run).await;
        fail::fail_point!("job::done_not_reported");
        let pause = |_| Duration::from_millis(200);
        let heard = db::with_retry(REPORT_TRIES, pause, || self.report(run, &ended)).await?;
        let word = if heard { ended.word() } else { "lost" };
        metrics::counter!("daybook_scheduler_runs_total", "job" => run.job.clone(), "outcome" => word).increment(1);
        metrics::histogram!("daybook_scheduler_run_seconds", "job" => run.job.clone()).record(begun.elapsed());
        let (schedule, took) = (&run.schedule, begun.elapsed());
        match &ended {
            _ if !heard => warn!(run.id = %run.id, "{schedule}: another worker has the run, or its time was up"),
            Ended::Reported(Err(error)) => warn!(run.id = %run.id, ?took, "{schedule} failed: {error}"),
            Ended::Reported(Ok(Done::Finished(summary))) => info!(run.id = %run.id, ?took, "{schedule}: {summary}"),
            _ => debug!(run.id = %run.id, ?took, "{schedule} comes again"),
        }
        Ok(())
    }
}

impl Ended {
    fn word(&self) -> &'static str {
        match self {
            Ended::Reported(Ok(Done::Finished(_))) => "done",
            Ended::Reported(Ok(Done::Again { .. })) => "again",
            Ended::Reported(Err(_)) => "failed",
            Ended::TakenOver => "lost",
            Ended::Draining => "given_back",
        }
    }
}

impl Run {
    fn as_attempt(&self) -> Attempt {
        Attempt {
            run_id: self.id,
            schedule: self.schedule.clone(),
            tick: self.tick,
            epoch: self.epoch,
            attempts: self.attempt,
            attempts_max: self.attempts_max,
        }
    }
}

impl Step for Worker {
    fn name(&self) -> &'static str {
        "scheduler-worker"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let Some(claimed) = self.claim().await? else {
            return Ok(Progress::Idle);
        };
        fail::fail_point!("job::claimed");
        let (job, run) = self.begin(claimed).await?;
        self.run(&*job, &run).await?;
        Ok(Progress::Worked)
    }
}
