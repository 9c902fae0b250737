//! An order that is to take another one's place at the venue (ORD-8): handed in by a call of its own, under its own key.
//!
//! It is a submission like any other: the intent first, in doubt asked by its key, refused for certain only at the first
//! try. What became of the order it replaces is the venue's word on that one, so it is asked for, too.

use bus::{Event, NewEvent};
use domain::{AccountId, OrderId, Qty, VenueOrderId};
use tracing::info;
use venue::{Fault, Lookup, Refusal, Replacing, Submitted, VenueOrderView, VenueStatus};
use wire::events::v1::{End, Fact, LookUpRequested, ReplaceRequested};

use super::changes::end_shown;
use super::inbox::{blank, terms};
use super::submission::{CancelState, State, Submission};
use super::{Book, Context};

/// The order whose place a replacement is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPlaceOf {
    /// Our id of it.
    pub order_id: OrderId,
    /// The venue's name for it.
    pub at_venue: VenueOrderId,
}

impl Book {
    /// Files a replacement. An order that the venue never had has no place to give.
    pub(super) fn file_replacement(
        &mut self,
        context: &Context<'_>,
        event: &Event,
        requested: &ReplaceRequested,
        at_venue: Option<VenueOrderId>,
    ) {
        let terms = terms(&requested.order).expect("checked when it was read");
        let account_id = AccountId::new(requested.order.account_id);
        let blank = blank(event, account_id, terms.order.symbol.clone());
        let order_id = OrderId::new(requested.replaces);
        let replaces = at_venue.map(|at_venue| InPlaceOf { order_id, at_venue });
        let mut submission = Submission {
            terms: Some(terms),
            replaces,
            ..blank
        };
        self.changes.touched.insert(submission.order_id);
        if submission.replaces.is_some() {
            self.lines
                .join(&submission.symbol, submission.filed, submission.order_id);
        } else {
            let reason = Some("unable to replace order, order isn't sent to exchange yet".to_owned());
            self.never_send(context, &mut submission, End::Rejected, reason);
        }
        self.put(submission);
    }

    /// The venue's answer, with what came of asking for the order that was to give way.
    pub(super) fn replaced(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        outcome: Replacing,
        old: Option<Lookup>,
    ) {
        let name = submission.replaces.as_ref().map(|old| &old.at_venue);
        let (old, fault) = match old {
            Some(Lookup::Found(view)) => (Some(view).filter(|view| Some(&view.venue_order_id) == name), None),
            Some(Lookup::Unknown(fault)) => (None, Some(fault)),
            Some(Lookup::NotFound) | None => (None, None),
        };
        let old = old.as_ref();
        match outcome {
            Replacing::Replaced(view) => {
                fail::fail_point!("replace::done_not_recorded");
                if view.status != VenueStatus::PendingReplace {
                    self.tell_replaced(context, submission, old);
                }
                self.submitted(context, submission, Submitted::Acknowledged(view));
            }
            Replacing::Refused(refusal) => {
                fail::fail_point!("replace::refused_or_filled");
                let has_given_way = old.is_some_and(VenueOrderView::is_replaced);
                match fault {
                    // It may be this very replacement that has the place: asked by its key.
                    _ if submission.attempts > 1 || has_given_way => {
                        self.submitted(context, submission, Submitted::Refused(refusal));
                    }
                    Some(fault) => self.ask_again_later(context, submission, &fault),
                    None => self.turned_down(context, submission, refusal, old),
                }
            }
            Replacing::Unknown(fault) => self.submitted(context, submission, Submitted::Unknown(fault)),
        }
    }

    /// How much of the order had filled when the venue said no decides whether the rest of it is wanted (ORD-9), and nobody
    /// knows. A no to the first try leaves nothing at the venue, so it is as if the call had never been made.
    fn ask_again_later(&mut self, context: &Context<'_>, submission: &mut Submission, fault: &Fault) {
        self.leave_line(submission);
        submission.memory.busy = false;
        submission.memory.asks += 1;
        submission.last_error = Some(fault.to_string());
        submission.attempts -= 1;
        submission.first_sent_at = None;
        submission.state = State::Queued;
        submission.due = Some(context.retry_at(submission.memory.asks));
        if submission.cancel == CancelState::Wanted {
            self.never_send(context, submission, End::Canceled, None);
        }
    }

    fn turned_down(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        refusal: Refusal,
        old: Option<&VenueOrderView>,
    ) {
        info!(
            order.id = %submission.order_id, request.id = %submission.request_id, code = refusal.code,
            "the venue refused the replacement: {}", refusal.reason
        );
        self.leave_line(submission);
        submission.memory.busy = false;
        submission.state = State::Ended;
        submission.due = None;
        submission.last_error = Some(refusal.reason.clone());
        let Some(replaced) = submission.replaces.clone() else {
            return;
        };
        let fact = Fact::ReplaceRefused {
            replacement_id: submission.order_id.get(),
            reason: refusal.reason,
            filled_qty: old.map(|view| view.filled_qty.get()),
        };
        self.changes.report_of(
            replaced.order_id,
            context.venue,
            submission,
            fact,
            "submit",
            context.now,
        );
    }

    /// The order that was replaced: how the venue shows it, or the question.
    fn tell_replaced(&mut self, context: &Context<'_>, submission: &Submission, old: Option<&VenueOrderView>) {
        let Some(replaced) = submission.replaces.as_ref() else {
            return;
        };
        match old.map(|view| (view, view.status)) {
            Some((view, VenueStatus::Ended(kind))) => {
                let fact = end_shown(kind, view);
                let id = replaced.order_id;
                self.changes
                    .report_of(id, context.venue, submission, fact, "lookup", context.now);
            }
            _ => self.ask_about_replaced(context, submission),
        }
    }

    /// A replacement was found by its key, or ended: what became of the other order is asked by that one's.
    pub(super) fn ask_about_replaced(&mut self, context: &Context<'_>, submission: &Submission) {
        let Some(replaced) = submission.replaces.as_ref() else {
            return;
        };
        let question = LookUpRequested {
            order_id: replaced.order_id.get(),
            account_id: submission.account_id.get(),
            symbol: submission.symbol.to_string(),
            asked_by: "executor".to_owned(),
            why: "another order was to take its place".to_owned(),
            requested_at: context.now,
        };
        let event = NewEvent::look_up_requested(&question, submission.request_id.clone());
        self.changes.reports.push(event);
    }
}

/// What is told of a replacement that the venue shows as filled: whether that is all of it, only who knows its chain can
/// say. Any other order is whole then, or seen to be short here.
pub fn completed(view: &VenueOrderView) -> Option<Fact> {
    view.replaces.as_ref()?;
    Some(Fact::Completed {
        filled_qty: view.filled_qty.get(),
        at: view.updated_at,
    })
}

/// Whether the venue shows fewer shares filled than were asked for, for no reason of a replacement's own: what its chain
/// had filled before counts towards its quantity (ORD-8).
pub fn is_short(submission: &Submission, view: &VenueOrderView) -> bool {
    let took_over = view.replaces.is_some();
    let asked = if took_over { Qty::ZERO } else { submission.order().qty };
    view.filled_qty < asked
}
