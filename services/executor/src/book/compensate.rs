//! The saga's moves: what each answer does to it, and when it begins.

use tracing::{error, info, warn};
use venue::{Canceling, Lookup, Refusal, Submitted, VenueOrderView};
use wire::events::v1::Fact;

use super::answers::{Outcome, checked};
use super::saga::{Ending, Saga, Step, StepRow};
use super::submission::{CancelState, State, Submission};
use super::times::over;
use super::{Book, Context};

/// Looks at an order that will not end, before the cancel is sent again.
const LOOKS_PER_CANCEL: u32 = 5;

impl Book {
    /// Why an order that the venue denies is not sent again, in words for the customer.
    pub(super) fn reason_to_give_up(&self, context: &Context<'_>, submission: &Submission) -> Option<String> {
        let age = submission.first_sent_at.map(|sent| context.now - sent);
        if submission.cancel == CancelState::Wanted {
            Some("canceled before the exchange confirmed it".to_owned())
        } else if submission.venue_order_id.is_some() {
            // Accepted, then lost: it is not handed in a second time.
            Some("the exchange no longer knows the order it confirmed".to_owned())
        } else if submission.attempts >= context.config.max_attempts {
            Some(format!(
                "the exchange did not confirm it after {} attempts",
                submission.attempts
            ))
        } else if let Some(reason) = submission
            .terms
            .as_ref()
            .and_then(|terms| over(context.calendar, terms, context.now))
        {
            Some(reason.to_owned())
        } else if age.and_then(|age| age.to_std().ok()) > Some(context.config.max_age) {
            Some("the exchange did not confirm it in time".to_owned())
        } else {
            None
        }
    }

    /// Begins the saga.
    pub(super) fn burn(&mut self, context: &Context<'_>, submission: &mut Submission, reason: String) {
        fail::fail_point!("executor::attempts_spent");
        warn!(
            order.id = %submission.order_id, request.id = %submission.request_id, attempts = submission.attempts,
            "cannot be handed in, ending it by its key: {reason}"
        );
        metrics::counter!("daybook_executor_sagas_total").increment(1);
        submission.state = State::Burning;
        submission.burn_reason = Some(reason);
        submission.due = Some(context.now);
        submission.memory.saga = Some(Saga::at(Step::BurnSubmit));
    }

    /// An answer to one of the saga's calls.
    pub(super) fn compensated(&mut self, context: &Context<'_>, submission: &mut Submission, outcome: Outcome) {
        fail::fail_point!("saga::step_done_not_logged");
        submission.memory.busy = false;
        let Some(saga) = submission.memory.saga.clone() else {
            return;
        };
        if let Some(fault) = outcome.fault() {
            submission.last_error = Some(fault.to_string());
            if fault.not_applied() {
                submission.memory.saga = Some(Saga {
                    tries: saga.tries - 1,
                    ..saga
                });
            }
            return self.try_again(context, submission);
        }
        match (saga.step, outcome) {
            (Step::BurnSubmit, Outcome::Submitted(Submitted::Acknowledged(view))) => {
                self.acknowledge(context, submission, &view, "saga");
                self.done(submission, "taken".to_owned());
                self.seen(context, submission, saga, &view, Step::BurnCancel);
            }
            (Step::BurnSubmit, Outcome::Submitted(Submitted::Refused(refusal))) => {
                self.refused_to_burn(context, submission, refusal);
            }
            (Step::BurnCancel, Outcome::Canceled(canceling, _)) => {
                let word = if canceling == Canceling::Taken {
                    "taken"
                } else {
                    "too late"
                };
                self.done(submission, word.to_owned());
                self.next(context, submission, saga.go(Step::AwaitEnd));
            }
            (Step::AwaitEnd, Outcome::Looked(lookup)) => self.awaited(context, submission, saga, lookup),
            (step, outcome) => warn!(?step, ?outcome, "an answer to another step is a defect"),
        }
    }

    /// The venue takes nothing under the key, and shows nothing there: so the key is not burnt, and an earlier request
    /// could still come through. The order stays open with its hold until the venue takes the key or shows an end, or
    /// reconciliation decides (crash-points rule 4).
    fn refused_to_burn(&mut self, context: &Context<'_>, submission: &mut Submission, refusal: Refusal) {
        info!(
            order.id = %submission.order_id, request.id = %submission.request_id, code = refusal.code,
            "the venue refused the key: {}", refusal.reason
        );
        submission.last_error = Some(refusal.reason);
        self.try_again(context, submission);
    }

    fn awaited(&mut self, context: &Context<'_>, submission: &mut Submission, saga: Saga, lookup: Lookup) {
        match checked(submission, lookup) {
            Lookup::Found(view) => {
                submission.memory.denials = 0;
                self.acknowledge(context, submission, &view, "saga");
                self.seen(context, submission, saga, &view, Step::AwaitEnd);
            }
            Lookup::NotFound => {
                submission.memory.denials += 1;
                if submission.memory.denials < 2 {
                    submission.due = Some(context.after(context.config.settle));
                } else {
                    // It took the key and now denies it: burn it again, until it says how the order ended.
                    submission.memory.denials = 0;
                    self.next(context, submission, saga.go(Step::BurnSubmit));
                }
            }
            Lookup::Unknown(fault) => {
                submission.last_error = Some(fault.to_string());
                self.try_again(context, submission);
            }
        }
    }

    /// The order as the venue shows it: its end, or one more step towards it.
    fn seen(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        saga: Saga,
        view: &VenueOrderView,
        next: Step,
    ) {
        if let Some(ending) = Ending::seen(view, submission) {
            self.conclude(context, submission, saga, ending);
        } else if next == Step::AwaitEnd && saga.step == Step::AwaitEnd {
            submission.memory.asks += 1;
            if submission.memory.asks.is_multiple_of(LOOKS_PER_CANCEL) {
                self.next(context, submission, saga.go(Step::BurnCancel));
            } else {
                self.try_again(context, submission);
            }
        } else {
            self.next(context, submission, saga.go(next));
        }
    }

    fn conclude(&mut self, context: &Context<'_>, submission: &mut Submission, saga: Saga, ending: Ending) {
        let outcome = serde_json::to_string(&ending).expect("a plain struct always encodes");
        submission.memory.saga = Some(Saga {
            step: Step::AwaitEnd,
            tries: saga.tries.max(1),
            ..saga.clone()
        });
        self.done(submission, outcome);
        let saga = Saga {
            ending: Some(ending),
            ..saga
        };
        self.next(context, submission, saga.go(Step::Report));
    }

    /// The last step: what was learned is told, and the order is over.
    pub(super) fn tell_end(&mut self, context: &Context<'_>, submission: &mut Submission) {
        fail::fail_point!("saga::in_compensation");
        let ending = submission.memory.saga.as_ref().and_then(|saga| saga.ending.clone());
        let Some(ending) = ending else { return };
        if let Some(end) = ending.end {
            let (filled_qty, reason, at) = (ending.filled_qty, ending.reason, ending.at);
            let fact = Fact::Ended {
                end,
                filled_qty,
                reason,
                at,
                replaced_by: None,
            };
            self.changes
                .report(context.venue, submission, fact, "saga", context.now);
        } else {
            if submission.replaces.is_some() {
                let (filled_qty, at) = (ending.filled_qty, ending.at);
                let fact = Fact::Completed { filled_qty, at };
                self.changes
                    .report(context.venue, submission, fact, "saga", context.now);
            }
            if submission.cancel == CancelState::Wanted {
                self.cancel_refused(context, submission, "order is already in \"filled\" state".to_owned());
            }
        }
        // Its call may have been the one that came through.
        self.ask_about_replaced(context, submission);
        info!(order.id = %submission.order_id, request.id = %submission.request_id, "ended by its key");
        self.done(submission, "told".to_owned());
        submission.state = State::Ended;
        submission.due = None;
    }

    /// Writes the step to be done now, with this try of it.
    pub(super) fn begin_step(&mut self, submission: &mut Submission) -> Option<Step> {
        let saga = submission.memory.saga.as_mut()?;
        saga.tries += 1;
        let step = saga.step;
        let row = StepRow {
            order_id: submission.order_id,
            step,
            attempts: saga.tries,
            done: false,
            outcome: None,
        };
        self.changes.steps.push(row);
        Some(step)
    }

    fn done(&mut self, submission: &Submission, outcome: String) {
        let Some(saga) = &submission.memory.saga else { return };
        let (order_id, step, attempts) = (submission.order_id, saga.step, saga.tries);
        self.changes.steps.push(StepRow {
            order_id,
            step,
            attempts,
            done: true,
            outcome: Some(outcome),
        });
    }

    fn next(&mut self, context: &Context<'_>, submission: &mut Submission, saga: Saga) {
        fail::fail_point!("saga::logged_not_next");
        submission.memory.asks = 0;
        submission.memory.saga = Some(saga);
        submission.due = Some(context.now);
    }

    fn try_again(&mut self, context: &Context<'_>, submission: &mut Submission) {
        let tries = submission.memory.saga.as_ref().map_or(0, |saga| saga.tries);
        submission.due = Some(context.retry_at(u32::try_from(tries).unwrap_or(0)));
        if tries == context.config.saga_tries {
            fail::fail_point!("saga::undo_fails");
            // Somebody has to look: the hold stays until the exchange says how the order ended.
            error!(
                order.id = %submission.order_id, request.id = %submission.request_id, step = ?submission.memory.saga,
                "compensation is stuck after {tries} tries: {}", submission.last_error.as_deref().unwrap_or("")
            );
        }
    }
}
