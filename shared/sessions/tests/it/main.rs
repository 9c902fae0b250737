//! Exceptions and sessions against a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{NaiveDate, NaiveTime};
use db::PgConnection;
use domain::calendar::{Calendar, Exception, SessionDate};
use sessions::{ExceptionRow, SessionRow, Sessions};
use testkit::{TestDb, start_of_time};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn row(date: &str, exception: Exception) -> ExceptionRow {
    ExceptionRow {
        day: day(date),
        exception,
        reason: "a storm".to_owned(),
        added_by: "test".to_owned(),
        added_at: start_of_time(),
    }
}

fn two_o_clock() -> Exception {
    Exception::ClosesAt(NaiveTime::from_hms_opt(14, 0, 0).unwrap())
}

/// What the table says of these days, `2026-12-02 14:30-19:00 settles 2026-12-03 limit`, in UTC.
async fn listed(conn: &mut PgConnection, calendar: &Calendar, from: &str, to: &str) -> Vec<String> {
    let rows = sessions::list(conn, calendar, day(from), day(to)).await.unwrap();
    let told = |row: SessionRow| {
        let (opens, closes) = (row.opens_at.format("%H:%M"), row.closes_at.format("%H:%M"));
        let types = row.order_types.join(" ");
        format!(
            "{} {opens}-{closes} settles {} {types}",
            row.session_date, row.settle_date
        )
    };
    rows.into_iter().map(told).collect()
}

#[tokio::test]
async fn cal_4_an_exception_is_in_force_with_the_next_refresh_and_gone_with_the_one_after_it_went() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let sessions = Sessions::fixed(Calendar::nyse());
    let other = sessions.clone();
    assert!(!sessions.refresh(&mut conn).await.unwrap());
    sessions::put(&mut conn, &row("2026-12-01", Exception::Closed))
        .await
        .unwrap();
    sessions::put(&mut conn, &row("2026-12-02", two_o_clock()))
        .await
        .unwrap();
    let before = other.calendar();
    assert!(sessions.refresh(&mut conn).await.unwrap());
    assert_eq!(*before, Calendar::nyse(), "what a request has taken does not change");
    let bounds = |date| other.calendar().session_bounds(SessionDate::new(day(date)));
    assert_eq!(bounds("2026-12-01"), None);
    assert_eq!(
        bounds("2026-12-02").unwrap().1.to_rfc3339(),
        "2026-12-02T19:00:00+00:00"
    );
    assert!(!sessions.refresh(&mut conn).await.unwrap());
    for date in ["2026-12-01", "2026-12-02"] {
        sessions::remove(&mut conn, day(date)).await.unwrap();
    }
    assert!(sessions.refresh(&mut conn).await.unwrap());
    assert_eq!(*other.calendar(), Calendar::nyse());
}

#[tokio::test]
async fn an_exception_replaces_the_earlier_one_of_its_day() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    sessions::put(&mut conn, &row("2026-12-01", Exception::Closed))
        .await
        .unwrap();
    sessions::put(&mut conn, &row("2026-12-01", two_o_clock()))
        .await
        .unwrap();
    assert_eq!(
        sessions::load(&mut conn).await.unwrap(),
        [row("2026-12-01", two_o_clock())]
    );
}

#[tokio::test]
async fn cal_7_the_table_holds_every_session_of_both_calendars_and_a_second_pass_changes_nothing() {
    let db = TestDb::new().await;
    let mut conn = db::begin(&db.pool).await.unwrap();
    assert_eq!(sessions::sync(&mut conn).await.unwrap(), 2_261 + 3_288);
    assert_eq!(sessions::sync(&mut conn).await.unwrap(), 0);
    let nyse = listed(&mut conn, &Calendar::nyse(), "2026-11-25", "2026-11-29").await;
    let expected = [
        "2026-11-25 14:30-21:00 settles 2026-11-27 limit",
        "2026-11-27 14:30-18:00 settles 2026-11-30 limit",
    ];
    assert_eq!(nyse, expected);
    let always = listed(&mut conn, &Calendar::always_open(), "2026-11-29", "2026-11-29").await;
    assert_eq!(always, ["2026-11-29 05:00-04:59 settles 2026-11-30 limit"]);
    let last = listed(&mut conn, &Calendar::nyse(), "2028-12-29", "2029-12-31").await;
    assert_eq!(last, ["2028-12-29 14:30-21:00 settles 2029-01-02 limit"]);
}

#[tokio::test]
async fn cal_7_the_table_follows_each_exception_and_its_end() {
    let db = TestDb::new().await;
    let mut conn = db::begin(&db.pool).await.unwrap();
    sessions::sync(&mut conn).await.unwrap();
    let nyse = Calendar::nyse();
    let usual = listed(&mut conn, &nyse, "2026-12-01", "2026-12-02").await;
    sessions::put(&mut conn, &row("2026-12-01", Exception::Closed))
        .await
        .unwrap();
    sessions::put(&mut conn, &row("2026-12-02", two_o_clock()))
        .await
        .unwrap();
    assert_eq!(sessions::sync(&mut conn).await.unwrap(), 4, "two days of two calendars");
    let changed = listed(&mut conn, &nyse, "2026-12-01", "2026-12-02").await;
    assert_eq!(changed, ["2026-12-02 14:30-19:00 settles 2026-12-03 limit"]);
    for date in ["2026-12-01", "2026-12-02"] {
        sessions::remove(&mut conn, day(date)).await.unwrap();
    }
    assert_eq!(sessions::sync(&mut conn).await.unwrap(), 4);
    assert_eq!(listed(&mut conn, &nyse, "2026-12-01", "2026-12-02").await, usual);
}
