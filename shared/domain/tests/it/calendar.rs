//! Sessions, half days, closures and settlement against published days (CAL-1 to CAL-8).
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{Datelike, NaiveDate, Weekday};
use domain::Timestamp;
use domain::calendar::{Calendar, OutsideCalendar, SessionDate, to_new_york};
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

fn weekdays_without_session(year: i32) -> Vec<String> {
    let (from, to) = (
        NaiveDate::from_ymd_opt(year, 1, 1).unwrap(),
        NaiveDate::from_ymd_opt(year, 12, 31).unwrap(),
    );
    let closed = |date: &NaiveDate| Calendar::nyse().session_bounds(SessionDate::new(*date)).is_none();
    let days = from.iter_days().take_while(|date| *date <= to).filter(closed);
    days.filter(|date| !matches!(date.weekday(), Weekday::Sat | Weekday::Sun))
        .map(|d| d.format("%m-%d").to_string())
        .collect()
}

fn half_days(year: i32) -> Vec<String> {
    let (from, to) = (
        NaiveDate::from_ymd_opt(year, 1, 1).unwrap(),
        NaiveDate::from_ymd_opt(year, 12, 31).unwrap(),
    );
    let days = Calendar::nyse()
        .nyse_days(from, to)
        .into_iter()
        .filter(|d| d.close.format("%H:%M").to_string() == "13:00");
    days.map(|d| d.date.format("%m-%d").to_string()).collect()
}

#[rstest]
#[case(2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25", "11-27 12-24")]
#[case(2027, "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24", "11-26")]
#[case(2028, "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25", "07-03 11-24")]
fn cal_3_holidays_and_half_days_are_the_published_ones(#[case] year: i32, #[case] closed: &str, #[case] early: &str) {
    assert_eq!(weekdays_without_session(year).join(" "), closed);
    assert_eq!(half_days(year).join(" "), early);
}

#[rstest]
#[case("2026-03-06", "14:30", "21:00")]
#[case("2026-03-09", "13:30", "20:00")]
#[case("2026-10-30", "13:30", "20:00")]
#[case("2026-11-02", "14:30", "21:00")]
#[case("2026-11-27", "14:30", "18:00")]
fn cal_5_bounds_follow_new_yorks_clocks(#[case] date: &str, #[case] open: &str, #[case] close: &str) {
    let bounds = Calendar::nyse().session_bounds(session(date)).unwrap();
    assert_eq!(
        bounds,
        (utc(&format!("{date} {open}:00")), utc(&format!("{date} {close}:00")))
    );
}

#[rstest]
#[case("before the open", "2026-11-20 14:29:59", false, "2026-11-20")]
#[case("at the open", "2026-11-20 14:30:00", true, "2026-11-20")]
#[case("the last second", "2026-11-20 20:59:59", true, "2026-11-20")]
#[case("at the close", "2026-11-20 21:00:00", false, "2026-11-23")]
#[case("still Friday in New York", "2026-11-21 04:59:59", false, "2026-11-23")]
#[case("Saturday", "2026-11-21 15:00:00", false, "2026-11-23")]
#[case("Thanksgiving", "2026-11-26 15:00:00", false, "2026-11-27")]
#[case("after a half day", "2026-11-27 18:00:00", false, "2026-11-30")]
#[case("year's end", "2026-12-31 21:00:00", false, "2027-01-04")]
fn an_order_belongs_to_the_session_under_way_or_the_next(
    #[case] when: &str,
    #[case] now: &str,
    #[case] open: bool,
    #[case] belongs_to: &str,
) {
    let (calendar, now) = (Calendar::nyse(), utc(now));
    assert_eq!(calendar.is_open(now), open, "{when}");
    assert_eq!(calendar.session_for(now), Ok(session(belongs_to)), "{when}");
}

#[rstest]
#[case("while open", "2026-11-20 15:00:00", "2026-11-23 14:30:00", "2026-11-20 21:00:00")]
#[case("at the open", "2026-11-20 14:30:00", "2026-11-23 14:30:00", "2026-11-20 21:00:00")]
#[case("at the close", "2026-11-20 21:00:00", "2026-11-23 14:30:00", "2026-11-23 21:00:00")]
#[case(
    "over the clock change",
    "2026-10-31 12:00:00",
    "2026-11-02 14:30:00",
    "2026-11-02 21:00:00"
)]
fn the_clock_names_the_next_open_and_close(
    #[case] when: &str,
    #[case] now: &str,
    #[case] open: &str,
    #[case] close: &str,
) {
    let (calendar, now) = (Calendar::nyse(), utc(now));
    assert_eq!(calendar.next_open(now), Ok(utc(open)), "{when}");
    assert_eq!(calendar.next_close(now), Ok(utc(close)), "{when}");
}

#[rstest]
#[case(
    "Sunday",
    "2026-11-22 12:00:00",
    "2026-11-22",
    "2026-11-23 05:00:00",
    "2026-11-23 04:59:59"
)]
#[case(
    "the second between two sessions",
    "2026-11-23 04:59:59",
    "2026-11-23",
    "2026-11-23 05:00:00",
    "2026-11-24 04:59:59"
)]
#[case(
    "midnight",
    "2026-11-23 05:00:00",
    "2026-11-23",
    "2026-11-24 05:00:00",
    "2026-11-24 04:59:59"
)]
#[case(
    "the short day of spring",
    "2026-03-08 12:00:00",
    "2026-03-08",
    "2026-03-09 04:00:00",
    "2026-03-09 03:59:59"
)]
#[case(
    "beyond the holiday table",
    "2035-01-01 12:00:00",
    "2035-01-01",
    "2035-01-02 05:00:00",
    "2035-01-02 04:59:59"
)]
fn always_open_has_a_session_every_day(
    #[case] when: &str,
    #[case] now: &str,
    #[case] belongs_to: &str,
    #[case] open: &str,
    #[case] close: &str,
) {
    let (calendar, now) = (Calendar::always_open(), utc(now));
    assert_eq!(calendar.session_for(now), Ok(session(belongs_to)), "{when}");
    assert_eq!(calendar.next_open(now), Ok(utc(open)), "{when}");
    assert_eq!(calendar.next_close(now), Ok(utc(close)), "{when}");
}

#[rstest]
#[case("an ordinary day", "2026-11-17", "2026-11-18")]
#[case("over a weekend", "2026-11-20", "2026-11-23")]
#[case("over Thanksgiving", "2026-11-25", "2026-11-27")]
#[case("Columbus Day trades but does not settle", "2026-10-12", "2026-10-13")]
#[case("and the day before settles with it", "2026-10-09", "2026-10-13")]
#[case("Veterans Day", "2026-11-11", "2026-11-12")]
#[case("its eve", "2026-11-10", "2026-11-12")]
#[case("Veterans Day on a Saturday is not made up for", "2023-11-09", "2023-11-10")]
#[case("a special closure of the exchange alone", "2025-01-08", "2025-01-09")]
#[case("the year's end", "2027-12-31", "2028-01-03")]
#[case("the end of the holiday table", "2028-12-29", "2029-01-02")]
#[case("a trade on a Sunday", "2026-11-22", "2026-11-23")]
fn cal_6_trades_settle_on_the_next_settlement_day(#[case] why: &str, #[case] traded: &str, #[case] settles: &str) {
    for calendar in [Calendar::nyse(), Calendar::always_open()] {
        assert_eq!(calendar.settle_date(day(traded)), Ok(day(settles)), "{why}, {calendar}");
    }
}

#[test]
fn the_calendar_route_lists_nyse_days_whichever_calendar_is_in_force() {
    let list = |calendar: Calendar| calendar.nyse_days(day("2026-11-25"), day("2026-11-30"));
    let shown: Vec<_> = list(Calendar::always_open())
        .iter()
        .map(|d| {
            format!(
                "{} {}-{} {}",
                d.date,
                d.open.format("%H:%M"),
                d.close.format("%H:%M"),
                d.settlement_date
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2026-11-25 09:30-16:00 2026-11-27",
            "2026-11-27 09:30-13:00 2026-11-30",
            "2026-11-30 09:30-16:00 2026-12-01"
        ]
    );
    assert_eq!(list(Calendar::nyse()), list(Calendar::always_open()));
}

#[test]
fn the_last_day_of_the_holiday_table_has_a_next_one() {
    let (calendar, last) = (Calendar::nyse(), utc("2028-12-29 15:00:00"));
    assert_eq!(calendar.session_for(last), Ok(session("2028-12-29")));
    assert_eq!(calendar.next_open(last), Ok(utc("2029-01-02 14:30:00")));
    let evening = utc("2028-12-29 21:00:00");
    assert_eq!(calendar.session_for(evening), Ok(session("2029-01-02")));
    assert_eq!(calendar.session_bounds(session("2029-01-01")), None, "New Year's Day");
}

#[test]
fn nothing_is_guessed_beyond_the_holiday_table_and_two_weeks() {
    let (calendar, late) = (Calendar::nyse(), utc("2029-01-12 21:00:00"));
    let refused = OutsideCalendar {
        date: day("2029-01-15"),
    };
    assert_eq!(calendar.session_for(late), Err(refused));
    assert_eq!(calendar.next_open(late), Err(refused));
    assert_eq!(calendar.next_close(late), Err(refused));
    assert_eq!(calendar.settle_date(day("2029-01-12")), Err(refused));
    assert_eq!(calendar.session_bounds(session("2029-01-16")), None);
    assert!(!calendar.is_open(utc("2029-01-16 15:00:00")));
    assert_eq!(calendar.ends_at(session("2029-01-16")), None);
    assert_eq!(
        calendar.session_for(utc("2019-12-31 15:00:00")),
        Err(OutsideCalendar {
            date: day("2019-12-31")
        })
    );
}

#[test]
fn a_list_over_all_time_holds_the_known_days_each_with_its_settlement() {
    let days = Calendar::nyse().nyse_days(NaiveDate::MIN, NaiveDate::MAX);
    assert_eq!(days.first().map(|d| d.date), Some(day("2020-01-02")));
    assert_eq!(
        days.last().map(|d| (d.date, d.settlement_date)),
        Some((day("2028-12-29"), day("2029-01-02")))
    );
    assert!(days.windows(2).all(|pair| pair[0].date < pair[1].date));
    assert_eq!(Calendar::nyse().nyse_days(day("2026-11-30"), day("2026-11-02")), []);
}

#[test]
fn day_orders_end_with_their_session() {
    assert_eq!(
        Calendar::nyse().ends_at(session("2026-11-27")),
        Some(utc("2026-11-27 18:00:00"))
    );
    assert_eq!(
        Calendar::always_open().ends_at(session("2026-11-22")),
        Some(utc("2026-11-23 04:59:59"))
    );
}

#[rstest]
#[case("the ninetieth day is a Sunday", "2026-06-01 15:00:00", "2026-08-28 20:15:00")]
#[case(
    "an ordinary day, over the clock change",
    "2026-08-20 15:00:00",
    "2026-11-18 21:15:00"
)]
#[case("a half day ends it with its close", "2026-08-29 15:00:00", "2026-11-27 18:00:00")]
#[case(
    "accepted late in the evening, the day is New York's",
    "2026-08-21 02:00:00",
    "2026-11-18 21:15:00"
)]
fn tif_2_an_old_order_is_aged_out(#[case] why: &str, #[case] accepted: &str, #[case] ends: &str) {
    assert_eq!(Calendar::nyse().gtc_ends_at(utc(accepted)), Ok(utc(ends)), "{why}");
}

#[test]
fn tif_2_holds_on_the_calendar_that_never_rests() {
    let accepted = utc("2026-06-01 15:00:00");
    assert_eq!(
        Calendar::always_open().gtc_ends_at(accepted),
        Ok(utc("2026-08-30 20:15:00"))
    );
}

#[rstest]
#[case("while it trades", "2026-11-23 15:00:00", "2026-11-20 21:00:00")]
#[case("at the close", "2026-11-23 21:00:00", "2026-11-23 21:00:00")]
#[case("just before the close", "2026-11-23 20:59:59", "2026-11-20 21:00:00")]
#[case("after a half day, in the night", "2026-11-28 03:00:00", "2026-11-27 18:00:00")]
#[case("on a holiday", "2026-11-26 17:00:00", "2026-11-25 21:00:00")]
#[case("before the clocks change", "2026-11-01 05:30:00", "2026-10-30 20:00:00")]
fn tif_5_the_last_close_counts_the_one_of_this_moment(#[case] why: &str, #[case] now: &str, #[case] closed: &str) {
    assert_eq!(Calendar::nyse().last_close(utc(now)), Ok(utc(closed)), "{why}");
}

#[test]
fn times_are_shown_with_new_yorks_offset_of_that_day() {
    let shown = |text: &str| to_new_york(utc(text)).to_rfc3339();
    assert_eq!(shown("2026-07-01 12:00:00"), "2026-07-01T08:00:00-04:00");
    assert_eq!(shown("2026-12-01 12:00:00"), "2026-12-01T07:00:00-05:00");
}

#[test]
fn a_calendar_is_named_by_its_word() {
    for word in ["nyse", "always-open"] {
        assert_eq!(word.parse::<Calendar>().unwrap().to_string(), word);
    }
    assert!("NYSE".parse::<Calendar>().is_err());
    assert!("".parse::<Calendar>().is_err());
}

#[test]
fn every_known_year_has_a_plausible_number_of_trading_days() {
    let days = Calendar::nyse().nyse_days(day("2020-01-01"), day("2027-12-31"));
    for year in 2020..=2027 {
        let count = days.iter().filter(|d| d.date.year() == year).count();
        assert!((250..=253).contains(&count), "{year}: {count}");
    }
}
