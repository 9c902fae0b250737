//! One session and the date that names it.

use crate::Timestamp;
use chrono::NaiveDate;
use std::fmt;

/// The New York date that names a session. An order keeps the one it was accepted for, so that today's expiry
/// leaves tomorrow's queued orders alone (EOD-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionDate(NaiveDate);

impl SessionDate {
    /// Names a session; whether there is one on that date only a calendar knows.
    pub const fn new(date: NaiveDate) -> Self {
        Self(date)
    }

    /// The bare date, for SQL and the wire.
    pub const fn get(self) -> NaiveDate {
        self.0
    }
}

impl fmt::Display for SessionDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One stretch of trading: from its open up to, and without, its close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The date that names it.
    pub date: SessionDate,
    /// When it opens.
    pub open: Timestamp,
    /// When it closes.
    pub close: Timestamp,
}
