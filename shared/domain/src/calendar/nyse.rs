//! The days of the New York Stock Exchange: full holidays from a kept table, half days by rule, closures as data.

use super::OutsideCalendar;
use super::hours::{FULL_DAY, HALF_DAY, Hours};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use nyse_holiday_cal::{Holiday, HolidayCal};
use std::collections::BTreeSet;

/// The first day of the holiday table.
pub(super) const KNOWN_FROM: NaiveDate = day(2020, 1, 1);
/// The last day whose trades settle within the holiday table, which ends with 2028.
pub(super) const KNOWN_TO: NaiveDate = day(2028, 12, 28);

/// Days on which the exchange stayed shut for a reason no rule foretells (CAL-4).
const PAST_CLOSURES: [NaiveDate; 1] = [
    // National day of mourning.
    day(2025, 1, 9),
];

/// The special closures of the past, to start a calendar with.
pub(super) fn past_closures() -> BTreeSet<NaiveDate> {
    BTreeSet::from(PAST_CLOSURES)
}

/// The hours of this date, or none if the exchange is closed.
pub(super) fn hours(date: NaiveDate, closures: &BTreeSet<NaiveDate>) -> Result<Option<Hours>, OutsideCalendar> {
    if !trades_on(date, closures)? {
        return Ok(None);
    }
    Ok(Some(if closes_early(date) { HALF_DAY } else { FULL_DAY }))
}

/// Whether trades settle on this date. Banks rest on Columbus and Veterans Day although the exchange trades (CAL-6).
pub(super) fn settles_on(date: NaiveDate, closures: &BTreeSet<NaiveDate>) -> Result<bool, OutsideCalendar> {
    Ok(trades_on(date, closures)? && !is_columbus_day(date) && !is_veterans_day(date))
}

fn trades_on(date: NaiveDate, closures: &BTreeSet<NaiveDate>) -> Result<bool, OutsideCalendar> {
    // Asked even of weekends, so that a search beyond the table fails at its first day.
    let holiday = date.holiday().map_err(|_| OutsideCalendar { date })?;
    Ok(holiday.is_none() && !date.is_weekend() && !closures.contains(&date))
}

/// CAL-2, of a day that is known to trade: the eves of Independence Day and Christmas where they are Monday to
/// Thursday, and the Friday after Thanksgiving.
fn closes_early(date: NaiveDate) -> bool {
    let eve = matches!((date.month(), date.day()), (7, 3) | (12, 24));
    if eve && date.weekday() != Weekday::Fri {
        return true;
    }
    let before = date.checked_sub_days(Days::new(1)).map(|eve| eve.holiday());
    matches!(before, Some(Ok(Some(Holiday::ThanksgivingDay))))
}

/// The second Monday of October.
fn is_columbus_day(date: NaiveDate) -> bool {
    date.month() == 10 && date.weekday() == Weekday::Mon && (8..=14).contains(&date.day())
}

/// The eleventh of November, or the Monday after if that is a Sunday; a Saturday is not made up for.
fn is_veterans_day(date: NaiveDate) -> bool {
    let observed_late = date.day() == 12 && date.weekday() == Weekday::Mon;
    date.month() == 11 && (date.day() == 11 || observed_late)
}

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("the dates in this file are valid")
}
