//! What can be set by hand while it trades, and outlives a restart: the clock, an outage.
//!
//! The engine writes settings with the batch they came in, and puts them in force after the commit. So they have a
//! place in the order of commands: whoever was told that a setting is in force finds it in force.

use std::sync::atomic::{AtomicI64, Ordering};

use chassis::clock::{Clock, SharedClock};
use chrono::TimeDelta;
use domain::Timestamp;
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
}

/// What is set, for everybody to see.
pub struct Settings {
    clock: SharedClock,
    clock_offset_ms: AtomicI64,
    outage: watch::Sender<bool>,
}

/// Settings as the table keeps them.
#[derive(Debug, Clone, Copy)]
pub struct StoredSettings {
    /// How far the clock is before the machine's.
    pub clock_offset_ms: i64,
    /// Whether nobody reaches the exchange.
    pub outage: bool,
}

/// The offset in milliseconds, if it is one that a calendar can follow.
pub fn clock_offset(offset_ms: i64) -> Option<Setting> {
    let farthest = TimeDelta::days(FARTHEST_DAYS).num_milliseconds();
    (offset_ms.unsigned_abs() <= farthest.unsigned_abs()).then_some(Setting::ClockOffset(offset_ms))
}

impl Settings {
    /// The usual: the clock that was given, and reachable.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            clock_offset_ms: AtomicI64::new(0),
            outage: watch::Sender::new(false),
        }
    }

    /// Puts in force what the table says.
    pub(crate) fn load(&self, stored: StoredSettings) {
        self.apply(&Setting::ClockOffset(stored.clock_offset_ms));
        self.apply(&Setting::Outage(stored.outage));
    }

    /// Puts one setting in force. Its commit comes first.
    pub(crate) fn apply(&self, setting: &Setting) {
        match setting {
            Setting::ClockOffset(offset_ms) => self.clock_offset_ms.store(*offset_ms, Ordering::Release),
            Setting::Outage(on) => {
                self.outage.send_replace(*on);
            }
        }
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
