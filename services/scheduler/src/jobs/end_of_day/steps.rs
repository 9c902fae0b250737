//! The twelve steps of an end of day (domain rules 10): what each is called, and from when on it is due.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;

/// One step. The order of the variants is the order of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EodStep {
    /// Day orders are not routed any more; the closing prices are kept.
    CloseRouting,
    /// The end of every order whose time is over is asked for.
    Cancel,
    /// Prints of the close are waited for.
    TakePrints,
    /// What is still open is asked about.
    LookUp,
    /// Day orders are over, good-till-canceled ones are done for the day.
    End,
    /// No ended order holds anything.
    Release,
    /// Regulatory fees.
    Fees,
    /// Our books against the exchange's trade file.
    Reconcile,
    /// What settles today.
    Settle,
    /// The audit, its result chained to the one before.
    Prove,
    /// Everybody was told.
    Notify,
    /// The date is closed, the next one begins.
    CloseDate,
}

use EodStep::*;

impl EodStep {
    /// All of them, in order.
    pub const ALL: [EodStep; 12] = [
        CloseRouting,
        Cancel,
        TakePrints,
        LookUp,
        End,
        Release,
        Fees,
        Reconcile,
        Settle,
        Prove,
        Notify,
        CloseDate,
    ];

    /// 1 to 12.
    pub fn number(self) -> i16 {
        let before = Self::ALL.iter().take_while(|step| **step != self).count();
        i16::try_from(before + 1).expect("twelve at most")
    }

    /// In words for operators.
    pub const fn title(self) -> &'static str {
        match self {
            CloseRouting => "close to routing",
            Cancel => "cancel at the exchange",
            TakePrints => "take late prints",
            LookUp => "look up what is open",
            End => "end the orders",
            Release => "release the holds",
            Fees => "post fees",
            Reconcile => "reconcile",
            Settle => "settle",
            Prove => "prove the books",
            Notify => "notify",
            CloseDate => "close the date",
        }
    }

    /// From when on it is due, if the session closed at `close`.
    pub fn due(self, close: Timestamp, settings: &Settings) -> Timestamp {
        let after = match self {
            CloseRouting => Duration::ZERO,
            Cancel | TakePrints => settings.cancel_after,
            LookUp | End | Release => settings.prints_until,
            Fees => settings.fees_after,
            Reconcile | Settle => settings.reconcile_after,
            Prove | Notify | CloseDate => settings.prove_after,
        };
        close + span(after)
    }
}

/// The times of an end of day, all from the session's close, and how much is done at a time.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// To the wish to end every day order.
    pub cancel_after: Duration,
    /// Prints of the close are taken until then, and nothing is asked about before.
    pub prints_until: Duration,
    /// How long what is still open is asked about, from the first question on, before it is listed as unresolved.
    pub look_up_for: Duration,
    /// To the posting of fees.
    pub fees_after: Duration,
    /// To the comparison with the trade file.
    pub reconcile_after: Duration,
    /// To the proof: early enough that it is there by `proven_by`.
    pub prove_after: Duration,
    /// When an end of day that has not begun is missed (SAGA 25).
    pub missed_after: Duration,
    /// When every order's state should be known, at the latest (EOD-1).
    pub orders_by: Duration,
    /// When the proof should be there.
    pub proven_by: Duration,
    /// When the date should be closed.
    pub closed_by: Duration,
    /// How soon to look again at what is waited for.
    pub poll: Duration,
    /// How long before an order that stays open is asked about once more; doubles.
    pub ask_again: Duration,
    /// Orders of one transaction.
    pub batch: i64,
    /// Transactions at a time.
    pub workers: usize,
    /// Most questions to the exchange a second.
    pub look_ups_per_second: i64,
    /// How often the watchdog looks.
    pub watch_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Settings {
            cancel_after: Duration::from_secs(5),
            prints_until: minutes(10),
            look_up_for: minutes(15),
            fees_after: minutes(30),
            reconcile_after: minutes(45),
            prove_after: minutes(105),
            missed_after: minutes(5),
            orders_by: minutes(30),
            proven_by: minutes(120),
            closed_by: minutes(270),
            poll: Duration::from_secs(2),
            ask_again: Duration::from_secs(30),
            batch: 2_000,
            workers: 2,
            look_ups_per_second: 500,
            watch_every: Duration::from_secs(10),
        }
    }
}

/// A setting as a span of the calendar's time.
pub(super) fn span(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_full_and_of_a_half_day_are_due_at_the_same_distance_from_the_close() {
        let settings = Settings::default();
        let full: Timestamp = "2026-11-23T21:00:00Z".parse().expect("a time");
        let half: Timestamp = "2026-11-27T18:00:00Z".parse().expect("a time");
        for step in EodStep::ALL {
            assert_eq!(step.due(full, &settings) - full, step.due(half, &settings) - half);
        }
        let minutes = |step: EodStep| (step.due(full, &settings) - full).num_minutes();
        assert_eq!(
            EodStep::ALL.map(minutes),
            [0, 0, 0, 10, 10, 10, 30, 45, 45, 105, 105, 105]
        );
    }

    #[test]
    fn the_steps_are_numbered_from_1_to_12() {
        assert_eq!(
            EodStep::ALL.map(EodStep::number),
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        );
    }
}
