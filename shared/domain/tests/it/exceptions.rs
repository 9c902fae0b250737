//! Days that are not as the rule says: closed, or closed early (CAL-4), announced before or during them.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{NaiveDate, NaiveTime};
use domain::Timestamp;
use domain::calendar::{Calendar, Exception, SessionDate};
use rstest::rstest;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn session(text: &str) -> SessionDate {
    SessionDate::new(day(text))
}

/// A time in UTC, `2026-03-06 14:30:00`.
fn utc(text: &str) -> Timestamp {
    format!("{}Z", text.replace(' ', "T")).parse().unwrap()
}

fn closed(calendar: Calendar, date: &str) -> Calendar {
    calendar.with_exceptions([(day(date), Exception::Closed)])
}

/// `early(calendar, "2026-12-01", "14:00")`, in New York.
fn early(calendar: Calendar, date: &str, time: &str) -> Calendar {
    let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
    calendar.with_exceptions([(day(date), Exception::ClosesAt(time))])
}

#[test]
fn cal_4_a_closure_announced_today_ends_todays_orders_at_the_usual_close_and_queues_new_ones() {
    let (now, today) = (utc("2026-11-20 15:00:00"), session("2026-11-20"));
    assert_eq!(Calendar::nyse().session_for(now), Ok(today));
    let after = closed(Calendar::nyse(), "2026-11-20");
    assert_eq!(after.session_for(now), Ok(session("2026-11-23")));
    assert!(!after.is_open(now));
    assert_eq!(after.session_bounds(today), None);
    assert_eq!(after.ends_at(today), Some(utc("2026-11-20 21:00:00")));
    assert_eq!(after.next_open(now), Ok(utc("2026-11-23 14:30:00")));
    assert_eq!(after.next_close(now), Ok(utc("2026-11-23 21:00:00")));
}

#[rstest]
#[case("an ordinary day", Calendar::nyse(), "2026-12-01", "2026-12-01 21:00:00")]
#[case(
    "a half day keeps its own close",
    Calendar::nyse(),
    "2026-11-27",
    "2026-11-27 18:00:00"
)]
#[case("summer time", Calendar::nyse(), "2026-07-01", "2026-07-01 20:00:00")]
#[case(
    "the calendar that never rests",
    Calendar::always_open(),
    "2026-12-01",
    "2026-12-02 04:59:59"
)]
fn cal_4_orders_of_a_day_that_was_taken_away_end_at_its_usual_close(
    #[case] why: &str,
    #[case] calendar: Calendar,
    #[case] date: &str,
    #[case] ends: &str,
) {
    assert_eq!(closed(calendar, date).ends_at(session(date)), Some(utc(ends)), "{why}");
}

#[rstest]
#[case("sooner than usual", "2026-12-01", "14:00", Some("2026-12-01 19:00:00"))]
#[case(
    "later than usual changes nothing",
    "2026-12-01",
    "17:00",
    Some("2026-12-01 21:00:00")
)]
#[case("a half day is not made longer", "2026-11-27", "14:00", Some("2026-11-27 18:00:00"))]
#[case("with the open nothing is left", "2026-12-01", "09:30", None)]
#[case("on a holiday there is still nothing", "2026-12-25", "14:00", None)]
#[case(
    "the day after the clocks went forward",
    "2026-03-09",
    "12:15",
    Some("2026-03-09 16:15:00")
)]
fn cal_4_an_early_close_cuts_the_session_off(
    #[case] why: &str,
    #[case] date: &str,
    #[case] time: &str,
    #[case] closes: Option<&str>,
) {
    let calendar = early(Calendar::nyse(), date, time);
    let close = calendar.session_bounds(session(date)).map(|(_, close)| close);
    assert_eq!(close, closes.map(utc), "{why}");
    if closes.is_some() {
        assert_eq!(calendar.ends_at(session(date)), close, "{why}");
    }
}

#[test]
fn an_early_close_is_over_for_orders_that_come_after_it() {
    let calendar = early(Calendar::nyse(), "2026-12-01", "14:00");
    let (before, after) = (utc("2026-12-01 18:59:59"), utc("2026-12-01 19:00:00"));
    assert!(calendar.is_open(before) && !calendar.is_open(after));
    assert_eq!(calendar.session_for(before), Ok(session("2026-12-01")));
    assert_eq!(calendar.session_for(after), Ok(session("2026-12-02")));
}

#[test]
fn tif_2_an_old_order_ends_before_a_closed_day_and_with_an_early_close() {
    let accepted = utc("2026-09-02 15:00:00");
    let ends = |calendar: Calendar| calendar.gtc_ends_at(accepted).unwrap();
    assert_eq!(ends(Calendar::nyse()), utc("2026-12-01 21:15:00"));
    assert_eq!(ends(closed(Calendar::nyse(), "2026-12-01")), utc("2026-11-30 21:15:00"));
    assert_eq!(
        ends(early(Calendar::nyse(), "2026-12-01", "14:00")),
        utc("2026-12-01 19:00:00")
    );
}

#[test]
fn cal_6_no_exception_moves_a_settlement_date() {
    for trade_date in ["2026-11-30", "2026-12-01"].map(day) {
        let usual = Calendar::nyse().settle_date(trade_date);
        assert_eq!(closed(Calendar::nyse(), "2026-12-01").settle_date(trade_date), usual);
        assert_eq!(
            early(Calendar::always_open(), "2026-12-01", "14:00").settle_date(trade_date),
            usual
        );
    }
}

#[test]
fn the_list_of_nyse_days_shows_the_exceptions_under_either_rule() {
    for calendar in [Calendar::nyse(), Calendar::always_open()] {
        let calendar = early(closed(calendar, "2026-12-01"), "2026-12-02", "14:30");
        let days = calendar.nyse_days(day("2026-11-30"), day("2026-12-03"));
        let shown: Vec<String> = days
            .iter()
            .map(|day| format!("{} {} {}", day.date, day.close.format("%H:%M"), day.settlement_date))
            .collect();
        let expected = [
            "2026-11-30 16:00 2026-12-01",
            "2026-12-02 14:30 2026-12-03",
            "2026-12-03 16:00 2026-12-04",
        ];
        assert_eq!(shown, expected, "{calendar}");
    }
}

#[test]
fn an_installation_that_never_rests_is_closed_by_its_operator_and_not_by_past_closures() {
    let now = utc("2026-11-22 15:00:00");
    let closed_today = closed(Calendar::always_open(), "2026-11-22");
    assert!(Calendar::always_open().is_open(now) && !closed_today.is_open(now));
    assert_eq!(closed_today.session_for(now), Ok(session("2026-11-23")));
    assert!(Calendar::always_open().is_open(utc("2025-01-09 15:00:00")));
    assert!(!Calendar::nyse().is_open(utc("2025-01-09 15:00:00")));
}

#[test]
fn the_usual_calendar_knows_no_exception() {
    let changed = closed(Calendar::nyse(), "2026-12-01");
    assert_ne!(changed, Calendar::nyse());
    assert_eq!(changed.exception(day("2026-12-01")), Some(Exception::Closed));
    assert_eq!(changed.exception(day("2026-12-02")), None);
    assert_eq!(changed.usual(), Calendar::nyse());
    assert_eq!(changed.without_exception(day("2026-12-01")), Calendar::nyse());
}
