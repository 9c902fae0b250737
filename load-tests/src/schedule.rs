//! When orders are sent.
//!
//! In the open loop the n-th order is meant to start at `n / rate`, whether or not the ones before it were answered, and
//! its latency counts from there: a server that stalls is charged for everybody who had to wait (no coordinated
//! omission). In the closed loop each connection sends its next order when it has the answer to its last.

use std::time::Duration;

/// The loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as answers come.
    Closed,
    /// This many a second, come what may.
    Open {
        /// Orders a second.
        rate: u64,
    },
}

impl Pace {
    /// When the n-th order is meant to start, counted from the beginning; `None` in the closed loop: now.
    pub fn intended(self, number: u64) -> Option<Duration> {
        match self {
            Pace::Closed => None,
            Pace::Open { rate } => {
                let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
                Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    /// How many orders are meant to start within this time; `None` in the closed loop.
    pub fn due(self, within: Duration) -> Option<u64> {
        match self {
            Pace::Closed => None,
            Pace::Open { rate } => {
                let due = (within.as_nanos() * u128::from(rate)).div_ceil(1_000_000_000);
                Some(u64::try_from(due).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! The schedule does not drift.
    use super::*;

    #[test]
    fn the_open_loop_keeps_its_rate_over_any_time() {
        let pace = Pace::Open { rate: 3_000 };
        assert_eq!(pace.intended(0), Some(Duration::ZERO));
        assert_eq!(pace.intended(1), Some(Duration::from_nanos(333_333)));
        // An interval that is rounded and then added up would be 1 ms off by here.
        assert_eq!(pace.intended(3_000 * 3_600), Some(Duration::from_secs(3_600)));
    }

    #[test]
    fn the_closed_loop_has_no_times_of_its_own() {
        assert_eq!(Pace::Closed.intended(7), None);
        assert_eq!(Pace::Closed.due(Duration::from_secs(1)), None);
    }

    #[test]
    fn what_is_due_are_the_orders_that_start_within_the_time() {
        let pace = Pace::Open { rate: 3_000 };
        for within in [
            Duration::from_millis(10),
            Duration::from_nanos(333_333),
            Duration::from_nanos(333_334),
        ] {
            let counted = (0..)
                .take_while(|n| pace.intended(*n).is_some_and(|at| at < within))
                .count();
            assert_eq!(pace.due(within), u64::try_from(counted).ok(), "{within:?}");
        }
    }
}
