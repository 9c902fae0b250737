//! Times of day in New York and what they are in UTC.

use super::session::{Session, SessionDate};
use crate::Timestamp;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, Utc};
use chrono_tz::America::New_York;

/// When a kind of day opens and closes, by the clock on the wall in New York.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) open: NaiveTime,
    pub(super) close: NaiveTime,
}

/// An ordinary trading day.
pub(super) const FULL_DAY: Hours = Hours {
    open: time(9, 30, 0),
    close: time(16, 0, 0),
};
/// A day that closes early (CAL-2).
pub(super) const HALF_DAY: Hours = Hours {
    open: time(9, 30, 0),
    close: time(13, 0, 0),
};
/// Every day of the calendar that never rests.
pub(super) const ALL_DAY: Hours = Hours {
    open: time(0, 0, 0),
    close: time(23, 59, 59),
};
/// When an order that is too old is taken out, on a full day (TIF-2).
pub(super) const GTC_AGED_OUT: NaiveTime = time(16, 15, 0);

impl Hours {
    /// These hours cut off at this time; nothing is left if they start no sooner.
    pub(super) fn until(self, time: NaiveTime) -> Option<Self> {
        let close = self.close.min(time);
        (self.open < close).then_some(Self { close, ..self })
    }

    /// These hours on a date, as a session.
    pub(super) fn on(self, date: SessionDate) -> Option<Session> {
        Some(Session {
            date,
            open: at(date.get(), self.open)?,
            close: at(date.get(), self.close)?,
        })
    }
}

/// A moment as New York's clocks and calendar show it, with the offset in force then.
pub fn to_new_york(moment: Timestamp) -> DateTime<FixedOffset> {
    moment.with_timezone(&New_York).fixed_offset()
}

/// The moment of a New York time of day; `None` only for the hour that spring skips, in which no session bound lies.
pub(super) fn at(date: NaiveDate, time: NaiveTime) -> Option<Timestamp> {
    let local = date.and_time(time).and_local_timezone(New_York).earliest()?;
    Some(local.with_timezone(&Utc))
}

const fn time(hour: u32, minute: u32, second: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, second).expect("the times of day in this file are valid")
}
