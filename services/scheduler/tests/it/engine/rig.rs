//! An engine on a database of its own, with jobs that do what a test says.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step, Wake};
use domain::Timestamp;
use domain::calendar::Calendar;
use futures::FutureExt;
use futures::future::BoxFuture;
use scheduler::engine::{Configured, Done, Job, JobError, Jobs, NewSchedule, Planner, Run, Settings, Worker};
use serde_json::json;
use sessions::Sessions;
use testkit::TestDb;
use uuid::Uuid;

type Body = dyn Fn(Run) -> BoxFuture<'static, Result<Done, JobError>> + Send + Sync;

/// A kind of job that does what a closure says.
pub struct Scripted {
    name: &'static str,
    body: Box<Body>,
}

impl Job for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        (self.body)(run.clone())
    }
}

/// A kind of job.
pub fn job<F>(name: &'static str, body: impl Fn(Run) -> F + Send + Sync + 'static) -> Arc<dyn Job>
where
    F: Future<Output = Result<Done, JobError>> + Send + 'static,
{
    let body = Box::new(move |run| body(run).boxed());
    Arc::new(Scripted { name, body })
}

/// One that is done at once.
pub fn easy(name: &'static str) -> Arc<dyn Job> {
    job(name, |run| async move {
        run.log(format!("attempt {}", run.attempt())).await;
        Ok(done())
    })
}

pub fn done() -> Done {
    Done::Finished("all of it".to_owned())
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A run as its row is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    pub run_id: Uuid,
    pub schedule: String,
    pub tick: Timestamp,
    pub state: String,
    pub attempts: i32,
    pub epoch: i64,
    pub due_at: Timestamp,
    pub outcome: Option<String>,
}

pub struct Rig {
    pub db: TestDb,
    pub ids: SharedIds,
    pub settings: Settings,
    pub shutdown: Shutdown,
}

impl Rig {
    /// An engine whose clock shows `now`.
    pub async fn at(now: &str) -> Self {
        let rig = Rig {
            db: TestDb::new().await,
            ids: testkit::ids(1),
            settings: slow_machine(),
            shutdown: Shutdown::new(),
        };
        rig.set_time(now).await;
        rig
    }

    /// Puts the database's clock to a time; it goes on from there.
    pub async fn set_time(&self, now: &str) {
        sqlx::query("update db_clock set clock_offset = clock_offset + ($1 - daybook_now())")
            .bind(at(now))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Moves it, back too.
    pub async fn pass(&self, minutes: i32, seconds: i32) {
        sqlx::query("update db_clock set clock_offset = clock_offset + make_interval(mins => $1, secs => $2)")
            .bind(minutes)
            .bind(f64::from(seconds))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// What the database's clock shows.
    pub async fn time(&self) -> Timestamp {
        let mut conn = self.db.pool.acquire().await.unwrap();
        db::database_time(&mut conn).await.unwrap()
    }

    /// So long that a lease is over which nobody renewed.
    pub async fn lease_over(&self) {
        self.pass(0, i32::try_from(LEASE.as_secs()).unwrap() + 1).await;
    }

    pub fn planner(&self, schedules: Vec<NewSchedule>) -> Planner {
        self.planner_of(1, schedules)
    }

    /// Of a program that is so new.
    pub fn planner_of(&self, generation: i32, schedules: Vec<NewSchedule>) -> Planner {
        let configured = Configured { generation, schedules };
        let sessions = Sessions::fixed(Calendar::nyse());
        let (pool, ids) = (self.db.pool.clone(), self.ids.clone());
        Planner::new(self.settings, pool, ids, sessions, configured, Wake::new())
    }

    pub fn worker(&self, jobs: impl IntoIterator<Item = Arc<dyn Job>>) -> Worker {
        let (pool, ids) = (self.db.pool.clone(), self.ids.clone());
        Worker::new(self.settings, pool, ids, Jobs::new(jobs), self.shutdown.clone())
    }

    /// All runs, oldest tick first.
    pub async fn runs(&self) -> Vec<Row> {
        sqlx::query_as(
            "select run_id, schedule, tick, state, attempts, epoch, due_at, outcome from job_runs order by tick, schedule",
        )
        .fetch_all(&self.db.pool)
        .await
        .unwrap()
    }

    /// The only run.
    pub async fn only_run(&self) -> Row {
        let mut runs = self.runs().await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    pub async fn ticks(&self) -> Vec<String> {
        let runs = self.runs().await;
        runs.iter().map(|run| run.tick.format("%H:%M").to_string()).collect()
    }

    pub async fn states(&self) -> Vec<String> {
        self.runs().await.into_iter().map(|run| run.state).collect()
    }

    /// Kinds and subjects of alerts whose cause is not gone.
    pub async fn alerts(&self) -> Vec<(String, String)> {
        sqlx::query_as("select kind, subject from operator_alerts where cleared_at is null order by raised_at, kind")
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    pub async fn lines(&self, run: Uuid) -> Vec<String> {
        sqlx::query_scalar("select line from job_run_lines where run_id = $1 order by line_id")
            .bind(run)
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    /// Puts a waiting run there, as a planner would.
    pub async fn due(&self, job: &'static str) -> Uuid {
        self.due_with(&NewSchedule::new(job, "by hand".parse().unwrap())).await
    }

    pub async fn due_with(&self, schedule: &NewSchedule) -> Uuid {
        self.planner(vec![schedule.clone()]).step().await.unwrap();
        let mut conn = self.db.pool.acquire().await.unwrap();
        let none = json!({}).as_object().unwrap().clone();
        scheduler::engine::desk::run_by_hand(&mut conn, self.ids.uuid(), &schedule.name, &none)
            .await
            .unwrap()
    }
}

pub fn schedule(job: &'static str, when: &str) -> NewSchedule {
    NewSchedule::new(job, when.parse().unwrap())
}

/// Runs everything that is due.
pub async fn work_off(worker: &mut Worker) -> u32 {
    let mut worked = 0;
    while worker.step().await.unwrap() == Progress::Worked {
        worked += 1;
    }
    worked
}

pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a silent worker keeps its run, in tests. Their clock is moved, but it goes on by itself, too: what is a long time to
/// the engine has to be a long time to a busy machine.
const LEASE: Duration = Duration::from_secs(300);

/// Settings under which nothing comes to pass while a busy machine has no time for a test.
pub fn slow_machine() -> Settings {
    Settings {
        lease: LEASE,
        again_after: Duration::from_secs(30),
        backoff_first: Duration::from_secs(600),
        backoff_longest: Duration::from_secs(3_600),
        ..Settings::default()
    }
}
