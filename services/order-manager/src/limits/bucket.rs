//! A token bucket in eight bytes: the generic cell rate algorithm. Pure.
//!
//! Instead of tokens and the time of their count it keeps one time: when the bucket is full again. A request moves that
//! time on by the time one token takes; when it would lie farther ahead than an empty bucket takes to fill, there is no
//! token. The rate is no part of it, so an operator may change a rate and every bucket goes on with it.
//!
//! Crates for this were looked at (governor). They fix the rate when a limiter is made, cannot look without taking, and
//! cannot charge afterwards, which is what keeps strangers honest here.

use identity::limits::Rate;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// When the bucket is full again, in microseconds since 1970; what lies in the past is full now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket(i64);

/// How a bucket stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Requests a minute.
    pub limit: u32,
    /// Requests it has at once.
    pub remaining: u32,
    /// When it is full again, in microseconds since 1970.
    pub full_at: i64,
    /// How long until it has the next one, in microseconds, where this one was too many.
    pub wait: Option<i64>,
}

impl Standing {
    /// Nothing limits this request; clients still want to read numbers.
    pub const fn unlimited(now: i64) -> Self {
        Standing {
            limit: 1_000_000_000,
            remaining: 1_000_000_000,
            full_at: now,
            wait: None,
        }
    }

    /// Whether the request may pass.
    pub const fn passes(&self) -> bool {
        self.wait.is_none()
    }
}

impl Bucket {
    /// Takes a token, if there is one.
    pub fn take(&mut self, rate: Rate, now: i64) -> Standing {
        let standing = self.look(rate, now);
        if !standing.passes() {
            return standing;
        }
        self.0 = self.full_at(rate, now) + a_token(rate);
        Standing {
            remaining: standing.remaining - 1,
            full_at: self.0,
            ..standing
        }
    }

    /// How it stands; nothing is taken.
    pub fn look(&mut self, rate: Rate, now: i64) -> Standing {
        let (full_at, token, whole) = (self.full_at(rate, now), a_token(rate), whole(rate));
        // What lay too far ahead is not looked at twice: the wait that is told counts from now.
        self.0 = self.0.min(full_at);
        let missing = full_at - now;
        let remaining = (whole - missing).max(0) / token;
        Standing {
            limit: rate.per_minute,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_at,
            wait: (remaining == 0).then(|| missing + token - whole),
        }
    }

    /// Takes a token whether there is one or not. What is owed is paid back by the time until the next one; it grows to
    /// one empty bucket at most, so that nobody is shut out for long.
    pub fn charge(&mut self, rate: Rate, now: i64) {
        self.0 = (self.full_at(rate, now) + a_token(rate)).min(now + 2 * whole(rate));
    }

    /// Whether it would not differ from a new one.
    pub const fn is_full(&self, now: i64) -> bool {
        self.0 <= now
    }

    /// A clock that was put back, or a rate that was raised, must not leave a bucket empty for longer than it can be.
    fn full_at(&self, rate: Rate, now: i64) -> i64 {
        self.0.clamp(now, now + 2 * whole(rate))
    }
}

/// What one token takes.
fn a_token(rate: Rate) -> i64 {
    (MINUTE / i64::from(rate.per_minute.max(1))).max(1)
}

/// What an empty bucket takes to fill.
fn whole(rate: Rate) -> i64 {
    a_token(rate) * i64::from(rate.burst.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_minute: 60,
        burst: 3,
    };
    const SECOND: i64 = 1_000_000;
    const NOON: i64 = 1_795_000_000 * SECOND;

    /// Takes one; what is left, or how many seconds to wait.
    fn take(bucket: &mut Bucket, at: i64) -> Result<u32, i64> {
        let standing = bucket.take(RATE, at);
        standing.wait.map_or(Ok(standing.remaining), |wait| Err(wait / SECOND))
    }

    #[test]
    fn rsk_7_a_bucket_gives_its_burst_at_once_and_then_one_a_token() {
        let mut bucket = Bucket::default();
        let at_noon: Vec<_> = (0..4).map(|_| take(&mut bucket, NOON)).collect();
        assert_eq!(at_noon, [Ok(2), Ok(1), Ok(0), Err(1)]);
        assert_eq!(take(&mut bucket, NOON + SECOND), Ok(0));
        assert_eq!(take(&mut bucket, NOON + SECOND), Err(1));
        assert_eq!(
            bucket.look(RATE, NOON + 3 * SECOND).remaining,
            2,
            "two seconds, two tokens"
        );
        assert_eq!(
            take(&mut bucket, NOON + 60 * SECOND),
            Ok(2),
            "never more than the burst"
        );
    }

    #[test]
    fn a_refused_request_takes_nothing() {
        let mut bucket = Bucket::default();
        for _ in 0..1_000 {
            bucket.take(RATE, NOON);
        }
        assert_eq!(bucket.look(RATE, NOON).full_at, NOON + 3 * SECOND);
    }

    #[test]
    fn what_is_charged_beyond_the_bucket_is_owed_but_never_for_ever() {
        let mut bucket = Bucket::default();
        for _ in 0..5 {
            bucket.charge(RATE, NOON);
        }
        assert_eq!(take(&mut bucket, NOON + 2 * SECOND), Err(1), "two are owed");
        assert_eq!(take(&mut bucket, NOON + 3 * SECOND), Ok(0));
        for _ in 0..1_000 {
            bucket.charge(RATE, NOON);
        }
        assert_eq!(
            take(&mut bucket, NOON + 4 * SECOND),
            Ok(0),
            "one bucket is owed at most"
        );
    }

    #[test]
    fn a_clock_that_is_put_back_shuts_nobody_out() {
        let mut bucket = Bucket::default();
        assert_eq!(take(&mut bucket, NOON + 86_400 * SECOND), Ok(2));
        assert_eq!(take(&mut bucket, NOON), Err(4), "a day later became a few seconds");
        assert_eq!(take(&mut bucket, NOON + 4 * SECOND), Ok(0));
    }

    #[test]
    fn a_rate_may_change_while_a_bucket_is_empty() {
        let mut bucket = Bucket::default();
        while bucket.take(RATE, NOON).passes() {}
        let raised = Rate {
            per_minute: 6_000,
            burst: 6_000,
        };
        assert!(bucket.take(raised, NOON).passes());
        assert!(!bucket.take(RATE, NOON).passes());
    }

    #[test]
    fn the_fastest_and_the_slowest_rates_do_not_overflow() {
        for (per_minute, burst) in [(1, u32::MAX), (u32::MAX, u32::MAX), (u32::MAX, 1), (1, 1)] {
            let mut bucket = Bucket::default();
            assert!(bucket.take(Rate { per_minute, burst }, NOON).passes());
        }
    }
}
