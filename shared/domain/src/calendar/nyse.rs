//! The days of the New York Stock Exchange: full holidays from a kept table, half days by rule, closures as data.

use super::OutsideCalendar;
use super::hours::{FULL_DAY, HALF_DAY, Hours};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use nyse_holiday_cal::{Holiday, HolidayCal};

/// The first day of the holiday table.
pub(super) const KNOWN_FROM: NaiveDate = day(2020, 1, 1);
/// The last day of the holiday table.
pub(super) const KNOWN_TO: NaiveDate = day(2028, 12, 31);
/// In the two weeks after it no rule puts a holiday but New Year's Day (CAL-1; the next one is on the 15th at the
/// earliest). They are needed: trades of the table's last day settle in them, and the next session is in them.
const FORESEEN_TO: NaiveDate = day(2029, 1, 14);

/// Days on which the exchange stayed shut for a reason no rule foretells (CAL-4).
const PAST_CLOSURES: [NaiveDate; 1] = [
    // National day of mourning.
    day(2025, 1, 9),
];

/// The hours of this date, or none if the exchange is closed.
pub(super) fn hours(date: NaiveDate) -> Result<Option<Hours>, OutsideCalendar> {
    if is_rest_day(date)? || PAST_CLOSURES.contains(&date) {
        return Ok(None);
    }
    Ok(Some(if closes_early(date) { HALF_DAY } else { FULL_DAY }))
}

/// Whether trades settle on this date. Banks rest on Columbus and Veterans Day although the exchange trades (CAL-6).
/// They and the clearing house worked on each special closure of the exchange, so those do not count.
pub(super) fn settles_on(date: NaiveDate) -> Result<bool, OutsideCalendar> {
    Ok(!is_rest_day(date)? && !is_columbus_day(date) && !is_veterans_day(date))
}

/// CAL-1, and weekends. Asked even of weekends whether it is known, so that a search beyond the table fails at once.
fn is_rest_day(date: NaiveDate) -> Result<bool, OutsideCalendar> {
    let is_holiday = match date.holiday() {
        Ok(holiday) => holiday.is_some(),
        Err(_) if KNOWN_TO < date && date <= FORESEEN_TO => is_new_years_day(date),
        Err(_) => return Err(OutsideCalendar { date }),
    };
    Ok(is_holiday || date.is_weekend())
}

/// The first of January, or the second if that is a Monday; a Saturday is not made up for.
fn is_new_years_day(date: NaiveDate) -> bool {
    let observed_late = date.day() == 2 && date.weekday() == Weekday::Mon;
    date.month() == 1 && (date.day() == 1 || observed_late)
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
