//! Workers that die, sleep too long, or are killed by their own job.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chassis::step::{Progress, Step};
use scheduler::engine::{JobError, NewSchedule, Run, Worker};
use tokio::sync::{Notify, mpsc};

use super::rig::{PATIENCE, Rig, done, easy, job, schedule, slow_machine};

const MONDAY: &str = "2026-11-23T15:00:30Z";

#[tokio::test]
async fn v10_a_worker_that_died_is_followed_by_one_with_a_higher_epoch() {
    let rig = Rig::at(MONDAY).await;
    let run = rig.due("work").await;
    let begun = Arc::new(Notify::new());
    let told = begun.clone();
    let mut dies = rig.worker([job("work", move |_| {
        told.notify_one();
        std::future::pending()
    })]);
    let task = tokio::spawn(async move { dies.step().await.map(|_| ()) });
    begun.notified().await;
    task.abort();
    let mut next = rig.worker([easy("work")]);
    assert_eq!(next.step().await.unwrap(), Progress::Idle, "its lease runs");
    rig.lease_over().await;
    assert_eq!(next.step().await.unwrap(), Progress::Worked);
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("done", 2));
    let lines = rig.lines(run).await;
    assert_eq!(lines[0], "taken over from a worker that went silent, attempt 2");
}

/// A worker in the middle of a job: the run it holds, and the way to let it end.
async fn held(rig: &Rig) -> (Run, Arc<Notify>, tokio::task::JoinHandle<Progress>) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let gate = Arc::new(Notify::new());
    let go_on = gate.clone();
    let mut worker: Worker = rig.worker([job("work", move |run: Run| {
        let (tell, gate) = (tell.clone(), gate.clone());
        async move {
            tell.send(run).unwrap();
            gate.notified().await;
            Ok(done())
        }
    })]);
    let task = tokio::spawn(async move { worker.step().await.unwrap() });
    (told.recv().await.unwrap(), go_on, task)
}

/// The worker was only paused: it wakes up while another works on the run, and the database does not hear it any more.
#[tokio::test]
async fn v10_a_worker_paused_beyond_its_lease_writes_nothing_any_more() {
    let rig = Rig::at(MONDAY).await;
    rig.due("work").await;
    let (run, gate, task) = held(&rig).await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    run.check(&mut conn).await.unwrap();
    rig.lease_over().await;
    let (next, other_gate, other) = held(&rig).await;
    assert!(matches!(run.check(&mut conn).await, Err(JobError::Lost)));
    next.check(&mut conn).await.unwrap();
    gate.notify_one();
    task.await.unwrap();
    let row = rig.only_run().await;
    assert_eq!(
        (row.state.as_str(), row.epoch),
        ("running", 2),
        "its report changed nothing"
    );
    other_gate.notify_one();
    other.await.unwrap();
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("done", 2));
}

#[tokio::test]
async fn v10_nobody_takes_a_run_over_in_the_middle_of_its_transaction() {
    let rig = Rig::at(MONDAY).await;
    rig.due("work").await;
    let (run, gate, task) = held(&rig).await;
    let mut tx = rig.db.pool.begin().await.unwrap();
    run.check(&mut tx).await.unwrap();
    rig.lease_over().await;
    let mut other = rig.worker([easy("work")]);
    assert_eq!(other.step().await.unwrap(), Progress::Idle);
    tx.commit().await.unwrap();
    assert_eq!(other.step().await.unwrap(), Progress::Worked);
    gate.notify_one();
    task.await.unwrap();
}

#[tokio::test]
async fn a_job_that_takes_long_keeps_its_lease_even_within_a_transaction() {
    let mut rig = Rig::at(MONDAY).await;
    // A heartbeat after five seconds, and as long again for a busy machine to answer it.
    rig.settings.lease = Duration::from_secs(15);
    rig.due("work").await;
    let (run, gate, task) = held(&rig).await;
    let mut tx = rig.db.pool.begin().await.unwrap();
    run.check(&mut tx).await.unwrap();
    let lease = || async {
        let until: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select lease_until from job_runs")
            .fetch_one(&rig.db.pool)
            .await
            .unwrap();
        until
    };
    let first = lease().await;
    testkit::wait_until("a heartbeat", PATIENCE, || async { lease().await > first }).await;
    tx.commit().await.unwrap();
    gate.notify_one();
    task.await.unwrap();
    assert_eq!(rig.only_run().await.epoch, 2, "claimed once, ended once");
}

/// The clock jumps ten minutes forth and back while a job is at work. Forth, its lease seems over and another takes the run;
/// back, nothing happens. Either way one of them is heard.
#[tokio::test]
async fn v13_a_clock_that_jumps_while_a_job_works_lets_one_worker_be_heard() {
    let rig = Rig::at(MONDAY).await;
    rig.due("work").await;
    let (_, gate, task) = held(&rig).await;
    rig.pass(-10, 0).await;
    let mut other = rig.worker([easy("work")]);
    assert_eq!(other.step().await.unwrap(), Progress::Idle);
    rig.pass(20, 0).await;
    assert_eq!(other.step().await.unwrap(), Progress::Worked);
    gate.notify_one();
    task.await.unwrap();
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("done", 2));
}

const CHILD: &str = "DAYBOOK_TEST_PANICKING_JOB";

/// Not a test by itself: the process that the next test starts. Its job takes it down.
#[tokio::test]
async fn child_panics() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let pool = db::connect(&url, db::PoolSettings::default()).await.unwrap();
    let jobs = scheduler::engine::Jobs::new([job("bomb", |run| async move {
        run.log("it ticks").await;
        panic!("the bomb went off")
    })]);
    let (settings, ids) = (slow_machine(), testkit::ids(7));
    let mut worker = Worker::new(settings, pool, ids, jobs, chassis::shutdown::Shutdown::new());
    worker.step().await.unwrap();
}

/// Starts that process. True when it was killed by the job.
fn dies(url: &str) -> bool {
    let test = "engine::taking_over::child_panics";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, url)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).contains("the bomb went off") && !output.status.success()
}

#[tokio::test]
async fn v12_a_job_that_takes_its_process_down_ends_as_dead_with_an_alert_and_is_no_restart_loop() {
    let rig = Rig::at(MONDAY).await;
    let two = NewSchedule {
        attempts_max: 2,
        ..schedule("bomb", "by hand")
    };
    let run = rig.due_with(&two).await;
    let mut planner = rig.planner(vec![]);
    for attempt in 1..=2 {
        assert!(dies(&rig.db.url), "attempt {attempt}");
        assert!(
            !dies(&rig.db.url),
            "restarted at once, it finds nothing to do: the lease runs"
        );
        planner.step().await.unwrap();
        assert_eq!(rig.states().await, ["running"]);
        rig.lease_over().await;
    }
    assert!(!dies(&rig.db.url), "no third attempt");
    planner.step().await.unwrap();
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("dead", 2));
    assert_eq!(rig.alerts().await[0].0, "job_dead");
    assert!(!dies(&rig.db.url), "dead is dead");
    assert_eq!(
        rig.lines(run).await.iter().filter(|line| *line == "it ticks").count(),
        2
    );
}
