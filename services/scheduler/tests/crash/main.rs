//! The scheduler stopped at each of its named points: what was planned is planned once, what was begun is finished by another.
//!
//! A binary of its own, because failpoints are global to a process.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../it/reconcile/rig.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod recon_rig;
mod reconcile;
#[path = "../it/engine/rig.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod rig;

use chassis::step::Step;
use fail::FailScenario;
use rig::{Rig, easy, schedule, work_off};
use scheduler::engine::{NewSchedule, OverTime};

const MONDAY: &str = "2026-11-23T15:00:30Z";

/// Takes a step that dies at the point.
async fn dies_at(point: &str, mut step: impl Step + 'static) {
    fail::cfg(point, "panic").unwrap();
    let died = tokio::spawn(async move { step.step().await.map(|_| ()) }).await;
    assert!(died.is_err_and(|error| error.is_panic()), "{point} was not reached");
    fail::remove(point);
}

/// An engine with a schedule whose tick has come, and whose next is an hour away.
async fn due() -> (Rig, Vec<NewSchedule>) {
    let rig = Rig::at(MONDAY).await;
    let schedules = vec![schedule("easy", "0 * * * *")];
    rig.planner(schedules.clone()).step().await.unwrap();
    rig.pass(60, 0).await;
    (rig, schedules)
}

#[tokio::test]
async fn v13_dying_while_ticks_become_runs_makes_each_run_once() {
    let scenario = FailScenario::setup();
    for (point, stored) in [("sched::tick_seen", 0), ("sched::run_made", 1)] {
        let (rig, schedules) = due().await;
        dies_at(point, rig.planner(schedules.clone())).await;
        assert_eq!(rig.runs().await.len(), stored, "{point}");
        rig.planner(schedules).step().await.unwrap();
        assert_eq!(rig.runs().await.len(), 1, "{point}");
        assert_eq!(
            work_off(&mut rig.worker([easy("easy")])).await,
            1,
            "{point}: found by looking"
        );
    }
    scenario.teardown();
}

#[tokio::test]
async fn v13_dying_with_a_run_leaves_it_to_the_next_worker() {
    let scenario = FailScenario::setup();
    for (point, worked) in [("job::claimed", 0), ("job::done_not_reported", 1)] {
        let (rig, schedules) = due().await;
        rig.planner(schedules).step().await.unwrap();
        dies_at(point, rig.worker([easy("easy")])).await;
        let run = rig.only_run().await;
        assert_eq!((run.state.as_str(), run.attempts), ("running", 1), "{point}");
        let attempts = |lines: Vec<String>| lines.iter().filter(|line| line.starts_with("attempt")).count();
        assert_eq!(attempts(rig.lines(run.run_id).await), worked, "{point}");
        let mut next = rig.worker([easy("easy")]);
        assert_eq!(work_off(&mut next).await, 0, "{point}: its lease runs");
        rig.lease_over().await;
        assert_eq!(work_off(&mut next).await, 1, "{point}");
        let after = rig.only_run().await;
        assert_eq!((after.state.as_str(), after.attempts), ("done", 2), "{point}");
        assert_eq!(
            attempts(rig.lines(run.run_id).await),
            worked + 1,
            "{point}: at least once"
        );
    }
    scenario.teardown();
}

#[tokio::test]
async fn v13_dying_while_a_run_over_its_time_is_killed_leaves_it_to_the_next_look() {
    let scenario = FailScenario::setup();
    let rig = Rig::at(MONDAY).await;
    let limit = NewSchedule {
        time_limit: Some((std::time::Duration::from_secs(60), OverTime::Kill)),
        ..schedule("easy", "by hand")
    };
    rig.due_with(&limit).await;
    dies_at("job::claimed", rig.worker([easy("easy")])).await;
    rig.pass(2, 0).await;
    dies_at("job::over_time", rig.planner(vec![limit.clone()])).await;
    assert_eq!(rig.states().await, ["running"]);
    assert_eq!(rig.alerts().await, [], "nothing half");
    rig.planner(vec![limit]).step().await.unwrap();
    assert_eq!(rig.states().await, ["waiting"]);
    assert_eq!(rig.alerts().await.len(), 1);
    scenario.teardown();
}
