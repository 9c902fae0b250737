//! What an operator does to schedules.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::step::{Progress, Step};
use scheduler::engine::desk::{self, DeskError};
use serde_json::json;

use super::rig::{Rig, easy, job, schedule, work_off};

const MONDAY: &str = "2026-11-23T15:00:30Z";

#[tokio::test]
async fn a_run_by_hand_has_the_operators_arguments_over_its_schedules_own() {
    let rig = Rig::at(MONDAY).await;
    let mut with = schedule("fees", "close");
    with.arguments = json!({"mode": "all", "date": "2026-11-20"});
    rig.planner(vec![with]).step().await.unwrap();
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let named = json!({"date": "2026-11-19"}).as_object().unwrap().clone();
    let id = desk::run_by_hand(&mut conn, rig.ids.uuid(), "fees", &named)
        .await
        .unwrap();
    let fees = job("fees", |run| async move {
        assert_eq!(run.arguments(), &json!({"mode": "all", "date": "2026-11-19"}));
        Ok(scheduler::engine::Done::Finished(run.date()?.to_string()))
    });
    work_off(&mut rig.worker([fees])).await;
    let run = desk::run(&mut conn, id).await.unwrap().unwrap();
    assert_eq!(run.outcome.as_deref(), Some("2026-11-19"));
    let none = json!({}).as_object().unwrap().clone();
    let unknown = desk::run_by_hand(&mut conn, rig.ids.uuid(), "feast", &none).await;
    assert!(matches!(unknown, Err(DeskError::NoSchedule(_))));
}

#[tokio::test]
async fn a_paused_schedule_rests_but_for_what_is_asked_by_hand_and_makes_up_for_it_by_policy() {
    let rig = Rig::at(MONDAY).await;
    let mut planner = rig.planner(vec![schedule("a", "* * * * *")]);
    planner.step().await.unwrap();
    rig.pass(1, 0).await;
    planner.step().await.unwrap();
    let mut conn = rig.db.pool.acquire().await.unwrap();
    assert!(desk::pause(&mut conn, "a").await.unwrap());
    assert!(!desk::pause(&mut conn, "a").await.unwrap());
    rig.pass(3, 0).await;
    planner.step().await.unwrap();
    let mut worker = rig.worker([easy("a")]);
    assert_eq!(
        worker.step().await.unwrap(),
        Progress::Idle,
        "what waited goes on waiting"
    );
    let none = json!({}).as_object().unwrap().clone();
    desk::run_by_hand(&mut conn, rig.ids.uuid(), "a", &none).await.unwrap();
    assert_eq!(work_off(&mut worker).await, 1);
    assert!(desk::resume(&mut conn, "a").await.unwrap());
    planner.step().await.unwrap();
    assert_eq!(work_off(&mut worker).await, 4, "one of before, three of the pause");
}

#[tokio::test]
async fn an_operator_adds_and_removes_schedules_of_known_kinds() {
    let rig = Rig::at(MONDAY).await;
    let mut planner = rig.planner(vec![schedule("a", "by hand")]);
    planner.step().await.unwrap();
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let mut once = schedule("a", "at 2026-11-23T15:05:00Z");
    once.name = "once".to_owned();
    desk::add(&mut conn, &once).await.unwrap();
    assert!(matches!(desk::add(&mut conn, &once).await, Err(DeskError::Taken(_))));
    assert!(matches!(
        desk::add(&mut conn, &schedule("b", "close")).await,
        Err(DeskError::NoKind(..))
    ));
    let mut over = schedule("a", "at 2026-11-23T15:00:00Z");
    over.name = "over".to_owned();
    assert!(matches!(desk::add(&mut conn, &over).await, Err(DeskError::Over(_))));
    assert!(matches!(
        desk::remove(&mut conn, "a").await,
        Err(DeskError::Configured(_))
    ));
    rig.pass(5, 0).await;
    planner.step().await.unwrap();
    assert_eq!(rig.ticks().await, ["15:05"]);
    desk::remove(&mut conn, "once").await.unwrap();
    assert_eq!(rig.states().await, ["withdrawn"]);
    assert_eq!(work_off(&mut rig.worker([easy("a")])).await, 0);
    assert!(matches!(
        desk::remove(&mut conn, "once").await,
        Err(DeskError::NoSchedule(_))
    ));
    let left = desk::schedules(&mut conn).await.unwrap();
    assert_eq!(left.len(), 1, "a restart brings back only its own");
}

#[tokio::test]
async fn the_history_is_read_page_by_page() {
    let rig = Rig::at(MONDAY).await;
    let mut planner = rig.planner(vec![schedule("a", "* * * * *")]);
    planner.step().await.unwrap();
    rig.pass(5, 0).await;
    planner.step().await.unwrap();
    work_off(&mut rig.worker([easy("a")])).await;
    let mut conn = rig.db.pool.acquire().await.unwrap();
    let first = desk::runs(&mut conn, "a", None, 3).await.unwrap();
    let rest = desk::runs(&mut conn, "a", Some(first[2].tick), 3).await.unwrap();
    let ticks: Vec<String> = first
        .iter()
        .chain(&rest)
        .map(|run| run.tick.format("%M").to_string())
        .collect();
    assert_eq!(ticks, ["05", "04", "03", "02", "01"]);
    let lines = desk::lines(&mut conn, first[0].run_id, 0, 1).await.unwrap();
    let more = desk::lines(&mut conn, first[0].run_id, lines[0].line_id, 10)
        .await
        .unwrap();
    assert_eq!(
        (lines[0].line.as_str(), more[0].line.as_str()),
        ("attempt 1", "done: all of it")
    );
}
