//! How many calls may be made again: a share of the first ones, and a few a second whatever happens. A venue that
//! suffers is so spared the load that failures make: without it every call that fails would be followed by more.
//!
//! A retry is a call about an order whose call before failed: asking again, handing in again, canceling again, a saga's
//! step again. What was not let in (429, no connection) has a pause of its own, and the order goes back to its line.

use domain::Timestamp;

/// What a first call is worth, in hundredths of a retry.
const SHARE: u64 = 20;
/// What a second is worth.
const A_SECOND: u64 = 10 * RETRY;
/// What a retry costs.
const RETRY: u64 = 100;
/// The most that can be saved up.
const MOST: u64 = 100 * RETRY;

/// What was saved up.
#[derive(Debug, Clone)]
pub struct Retries {
    credit: u64,
    grown_at: Option<Timestamp>,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            credit: MOST,
            grown_at: None,
        }
    }
}

impl Retries {
    /// Retries that may be made now.
    pub fn left(&mut self, now: Timestamp) -> usize {
        let since = self.grown_at.map_or(0, |at| (now - at).num_milliseconds());
        // A clock that was set back earns nothing.
        let earned = u64::try_from(since).unwrap_or(0) * A_SECOND / 1_000;
        if earned > 0 || self.grown_at.is_none_or(|at| at > now) {
            self.grown_at = Some(now);
            self.save(earned);
        }
        usize::try_from(self.credit / RETRY).unwrap_or(usize::MAX)
    }

    /// So many calls are made, and so many retries.
    pub fn made(&mut self, calls: usize, retries: usize) {
        let cost = u64::try_from(retries).unwrap_or(u64::MAX).saturating_mul(RETRY);
        self.credit = self.credit.saturating_sub(cost);
        self.save(u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(SHARE));
    }

    fn save(&mut self, more: u64) {
        self.credit = self.credit.saturating_add(more).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    //! What a venue that answers nothing is spared.
    use super::*;
    use chrono::TimeDelta;

    fn start() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    /// Every call fails and wants to be made again, for a minute, at so many first calls a second.
    fn retries_in_a_minute(calls_a_second: usize) -> usize {
        let (mut retries, mut waiting, mut made) = (Retries::default(), 0, 0);
        for tenth in 0..600 {
            let now = start() + TimeDelta::milliseconds(100 * tenth);
            let again = retries.left(now).min(waiting);
            let first = calls_a_second / 10;
            retries.made(first, again);
            made += again;
            waiting += first;
        }
        made
    }

    #[test]
    fn retries_are_a_share_of_the_calls_and_a_few_a_second() {
        let busy = retries_in_a_minute(1_000);
        assert!((12_400..=12_800).contains(&busy), "{busy} retries of 60000 calls");
        let quiet = retries_in_a_minute(20);
        assert!((600..=950).contains(&quiet), "{quiet} retries of 1200 calls");
    }

    #[test]
    fn who_saved_up_has_a_hundred_and_a_clock_set_back_brings_nothing() {
        let mut retries = Retries::default();
        retries.made(1_000_000, 0);
        assert_eq!(retries.left(start()), 100);
        retries.made(0, 100);
        assert_eq!(retries.left(start()), 0);
        assert_eq!(retries.left(start() - TimeDelta::hours(1)), 0);
        assert_eq!(retries.left(start() - TimeDelta::minutes(59)), 100);
    }
}
