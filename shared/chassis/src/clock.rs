//! The time, passed in: programs ask a [`Clock`], tests own one and move it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Fraction digits that Postgres keeps; more would change on the way through a row.
const MICROSECONDS: u16 = 6;

/// Where a program reads the time.
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock as it is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(MICROSECONDS)
    }
}

/// The machine's clock, shifted: how a process keeps the time of its installation, which a rehearsal may have moved.
#[derive(Debug, Default)]
pub struct OffsetClock(AtomicI64);

impl OffsetClock {
    /// A clock that is `offset` ahead of the machine's, or behind it below zero.
    pub fn new(offset: TimeDelta) -> Self {
        let clock = OffsetClock::default();
        clock.shift_to(offset);
        clock
    }

    /// Moves it; it goes on running. True when the offset was another one.
    pub fn shift_to(&self, offset: TimeDelta) -> bool {
        let offset = offset.num_microseconds().unwrap_or(0);
        self.0.swap(offset, Ordering::Relaxed) != offset
    }
}

impl Clock for OffsetClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::microseconds(self.0.load(Ordering::Relaxed))
    }
}

/// A clock that stands still until it is moved; shared by an `Arc`.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        ManualClock(Mutex::new(start.trunc_subsecs(MICROSECONDS)))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).expect("tests move the clock by less than an age");
        *self.lock() += by;
    }

    /// Puts it to a time, an earlier one too.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.lock() = to.trunc_subsecs(MICROSECONDS);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DateTime<Utc>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.lock().trunc_subsecs(MICROSECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a literal of this file")
    }

    #[test]
    fn no_clock_shows_more_than_a_row_can_keep() {
        let manual = ManualClock::new(at("2026-11-23T15:00:00.123456789Z"));
        assert_eq!(manual.now(), at("2026-11-23T15:00:00.123456Z"));
        manual.advance(Duration::from_nanos(1_999));
        assert_eq!(manual.now(), at("2026-11-23T15:00:00.123457Z"));
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
    }

    #[test]
    fn a_shifted_clock_runs_ahead_by_its_offset() {
        let clock = OffsetClock::new(TimeDelta::hours(3));
        let (before, shown) = (SystemClock.now(), clock.now());
        let ahead = shown - before;
        assert!(
            ahead >= TimeDelta::hours(3) && ahead < TimeDelta::hours(4),
            "ahead by {ahead}"
        );
        assert!(!clock.shift_to(TimeDelta::hours(3)), "nothing changed");
        assert!(clock.shift_to(TimeDelta::hours(-24)));
        assert!(clock.now() < before, "a day behind");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_who_share_it() {
        let clock = Arc::new(ManualClock::new(at("2026-11-23T15:00:00Z")));
        let other: SharedClock = clock.clone();
        assert_eq!(other.now(), at("2026-11-23T15:00:00Z"));
        clock.advance(Duration::from_secs(60));
        assert_eq!(other.now(), at("2026-11-23T15:01:00Z"));
        clock.set(at("2026-11-22T00:00:00Z"));
        assert_eq!(other.now(), at("2026-11-22T00:00:00Z"));
    }
}
