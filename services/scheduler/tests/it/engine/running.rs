//! Runs: done, failed, put off, over time.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use chassis::step::{Progress, Step};
use chrono::TimeDelta;
use scheduler::engine::{Done, JobError, NewSchedule, OverTime};
use tokio::sync::Notify;

use super::rig::{Rig, at, done, easy, job, schedule, work_off};

const MONDAY: &str = "2026-11-23T15:00:30Z";

#[tokio::test]
async fn a_run_that_is_done_has_a_history() {
    let rig = Rig::at(MONDAY).await;
    let run = rig.due("easy").await;
    let mut worker = rig.worker([easy("easy")]);
    assert_eq!(work_off(&mut worker).await, 1);
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("done", 1));
    assert_eq!(row.outcome.as_deref(), Some("all of it"));
    assert_eq!(rig.lines(run).await, ["attempt 1", "done: all of it"]);
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let view = scheduler::engine::desk::run(&mut conn, run).await.unwrap().unwrap();
    assert!(view.took_ms.is_some() && view.by_hand);
}

#[tokio::test]
async fn v12_a_job_that_fails_comes_again_after_longer_and_longer_pauses_and_ends_as_dead_with_an_alert() {
    let rig = Rig::at(MONDAY).await;
    let three = NewSchedule {
        attempts_max: 3,
        ..schedule("hopeless", "by hand")
    };
    let run = rig.due_with(&three).await;
    let mut worker = rig.worker([job("hopeless", |_| async { Err(JobError::failed("no luck")) })]);
    for (shortest, longest) in [(300, 600), (600, 1_200)] {
        let before = rig.time().await;
        assert_eq!(work_off(&mut worker).await, 1);
        let row = rig.only_run().await;
        assert_eq!(row.state, "waiting");
        assert!(row.due_at >= before + TimeDelta::seconds(shortest), "{row:?}");
        assert!(row.due_at <= rig.time().await + TimeDelta::seconds(longest), "{row:?}");
        assert_eq!(worker.step().await.unwrap(), Progress::Idle, "not before its time");
        rig.pass(20, 0).await;
    }
    assert_eq!(work_off(&mut worker).await, 1);
    let row = rig.only_run().await;
    assert_eq!(
        (row.state.as_str(), row.attempts, row.outcome.as_deref()),
        ("dead", 3, Some("no luck"))
    );
    let subject = format!(
        "hopeless {}",
        row.tick.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    );
    assert_eq!(rig.alerts().await, [("job_dead".to_owned(), subject)]);
    assert_eq!(
        rig.lines(run).await.last().unwrap(),
        "dead after 3 of 3 attempts: no luck"
    );
}

#[tokio::test]
async fn a_fault_that_no_attempt_can_mend_is_tried_once() {
    let rig = Rig::at(MONDAY).await;
    rig.due("fatal").await;
    let mut worker = rig.worker([job("fatal", |_| async {
        Err(JobError::Fatal("no such date".to_owned()))
    })]);
    work_off(&mut worker).await;
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("dead", 1));
    assert_eq!(rig.alerts().await.len(), 1);
}

#[tokio::test]
async fn a_run_that_waits_for_something_comes_again_and_no_attempt_is_counted() {
    let rig = Rig::at(MONDAY).await;
    let once = NewSchedule {
        attempts_max: 1,
        ..schedule("patient", "by hand")
    };
    let run = rig.due_with(&once).await;
    let rounds = Arc::new(AtomicI32::new(0));
    let seen = rounds.clone();
    let patient = job("patient", move |run| {
        let round = seen.fetch_add(1, Ordering::SeqCst);
        async move {
            assert_eq!(run.attempt(), 1);
            let at = at(MONDAY) + TimeDelta::minutes(i64::from(round) + 1);
            let why = "the file is not there".to_owned();
            Ok(if round < 3 { Done::Again { at, why } } else { done() })
        }
    });
    let mut worker = rig.worker([patient]);
    for _ in 0..4 {
        assert_eq!(work_off(&mut worker).await, 1);
        rig.pass(1, 0).await;
    }
    let row = rig.only_run().await;
    assert_eq!(
        (row.state.as_str(), row.attempts, rounds.load(Ordering::SeqCst)),
        ("done", 1, 4)
    );
    assert_eq!(
        rig.lines(run).await,
        ["waits: the file is not there", "done: all of it"],
        "said once"
    );
}

#[tokio::test]
async fn v13_two_runs_of_one_schedule_never_overlap_and_two_schedules_run_side_by_side() {
    let rig = Rig::at(MONDAY).await;
    for name in ["a", "a", "b"] {
        rig.due(name).await;
    }
    let (gate, inside) = (Arc::new(Notify::new()), Arc::new(AtomicI32::new(0)));
    let slow = |name| {
        let (gate, inside) = (gate.clone(), inside.clone());
        job(name, move |_| {
            let (gate, inside) = (gate.clone(), inside.clone());
            async move {
                inside.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                Ok(done())
            }
        })
    };
    let mut workers: Vec<_> = (0..3).map(|_| rig.worker([slow("a"), slow("b")])).collect();
    let mut third = workers.pop().unwrap();
    let running: Vec<_> = workers
        .into_iter()
        .map(|mut worker| tokio::spawn(async move { worker.step().await.unwrap() }))
        .collect();
    let both = || async { inside.load(Ordering::SeqCst) == 2 };
    testkit::wait_until("both schedules", super::rig::PATIENCE, both).await;
    assert_eq!(third.step().await.unwrap(), Progress::Idle, "the second run of a waits");
    for _ in 0..2 {
        gate.notify_one();
    }
    for worker in running {
        assert_eq!(worker.await.unwrap(), Progress::Worked);
    }
    gate.notify_one();
    assert_eq!(third.step().await.unwrap(), Progress::Worked);
    assert_eq!(rig.states().await, ["done"; 3]);
}

#[tokio::test]
async fn a_run_that_wants_to_come_again_in_the_past_comes_after_a_pause_all_the_same() {
    let rig = Rig::at(MONDAY).await;
    rig.due("hasty").await;
    let mut worker = rig.worker([job("hasty", |run| async move {
        let (at, why) = (run.tick() - TimeDelta::hours(1), "nothing much".to_owned());
        Ok(Done::Again { at, why })
    })]);
    for _ in 0..2 {
        assert_eq!(worker.step().await.unwrap(), Progress::Worked);
        assert_eq!(worker.step().await.unwrap(), Progress::Idle, "no loop without rest");
        rig.pass(1, 0).await;
    }
}

/// Another worker claims the first run of `a` while this one reads: it sees a second one of `a`, which it
/// may not have, and finds the one of `b` behind it.
#[tokio::test]
async fn v13_a_worker_that_loses_a_run_to_another_finds_the_next_schedules_at_once() {
    let rig = Rig::at(MONDAY).await;
    let first = rig.due("a").await;
    rig.due("a").await;
    rig.due("b").await;
    let mut other = rig.db.pool.begin().await.unwrap();
    let claim = sqlx::query(
        "update job_runs set state = 'running', lease_until = daybook_now() + interval '1 hour' where run_id = $1",
    );
    claim.bind(first).execute(&mut *other).await.unwrap();
    let mut worker = rig.worker([easy("a"), easy("b")]);
    let task = tokio::spawn(async move { worker.step().await.unwrap() });
    let waits = || async {
        let waits: bool = sqlx::query_scalar("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')")
            .fetch_one(&rig.db.pool)
            .await
            .unwrap();
        waits
    };
    testkit::wait_until("the worker's claim", super::rig::PATIENCE, waits).await;
    other.commit().await.unwrap();
    assert_eq!(task.await.unwrap(), Progress::Worked);
    assert_eq!(rig.states().await, ["running", "waiting", "done"]);
}

/// Starts a job that never ends, in a task of its own, and waits until it is at work.
async fn endless(rig: &Rig, over: OverTime) -> tokio::task::JoinHandle<()> {
    let limit = NewSchedule {
        time_limit: Some((Duration::from_secs(3_600), over)),
        attempts_max: 2,
        ..schedule("endless", "by hand")
    };
    rig.due_with(&limit).await;
    let begun = Arc::new(Notify::new());
    let told = begun.clone();
    let endless = job("endless", move |_| {
        told.notify_one();
        std::future::pending()
    });
    let mut worker = rig.worker([endless]);
    let task = tokio::spawn(async move {
        worker.step().await.unwrap();
    });
    begun.notified().await;
    task
}

/// job::over_time: the run is taken away, its worker drops it, and what it would say is not heard.
#[tokio::test]
async fn v13_a_job_over_its_time_is_killed_and_tried_again() {
    let mut rig = Rig::at(MONDAY).await;
    rig.settings.lease = Duration::from_secs(4);
    let worker = endless(&rig, OverTime::Kill).await;
    let mut planner = rig.planner(vec![]);
    rig.pass(55, 0).await;
    planner.step().await.unwrap();
    assert_eq!(rig.states().await, ["running"], "it has an hour");
    rig.pass(5, 1).await;
    planner.step().await.unwrap();
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.epoch), ("waiting", 2), "the epoch was raised");
    assert!(
        row.outcome
            .unwrap()
            .starts_with("killed: attempt 1 takes longer than 3600 s")
    );
    assert_eq!(rig.alerts().await[0].0, "job_over_time");
    worker.await.unwrap();
    assert_eq!(rig.only_run().await.epoch, 2, "its worker's report changed nothing");
    rig.pass(20, 0).await;
    work_off(&mut rig.worker([easy("endless")])).await;
    assert_eq!(rig.states().await, ["done"]);
    assert_eq!(rig.alerts().await, [], "it came to a good end");
}

#[tokio::test]
async fn a_job_over_its_time_may_go_on_where_its_schedule_says_so() {
    let rig = Rig::at(MONDAY).await;
    let worker = endless(&rig, OverTime::Alert).await;
    let mut planner = rig.planner(vec![]);
    for _ in 0..3 {
        rig.pass(61, 0).await;
        planner.step().await.unwrap();
    }
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.epoch), ("running", 1));
    let times: i64 = sqlx::query_scalar("select times from operator_alerts")
        .fetch_one(&rig.db.pool)
        .await
        .unwrap();
    assert_eq!((rig.alerts().await.len(), times), (1, 1), "told once");
    worker.abort();
}

#[tokio::test]
async fn a_process_that_drains_gives_its_run_back_uncounted() {
    let rig = Rig::at(MONDAY).await;
    let worker = endless(&rig, OverTime::Alert).await;
    rig.shutdown.begin();
    worker.await.unwrap();
    let row = rig.only_run().await;
    assert_eq!((row.state.as_str(), row.attempts), ("waiting", 0));
}

#[tokio::test]
async fn a_run_that_nobody_claims_is_an_alert_until_somebody_does() {
    let rig = Rig::at(MONDAY).await;
    rig.due("easy").await;
    let mut planner = rig.planner(vec![]);
    rig.pass(9, 0).await;
    planner.step().await.unwrap();
    assert_eq!(rig.alerts().await, []);
    rig.pass(2, 0).await;
    planner.step().await.unwrap();
    assert_eq!(rig.alerts().await, [("job_late".to_owned(), "easy".to_owned())]);
    work_off(&mut rig.worker([easy("easy")])).await;
    planner.step().await.unwrap();
    assert_eq!(rig.alerts().await, []);
}

#[tokio::test]
async fn history_is_forgotten_by_age_and_what_is_open_is_not() {
    let rig = Rig::at(MONDAY).await;
    rig.due("easy").await;
    work_off(&mut rig.worker([easy("easy")])).await;
    rig.due("waits").await;
    assert_eq!(rig.states().await, ["done", "waiting"], "young history stays");
    rig.pass(91 * 24 * 60, 0).await;
    rig.planner(vec![]).step().await.unwrap();
    assert_eq!(rig.only_run().await.schedule, "waits");
}
