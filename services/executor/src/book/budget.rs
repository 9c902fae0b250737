//! How much the venue takes at the moment: one limit for all symbols, halved when it says "too many", and a pause for
//! as long as it asks. A venue that cannot be reached at all is left alone in the same way, for growing times.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use venue::Fault;

/// The first pause after a connection that never stood; doubles.
const FIRST_OUTAGE: Duration = Duration::from_millis(100);
/// The longest of them.
const LONGEST_OUTAGE: Duration = Duration::from_secs(5);

/// The venue's patience as far as we know it.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limit: usize,
    most: usize,
    paused_until: Option<Timestamp>,
    outages: u32,
}

impl Budget {
    /// So many calls at once at best.
    pub fn new(most: usize) -> Self {
        Self {
            limit: most,
            most,
            ..Self::default()
        }
    }

    /// Calls it takes at once, as of now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// When the pause ends, if there is one.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }

    /// A call was answered, however: the venue is there, and may take a little more again.
    pub fn answered(&mut self) {
        self.limit = (self.limit + 1).min(self.most);
        self.outages = 0;
    }

    /// A call was not let in. Many calls that fail together count once; says whether this is the first of them.
    pub fn turned_away(&mut self, fault: &Fault, now: Timestamp) -> bool {
        let first = self.paused_until(now).is_none();
        let wait = match fault {
            Fault::Throttled { retry_after } => {
                if first {
                    self.limit = (self.limit / 2).max(1);
                }
                *retry_after
            }
            _ if first => {
                self.outages = (self.outages + 1).min(16);
                (FIRST_OUTAGE * 2_u32.pow(self.outages - 1)).min(LONGEST_OUTAGE)
            }
            _ => return false,
        };
        let until = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        self.paused_until = self.paused_until.max(Some(until));
        first
    }
}

#[cfg(test)]
mod tests {
    //! How the venue is treated that asks for less.
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    fn throttled(seconds: u64) -> Fault {
        Fault::Throttled {
            retry_after: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_burst_of_throttled_calls_halves_the_limit_once() {
        let mut budget = Budget::new(100);
        budget.turned_away(&throttled(1), now());
        budget.turned_away(&throttled(3), now());
        assert_eq!(budget.limit(), 50);
        assert_eq!(
            budget.paused_until(now()),
            Some(now() + TimeDelta::seconds(3)),
            "the longest wait counts"
        );
        budget.answered();
        assert_eq!(budget.limit(), 51);
    }

    #[test]
    fn an_outage_is_asked_about_less_and_less_often() {
        let mut budget = Budget::new(100);
        let mut at = now();
        let mut waits = Vec::new();
        for _ in 0..8 {
            budget.turned_away(&Fault::NotSent(String::new()), at);
            budget.turned_away(&Fault::NotSent(String::new()), at);
            let until = budget.paused_until(at).expect("a pause");
            waits.push((until - at).num_milliseconds());
            at = until;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(budget.limit(), 100, "the venue never said that it was too much");
    }
}
