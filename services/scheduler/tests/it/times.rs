//! Orders whose time comes: the check before the bell, the bell, deadlines, and the watch over ends of days.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use chassis::step::Step;
use domain::calendar::{Calendar, Exception};
use domain::{AccountId, Symbol};
use risk::desk::Restriction;
use scheduler::deadlines::{self, Deadlines};
use scheduler::engine::{Done, Job, Run};
use scheduler::jobs::end_of_day::{self, Watch};
use scheduler::jobs::release::{Collar, RECHECK, RESUME, Recheck, Resume, SubmitCheck};
use serde_json::{Value, json};
use sessions::Sessions;
use sqlx::AssertSqlSafe;
use testkit::TestDb;
use uuid::Uuid;
use venue::fake::FakeVenue;

use crate::sweep::{asked, open_order};

type Deps = Arc<scheduler::Deps<FakeVenue>>;

/// At the NYSE; the database shows `now`.
async fn at(now: &str, calendar: Calendar) -> (TestDb, Deps) {
    let (db, deps) = crate::deps().await;
    let deps = scheduler::Deps {
        sessions: Sessions::fixed(calendar),
        ..deps
    };
    set(&db, now).await;
    (db, Arc::new(deps))
}

async fn set(db: &TestDb, now: &str) {
    sql(
        db,
        &format!("update db_clock set clock_offset = clock_offset + ('{now}' - daybook_now())"),
    )
    .await;
}

async fn sql(db: &TestDb, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&db.pool)
        .await
        .unwrap();
}

async fn text(db: &TestDb, query: &str) -> String {
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
        .fetch_all(&db.pool)
        .await
        .unwrap();
    rows.join("\n")
}

/// An account, an asset and a quote of 100 for what [`open_order`] puts there.
async fn a_market(db: &TestDb) {
    let account = Uuid::from_u128(1);
    sql(
        db,
        &format!(
            "insert into accounts (account_id, account_number, name, created_at) values ('{account}', '1', 'Ada', daybook_now());
             insert into assets values ('{account}', 'AAPL', 'Apple', 'NASDAQ', 'active', true, false, daybook_now());
             insert into last_quotes values ('AAPL', 99, 101, daybook_now(), daybook_now())"
        ),
    )
    .await;
}

async fn run(db: &TestDb, schedule: &str, date: &str) -> Run {
    Run::begin(&db.pool, Uuid::from_u128(99), schedule, json!({"date": date}))
        .await
        .unwrap()
}

async fn rejected(db: &TestDb) -> String {
    let payloads = text(
        db,
        "select payload from outbox where kind = 'reject_requested.v1' order by id",
    )
    .await;
    let reasons = payloads.lines().map(|payload| {
        let event: Value = serde_json::from_str(payload).unwrap();
        event["reason"].as_str().unwrap().to_owned()
    });
    reasons.collect::<Vec<_>>().join("; ")
}

const BEFORE_THE_BELL: &str = "2026-11-23T14:25:00Z";

#[tokio::test]
async fn tif_7_queued_orders_that_may_not_go_are_rejected_before_the_bell_and_only_those() {
    let (db, deps) = at(BEFORE_THE_BELL, Calendar::nyse()).await;
    a_market(&db).await;
    open_order(&db.pool, 1, "1 hour", "").await;
    open_order(&db.pool, 2, "1 hour", "limit_price = 110.01").await;
    open_order(&db.pool, 3, "1 hour", "limit_price = 5.001").await;
    open_order(&db.pool, 4, "1 hour", "limit_price = 110.01, status = 'new'").await;
    open_order(
        &db.pool,
        5,
        "1 hour",
        "limit_price = 110.01, cancel_requested_at = daybook_now()",
    )
    .await;
    let at_the_market = "order_type = 'market', limit_price = 110.01";
    open_order(&db.pool, 6, "1 hour", at_the_market).await;
    let job = Recheck::new(Collar::default(), deps);
    let run = run(&db, RECHECK, "2026-11-23").await;
    let done = job.run(&run).await.unwrap();
    assert_eq!(done, Done::Finished("4 queued orders checked, 2 rejected".to_owned()));
    assert_eq!(
        rejected(&db).await,
        "the limit price 110.01 is more than 10 % above the last price of 100; \
         the limit price 5.001 is finer than the market's price steps"
    );
    let statuses = text(&db, "select distinct status from orders order by 1").await;
    assert_eq!(statuses, "accepted\nnew", "a job moves no order");
}

#[tokio::test]
async fn tif_7_each_thing_that_changed_over_night_counts() {
    for (change, why) in [
        (
            "update accounts set trading_blocked = true",
            "trading is blocked for the account",
        ),
        (
            "update assets set tradable = false",
            "AAPL cannot be traded at the moment",
        ),
        (
            "update assets set status = 'inactive'",
            "AAPL cannot be traded at the moment",
        ),
        (
            "delete from last_quotes; delete from assets",
            "AAPL cannot be traded at the moment",
        ),
        ("delete from last_quotes", ""),
    ] {
        let (db, deps) = at(BEFORE_THE_BELL, Calendar::nyse()).await;
        a_market(&db).await;
        open_order(&db.pool, 1, "1 hour", "limit_price = 500").await;
        sql(&db, "update last_quotes set bid = 499, ask = 501").await;
        sql(&db, change).await;
        let run = run(&db, RECHECK, "2026-11-23").await;
        Recheck::new(Collar::default(), deps).run(&run).await.unwrap();
        assert_eq!(rejected(&db).await, why, "{change}");
    }
}

#[tokio::test]
async fn tif_7_what_nobody_may_trade_any_more_does_not_go_at_the_bell() {
    let (db, deps) = at(BEFORE_THE_BELL, Calendar::nyse()).await;
    a_market(&db).await;
    open_order(&db.pool, 1, "1 hour", "").await;
    let restriction = Restriction {
        symbol: Symbol::parse("AAPL").unwrap(),
        account: Some(AccountId::new(Uuid::from_u128(1))),
        reason: "a test".to_owned(),
        added_by: "ada".to_owned(),
        added_at: testkit::start_of_time(),
    };
    let mut conn = db.pool.acquire().await.unwrap();
    risk::desk::restrict(&mut conn, &restriction).await.unwrap();
    let run = run(&db, RECHECK, "2026-11-23").await;
    Recheck::new(Collar::default(), deps).run(&run).await.unwrap();
    assert_eq!(rejected(&db).await, "trading in AAPL is restricted");
}

#[tokio::test]
async fn tif_7_orders_with_a_time_of_their_own_are_checked_shortly_before_it() {
    let (db, deps) = at("2026-11-23T16:00:00Z", Calendar::nyse()).await;
    a_market(&db).await;
    let too_high = |time: &str| format!("submit_at = '2026-11-23T{time}Z', limit_price = 110.01");
    open_order(&db.pool, 1, "1 hour", &too_high("16:00:20")).await;
    open_order(
        &db.pool,
        2,
        "1 hour",
        "submit_at = '2026-11-23T16:00:20Z', limit_price = 110",
    )
    .await;
    open_order(&db.pool, 3, "1 hour", &too_high("16:05:00")).await;
    open_order(&db.pool, 4, "1 hour", &too_high("16:20:00")).await;
    open_order(&db.pool, 5, "1 hour", "limit_price = 110.01").await;
    let mut check = SubmitCheck::new(Collar::default(), deps);
    let refused = async || {
        let ids = "select order_id::text from outbox where kind = 'reject_requested.v1' order by id";
        let ids = text(&db, ids).await;
        ids.lines()
            .map(|id| id.parse::<Uuid>().unwrap().as_u128())
            .collect::<Vec<_>>()
    };
    for (now, so_far) in [
        ("2026-11-23T16:00:00Z", vec![1]),
        ("2026-11-23T16:04:29Z", vec![1]),
        ("2026-11-23T16:04:31Z", vec![1, 3]),
        // A clock that jumps passes nobody over.
        ("2026-11-23T16:30:00Z", vec![1, 3, 4]),
        ("2026-11-23T16:30:05Z", vec![1, 3, 4]),
    ] {
        set(&db, now).await;
        check.step().await.unwrap();
        assert_eq!(refused().await, so_far, "{now}");
    }
}

#[tokio::test]
async fn orders_whose_day_was_over_go_on_at_the_bell() {
    let (db, deps) = at("2026-11-23T14:30:00Z", Calendar::nyse()).await;
    let resting = open_order(&db.pool, 1, "1 day", "status = 'done_for_day'").await;
    open_order(&db.pool, 2, "1 day", "status = 'new'").await;
    let run = run(&db, RESUME, "2026-11-23").await;
    let job = Resume::new(deps);
    assert!(
        matches!(job.run(&run).await.unwrap(), Done::Again { .. }),
        "what was told late may be heard late"
    );
    let told = text(
        &db,
        "select order_id || ' ' || payload from outbox where topic = 'venue-reports'",
    )
    .await;
    assert!(
        told.starts_with(&resting.to_string()) && told.lines().count() == 1,
        "{told}"
    );
    assert!(
        told.contains("\"resumed\"") && told.contains("\"end_of_day\""),
        "{told}"
    );
    sql(&db, "update orders set status = 'new'").await;
    set(&db, "2026-11-23T14:31:01Z").await;
    assert!(matches!(job.run(&run).await.unwrap(), Done::Finished(_)));
}

/// A status-updater that is behind has it all in the log: telling it again and again would bury what else is there.
#[tokio::test]
async fn orders_that_nobody_hears_are_told_a_few_times_and_no_more() {
    let (db, deps) = at("2026-11-23T14:30:00Z", Calendar::nyse()).await;
    open_order(&db.pool, 1, "1 day", "status = 'done_for_day'").await;
    let run = run(&db, RESUME, "2026-11-23").await;
    let job = Resume::new(deps);
    let mut looks = 1;
    while let Done::Again { at, .. } = job.run(&run).await.unwrap() {
        set(&db, &at.to_rfc3339()).await;
        looks += 1;
        assert!(looks < 10, "it comes to an end");
    }
    let told = text(&db, "select payload from outbox where topic = 'venue-reports'").await;
    assert_eq!(told.lines().count(), looks);
    assert!(looks <= 5, "{looks} times");
}

/// A run that comes late, after the close, would wake what the end of the day has put to rest.
#[tokio::test]
async fn nothing_goes_on_after_the_close() {
    let (db, deps) = at("2026-11-23T22:00:00Z", Calendar::nyse()).await;
    open_order(&db.pool, 1, "1 day", "status = 'done_for_day'").await;
    let run = run(&db, RESUME, "2026-11-23").await;
    assert!(matches!(Resume::new(deps).run(&run).await.unwrap(), Done::Finished(_)));
    assert_eq!(
        text(&db, "select payload from outbox where topic = 'venue-reports'").await,
        ""
    );
}

/// TIF-2, TIF-5: what is due by its own time is asked to end once, whatever happens to the clock.
#[tokio::test]
async fn tif_5_an_order_is_asked_to_end_when_its_time_comes_and_once() {
    let (db, deps) = at("2026-11-23T15:00:00Z", Calendar::nyse()).await;
    for (n, expires_at) in [(1, "2026-11-23T16:00:00Z"), (2, "2026-11-23T17:00:00Z")] {
        let order = open_order(&db.pool, n, "1 minute", "").await;
        sql(
            &db,
            &format!("update open_orders set expires_at = '{expires_at}' where order_id = '{order}'"),
        )
        .await;
    }
    let mut loop_ = Deadlines::new(deadlines::Settings::default(), deps);
    for (now, due) in [
        ("2026-11-23T15:59:59Z", 0),
        ("2026-11-23T16:00:00Z", 1),
        ("2026-11-23T16:10:00Z", 1),
        ("2026-11-23T15:00:00Z", 1),
        ("2026-11-23T17:00:00Z", 2),
    ] {
        set(&db, now).await;
        for _ in 0..3 {
            loop_.step().await.unwrap();
        }
        assert_eq!(asked(&db.pool).await.len(), due, "at {now}");
    }
    let wishes = text(
        &db,
        "select count(*)::text from orders where expire_requested_at is not null",
    )
    .await;
    assert_eq!(wishes, "2");
}

async fn alerts(db: &TestDb) -> String {
    text(
        db,
        "select kind || ' ' || subject from operator_alerts where cleared_at is null order by 1",
    )
    .await
}

async fn schedule(db: &TestDb) {
    sql(
        db,
        "insert into job_schedules (name, job, spec, made_by, missed, attempts_max, over_time, since, planned_to)
         values ('end-of-day', 'end-of-day', 'close', 'configuration', 'each', 5, 'alert', daybook_now(), daybook_now())",
    )
    .await;
}

/// SAGA 25: five minutes after the close nobody has begun; an alert, and it is begun from the watchdog, once.
#[tokio::test]
async fn saga_25_an_end_of_day_that_has_not_begun_is_told_and_begun() {
    let (db, deps) = at("2026-11-23T20:00:00Z", Calendar::nyse()).await;
    schedule(&db).await;
    let order = open_order(&db.pool, 1, "1 hour", "time_in_force = 'day'").await;
    sql(
        &db,
        &format!("update open_orders set time_in_force = 'day' where order_id = '{order}'"),
    )
    .await;
    let mut watch = Watch::new(end_of_day::Settings::default(), deps);
    for (now, alert, runs) in [
        ("2026-11-23T21:04:59Z", "", "0"),
        ("2026-11-23T21:05:00Z", "eod_missed 2026-11-23", "1"),
        ("2026-11-23T21:06:00Z", "eod_missed 2026-11-23", "1"),
    ] {
        set(&db, now).await;
        watch.step().await.unwrap();
        assert_eq!(alerts(&db).await, alert, "at {now}");
        assert_eq!(text(&db, "select count(*)::text from job_runs").await, runs, "at {now}");
    }
    assert_eq!(
        text(&db, "select arguments ->> 'date' from job_runs").await,
        "2026-11-23"
    );
}

/// An operator's pause is kept: nobody begins the end of the day, and somebody is told, until it was begun by hand or goes on.
#[tokio::test]
async fn eod_1_an_end_of_day_that_an_operator_paused_is_told_and_not_begun() {
    let (db, deps) = at("2026-11-23T20:00:00Z", Calendar::nyse()).await;
    schedule(&db).await;
    sql(&db, "update job_schedules set paused_at = daybook_now()").await;
    let order = open_order(&db.pool, 1, "1 hour", "time_in_force = 'day'").await;
    sql(
        &db,
        &format!("update open_orders set time_in_force = 'day' where order_id = '{order}'"),
    )
    .await;
    let mut watch = Watch::new(end_of_day::Settings::default(), deps);
    for (now, alert) in [
        ("2026-11-23T21:04:59Z", ""),
        ("2026-11-23T21:05:00Z", "eod_paused 2026-11-23"),
        ("2026-11-23T21:30:00Z", "eod_paused 2026-11-23"),
    ] {
        set(&db, now).await;
        watch.step().await.unwrap();
        assert_eq!(alerts(&db).await, alert, "at {now}");
        assert_eq!(text(&db, "select count(*)::text from job_runs").await, "0", "at {now}");
    }
    sql(&db, "update job_schedules set paused_at = null").await;
    watch.step().await.unwrap();
    assert_eq!(alerts(&db).await, "eod_missed 2026-11-23");
    assert_eq!(text(&db, "select count(*)::text from job_runs").await, "1");
}

/// CAL-4: no session ticks for a day that was taken away; its orders have an end of day all the same, at its usual close.
#[tokio::test]
async fn cal_4_the_end_of_a_session_that_was_taken_away_is_begun_without_an_alert() {
    let closed = Calendar::nyse().with_exceptions([("2026-11-23".parse().unwrap(), Exception::Closed)]);
    let (db, deps) = at("2026-11-23T20:59:59Z", closed).await;
    schedule(&db).await;
    let order = open_order(&db.pool, 1, "1 hour", "time_in_force = 'day'").await;
    sql(
        &db,
        &format!("update open_orders set time_in_force = 'day' where order_id = '{order}'"),
    )
    .await;
    let mut watch = Watch::new(end_of_day::Settings::default(), deps);
    watch.step().await.unwrap();
    assert_eq!(text(&db, "select count(*)::text from job_runs").await, "0");
    set(&db, "2026-11-23T21:00:00Z").await;
    watch.step().await.unwrap();
    assert_eq!(
        text(&db, "select arguments ->> 'date' from job_runs").await,
        "2026-11-23"
    );
    assert_eq!(alerts(&db).await, "");
}

/// EOD-1: each part that is late is an alert of its own, and clears when it is done.
#[tokio::test]
async fn eod_1_a_part_that_is_late_is_an_alert_until_it_is_done() {
    let (db, deps) = at("2026-11-23T21:00:00Z", Calendar::nyse()).await;
    sql(
        &db,
        "insert into eod_dates (business_date, calendar, close_at, begun_at) values ('2026-11-23', 'nyse', '2026-11-23T21:00:00Z', daybook_now())",
    )
    .await;
    let mut watch = Watch::new(end_of_day::Settings::default(), deps);
    for (now, expected) in [
        ("2026-11-23T21:29:00Z", ""),
        ("2026-11-23T21:31:00Z", "eod_late 2026-11-23 orders"),
        (
            "2026-11-23T23:01:00Z",
            "eod_late 2026-11-23 orders\neod_late 2026-11-23 proof",
        ),
        (
            "2026-11-24T01:31:00Z",
            "eod_late 2026-11-23 date\neod_late 2026-11-23 orders\neod_late 2026-11-23 proof",
        ),
    ] {
        set(&db, now).await;
        watch.step().await.unwrap();
        assert_eq!(alerts(&db).await, expected, "at {now}");
    }
    sql(
        &db,
        "insert into eod_steps (business_date, step, begun_at, done_at) select '2026-11-23', n, daybook_now(), daybook_now()
           from generate_series(1, 10) n",
    )
    .await;
    watch.step().await.unwrap();
    assert_eq!(alerts(&db).await, "eod_late 2026-11-23 date");
    let late = watch.late();
    assert_eq!(late.keys().copied().collect::<Vec<_>>(), ["date", "orders", "proof"]);
    // The database's clock goes on while the test looks.
    assert!((60..600).contains(&late["date"]), "{late:?}");
    assert_eq!((late["orders"], late["proof"]), (0, 0));
    sql(&db, "update eod_dates set state = 'closed', closed_at = daybook_now()").await;
    watch.step().await.unwrap();
    assert!(
        watch.late().is_empty(),
        "a date that is closed is late no more: {:?}",
        watch.late()
    );
}
