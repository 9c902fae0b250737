//! The open submissions of the partitions this owner has, and every decision about them. No I/O: a step feeds events
//! and answers in, and writes the [`Changes`] that come out in one transaction. If that fails the whole book is
//! thrown away and loaded again, so nothing here needs to be undone.
//!
//! | file | what |
//! |---|---|
//! | `submission.rs` | one order |
//! | `inbox.rs` | what the bus asks: orders, cancels |
//! | `answers.rs` | what the venue said to a call |
//! | `replace.rs` | orders that are to take another one's place |
//! | `saga.rs` `compensate.rs` `burn.rs` | ending an order that could not be handed in |
//! | `line.rs` `times.rs` | who is sent next, and from when to when |
//! | `agenda.rs` `choose.rs` | what is due, and which calls are made |
//! | `budget.rs` `breaker.rs` `retries.rs` | how much the venue takes at the moment, whether it is called at all, how often again |

mod agenda;
mod answers;
mod breaker;
mod budget;
mod burn;
mod changes;
mod choose;
mod compensate;
mod inbox;
mod line;
mod replace;
mod retries;
mod saga;
mod submission;
#[cfg(test)]
mod tests;
mod times;
mod words;

pub use answers::{Answer, Outcome};
pub use breaker::{Breaker, BreakerWord, Change, PROBING, Stored};
pub use budget::Budget;
pub use burn::{burn_terms, differs_from_both};
pub use changes::{Changes, Job, Lane};
pub use choose::InFlight;
pub use inbox::Wish;
pub use replace::InPlaceOf;
pub use retries::{Credit, Retries};
pub use saga::{Saga, Step, StepRow};
pub use submission::{CancelState, Memory, State, Submission, Terms};

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use agenda::{Agenda, Task};
use chassis::ids::Ids;
use chrono::TimeDelta;
use domain::calendar::Calendar;
use domain::{OrderId, Timestamp};
use risk::InForce;
use venue::Fault;

use crate::Config;

/// What a decision may look at besides the book.
pub struct Context<'a> {
    /// The time of this step.
    pub now: Timestamp,
    /// The settings.
    pub config: &'a Config,
    /// Sessions.
    pub calendar: &'a Calendar,
    /// Jitter.
    pub ids: &'a dyn Ids,
    /// The venue's name in reports.
    pub venue: &'a str,
    /// The kill switches; none: nobody can tell, so nothing new is sent (RSK-6).
    pub risk: Option<&'a InForce>,
}

/// How soon an order that a kill switch stops is looked at again.
const STOPPED: Duration = Duration::from_millis(500);

impl Context<'_> {
    /// Until when the order is not sent because of a kill switch, if one stops it.
    fn stopped_until(&self, submission: &Submission) -> Option<Timestamp> {
        let (symbol, account) = (&submission.symbol, submission.account_id);
        let passes = |risk: &InForce| risk.stops(symbol, account, self.venue).is_none();
        (!self.risk.is_some_and(passes)).then(|| self.after(STOPPED))
    }

    /// This much later than now.
    pub fn after(&self, wait: Duration) -> Timestamp {
        self.now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX)
    }

    /// The time of the next try after `tries` vain ones: doubling, at least half of it, the rest by chance.
    pub fn retry_at(&self, tries: u32) -> Timestamp {
        let full = self
            .config
            .first_ask
            .saturating_mul(1 << tries.min(16))
            .min(self.config.longest_backoff);
        let half = full / 2;
        let jitter = self.ids.jitter(u64::try_from(half.as_micros()).unwrap_or(u64::MAX));
        self.after(half + Duration::from_micros(jitter))
    }
}

/// What is known of the venue itself.
#[derive(Default)]
pub struct Patience {
    /// How much it takes.
    pub budget: Budget,
    /// Whether it is called at all.
    pub breaker: Breaker,
    /// How much may be called again.
    pub retries: Retries,
}

impl Patience {
    /// A call is over; many orders that it was about are one call. Says whether the venue is left alone from now on.
    pub fn heard(&mut self, config: &Config, fault: Option<&Fault>, now: Timestamp) -> bool {
        match fault {
            Some(Fault::Throttled { retry_after }) => return self.budget.throttled(*retry_after, now),
            Some(fault) if fault.is_outage() => {
                let was_closed = self.breaker.is_closed();
                self.breaker.failed(config, fault, now);
                return was_closed && !self.breaker.is_closed();
            }
            _ => {
                self.budget.answered();
                self.breaker.answered(now);
            }
        }
        false
    }

    /// Whether the other executors have something to hear.
    pub fn has_news(&self, now: Timestamp) -> bool {
        self.breaker.change().is_some() || self.budget.untold_pause(now).is_some()
    }

    /// What is stored of the venue; `ours`: its state is what this executor just made it.
    pub fn adopt(&mut self, stored: Stored, ours: bool, pause: Option<(Timestamp, Duration)>, now: Timestamp) {
        self.breaker.adopt(stored, ours, now);
        self.budget.adopt(pause, now);
        if !self.breaker.is_closed() {
            self.budget.go_gently();
        }
    }
}

/// The open submissions in memory.
#[derive(Default)]
pub struct Book {
    orders: HashMap<OrderId, Submission>,
    lines: line::Lines,
    agenda: Agenda,
    changes: Changes,
    /// What is known of the venue; it outlives the rest of the book.
    pub patience: Patience,
}

impl Book {
    /// An empty book, for a venue that takes so many calls at once.
    pub fn new(window: usize) -> Self {
        Self {
            patience: Patience {
                budget: Budget::new(window),
                ..Patience::default()
            },
            ..Self::default()
        }
    }

    /// Takes in a submission as it is stored; `out` says which of its calls are still out, made by this very process.
    pub fn load(&mut self, mut submission: Submission, out: impl Fn(Lane, OrderId) -> bool, now: Timestamp) {
        let is_out = |lane| out(lane, submission.order_id);
        submission.memory.busy = match submission.state {
            State::Sending => is_out(Lane::Submit),
            State::InDoubt | State::Ended => is_out(Lane::Lookup),
            State::Burning => is_out(Lane::Saga),
            State::Queued | State::Working | State::Withdrawn => false,
        };
        submission.memory.cancel_busy = submission.cancel == CancelState::Sending && is_out(Lane::Cancel);
        submission.memory.told = submission.attempts > 1 || submission.state == State::InDoubt;
        // Over and among the open ones: somebody asked about it.
        submission.memory.asked = submission.state == State::Ended;
        let busy = submission.memory.busy;
        match submission.state {
            State::Queued => {
                submission.due = None;
                self.lines
                    .join(&submission.symbol, submission.filed, submission.order_id);
            }
            State::Sending if busy => self.lines.is_out(&submission.symbol, submission.filed),
            // The intent of an owner who is gone: the call may be out, or may go out at any moment.
            State::Sending => (submission.state, submission.due) = (State::InDoubt, Some(now)),
            State::InDoubt | State::Burning | State::Ended if !busy => submission.due = submission.due.or(Some(now)),
            _ => {}
        }
        if submission.cancel == CancelState::Sending && !submission.memory.cancel_busy {
            submission.cancel = CancelState::Wanted;
        }
        if submission.state == State::Working && !submission.is_done() && !submission.memory.cancel_busy {
            submission.due = submission.due.or(Some(now));
        }
        self.put(submission);
    }

    /// Forgets the partitions that somebody else owns now.
    pub fn forget(&mut self, partitions: &[i16]) {
        let gone: Vec<OrderId> = self.of_partitions(partitions);
        for order_id in gone {
            if let Some(submission) = self.take(order_id) {
                self.leave_line(&submission);
            }
        }
    }

    /// Sessions have changed: whoever stands aside is asked again.
    pub fn calendar_changed(&mut self) {
        let aside: Vec<OrderId> = self.agenda.all(Task::Join).collect();
        self.join(aside);
    }

    /// Orders that stood aside join their lines.
    fn join(&mut self, aside: Vec<OrderId>) {
        for order_id in aside {
            self.edit(order_id, false, |book, submission| {
                submission.due = None;
                book.lines
                    .join(&submission.symbol, submission.filed, submission.order_id);
            });
        }
    }

    /// Forgets everything but the venue.
    pub fn clear(&mut self) {
        *self = Self {
            patience: std::mem::take(&mut self.patience),
            ..Self::default()
        };
    }

    /// A submission that is open.
    pub fn get(&self, order_id: OrderId) -> Option<&Submission> {
        self.orders.get(&order_id)
    }

    /// What was decided since the last commit.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The submissions to write, by bus position.
    pub fn touched(&self) -> Vec<&Submission> {
        let mut touched: Vec<&Submission> = self
            .changes
            .touched
            .iter()
            .filter_map(|id| self.orders.get(id))
            .collect();
        touched.sort_by_key(|submission| (submission.filed, submission.order_id));
        touched
    }

    /// Takes everything back that was decided about orders the table turned out to have. Their rows are settled, or
    /// they would be in this book; so they were only asked for once more, and nothing is to be done.
    pub fn take_back(&mut self, filed_before: &BTreeSet<OrderId>) {
        if filed_before.is_empty() {
            return;
        }
        for order_id in filed_before {
            self.changes.touched.remove(order_id);
            if let Some(submission) = self.take(*order_id) {
                self.leave_line(&submission);
            }
        }
        let Changes {
            reports, steps, jobs, ..
        } = &mut self.changes;
        reports.retain(|report| !filed_before.contains(&report.order_id));
        steps.retain(|step| !filed_before.contains(&step.order_id));
        // None of them can be part of a look-up: nothing is asked about an order that was filed in this very step.
        jobs.retain(|job| job.about().iter().all(|(_, order_id)| !filed_before.contains(order_id)));
    }

    /// The changes are committed: gives the calls to launch and lets go of what is done.
    pub fn committed(&mut self) -> Changes {
        let changes = std::mem::take(&mut self.changes);
        for order_id in &changes.touched {
            let Some(submission) = self.orders.get_mut(order_id) else {
                continue;
            };
            submission.memory.stored = true;
            submission.memory.open = !submission.is_done();
            if submission.is_done() {
                self.take(*order_id);
            }
        }
        changes
    }

    /// The next time something is due by the clock alone, after now.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let Patience { budget, breaker, .. } = &self.patience;
        let wakes = [self.agenda.next_after(now), budget.paused_until(now), breaker.due(now)];
        wakes.into_iter().flatten().min()
    }

    /// How many submissions are in this state, and how many of those keep failing.
    pub fn census(&self, config: &Config) -> Census {
        let mut census = Census {
            queued: self.lines.waiting() + self.agenda.len(Task::Join),
            ..Census::default()
        };
        for submission in self.orders.values() {
            census.in_doubt += usize::from(submission.state == State::InDoubt);
            census.burning += usize::from(submission.state == State::Burning);
            let tries = submission.memory.saga.as_ref().map_or(0, |saga| saga.tries);
            census.stuck += usize::from(submission.state == State::Burning && tries >= config.saga_tries);
        }
        census
    }

    /// Changes one submission; `touched` says whether its row has to be written.
    fn edit(&mut self, order_id: OrderId, touched: bool, change: impl FnOnce(&mut Self, &mut Submission)) {
        if let Some(mut submission) = self.take(order_id) {
            change(self, &mut submission);
            if touched {
                self.changes.touched.insert(order_id);
            }
            self.put(submission);
        }
    }

    fn take(&mut self, order_id: OrderId) -> Option<Submission> {
        let submission = self.orders.remove(&order_id)?;
        if let (Some(task), Some(at)) = (submission.task(), submission.due) {
            self.agenda.remove(task, at, order_id);
        }
        Some(submission)
    }

    fn put(&mut self, submission: Submission) {
        if let (Some(task), Some(at)) = (submission.task(), submission.due) {
            self.agenda.insert(task, at, submission.order_id);
        }
        self.orders.insert(submission.order_id, submission);
    }

    fn leave_line(&mut self, submission: &Submission) {
        self.lines.leave(&submission.symbol, submission.filed);
    }

    fn of_partitions(&self, partitions: &[i16]) -> Vec<OrderId> {
        let there = |submission: &&Submission| partitions.contains(&submission.partition);
        self.orders
            .values()
            .filter(there)
            .map(|submission| submission.order_id)
            .collect()
    }
}

/// Numbers for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Filed, not sent.
    pub queued: usize,
    /// Sent, outcome unknown.
    pub in_doubt: usize,
    /// In the saga.
    pub burning: usize,
    /// In the saga, and somebody has to look.
    pub stuck: usize,
}
