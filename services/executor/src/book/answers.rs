//! What the venue said to a call, and what follows from it.

use domain::{OrderId, Qty};
use tracing::{error, info, warn};
use venue::{Canceling, Fault, Lookup, Refusal, Replacing, Submitted, VenueOrderView, VenueStatus};
use wire::events::v1::{End, Fact};

use super::burn::{differs_from_both, end_short_of};
use super::changes::{Lane, end_shown, ended};
use super::replace::completed;
use super::submission::{CancelState, State, Submission};
use super::{Book, Context};

/// A finished call.
#[derive(Debug, Clone)]
pub struct Answer {
    /// About which order.
    pub order_id: OrderId,
    /// Which call.
    pub lane: Lane,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of handing in.
    Submitted(Submitted),
    /// Of asking to put it in another order's place; once that is decided, with what came of asking for that order.
    Replaced(Replacing, Option<Box<Lookup>>),
    /// Of asking.
    Looked(Lookup),
    /// Of asking to end; when it was too late, with the order as it then was.
    Canceled(Canceling, Option<Box<VenueOrderView>>),
}

impl Outcome {
    /// Why nothing is known, if so.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Submitted(Submitted::Unknown(fault))
            | Self::Replaced(Replacing::Unknown(fault), _)
            | Self::Looked(Lookup::Unknown(fault))
            | Self::Canceled(Canceling::Unknown(fault), _) => Some(fault),
            _ => None,
        }
    }
}

impl Book {
    /// Takes one answer in. An answer that nobody waits for (its order changed hands meanwhile) changes nothing.
    pub fn answer(&mut self, context: &Context<'_>, answer: Answer) {
        let Some(submission) = self.get(answer.order_id) else {
            return;
        };
        let waited_for = match answer.lane {
            Lane::Submit => submission.memory.busy && submission.state == State::Sending,
            Lane::Lookup => submission.memory.busy && (submission.state == State::InDoubt || submission.memory.asked),
            Lane::Saga => submission.memory.busy && submission.state == State::Burning,
            Lane::Cancel => submission.memory.cancel_busy,
        };
        if !waited_for {
            return;
        }
        self.edit(answer.order_id, true, |book, submission| {
            match (answer.lane, answer.outcome) {
                (Lane::Submit, Outcome::Submitted(outcome)) => book.submitted(context, submission, outcome),
                (Lane::Submit, Outcome::Replaced(outcome, old)) => {
                    book.replaced(context, submission, outcome, old.map(|old| *old));
                }
                (Lane::Lookup, Outcome::Looked(outcome)) => book.looked(context, submission, outcome),
                (Lane::Cancel, Outcome::Canceled(outcome, view)) => {
                    book.canceled(context, submission, outcome, view.as_deref());
                }
                (Lane::Saga, outcome) => book.compensated(context, submission, outcome),
                (lane, outcome) => warn!(?lane, ?outcome, "an answer in the wrong lane is a defect"),
            }
        });
    }

    pub(super) fn submitted(&mut self, context: &Context<'_>, submission: &mut Submission, outcome: Submitted) {
        submission.memory.busy = false;
        if let Submitted::Unknown(fault) = &outcome
            && fault.not_applied()
        {
            fail::fail_point!("executor::answer_429");
            return self.back_to_line(context, submission, fault);
        }
        self.leave_line(submission);
        match outcome {
            Submitted::Acknowledged(view) => {
                fail::fail_point!("executor::acked_not_recorded");
                self.adopt(context, submission, &view, "submit");
            }
            Submitted::Refused(refusal) => self.refused(context, submission, refusal),
            Submitted::Unknown(fault) => self.doubt(context, submission, &fault),
        }
    }

    /// A first no is final. A later one says nothing about an earlier request that may still arrive, so that is asked
    /// for once more, and then its key is burnt.
    fn refused(&mut self, context: &Context<'_>, submission: &mut Submission, refusal: Refusal) {
        fail::fail_point!("executor::answer_reject");
        if submission.attempts <= 1 && submission.replaces.is_none() {
            self.reject(context, submission, &refusal);
        } else {
            submission.state = State::InDoubt;
            submission.due = Some(context.after(context.config.settle));
            submission.memory.denials = 1;
            submission.memory.refused = Some(refusal);
        }
    }

    fn reject(&mut self, context: &Context<'_>, submission: &mut Submission, refusal: &Refusal) {
        info!(
            order.id = %submission.order_id, request.id = %submission.request_id, code = refusal.code,
            "the venue refused the order: {}", refusal.reason
        );
        submission.state = State::Ended;
        submission.due = None;
        submission.last_error = Some(refusal.reason.clone());
        let fact = ended(End::Rejected, Qty::ZERO, Some(refusal.reason.clone()), context.now);
        self.changes
            .report(context.venue, submission, fact, "submit", context.now);
    }

    /// Nothing was done: it is as if the call had never been made.
    fn back_to_line(&mut self, context: &Context<'_>, submission: &mut Submission, fault: &Fault) {
        submission.last_error = Some(fault.to_string());
        submission.attempts -= 1;
        if submission.attempts > 0 {
            self.leave_line(submission);
            submission.state = State::InDoubt;
            submission.due = Some(context.now);
            return;
        }
        submission.state = State::Queued;
        submission.first_sent_at = None;
        self.lines
            .turned_away(&submission.symbol, submission.filed, submission.order_id);
        if submission.cancel == CancelState::Wanted {
            self.never_send(context, submission, End::Canceled, None);
        }
    }

    fn doubt(&mut self, context: &Context<'_>, submission: &mut Submission, fault: &Fault) {
        match fault {
            Fault::Status(_) => fail::fail_point!("executor::answer_5xx"),
            Fault::Garbage(_) | Fault::Mismatch(_) => fail::fail_point!("executor::answer_garbage"),
            _ => {}
        }
        warn!(
            order.id = %submission.order_id, request.id = %submission.request_id, attempts = submission.attempts,
            "submission in doubt: {fault}"
        );
        submission.state = State::InDoubt;
        submission.last_error = Some(fault.to_string());
        submission.due = Some(context.retry_at(0));
        submission.memory.denials = 0;
        submission.memory.asks = 0;
        self.tell_doubt(context, submission);
    }

    fn tell_doubt(&mut self, context: &Context<'_>, submission: &mut Submission) {
        if !std::mem::replace(&mut submission.memory.told, true) && submission.venue_order_id.is_none() {
            self.changes
                .report(context.venue, submission, Fact::InDoubt, "submit", context.now);
        }
    }

    fn looked(&mut self, context: &Context<'_>, submission: &mut Submission, outcome: Lookup) {
        submission.memory.busy = false;
        match checked(submission, outcome) {
            Lookup::Found(view) => {
                submission.memory.asked = false;
                if view.replaces.is_some() && submission.venue_order_id.is_none() {
                    self.ask_about_replaced(context, submission);
                }
                self.adopt(context, submission, &view, "lookup");
            }
            Lookup::NotFound if submission.memory.asked => self.denied_afterwards(context, submission),
            Lookup::NotFound => {
                self.tell_doubt(context, submission);
                self.denied(context, submission);
            }
            Lookup::Unknown(fault) => {
                if submission.state == State::InDoubt {
                    self.tell_doubt(context, submission);
                }
                submission.last_error = Some(fault.to_string());
                submission.memory.asks += 1;
                submission.due = Some(context.retry_at(submission.memory.asks));
            }
        }
    }

    /// "Not found" proves nothing while a request may be on its way: it is asked for twice, with time between, and
    /// even then only the same key is used again.
    fn denied(&mut self, context: &Context<'_>, submission: &mut Submission) {
        submission.memory.asks = 0;
        submission.memory.denials += 1;
        if submission.memory.denials < 2 {
            submission.due = Some(context.after(context.config.settle));
        } else if let Some(refusal) = submission.memory.refused.take() {
            self.burn(context, submission, refusal.reason);
        } else if let Some(reason) = self.reason_to_give_up(context, submission) {
            self.burn(context, submission, reason);
        } else {
            submission.memory.resend = true;
            submission.due = Some(context.now);
        }
    }

    /// The venue denies an order whose end it told before. That end stands: a second order under the same key could
    /// trade what the first one traded already. Reconciliation compares the books.
    fn denied_afterwards(&mut self, context: &Context<'_>, submission: &mut Submission) {
        submission.memory.asks = 0;
        submission.memory.denials += 1;
        if submission.memory.denials < 2 {
            submission.due = Some(context.after(context.config.settle));
            return;
        }
        error!(
            order.id = %submission.order_id, request.id = %submission.request_id,
            "the venue no longer knows an order whose end it told; the end stands"
        );
        metrics::counter!("daybook_executor_denied_ends_total").increment(1);
        submission.memory.asked = false;
        submission.due = None;
        submission.last_error = Some("the exchange no longer knows it".to_owned());
        if submission.cancel == CancelState::Wanted {
            self.cancel_refused(context, submission, "order is already over".to_owned());
        }
    }

    /// The venue has the order, and perhaps its end too. Executions are left to the intake.
    pub(super) fn adopt(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        view: &VenueOrderView,
        source: &str,
    ) {
        self.acknowledge(context, submission, view, source);
        submission.due = None;
        submission.last_error = None;
        submission.memory.told = true;
        match view.status {
            VenueStatus::Working | VenueStatus::PendingReplace | VenueStatus::DoneForDay => {
                submission.state = State::Working;
                submission.due = (submission.cancel == CancelState::Wanted).then_some(context.now);
            }
            VenueStatus::Filled => {
                submission.state = State::Ended;
                let told = match end_short_of(submission, view) {
                    Some((end, reason)) => Some(ended(end, view.filled_qty, Some(reason), view.updated_at)),
                    None => completed(view),
                };
                let is_short = matches!(told, Some(Fact::Ended { .. }));
                if let Some(fact) = told {
                    self.changes
                        .report(context.venue, submission, fact, source, context.now);
                }
                if !is_short && submission.cancel == CancelState::Wanted {
                    let reason = "order is already in \"filled\" state".to_owned();
                    self.cancel_refused(context, submission, reason);
                }
            }
            VenueStatus::Ended(kind) => {
                submission.state = State::Ended;
                let fact = end_shown(kind, view);
                self.changes
                    .report(context.venue, submission, fact, source, context.now);
            }
        }
    }

    /// Reports that the venue has the order, the first time it is heard under this name.
    pub(super) fn acknowledge(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        view: &VenueOrderView,
        source: &str,
    ) {
        if submission.venue_order_id.as_ref() == Some(&view.venue_order_id) {
            return;
        }
        info!(
            order.id = %submission.order_id, request.id = %submission.request_id, venue.order.id = %view.venue_order_id,
            source, "the venue has the order"
        );
        submission.venue_order_id = Some(view.venue_order_id.clone());
        let fact = Fact::Acknowledged {
            venue_order_id: view.venue_order_id.to_string(),
            at: view.submitted_at,
        };
        self.changes
            .report(context.venue, submission, fact, source, context.now);
    }

    fn canceled(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        outcome: Canceling,
        view: Option<&VenueOrderView>,
    ) {
        submission.memory.cancel_busy = false;
        match outcome {
            Canceling::Taken => {
                fail::fail_point!("cancel::done_not_recorded");
                submission.cancel = CancelState::Sent;
                submission.memory.vain_cancels = 0;
            }
            Canceling::TooLate(refusal) => {
                fail::fail_point!("cancel::too_late");
                self.too_late(context, submission, refusal, view);
            }
            Canceling::NotFound => {
                // Accepted, then lost. By key it may still be there; else the key is burnt.
                warn!(order.id = %submission.order_id, "the venue does not know the order it acknowledged");
                submission.cancel = CancelState::Wanted;
                submission.state = State::InDoubt;
                submission.due = Some(context.now);
                submission.memory.denials = 0;
            }
            Canceling::Unknown(fault) => {
                submission.cancel = CancelState::Wanted;
                submission.last_error = Some(fault.to_string());
                if fault.not_applied() {
                    submission.cancel_attempts -= 1;
                }
                submission.memory.vain_cancels += 1;
                submission.due = Some(context.retry_at(submission.memory.vain_cancels));
            }
        }
    }

    fn too_late(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        refusal: Refusal,
        view: Option<&VenueOrderView>,
    ) {
        match view.map(|view| (view.status, view)) {
            Some((VenueStatus::Ended(kind), view)) => {
                submission.cancel = CancelState::Sent;
                submission.state = State::Ended;
                let fact = end_shown(kind, view);
                self.changes
                    .report(context.venue, submission, fact, "lookup", context.now);
            }
            // Refused for now: whichever order lives on is still to be canceled (ORD-8).
            Some((VenueStatus::PendingReplace, _)) => {
                submission.cancel = CancelState::Wanted;
                submission.last_error = Some(refusal.reason);
                let tries = u32::try_from(submission.cancel_attempts).unwrap_or(0);
                submission.due = Some(context.retry_at(tries));
            }
            _ => self.cancel_refused(context, submission, refusal.reason),
        }
    }

    pub(super) fn cancel_refused(&mut self, context: &Context<'_>, submission: &mut Submission, reason: String) {
        submission.cancel = CancelState::Refused;
        self.changes.report(
            context.venue,
            submission,
            Fact::CancelRefused { reason },
            "submit",
            context.now,
        );
    }
}

/// An order found under the key that is not what was asked is a doubt, not a find. What burnt the key is ours too.
pub(super) fn checked(submission: &Submission, outcome: Lookup) -> Lookup {
    let (key, asked, burnt) = (
        submission.order_id,
        submission.order(),
        submission.burn_reason.is_some(),
    );
    let differs = |view: &VenueOrderView| {
        if burnt {
            differs_from_both(key, asked, view)
        } else {
            view.differs_from(key, asked)
        }
    };
    match outcome {
        Lookup::Found(view) => match differs(&view) {
            Some(what) => Lookup::Unknown(Fault::Mismatch(what)),
            None => Lookup::Found(view),
        },
        other => other,
    }
}
