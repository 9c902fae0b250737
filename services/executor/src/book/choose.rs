//! Who is called about next: what is due by the clock first, then the lines.

use std::time::Duration;

use domain::{OrderId, Timestamp};
use wire::events::v1::End;

use super::agenda::Task;
use super::changes::{Job, Lane};
use super::line::Turn;
use super::saga::Step;
use super::submission::{CancelState, State};
use super::times::turn;
use super::{Book, Context};
use crate::{Config, metrics};

/// How soon a call that would be a retry too many is looked at again.
const PUT_OFF: Duration = Duration::from_millis(500);

/// Calls that are out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// All but cancels.
    pub calls: usize,
    /// Cancels, which have a window of their own.
    pub cancels: usize,
}

impl Book {
    /// Decides on the next calls, within the windows, and writes down the intent of each.
    pub fn choose(&mut self, context: &Context<'_>, out: InFlight) {
        let Config {
            leave,
            cancel_window,
            lookup_chunk,
            ..
        } = *context.config;
        let (mut room, mut cancels) = (0, 0);
        if self.patience.budget.paused_until(context.now).is_none() {
            self.ask_to_probe(context.now);
            let gate = self.patience.breaker.gate(context.now);
            let limit = self.patience.budget.limit().min(gate.calls);
            room = limit.saturating_sub(out.calls);
            cancels = cancel_window.min(gate.cancels).saturating_sub(out.cancels);
        }
        let due = |book: &Self, task, most| book.agenda.due(task, context.now, most);
        for order_id in due(self, Task::Tell, leave) {
            self.tell(context, order_id);
        }
        let due_cancels = due(self, Task::Cancel, cancels);
        for order_id in self.within_budget(context, due_cancels, 1) {
            self.cancel(order_id);
        }
        let asks = due(self, Task::Ask, leave.min(room * lookup_chunk));
        let asks = self.within_budget(context, asks, lookup_chunk);
        room -= asks.len().div_ceil(lookup_chunk);
        self.ask(context, &asks);
        let calls = due(self, Task::Call, room);
        let calls = self.within_budget(context, calls, 1);
        room -= calls.len();
        for order_id in calls {
            self.call(context, order_id);
        }
        let ready = due(self, Task::Join, usize::MAX);
        if !ready.is_empty() {
            fail::fail_point!("api::deferred_release");
            self.join(ready);
        }
        self.dispatch(context, room);
    }

    /// The venue was left alone for as long as it should be, and there is something to call it for.
    fn ask_to_probe(&mut self, now: Timestamp) {
        let is_due = |task| !self.agenda.due(task, now, 1).is_empty();
        if self.patience.breaker.may_probe(now)
            && (self.lines.waiting() > 0 || [Task::Cancel, Task::Ask, Task::Call].into_iter().any(is_due))
        {
            self.patience.breaker.probe();
        }
    }

    /// Those of them whose calls may be made now: an order whose last call failed only within the budget of retries,
    /// else it is put off. A call is about so many orders.
    fn within_budget(&mut self, context: &Context<'_>, due: Vec<OrderId>, per_call: usize) -> Vec<OrderId> {
        let is_retry = |order_id: &OrderId| self.get(*order_id).is_some_and(|it| it.last_error.is_some());
        let (mut retries, mut orders): (Vec<OrderId>, Vec<OrderId>) = due.into_iter().partition(is_retry);
        let left = self.patience.retries.left().saturating_mul(per_call);
        let put_off = retries.split_off(retries.len().min(left));
        let calls = |orders: &[OrderId]| orders.len().div_ceil(per_call);
        let (first, again) = (calls(&orders), calls(&retries));
        self.patience.retries.made(first, again, calls(&put_off));
        metrics::retries(context.venue, again, put_off.len());
        for order_id in put_off {
            self.edit(order_id, false, |_, submission| {
                submission.due = Some(context.after(PUT_OFF));
            });
        }
        orders.append(&mut retries);
        orders
    }

    /// The lines: by bus position over all symbols.
    fn dispatch(&mut self, context: &Context<'_>, room: usize) {
        let Self { lines, orders, .. } = self;
        let turn = |order_id| {
            let submission = orders.get(&order_id);
            let Some((submission, terms)) = submission.and_then(|it| Some((it, it.terms.as_ref()?))) else {
                return Turn::Drop("it was withdrawn");
            };
            match turn(context.calendar, terms, submission.replaces.is_some(), context.now) {
                Turn::Send => context.stopped_until(submission).map_or(Turn::Send, Turn::Wait),
                other => other,
            }
        };
        let Config {
            symbol_window, leave, ..
        } = *context.config;
        for (order_id, turn) in lines.take(room, symbol_window, leave, turn) {
            match turn {
                Turn::Send => {
                    self.patience.retries.made(1, 0, 0);
                    self.intend(context, order_id);
                }
                Turn::Wait(until) => self.edit(order_id, false, |_, submission| submission.due = Some(until)),
                Turn::Drop(reason) => {
                    fail::fail_point!("executor::closed_meanwhile");
                    self.withdraw(context, order_id, End::Expired, Some(reason.to_owned()));
                }
            }
        }
    }

    /// Makes the call that is due about an order in doubt, which left its line long ago, or about one in a saga.
    fn call(&mut self, context: &Context<'_>, order_id: OrderId) {
        let state = self.get(order_id).map(|submission| submission.state);
        if state == Some(State::Burning) {
            return self.compensate(order_id);
        }
        // The venue denied it twice: sending it again would be new to it.
        match self
            .get(order_id)
            .and_then(|submission| context.stopped_until(submission))
        {
            Some(until) => self.edit(order_id, false, |_, submission| submission.due = Some(until)),
            None => self.intend(context, order_id),
        }
    }

    /// The intent to hand in.
    fn intend(&mut self, context: &Context<'_>, order_id: OrderId) {
        self.edit(order_id, true, |book, submission| {
            submission.state = State::Sending;
            submission.attempts += 1;
            submission.first_sent_at.get_or_insert(context.now);
            submission.due = None;
            submission.memory.busy = true;
            submission.memory.resend = false;
            let order = submission.order().clone();
            book.changes.jobs.push(match submission.replaces.clone() {
                Some(old) => Job::Replace(order_id, old, order),
                None => Job::Submit(Lane::Submit, order_id, order),
            });
        });
    }

    fn cancel(&mut self, order_id: OrderId) {
        self.edit(order_id, true, |book, submission| {
            let Some(id) = submission.venue_order_id.clone() else {
                return;
            };
            submission.cancel = CancelState::Sending;
            submission.cancel_attempts += 1;
            submission.due = None;
            submission.memory.cancel_busy = true;
            book.changes.jobs.push(Job::Cancel(Lane::Cancel, order_id, id));
        });
    }

    fn compensate(&mut self, order_id: OrderId) {
        self.edit(order_id, true, |book, submission| {
            let Some(step) = book.begin_step(submission) else {
                return;
            };
            let job = match (step, submission.venue_order_id.clone()) {
                (Step::BurnCancel, Some(id)) => Job::Cancel(Lane::Saga, order_id, id),
                _ => Job::Burn(order_id, submission.order().clone()),
            };
            submission.due = None;
            submission.memory.busy = true;
            book.changes.jobs.push(job);
        });
    }

    fn tell(&mut self, context: &Context<'_>, order_id: OrderId) {
        self.edit(order_id, true, |book, submission| {
            let begun = submission.memory.saga.as_ref().is_some_and(|saga| saga.tries > 0);
            if begun {
                book.tell_end(context, submission);
            } else {
                // Written down in this transaction, done in the next.
                book.begin_step(submission);
                submission.due = Some(context.now);
            }
        });
    }

    /// Asking changes nothing at the venue, so it needs no intent; only the saga's question is one of its steps.
    fn ask(&mut self, context: &Context<'_>, due: &[OrderId]) {
        let mut asks = Vec::with_capacity(due.len());
        for order_id in due {
            let is_step = self.get(*order_id).is_some_and(|s| s.state == State::Burning);
            asks.push((if is_step { Lane::Saga } else { Lane::Lookup }, *order_id));
            self.edit(*order_id, is_step, |book, submission| {
                submission.due = None;
                submission.memory.busy = true;
                if is_step {
                    book.begin_step(submission);
                }
            });
        }
        let chunks = asks.chunks(context.config.lookup_chunk);
        self.changes
            .jobs
            .extend(chunks.map(|chunk| Job::Lookup(chunk.to_vec())));
    }
}
