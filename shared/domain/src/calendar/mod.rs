//! When the market is open: sessions, their bounds in UTC, and the days on which trades settle.
//!
//! A calendar is a rule for the sessions and the exceptions to it that the caller hands in (CAL-4). Every time is
//! computed in New York and then turned into UTC, never by a fixed offset (CAL-5). `now` is a parameter.
//!
//! Days on which trades settle are a calendar of their own (CAL-6): banks rest on two days on which the exchange
//! trades, and they and the clearing house work when the exchange stays shut for a day of mourning or a storm.

mod hours;
mod nyse;
mod session;

pub use hours::to_new_york;
pub use session::{Session, SessionDate};

use crate::Timestamp;
use chrono::{Days, NaiveDate, NaiveTime};
use hours::Hours;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use thiserror::Error;

/// A date of which nobody has said yet whether the exchange trades. Never guessed: the holiday table must be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{date} is outside the years that the trading calendar knows")]
pub struct OutsideCalendar {
    /// The date that is not known.
    pub date: NaiveDate,
}

/// Not the name of a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no trading calendar; use `nyse` or `always-open`")]
pub struct UnknownCalendar(String);

/// One trading day as the calendar route lists it; times are New York's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradingDay {
    /// The day.
    pub date: NaiveDate,
    /// When trading starts.
    pub open: NaiveTime,
    /// When trading ends: 16:00, or 13:00 on a half day (CAL-2).
    pub close: NaiveTime,
    /// When trades of this day settle (T+1 by the settlement calendar, CAL-6).
    pub settlement_date: NaiveDate,
}

/// What is different about one day, against the rule (CAL-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// No session.
    Closed,
    /// The session ends at this time of day in New York, or when it usually does if that is sooner.
    ClosesAt(NaiveTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Nyse,
    AlwaysOpen,
}

/// Which sessions there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    rule: Rule,
    exceptions: BTreeMap<NaiveDate, Exception>,
}

impl Calendar {
    /// The New York Stock Exchange: holidays, half days, and the special closures of the past.
    pub fn nyse() -> Self {
        Self {
            rule: Rule::Nyse,
            exceptions: BTreeMap::new(),
        }
    }

    /// A session from 00:00 to 23:59:59 New York every day. Trades still settle on NYSE settlement days.
    pub fn always_open() -> Self {
        Self {
            rule: Rule::AlwaysOpen,
            exceptions: BTreeMap::new(),
        }
    }

    /// The same calendar with these exceptions on top of the ones it has (CAL-4): days that no rule foretells. They hold
    /// for the sessions of every rule, since an operator who closes a day means this installation.
    #[must_use]
    pub fn with_exceptions(mut self, days: impl IntoIterator<Item = (NaiveDate, Exception)>) -> Self {
        self.exceptions.extend(days);
        self
    }

    /// The same calendar, but this day as usual.
    #[must_use]
    pub fn without_exception(mut self, day: NaiveDate) -> Self {
        self.exceptions.remove(&day);
        self
    }

    /// What is different about this day, if anything is.
    pub fn exception(&self, day: NaiveDate) -> Option<Exception> {
        self.exceptions.get(&day).copied()
    }

    /// The same rule without any exception: what is usual.
    #[must_use]
    pub fn usual(&self) -> Self {
        Self {
            rule: self.rule,
            exceptions: BTreeMap::new(),
        }
    }

    /// The session of this date, if there is one.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if the exchange's days are not known that far.
    pub fn session(&self, date: SessionDate) -> Result<Option<Session>, OutsideCalendar> {
        let usual = self.usual_hours(date.get())?;
        Ok(self.excepted(date.get(), usual).and_then(|hours| hours.on(date)))
    }

    /// When the session of this date opens and closes; `None` if there is none or the date is not known.
    pub fn session_bounds(&self, date: SessionDate) -> Option<(Timestamp, Timestamp)> {
        self.session(date)
            .ok()
            .flatten()
            .map(|session| (session.open, session.close))
    }

    /// The session that an order accepted now belongs to: the one under way, or else the next one.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that session is not known.
    pub fn session_for(&self, now: Timestamp) -> Result<SessionDate, OutsideCalendar> {
        Ok(self.first_session(now, |session| now < session.close)?.date)
    }

    /// Whether a session is under way: its open counts, its close does not.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let today = SessionDate::new(to_new_york(now).date_naive());
        self.session_bounds(today)
            .is_some_and(|(open, close)| open <= now && now < close)
    }

    /// The next time a session opens, after now.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that session is not known.
    pub fn next_open(&self, now: Timestamp) -> Result<Timestamp, OutsideCalendar> {
        Ok(self.first_session(now, |session| now < session.open)?.open)
    }

    /// The next time a session closes, after now: before [`Calendar::next_open`] while one is under way.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that session is not known.
    pub fn next_close(&self, now: Timestamp) -> Result<Timestamp, OutsideCalendar> {
        Ok(self.first_session(now, |session| now < session.close)?.close)
    }

    /// The last time a session closed, now included.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that session is not known.
    pub fn last_close(&self, now: Timestamp) -> Result<Timestamp, OutsideCalendar> {
        let mut date = to_new_york(now).date_naive();
        loop {
            let session = self.session(SessionDate::new(date))?;
            if let Some(session) = session.filter(|session| session.close <= now) {
                return Ok(session.close);
            }
            date = date.pred_opt().ok_or(OutsideCalendar { date })?;
        }
    }

    /// When the day orders of this session are over: its close. If a special closure has taken the session away
    /// since they were accepted, the time it would usually have closed (CAL-4), so they neither linger nor vanish.
    pub fn ends_at(&self, date: SessionDate) -> Option<Timestamp> {
        let usual = self.usual_hours(date.get()).ok()?;
        let hours = self.excepted(date.get(), usual).or(usual).unwrap_or(hours::FULL_DAY);
        hours.on(date).map(|session| session.close)
    }

    /// When a `gtc` order accepted now is aged out (TIF-2): at 16:15 New York 90 days on, or on the last session day
    /// before that; with the close if that day closes early, by rule or by exception.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that day is not known.
    pub fn gtc_ends_at(&self, accepted: Timestamp) -> Result<Timestamp, OutsideCalendar> {
        let today = to_new_york(accepted).date_naive();
        let mut date = today
            .checked_add_days(Days::new(90))
            .ok_or(OutsideCalendar { date: today })?;
        loop {
            if let Some(session) = self.session(SessionDate::new(date))? {
                let aged_out = hours::at(date, hours::GTC_AGED_OUT).ok_or(OutsideCalendar { date })?;
                let closes_early = to_new_york(session.close).time() < hours::FULL_DAY.close;
                return Ok(if closes_early { session.close } else { aged_out });
            }
            date = date.pred_opt().ok_or(OutsideCalendar { date })?;
        }
    }

    /// The day on which a trade of `trade_date` settles: the first settlement day after it (T+1, CAL-6). Exceptions do
    /// not move it: the clearing house works when the exchange alone stays shut, and a date once booked stands.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that day is not known.
    pub fn settle_date(&self, trade_date: NaiveDate) -> Result<NaiveDate, OutsideCalendar> {
        let mut date = trade_date;
        loop {
            date = date.succ_opt().ok_or(OutsideCalendar { date })?;
            if nyse::settles_on(date)? {
                return Ok(date);
            }
        }
    }

    /// The NYSE's trading days from `from` to `to`, both included, with the exceptions of this calendar, whichever rule
    /// is in force. Days outside [`Calendar::known_days`] are left out, since nobody has set them yet.
    pub fn nyse_days(&self, from: NaiveDate, to: NaiveDate) -> Vec<TradingDay> {
        let known = Self::known_days();
        let (first, last) = (from.max(*known.start()), to.min(*known.end()));
        first
            .iter_days()
            .take_while(|date| *date <= last)
            .filter_map(|date| self.trading_day(date))
            .collect()
    }

    /// The span in which trading days and their settlement dates are known: the years of the holiday table. The
    /// calendar answers for two more weeks, so that the last of these days have a next open and a settlement.
    pub fn known_days() -> RangeInclusive<NaiveDate> {
        nyse::KNOWN_FROM..=nyse::KNOWN_TO
    }

    fn trading_day(&self, date: NaiveDate) -> Option<TradingDay> {
        let hours = self.excepted(date, nyse::hours(date).ok()?)?;
        let settlement_date = self.settle_date(date).ok()?;
        Some(TradingDay {
            date,
            open: hours.open,
            close: hours.close,
            settlement_date,
        })
    }

    fn usual_hours(&self, date: NaiveDate) -> Result<Option<Hours>, OutsideCalendar> {
        match self.rule {
            Rule::AlwaysOpen => Ok(Some(hours::ALL_DAY)),
            Rule::Nyse => nyse::hours(date),
        }
    }

    /// What the exception of this date, if it has one, leaves of the usual hours.
    fn excepted(&self, date: NaiveDate, usual: Option<Hours>) -> Option<Hours> {
        match self.exceptions.get(&date) {
            None => usual,
            Some(Exception::Closed) => None,
            Some(Exception::ClosesAt(time)) => usual?.until(*time),
        }
    }

    fn first_session(&self, now: Timestamp, wanted: impl Fn(&Session) -> bool) -> Result<Session, OutsideCalendar> {
        let mut date = to_new_york(now).date_naive();
        loop {
            if let Some(session) = self.session(SessionDate::new(date))?.filter(&wanted) {
                return Ok(session);
            }
            date = date.succ_opt().ok_or(OutsideCalendar { date })?;
        }
    }
}

impl FromStr for Calendar {
    type Err = UnknownCalendar;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "nyse" => Ok(Self::nyse()),
            "always-open" => Ok(Self::always_open()),
            other => Err(UnknownCalendar(other.to_owned())),
        }
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.rule {
            Rule::Nyse => "nyse",
            Rule::AlwaysOpen => "always-open",
        })
    }
}
