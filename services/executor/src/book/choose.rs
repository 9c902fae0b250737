//! Who is called about next: what is due by the clock first, then the lines.

use chrono::TimeDelta;
use domain::calendar::SessionDate;
use domain::{OrderId, TimeInForce, Timestamp};
use wire::events::v1::End;

use super::changes::{Job, Lane};
use super::compensate::session_over;
use super::line::Turn;
use super::saga::Step;
use super::submission::{CancelState, State, Submission};
use super::{Book, Context};
use crate::Config;

/// How soon a calendar that does not know a session is asked again.
const UNKNOWN_SESSION: TimeDelta = TimeDelta::seconds(60);

/// Calls that are out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// All but cancels.
    pub calls: usize,
    /// Cancels, which have a window of their own.
    pub cancels: usize,
}

/// What is due about one order.
enum Due {
    Ask(Lane),
    Send,
    Cancel,
    Saga,
    Tell,
}

impl Book {
    /// Decides on the next calls, within the windows, and writes down the intent of each.
    pub fn choose(&mut self, context: &Context<'_>, out: InFlight) {
        let due: Vec<OrderId> = self
            .due
            .range(..=(context.now, OrderId::new(uuid::Uuid::max())))
            .map(|(_, order_id)| *order_id)
            .collect();
        let paused = self.budget.paused_until(context.now).is_some();
        let mut room = if paused {
            0
        } else {
            self.budget.limit().saturating_sub(out.calls)
        };
        let mut cancels = if paused {
            0
        } else {
            context.config.cancel_window.saturating_sub(out.cancels)
        };
        let mut asks = Vec::new();
        for order_id in due {
            match self.due_of(order_id) {
                Some(Due::Tell) => self.tell(context, order_id),
                Some(Due::Cancel) if cancels > 0 => {
                    cancels -= 1;
                    self.cancel(order_id);
                }
                Some(Due::Ask(lane)) if room > asks.len() / context.config.lookup_chunk => asks.push((lane, order_id)),
                Some(Due::Send) if room > 0 => {
                    room -= 1;
                    self.send(context, order_id);
                }
                Some(Due::Saga) if room > 0 => {
                    room -= 1;
                    self.compensate(order_id);
                }
                _ => {}
            }
        }
        room = room.saturating_sub(asks.len().div_ceil(context.config.lookup_chunk));
        self.ask(context, asks);
        self.dispatch(context, room);
    }

    fn due_of(&self, order_id: OrderId) -> Option<Due> {
        let submission = self.get(order_id)?;
        match submission.state {
            State::InDoubt if submission.memory.resend => Some(Due::Send),
            State::InDoubt => Some(Due::Ask(Lane::Lookup)),
            State::Ended if submission.memory.asked => Some(Due::Ask(Lane::Lookup)),
            State::Working if submission.cancel == CancelState::Wanted => Some(Due::Cancel),
            State::Burning => Some(match submission.memory.saga.as_ref()?.step {
                Step::AwaitEnd => Due::Ask(Lane::Saga),
                Step::Report => Due::Tell,
                Step::BurnSubmit | Step::BurnCancel => Due::Saga,
            }),
            _ => None,
        }
    }

    /// The lines: by bus position over all symbols.
    fn dispatch(&mut self, context: &Context<'_>, room: usize) {
        let Self { lines, orders, .. } = self;
        let turn = |order_id| {
            orders
                .get(&order_id)
                .map_or(Turn::Drop, |submission| turn(context, submission))
        };
        let Config {
            symbol_window, leave, ..
        } = *context.config;
        for (order_id, turn) in lines.take(room, symbol_window, leave, context.now, turn) {
            match turn {
                Turn::Send => self.intend(context, order_id),
                Turn::Drop | Turn::Wait(_) => {
                    fail::fail_point!("executor::closed_meanwhile");
                    let reason = "its session ended before it could be sent".to_owned();
                    self.withdraw(context, order_id, End::Expired, Some(reason));
                }
            }
        }
    }

    /// Sends again, under the same key, an order that left its line long ago.
    fn send(&mut self, context: &Context<'_>, order_id: OrderId) {
        if let Some(symbol) = self.get(order_id).map(|submission| submission.symbol.clone()) {
            self.lines.sent(&symbol);
            self.intend(context, order_id);
        }
    }

    /// The intent to hand in; its line knows of it already.
    fn intend(&mut self, context: &Context<'_>, order_id: OrderId) {
        self.edit(order_id, true, |book, submission| {
            submission.state = State::Sending;
            submission.attempts += 1;
            submission.first_sent_at.get_or_insert(context.now);
            submission.due = None;
            submission.memory.busy = true;
            submission.memory.resend = false;
            let order = submission.order().clone();
            book.changes.jobs.push(Job::Submit(Lane::Submit, order_id, order));
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
    fn ask(&mut self, context: &Context<'_>, asks: Vec<(Lane, OrderId)>) {
        for (lane, order_id) in &asks {
            let is_step = *lane == Lane::Saga;
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

/// Whether an order may go out now.
fn turn(context: &Context<'_>, submission: &Submission) -> Turn {
    let Some(terms) = &submission.terms else {
        return Turn::Drop;
    };
    if session_over(context, submission) {
        return Turn::Drop;
    }
    let bounds = context.calendar.session_bounds(SessionDate::new(terms.session_date));
    let unknown = context.now + UNKNOWN_SESSION;
    let waits_until = |until: Timestamp| {
        if until > context.now {
            Turn::Wait(until)
        } else {
            Turn::Send
        }
    };
    match (terms.order.time_in_force, bounds) {
        (TimeInForce::Gtc, Some((open, _))) if open > context.now => Turn::Wait(open),
        (TimeInForce::Gtc, _) if context.calendar.is_open(context.now) => Turn::Send,
        (TimeInForce::Gtc, _) => Turn::Wait(context.calendar.next_open(context.now).unwrap_or(unknown)),
        (_, Some((open, _))) => waits_until(open),
        (_, None) => Turn::Wait(unknown),
    }
}
