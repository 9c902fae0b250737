//! When the market is open: sessions, their bounds in UTC, and the days on which trades settle.
//!
//! A calendar is data handed in by the caller: a rule for the sessions and the exchange's special closures. Every
//! time is computed in New York and then turned into UTC, never by a fixed offset (CAL-5). `now` is a parameter.

mod hours;
mod nyse;
mod session;

pub use hours::to_new_york;
pub use session::{Session, SessionDate};

use crate::Timestamp;
use chrono::{Days, NaiveDate, NaiveTime};
use std::collections::BTreeSet;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Nyse,
    AlwaysOpen,
}

/// Which sessions there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    rule: Rule,
    closures: BTreeSet<NaiveDate>,
}

impl Calendar {
    /// The New York Stock Exchange: holidays, half days, and the special closures known so far.
    pub fn nyse() -> Self {
        Self {
            rule: Rule::Nyse,
            closures: nyse::past_closures(),
        }
    }

    /// A session from 00:00 to 23:59:59 New York every day. Trades still settle on NYSE settlement days.
    pub fn always_open() -> Self {
        Self {
            rule: Rule::AlwaysOpen,
            closures: nyse::past_closures(),
        }
    }

    /// The same calendar with more special closures of the NYSE (CAL-4): days that no rule foretells.
    #[must_use]
    pub fn with_closures(mut self, days: impl IntoIterator<Item = NaiveDate>) -> Self {
        self.closures.extend(days);
        self
    }

    /// The session of this date, if there is one.
    ///
    /// # Errors
    /// [`OutsideCalendar`] if the exchange's days are not known that far.
    pub fn session(&self, date: SessionDate) -> Result<Option<Session>, OutsideCalendar> {
        let hours = match self.rule {
            Rule::AlwaysOpen => Some(hours::ALL_DAY),
            Rule::Nyse => nyse::hours(date.get(), &self.closures)?,
        };
        Ok(hours.and_then(|hours| hours.on(date)))
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
        let usual = || hours::FULL_DAY.on(date);
        match self.session(date) {
            Ok(Some(session)) => Some(session.close),
            Ok(None) => usual().map(|session| session.close),
            Err(OutsideCalendar { .. }) => None,
        }
    }

    /// When a `gtc` order accepted now is aged out (TIF-2): at 16:15 New York 90 days on, or on the last session day
    /// before that; with the close if that day is a half day.
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
                let half_day = to_new_york(session.close).time() < hours::FULL_DAY.close;
                return Ok(if half_day { session.close } else { aged_out });
            }
            date = date.pred_opt().ok_or(OutsideCalendar { date })?;
        }
    }

    /// The day on which a trade of `trade_date` settles: the first settlement day after it (T+1, CAL-6).
    ///
    /// # Errors
    /// [`OutsideCalendar`] if that day is not known.
    pub fn settle_date(&self, trade_date: NaiveDate) -> Result<NaiveDate, OutsideCalendar> {
        let mut date = trade_date;
        loop {
            date = date.succ_opt().ok_or(OutsideCalendar { date })?;
            if nyse::settles_on(date, &self.closures)? {
                return Ok(date);
            }
        }
    }

    /// The NYSE's trading days from `from` to `to`, both included, whichever calendar is in force. Days outside
    /// [`Calendar::known_days`] are left out, since nobody has set them yet.
    pub fn nyse_days(&self, from: NaiveDate, to: NaiveDate) -> Vec<TradingDay> {
        let known = Self::known_days();
        let (first, last) = (from.max(*known.start()), to.min(*known.end()));
        first
            .iter_days()
            .take_while(|date| *date <= last)
            .filter_map(|date| self.trading_day(date))
            .collect()
    }

    /// The span in which trading days and their settlement dates are known. The last trading day of the holiday
    /// table is not in it, because the day its trades settle is in the year after.
    pub fn known_days() -> RangeInclusive<NaiveDate> {
        nyse::KNOWN_FROM..=nyse::KNOWN_TO
    }

    fn trading_day(&self, date: NaiveDate) -> Option<TradingDay> {
        let hours = nyse::hours(date, &self.closures).ok().flatten()?;
        let settlement_date = self.settle_date(date).ok()?;
        Some(TradingDay {
            date,
            open: hours.open,
            close: hours.close,
            settlement_date,
        })
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
