//! Whether the venue is called: a breaker for each venue, whose state all executors share. The rule only; its row is the
//! matter of [`crate::breakers`].
//!
//! | state | calls | cancels | becomes |
//! |---|---|---|---|
//! | closed | all | all | open, after so many failures in a row |
//! | open | none | one a second | half open, when its time is over or a cancel was answered, and there is a call to make |
//! | half open | a few, of the one executor that made it so | likewise | closed with their first answer, open with their first failure |
//!
//! Each failure of the probes doubles the time until the next ones. What an operator opened has no end of its own and
//! lets no probe through. Customers' wishes to cancel keep trying meanwhile, one a second in each executor: it may save
//! a customer's money, it costs the venue next to nothing, and its answer tells that the venue is back.

use std::time::Duration;

use chrono::TimeDelta;
use domain::Timestamp;
use strum::{Display, EnumString, IntoStaticStr};
use venue::Fault;

use crate::Config;

/// Calls that probes may be at once.
const PROBES: usize = 3;
/// From a failure to the next cancel, while no other call may go.
const CANCEL_EVERY: Duration = Duration::from_secs(1);
/// How long the probes of one executor keep others from probing.
pub const PROBING: Duration = Duration::from_secs(5);
/// Times that the wait doubles, at most.
const DOUBLINGS: u32 = 16;

/// The word for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum BreakerWord {
    /// The venue is called.
    Closed,
    /// It is left alone.
    Open,
    /// Probes tell whether it is back.
    HalfOpen,
}

impl BreakerWord {
    /// The word, for SQL.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the row says, with times as they are from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its state.
    pub state: BreakerWord,
    /// One more with each change.
    pub version: i64,
    /// Times it was opened since it was last closed.
    pub outages: u32,
    /// How long until probes may go; none: that is not a matter of time.
    pub wait: Option<Duration>,
}

/// A change that the other executors have to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nobody calls, for so long.
    Open {
        /// How long.
        wait: Duration,
        /// How many times in a row by now.
        outages: u32,
        /// What failed.
        cause: String,
    },
    /// This executor probes.
    Probe,
    /// It is back.
    Close,
}

/// The state as this executor knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Closed,
    /// `None` has no end but by an operator.
    Open {
        until: Option<Timestamp>,
    },
    HalfOpen {
        until: Timestamp,
        ours: bool,
    },
}

/// How many calls may be out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// All but cancels.
    pub calls: usize,
    /// Cancels.
    pub cancels: usize,
}

/// One venue's breaker.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    state: State,
    version: i64,
    outages: u32,
    /// Failures in a row.
    failures: u32,
    /// When the last of them was.
    failed_at: Option<Timestamp>,
    /// Decided here, and not known to the others yet.
    change: Option<Change>,
}

impl Breaker {
    /// How many calls may be out now.
    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.state {
            State::Closed => Gate {
                calls: usize::MAX,
                cancels: usize::MAX,
            },
            State::HalfOpen { until, ours: true } if until > now => Gate {
                calls: PROBES,
                cancels: PROBES,
            },
            State::Open { .. } | State::HalfOpen { .. } => Gate {
                calls: 0,
                cancels: usize::from(self.next_cancel().is_none_or(|at| at <= now)),
            },
        }
    }

    fn next_cancel(&self) -> Option<Timestamp> {
        self.failed_at.map(|at| after(at, CANCEL_EVERY))
    }

    /// A call was answered, whatever was said.
    pub fn answered(&mut self, now: Timestamp) {
        self.failures = 0;
        match self.state {
            State::HalfOpen { ours: true, .. } => self.change = Some(Change::Close),
            // Somebody is there: a probe may go at once.
            State::Open { until: Some(until) } => {
                self.state = State::Open {
                    until: Some(until.min(now)),
                }
            }
            _ => {}
        }
    }

    /// A call failed as calls of a venue do that is down.
    pub fn failed(&mut self, config: &Config, fault: &Fault, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        let opens = match self.state {
            State::Closed => self.failures >= config.breaker_failures,
            State::HalfOpen { ours, .. } => ours,
            State::Open { .. } => false,
        };
        if !opens || self.change.is_some() {
            return;
        }
        self.outages = (self.outages + 1).min(DOUBLINGS);
        let wait = config.first_outage.saturating_mul(2_u32.pow(self.outages - 1));
        let wait = wait.min(config.longest_outage);
        self.state = State::Open {
            until: Some(after(now, wait)),
        };
        self.change = Some(Change::Open {
            wait,
            outages: self.outages,
            cause: fault.to_string(),
        });
    }

    /// Whether its time is over, so that somebody may probe.
    pub fn may_probe(&self, now: Timestamp) -> bool {
        let over = match self.state {
            State::Closed => false,
            State::Open { until } => until.is_some_and(|until| until <= now),
            State::HalfOpen { until, .. } => until <= now,
        };
        over && self.change.is_none()
    }

    /// There is a call to make and [`Breaker::may_probe`]: this executor wants to.
    pub fn probe(&mut self) {
        self.change = Some(Change::Probe);
    }

    /// What the others have to hear, with the version that it is a change of.
    pub fn change(&self) -> Option<(&Change, i64)> {
        self.change.as_ref().map(|change| (change, self.version))
    }

    /// Takes in what the row says; `ours`: its latest change is this executor's. What this one wanted to change is void
    /// if somebody else was quicker.
    pub fn adopt(&mut self, stored: Stored, ours: bool, now: Timestamp) {
        if stored.version == self.version {
            return;
        }
        let until = stored.wait.map(|wait| after(now, wait));
        self.state = match stored.state {
            BreakerWord::Closed => State::Closed,
            BreakerWord::Open => State::Open { until },
            BreakerWord::HalfOpen => State::HalfOpen {
                until: until.unwrap_or(now),
                ours,
            },
        };
        (self.version, self.outages) = (stored.version, stored.outages);
        (self.failures, self.change) = (0, None);
    }

    /// Whether calls may simply go.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// When the next call may go, if that is a matter of time.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let until = match self.state {
            State::Closed => return None,
            State::Open { until } => until,
            State::HalfOpen { until, .. } => Some(until),
        };
        [until, self.next_cancel()]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    //! The states, by a moved clock, with a row that takes a change of the version it has.
    use super::*;
    use std::cell::RefCell;

    const SECOND: TimeDelta = TimeDelta::seconds(1);

    fn start() -> Timestamp {
        "2026-11-23T15:00:00Z".parse().expect("a time")
    }

    /// The row that the executors share, and until when it says what.
    struct Row(RefCell<(Stored, Option<Timestamp>)>);

    impl Row {
        fn new() -> Self {
            let closed = Stored {
                state: BreakerWord::Closed,
                version: 0,
                outages: 0,
                wait: None,
            };
            Row(RefCell::new((closed, None)))
        }

        /// What an executor does after a step: tells its change, reads the row.
        fn meet(&self, breaker: &mut Breaker, now: Timestamp) -> bool {
            let mut row = self.0.borrow_mut();
            let change = breaker.change().map(|(change, seen)| (change.clone(), seen));
            let ours = change.as_ref().is_some_and(|(_, seen)| *seen == row.0.version);
            if let Some((change, _)) = change.filter(|_| ours) {
                let (state, outages, wait) = match change {
                    Change::Open { wait, outages, .. } => (BreakerWord::Open, outages, Some(wait)),
                    Change::Probe => (BreakerWord::HalfOpen, row.0.outages, Some(PROBING)),
                    Change::Close => (BreakerWord::Closed, 0, None),
                };
                let version = row.0.version + 1;
                *row = (
                    Stored {
                        state,
                        version,
                        outages,
                        wait,
                    },
                    wait.map(|wait| after(now, wait)),
                );
            }
            let wait = row.1.map(|until| (until - now).to_std().unwrap_or_default());
            breaker.adopt(Stored { wait, ..row.0 }, ours, now);
            ours
        }
    }

    fn config() -> Config {
        Config {
            breaker_failures: 3,
            first_outage: Duration::from_secs(1),
            longest_outage: Duration::from_secs(5),
            ..Config::default()
        }
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Timestamp) {
        for _ in 0..times {
            breaker.failed(&config(), &Fault::Timeout, now);
        }
    }

    fn calls(breaker: &Breaker, now: Timestamp) -> usize {
        breaker.gate(now).calls
    }

    #[test]
    fn a_row_of_failures_opens_it_for_everybody_and_an_answer_between_does_not() {
        let (row, mut first, mut second) = (Row::new(), Breaker::default(), Breaker::default());
        fail(&mut first, 2, start());
        first.answered(start());
        fail(&mut first, 2, start());
        assert!(first.is_closed() && first.change().is_none());
        fail(&mut first, 1, start());
        assert_eq!(calls(&first, start()), 0, "here at once");
        assert!(row.meet(&mut first, start()));
        assert_eq!(calls(&second, start()), usize::MAX, "it has not looked yet");
        row.meet(&mut second, start());
        let alone = |cancels| Gate { calls: 0, cancels };
        assert_eq!((first.gate(start()), second.gate(start())), (alone(0), alone(1)));
        assert_eq!(first.gate(start() + SECOND), alone(1), "cancels keep trying");
        assert_eq!(second.due(start()), Some(start() + SECOND));
    }

    #[test]
    fn one_executor_probes_a_little_and_its_first_answer_closes_it_for_all() {
        let (row, mut first, mut second) = (Row::new(), Breaker::default(), Breaker::default());
        fail(&mut first, 3, start());
        let over = start() + SECOND;
        for breaker in [&mut first, &mut second] {
            row.meet(breaker, start());
            assert!(!breaker.may_probe(start()) && breaker.may_probe(over));
            breaker.probe();
        }
        assert!(row.meet(&mut second, over));
        assert!(!row.meet(&mut first, over), "one was quicker");
        assert_eq!((calls(&first, over), calls(&second, over)), (0, PROBES));
        first.answered(over);
        assert!(
            first.change().is_none(),
            "an answer to what was out before proves nothing"
        );
        fail(&mut first, 1, over);
        assert!(first.change().is_none(), "nor does a failure of it");
        second.answered(over);
        fail(&mut second, 1, over);
        assert!(row.meet(&mut second, over));
        row.meet(&mut first, over);
        assert!(first.is_closed() && second.is_closed());
    }

    #[test]
    fn each_vain_probe_doubles_the_wait_up_to_the_longest() {
        let (row, mut breaker, mut now) = (Row::new(), Breaker::default(), start());
        fail(&mut breaker, 3, now);
        let mut waits = Vec::new();
        for _ in 0..6 {
            row.meet(&mut breaker, now);
            let until = (1..).map(|n| now + SECOND * n).find(|at| breaker.may_probe(*at));
            let until = until.expect("it has an end");
            waits.push((until - now).num_seconds());
            now = until;
            breaker.probe();
            row.meet(&mut breaker, now);
            fail(&mut breaker, 1, now);
        }
        assert_eq!(waits, [1, 2, 4, 5, 5, 5]);
    }

    /// The executor that probed died, or its calls hang: another one may.
    #[test]
    fn probes_that_are_never_told_of_are_followed_by_others() {
        let (row, mut first, mut second) = (Row::new(), Breaker::default(), Breaker::default());
        fail(&mut first, 3, start());
        row.meet(&mut first, start());
        let over = start() + SECOND;
        first.probe();
        row.meet(&mut first, over);
        row.meet(&mut second, over);
        assert!(!second.may_probe(over));
        let later = after(over, PROBING);
        assert!(second.may_probe(later) && calls(&first, later) == 0);
        second.probe();
        assert!(row.meet(&mut second, later));
        assert_eq!(calls(&second, later), PROBES);
    }

    #[test]
    fn a_cancel_that_is_answered_brings_the_probes_forward_unless_an_operator_opened_it() {
        let (row, mut breaker) = (Row::new(), Breaker::default());
        fail(&mut breaker, 3, start());
        row.meet(&mut breaker, start());
        breaker.answered(start());
        assert!(breaker.may_probe(start()));
        let by_hand = Stored {
            state: BreakerWord::Open,
            version: 9,
            outages: 0,
            wait: None,
        };
        breaker.adopt(by_hand, false, start());
        breaker.answered(start());
        assert!(!breaker.may_probe(start() + SECOND * 1_000));
        assert_eq!(breaker.due(start() + SECOND), None);
    }
}
