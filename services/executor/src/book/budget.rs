//! How much the venue takes at the moment: one limit for all symbols, halved when it says "too many", and a pause for
//! as long as it asks, which all executors keep.

use chrono::TimeDelta;
use domain::Timestamp;
use std::time::Duration;

/// Calls at once after the venue was left alone: as many more with each answer.
const AFTER_AN_OUTAGE: usize = 16;
/// A pause that ends so much later than the one the others know of is worth telling them.
const WORTH_TELLING: TimeDelta = TimeDelta::milliseconds(500);

/// The venue's patience as far as we know it.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limit: usize,
    most: usize,
    paused_until: Option<Timestamp>,
    /// The end of the pause that the other executors know of, by this one's clock.
    told_until: Option<Timestamp>,
    /// That end as it is stored.
    stored: Option<Timestamp>,
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

    /// A call was answered: the venue may take a little more again.
    pub fn answered(&mut self) {
        self.limit = (self.limit + 1).min(self.most);
    }

    /// The venue was left alone: it is not met with everything at once.
    pub fn go_gently(&mut self) {
        self.limit = self.limit.min(AFTER_AN_OUTAGE);
    }

    /// A call was too many. Many of them together count once; says whether this is the first of them.
    pub fn throttled(&mut self, retry_after: Duration, now: Timestamp) -> bool {
        let first = self.paused_until(now).is_none();
        if first {
            self.limit = (self.limit / 2).max(1);
        }
        self.pause(retry_after, now);
        first
    }

    fn pause(&mut self, wait: Duration, now: Timestamp) {
        let until = now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// The rest of a pause that the other executors do not know of.
    pub fn untold_pause(&self, now: Timestamp) -> Option<Duration> {
        let until = self.paused_until(now)?;
        let is_news = self.told_until.is_none_or(|told| until > told + WORTH_TELLING);
        is_news.then(|| (until - now).to_std().unwrap_or_default())
    }

    /// The pause was told.
    pub fn told(&mut self) {
        self.told_until = self.paused_until;
    }

    /// What is stored of the pause: its end, and how long that is from now on.
    pub fn adopt(&mut self, stored: Option<(Timestamp, Duration)>, now: Timestamp) {
        let Some((until, wait)) = stored.filter(|(until, _)| self.stored != Some(*until)) else {
            return;
        };
        self.stored = Some(until);
        self.pause(wait, now);
        self.told();
    }
}

#[cfg(test)]
mod tests {
    //! How the venue is treated that asks for less.
    use super::*;

    const A_SECOND: Duration = Duration::from_secs(1);

    fn now() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    #[test]
    fn a_burst_of_throttled_calls_halves_the_limit_once() {
        let mut budget = Budget::new(100);
        assert!(budget.throttled(A_SECOND, now()));
        assert!(!budget.throttled(A_SECOND * 3, now()));
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
    fn a_pause_is_told_once_and_again_only_if_it_grows_by_much() {
        let mut budget = Budget::new(100);
        budget.throttled(A_SECOND, now());
        assert_eq!(budget.untold_pause(now()), Some(A_SECOND));
        budget.told();
        budget.throttled(A_SECOND, now() + TimeDelta::milliseconds(400));
        assert_eq!(budget.untold_pause(now()), None);
        budget.throttled(A_SECOND * 2, now());
        assert_eq!(budget.untold_pause(now()), Some(A_SECOND * 2));
    }

    #[test]
    fn a_pause_of_another_executor_is_taken_over_once() {
        let mut budget = Budget::new(100);
        let stored = Some((now(), A_SECOND));
        budget.adopt(stored, now());
        assert_eq!(budget.paused_until(now()), Some(now() + TimeDelta::seconds(1)));
        assert_eq!(budget.untold_pause(now()), None, "it is theirs");
        let later = now() + TimeDelta::seconds(2);
        budget.adopt(stored, later);
        assert_eq!(budget.paused_until(later), None);
        assert_eq!(budget.limit(), 100, "the venue did not say so to this one");
    }
}
