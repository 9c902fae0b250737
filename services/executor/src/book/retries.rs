//! How many calls may be made again: a share of the first ones, and a few a second whatever happens. A venue that
//! suffers is so spared the load that failures make: without it every call that fails would be followed by more.
//!
//! A retry is a call about an order whose call before failed: asking again, handing in again, canceling again, a saga's
//! step again. What was not let in (429, no connection) has a pause of its own, and the order goes back to its line.
//!
//! The credit is the venue's: one row, shared by all executors, so that more of them make no more retries. Each has a few
//! retries in hand, drawn from the row, so that a single failure waits for no row, and hands in what its first calls earn.
//! So the row has a hundred at most, and each hand ten, or for a second what calls that were put off want. What one has in
//! hand when it dies is lost; the row grows again.

use chrono::TimeDelta;
use domain::Timestamp;

/// What a first call is worth, in hundredths of a retry.
const SHARE: u64 = 20;
/// What a millisecond is worth: ten retries a second.
const A_MILLISECOND: u64 = 1;
/// What a retry costs.
const RETRY: u64 = 100;
/// The most that can be saved up.
const MOST: u64 = 100 * RETRY;
/// What an executor has in hand while all is well.
const IN_HAND: u64 = 10 * RETRY;
/// For how long more than that is kept for the calls that wanted it; twice as long as they are put off.
const KEPT: TimeDelta = TimeDelta::seconds(1);

/// What all executors of a venue have saved up together, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit {
    /// Hundredths of a retry.
    pub hundredths: u64,
    /// As of when; none: it never changed.
    pub at: Option<Timestamp>,
}

impl Credit {
    /// Retries that it comes to now.
    pub fn retries(self, now: Timestamp) -> u32 {
        u32::try_from(self.grown(now) / RETRY).unwrap_or(u32::MAX)
    }

    fn grown(self, now: Timestamp) -> u64 {
        let since = self.at.map_or(0, |at| (now - at).num_milliseconds());
        // A clock that was set back earns nothing.
        let earned = u64::try_from(since).unwrap_or(0).saturating_mul(A_MILLISECOND);
        self.hundredths.saturating_add(earned).min(MOST)
    }
}

/// A change of the credit that an executor wants to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// What it leaves.
    pub left: Credit,
    hand: u64,
}

/// What one executor has of it.
#[derive(Debug, Clone, Default)]
pub struct Retries {
    hand: u64,
    /// By first calls, since the last draw.
    earned: u64,
    /// By calls that were put off since then.
    wanted: u64,
    kept_until: Option<Timestamp>,
}

impl Retries {
    /// Retries that may be made now.
    pub fn left(&self) -> usize {
        usize::try_from(self.hand / RETRY).unwrap_or(usize::MAX)
    }

    /// So many calls are made, so many retries, and so many are put off because too few were left.
    pub fn made(&mut self, calls: usize, retries: usize, put_off: usize) {
        self.hand = self.hand.saturating_sub(worth(retries, RETRY));
        self.earned = self.earned.saturating_add(worth(calls, SHARE)).min(MOST);
        self.wanted = self.wanted.saturating_add(worth(put_off, RETRY)).min(MOST);
    }

    /// What to make of the credit that was read; nothing while there is nothing to draw, and nothing to hand in that it has
    /// room for. To be made only if the credit is still what was read.
    pub fn draw(&mut self, stored: Credit, now: Timestamp) -> Option<Draw> {
        if self.wanted > 0 {
            self.kept_until = Some(now + KEPT);
        }
        let enough = IN_HAND + self.wanted;
        let is_kept = self.kept_until.is_some_and(|until| now < until);
        let most = if is_kept { self.hand.max(enough) } else { enough };
        let given_back = self.hand.saturating_sub(most);
        let grown = stored.grown(now);
        let handed_in = self.earned + given_back;
        let credit = grown.saturating_add(handed_in).min(MOST);
        // Half of it at most: where it is scarce, whoever looks a moment later gets some, too.
        let drawn = enough.saturating_sub(self.hand).min(credit.div_ceil(2));
        if drawn == 0 && (handed_in == 0 || grown == MOST) {
            // What it grows by needs no writing, and when it is full it has no room for more.
            (self.hand, self.earned, self.wanted) = (self.hand - given_back, 0, 0);
            return None;
        }
        let left = Credit {
            hundredths: credit - drawn,
            at: stored.at.max(Some(now)),
        };
        let hand = self.hand - given_back + drawn;
        Some(Draw { left, hand })
    }

    /// The draw was made.
    pub fn drew(&mut self, draw: Draw) {
        (self.hand, self.earned, self.wanted) = (draw.hand, 0, 0);
    }
}

fn worth(calls: usize, each: u64) -> u64 {
    u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(each)
}

#[cfg(test)]
mod tests {
    //! What a venue that answers nothing is spared.
    use super::*;

    const FULL: Credit = Credit {
        hundredths: MOST,
        at: None,
    };

    fn start() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    fn at(milliseconds: i64) -> Timestamp {
        start() + TimeDelta::milliseconds(milliseconds)
    }

    fn look(retries: &mut Retries, row: &mut Credit, now: Timestamp) -> bool {
        let draw = retries.draw(*row, now);
        if let Some(draw) = draw {
            *row = draw.left;
            retries.drew(draw);
        }
        draw.is_some()
    }

    /// Every call of these executors fails and wants to be made again, for a minute, at so many first calls a second in all.
    /// They look at the same moments, always one after the other. The retries of each.
    fn retries_in_a_minute(executors: usize, calls_a_second: usize) -> Vec<usize> {
        let (mut all, mut row) = (vec![(Retries::default(), 0, 0); executors], FULL);
        for tenth in 0..600 {
            for (retries, waiting, made) in &mut all {
                let (again, first) = (retries.left().min(*waiting), calls_a_second / 10 / executors);
                retries.made(first, again, *waiting - again);
                *made += again;
                *waiting += first;
                look(retries, &mut row, at(100 * tenth));
            }
        }
        all.into_iter().map(|(_, _, made)| made).collect()
    }

    #[test]
    fn retries_are_a_share_of_the_calls_and_a_few_a_second_however_many_executors_there_are() {
        for executors in [1, 2, 5] {
            let busy: usize = retries_in_a_minute(executors, 1_000).iter().sum();
            assert!(
                (12_400..=12_700).contains(&busy),
                "{executors}: {busy} retries of 60000 calls"
            );
            let quiet: usize = retries_in_a_minute(executors, 50).iter().sum();
            assert!(
                (900..=1_300).contains(&quiet),
                "{executors}: {quiet} retries of 3000 calls"
            );
        }
    }

    #[test]
    fn whoever_looks_second_gets_its_part() {
        for calls_a_second in [1_000, 20] {
            let each = retries_in_a_minute(2, calls_a_second);
            assert!(each[1] * 3 > each[0], "{each:?}");
        }
    }

    #[test]
    fn a_full_credit_is_left_alone_and_a_single_failure_waits_for_nothing() {
        let (mut retries, mut row) = (Retries::default(), FULL);
        assert!(look(&mut retries, &mut row, at(0)), "it takes a few in hand");
        assert_eq!(
            (retries.left(), row.retries(at(0)), row.retries(at(1_000))),
            (10, 90, 100)
        );
        assert!(!look(&mut retries, &mut row, at(250)), "it grows by itself");
        for second in 1..100 {
            retries.made(1_000, 0, 0);
            assert!(!look(&mut retries, &mut row, at(1_000 * second)));
        }
        retries.made(0, 3, 0);
        assert_eq!(retries.left(), 7);
        assert!(look(&mut retries, &mut row, at(100_000)));
        assert_eq!((retries.left(), row.retries(at(100_000))), (10, 97));
    }

    #[test]
    fn what_was_wanted_is_kept_for_a_second_and_then_given_back() {
        let (mut retries, mut row) = (Retries::default(), FULL);
        retries.made(0, 0, 30);
        look(&mut retries, &mut row, at(0));
        assert_eq!((retries.left(), row.retries(at(0))), (40, 60));
        look(&mut retries, &mut row, at(999));
        assert_eq!(retries.left(), 40);
        look(&mut retries, &mut row, at(1_000));
        assert_eq!((retries.left(), row.retries(at(1_000))), (10, 100));
    }

    #[test]
    fn a_draw_that_was_not_made_changes_nothing() {
        let mut retries = Retries::default();
        retries.made(10, 0, 5);
        let first = retries.draw(FULL, at(0));
        assert_eq!(retries.left(), 0);
        assert_eq!(
            retries.draw(FULL, at(0)),
            first,
            "somebody was quicker, it asks for the same"
        );
    }

    #[test]
    fn no_more_than_a_hundred_are_saved_up_and_a_clock_set_back_brings_nothing() {
        let (mut retries, mut row) = (Retries::default(), FULL);
        retries.made(1_000_000, 0, 1_000_000);
        look(&mut retries, &mut row, at(0));
        assert_eq!((retries.left(), row.retries(at(0))), (50, 50));
        retries.made(0, 50, 100);
        look(&mut retries, &mut row, at(-3_600_000));
        assert_eq!((retries.left(), row.at), (25, Some(at(0))));
        assert_eq!((row.retries(at(0)), row.retries(at(500))), (25, 30));
    }
}
