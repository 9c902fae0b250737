//! Ticks to runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::step::Step;
use scheduler::engine::{Missed, NewSchedule};

use super::rig::{Rig, easy, schedule, work_off};

const MONDAY: &str = "2026-11-23T15:00:30Z";

/// sched::tick_seen: two planners see the same tick.
#[tokio::test]
async fn v13_two_schedulers_at_once_make_one_run_of_a_tick() {
    let rig = Rig::at(MONDAY).await;
    let every_minute = || vec![schedule("a", "* * * * *"), schedule("b", "* * * * *")];
    let (mut first, mut second) = (rig.planner(every_minute()), rig.planner(every_minute()));
    for _ in 0..5 {
        let (one, other) = tokio::join!(first.step(), second.step());
        one.unwrap();
        other.unwrap();
        rig.pass(1, 0).await;
    }
    first.step().await.unwrap();
    assert_eq!(rig.runs().await.len(), 10);
}

#[tokio::test]
async fn cal_2_on_a_half_day_ten_minutes_after_the_close_is_ten_past_one() {
    let rig = Rig::at("2026-11-27T18:09:00Z").await;
    let mut planner = rig.planner(vec![schedule("end-of-day", "close + 10m")]);
    planner.step().await.unwrap();
    assert_eq!(rig.runs().await, [], "13:09 in New York");
    rig.pass(1, 1).await;
    planner.step().await.unwrap();
    assert_eq!(rig.ticks().await, ["18:10"]);
    let date: chrono::NaiveDate = sqlx::query_scalar("select session_date from job_runs")
        .fetch_one(&rig.db.pool)
        .await
        .unwrap();
    assert_eq!(date.to_string(), "2026-11-27");
}

/// sched::missed_ticks: nobody planned for an hour.
#[tokio::test]
async fn v13_ticks_missed_while_nobody_planned_run_by_policy() {
    let rig = Rig::at("2026-11-23T15:01:00Z").await;
    let with = |name: &'static str, missed| NewSchedule {
        missed,
        ..schedule(name, "*/15 * * * *")
    };
    let schedules = vec![
        with("each", Missed::Each),
        with("last", Missed::Last),
        with("skip", Missed::Skip),
    ];
    let mut planner = rig.planner(schedules);
    planner.step().await.unwrap();
    rig.pass(61, 0).await;
    planner.step().await.unwrap();
    let of = |name: &str, runs: &[super::rig::Row]| runs.iter().filter(|run| run.schedule == name).count();
    let runs = rig.runs().await;
    assert_eq!((of("each", &runs), of("last", &runs), of("skip", &runs)), (4, 1, 0));
    rig.pass(13, 0).await;
    planner.step().await.unwrap();
    let runs = rig.runs().await;
    assert_eq!(
        (of("each", &runs), of("last", &runs), of("skip", &runs)),
        (5, 2, 1),
        "16:15 came in time"
    );
    let mut worker = rig.worker([easy("each"), easy("last"), easy("skip")]);
    assert_eq!(work_off(&mut worker).await, 8);
}

/// sched::missed_ticks: the clock jumps by ten minutes, forth and back.
#[tokio::test]
async fn v13_a_clock_that_jumps_ten_minutes_either_way_gives_each_tick_once() {
    let rig = Rig::at(MONDAY).await;
    let mut planner = rig.planner(vec![schedule("a", "*/5 * * * *"), schedule("b", "open + 40m")]);
    planner.step().await.unwrap();
    for jump in [10, -10, 6, -10, 10, 6] {
        rig.pass(jump, 0).await;
        planner.step().await.unwrap();
    }
    assert_eq!(rig.ticks().await, ["15:05", "15:10", "15:10"], "the clock shows 15:12");
}

#[tokio::test]
async fn a_schedule_that_nobody_can_read_is_an_alert_and_stops_no_other() {
    let rig = Rig::at(MONDAY).await;
    let mut planner = rig.planner(vec![schedule("a", "* * * * *"), schedule("b", "* * * * *")]);
    planner.step().await.unwrap();
    let set = |spec: &'static str| sqlx::query("update job_schedules set spec = $1 where name = 'a'").bind(spec);
    set("at noon").execute(&rig.db.pool).await.unwrap();
    for _ in 0..2 {
        rig.pass(1, 0).await;
        planner.step().await.unwrap();
    }
    assert_eq!(
        rig.alerts().await,
        [("schedule_unplannable".to_owned(), "a".to_owned())]
    );
    assert!(rig.runs().await.iter().all(|run| run.schedule == "b"));
    set("* * * * *").execute(&rig.db.pool).await.unwrap();
    planner.step().await.unwrap();
    assert_eq!(rig.alerts().await, []);
    assert_eq!(rig.runs().await.len(), 4, "what was missed meanwhile runs, too");
}

#[tokio::test]
async fn the_configuration_renews_its_schedules_and_leaves_the_others() {
    let rig = Rig::at(MONDAY).await;
    rig.planner(vec![schedule("a", "* * * * *"), schedule("old", "* * * * *")])
        .step()
        .await
        .unwrap();
    sqlx::query("insert into job_schedules select 'mine', job, spec, 'api', arguments, missed, attempts_max, time_limit_ms, over_time, since, planned_to from job_schedules where name = 'a'")
        .execute(&rig.db.pool)
        .await
        .unwrap();
    rig.pass(10, 0).await;
    let mut planner = rig.planner(vec![schedule("a", "*/2 * * * *")]);
    planner.step().await.unwrap();
    let names: Vec<(String, String)> = sqlx::query_as("select name, spec from job_schedules order by name")
        .fetch_all(&rig.db.pool)
        .await
        .unwrap();
    let pairs = [("a", "*/2 * * * *"), ("mine", "* * * * *")].map(|(name, spec)| (name.to_owned(), spec.to_owned()));
    assert_eq!(names, pairs);
    let runs = rig.runs().await;
    assert_eq!(
        runs.iter().filter(|run| run.schedule == "a").count(),
        0,
        "a time that changed counts from now"
    );
}

/// While a new version is rolled out, a process of the old one may start again.
#[tokio::test]
async fn an_older_program_that_starts_again_leaves_a_newer_ones_schedules_alone() {
    let rig = Rig::at(MONDAY).await;
    let names = || async {
        let names: Vec<String> = sqlx::query_scalar("select name || ' ' || spec from job_schedules order by name")
            .fetch_all(&rig.db.pool)
            .await
            .unwrap();
        names.join(", ")
    };
    let older = || rig.planner_of(1, vec![schedule("a", "0 * * * *"), schedule("dropped", "open")]);
    let newer = || rig.planner_of(2, vec![schedule("a", "5 * * * *"), schedule("b", "close")]);
    older().step().await.unwrap();
    assert_eq!(names().await, "a 0 * * * *, dropped open");
    newer().step().await.unwrap();
    older().step().await.unwrap();
    assert_eq!(names().await, "a 5 * * * *, b close");
    newer().step().await.unwrap();
    assert_eq!(names().await, "a 5 * * * *, b close");
}

#[tokio::test]
async fn an_installation_has_its_housekeeping() {
    let (db, deps) = crate::deps().await;
    let shutdown = chassis::shutdown::Shutdown::new();
    let running = tokio::spawn(scheduler::run(scheduler::Config::default(), deps, shutdown.clone()));
    let there = || async {
        let found: i64 = sqlx::query_scalar("select count(*) from job_schedules where next_tick is not null")
            .fetch_one(&db.pool)
            .await
            .unwrap();
        found > 0
    };
    testkit::wait_until("a schedule", super::rig::PATIENCE, there).await;
    shutdown.begin();
    running.await.unwrap();
}
