//! What can be set by hand while it trades, and outlives a restart: the clock, closures, halts, an outage.
//!
//! The engine writes settings with the batch they came in, and puts them in force after the commit. So they have a
//! place in the order of commands: whoever was told that a setting is in force finds it in force.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use chassis::clock::{Clock, SharedClock};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use domain::Timestamp;
use domain::calendar::{Calendar, Exception, SessionDate, to_new_york};
use tokio::sync::watch;

/// The farthest the clock can be off, in days: further on, no calendar knows a session.
const FARTHEST_DAYS: i64 = 3_650;

/// One thing to set.
#[derive(Debug, Clone)]
pub enum Setting {
    /// The clock goes so many milliseconds before the machine's, or behind it.
    ClockOffset(i64),
    /// Nobody reaches the exchange; the market goes on.
    Outage(bool),
    /// There is no session on this day, or it ends early.
    Closure(Closure),
    /// No special closure on this day any more.
    NoClosure(NaiveDate),
    /// Nothing trades until then.
    Halt(Halt),
    /// A symbol's halt is lifted; without a symbol, all halts are.
    NoHalt(Option<String>),
}

/// A special closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// The day.
    pub day: NaiveDate,
    /// When it closes by New York's clocks; never opens if absent.
    pub closes_at: Option<NaiveTime>,
}

/// Orders are taken and canceled, nothing trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// Of this symbol, or of all.
    pub symbol: Option<String>,
    /// The close of its session: no halt outlives it.
    pub ends_at: Timestamp,
}

/// What is set, for everybody to see.
pub struct Settings {
    clock: SharedClock,
    clock_offset_ms: AtomicI64,
    outage: watch::Sender<bool>,
    usual: Calendar,
    days: RwLock<Days>,
}

/// What differs from the usual day.
struct Days {
    calendar: Arc<Calendar>,
    closures: BTreeMap<NaiveDate, Option<NaiveTime>>,
    halts: Vec<Halt>,
}

/// Settings as the table keeps them.
#[derive(Debug, Clone)]
pub struct StoredSettings {
    /// How far the clock is before the machine's.
    pub clock_offset_ms: i64,
    /// Whether nobody reaches the exchange.
    pub outage: bool,
    /// Special closures.
    pub closures: Vec<Closure>,
    /// Halts, those that are over too.
    pub halts: Vec<Halt>,
}

/// The offset in milliseconds, if it is one that a calendar can follow.
pub fn clock_offset(offset_ms: i64) -> Option<Setting> {
    let farthest = TimeDelta::days(FARTHEST_DAYS).num_milliseconds();
    (offset_ms.unsigned_abs() <= farthest.unsigned_abs()).then_some(Setting::ClockOffset(offset_ms))
}

impl Settings {
    /// The usual: the clock that was given, and reachable.
    pub(crate) fn new(clock: SharedClock, usual: Calendar) -> Self {
        let days = Days {
            calendar: Arc::new(usual.clone()),
            closures: BTreeMap::new(),
            halts: Vec::new(),
        };
        Self {
            clock,
            clock_offset_ms: AtomicI64::new(0),
            outage: watch::Sender::new(false),
            usual,
            days: RwLock::new(days),
        }
    }

    /// Puts in force what the table says.
    pub(crate) fn load(&self, stored: StoredSettings) {
        self.apply(&Setting::ClockOffset(stored.clock_offset_ms));
        self.apply(&Setting::Outage(stored.outage));
        self.change_days(|days| {
            days.closures = stored.closures.iter().map(|one| (one.day, one.closes_at)).collect();
            days.halts = stored.halts;
        });
    }

    /// Puts one setting in force. Its commit comes first.
    pub(crate) fn apply(&self, setting: &Setting) {
        match setting {
            Setting::ClockOffset(offset_ms) => self.clock_offset_ms.store(*offset_ms, Ordering::Release),
            Setting::Outage(on) => {
                self.outage.send_replace(*on);
            }
            Setting::Closure(closure) => self.change_days(|days| {
                days.closures.insert(closure.day, closure.closes_at);
            }),
            Setting::NoClosure(day) => self.change_days(|days| {
                days.closures.remove(day);
            }),
            Setting::Halt(halt) => self.change_days(|days| {
                days.halts.retain(|other| other.symbol != halt.symbol);
                days.halts.push(halt.clone());
            }),
            Setting::NoHalt(symbol) => self.change_days(|days| {
                days.halts.retain(|halt| symbol.is_some() && halt.symbol != *symbol);
            }),
        }
    }

    fn change_days(&self, change: impl FnOnce(&mut Days)) {
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut days);
        let exception = |closes_at: Option<NaiveTime>| closes_at.map_or(Exception::Closed, Exception::ClosesAt);
        let exceptions = days
            .closures
            .iter()
            .map(|(day, closes_at)| (*day, exception(*closes_at)));
        days.calendar = Arc::new(self.usual.clone().with_exceptions(exceptions));
    }

    fn days(&self) -> RwLockReadGuard<'_, Days> {
        self.days.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calendar in force.
    pub fn calendar(&self) -> Arc<Calendar> {
        self.days().calendar.clone()
    }

    /// Special closures by day.
    pub fn closures(&self) -> BTreeMap<NaiveDate, Option<NaiveTime>> {
        self.days().closures.clone()
    }

    /// The halts in force at `now`.
    pub fn halts(&self, now: Timestamp) -> Vec<Halt> {
        self.days()
            .halts
            .iter()
            .filter(|halt| halt.ends_at > now)
            .cloned()
            .collect()
    }

    /// Orders with an end up to this time are over at `now`. Usually that is `now`; after a close that came early by
    /// special closure, also the end that the session's day orders were promised.
    pub fn due(&self, now: Timestamp) -> Timestamp {
        let today = SessionDate::new(to_new_york(now).date_naive());
        let days = self.days();
        let closed = days
            .calendar
            .session_bounds(today)
            .is_some_and(|(_, close)| close <= now);
        match self.usual.session_bounds(today) {
            Some((_, close)) if closed => now.max(close),
            _ => now,
        }
    }

    /// The latest close before `now`, if one was within a fortnight.
    pub fn last_close(&self, now: Timestamp) -> Option<Timestamp> {
        let calendar = self.calendar();
        let today = to_new_york(now).date_naive();
        let closes = (0..14).filter_map(|back| {
            let day = today.checked_sub_days(chrono::Days::new(back))?;
            calendar.session_bounds(SessionDate::new(day)).map(|(_, close)| close)
        });
        closes.into_iter().find(|close| *close <= now)
    }

    /// How far the clock is before the machine's.
    pub fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Acquire)
    }

    /// Whether nobody reaches the exchange.
    pub fn is_out(&self) -> bool {
        *self.outage.borrow()
    }

    /// Returns when an outage begins, at once if there is one.
    pub(crate) async fn outage(&self) {
        // The sender is ours and lives as long as this borrow, so the wait cannot fail.
        let _ = self.outage.subscribe().wait_for(|on| *on).await;
    }
}

impl Clock for Settings {
    fn now(&self) -> Timestamp {
        self.clock.now() + TimeDelta::milliseconds(self.clock_offset_ms())
    }
}

#[cfg(test)]
mod tests {
    //! How far a clock can be off.
    use super::*;

    #[test]
    fn a_clock_can_be_off_by_minutes_or_years_but_not_beyond_every_calendar() {
        assert!(clock_offset(-300_000).is_some());
        assert!(clock_offset(3_650 * 86_400_000).is_some());
        assert!(clock_offset(3_650 * 86_400_000 + 1).is_none());
        assert!(clock_offset(i64::MIN).is_none());
    }
}
