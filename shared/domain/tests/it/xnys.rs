//! Every day of nine years against what PyPI's exchange_calendars says (`tests/xnys/write.py` wrote it down).
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::NaiveDate;
use domain::calendar::{Calendar, SessionDate};
use std::collections::BTreeMap;

const SESSIONS: &str = include_str!("../xnys/sessions.txt");

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// What the head line names: `# exchange_calendars 4.13.2 XNYS 2020-01-01 2028-12-31`.
fn span() -> (NaiveDate, NaiveDate) {
    let head: Vec<&str> = SESSIONS.lines().next().unwrap().split(' ').collect();
    assert_eq!(head[..2], ["#", "exchange_calendars"]);
    (day(head[4]), day(head[5]))
}

/// Open and close by day, as written.
fn theirs() -> BTreeMap<NaiveDate, String> {
    let lines = SESSIONS.lines().skip(1);
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(date, bounds)| (day(date), bounds.to_owned()))
        .collect()
}

#[test]
fn cal_1_to_5_each_single_day_of_nine_years_trades_or_rests_as_exchange_calendars_says() {
    let ((first, last), theirs, ours) = (span(), theirs(), Calendar::nyse());
    let mut compared = 0;
    for date in first.iter_days().take_while(|date| *date <= last) {
        let session = ours.session(SessionDate::new(date)).unwrap();
        let bounds = session.map(|s| format!("{} {}", s.open.format("%H:%M"), s.close.format("%H:%M")));
        assert_eq!(bounds.as_ref(), theirs.get(&date), "{date}");
        assert!(session.is_none_or(|s| s.open.date_naive() == date && s.close.date_naive() == date));
        compared += 1;
    }
    assert_eq!((compared, theirs.len()), (3_288, 2_261));
}

#[test]
fn the_calendar_route_lists_exactly_the_days_that_exchange_calendars_knows() {
    let known = Calendar::known_days();
    assert_eq!((*known.start(), *known.end()), span());
    let listed = Calendar::nyse().nyse_days(NaiveDate::MIN, NaiveDate::MAX);
    let listed: Vec<NaiveDate> = listed.iter().map(|day| day.date).collect();
    assert_eq!(listed, Vec::from_iter(theirs().into_keys()));
}
