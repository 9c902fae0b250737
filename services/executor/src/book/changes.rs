//! What one step decided: rows to write, reports to make, calls to launch once all of it is committed.

use std::collections::BTreeSet;

use bus::NewEvent;
use domain::order::EndKind;
use domain::{OrderId, Qty, Timestamp, VenueOrderId};
use venue::{VenueOrder, VenueOrderView};
use wire::events::v1::{End, Fact, VenueReport};

use super::replace::InPlaceOf;
use super::saga::StepRow;
use super::submission::Submission;
use super::words::end_of;

/// Which call an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Handing in, for the first time or again.
    Submit,
    /// Asking by key.
    Lookup,
    /// A customer's or job's cancel.
    Cancel,
    /// The saga's own calls.
    Saga,
}

/// A call to make.
#[derive(Debug, Clone)]
pub enum Job {
    /// Hand in.
    Submit(Lane, OrderId, VenueOrder),
    /// Ask to put it in another order's place.
    Replace(OrderId, InPlaceOf, VenueOrder),
    /// Make sure that nothing more can be taken under the key of this order.
    Burn(OrderId, VenueOrder),
    /// Ask to end.
    Cancel(Lane, OrderId, VenueOrderId),
    /// Ask by key.
    Lookup(Vec<(Lane, OrderId)>),
}

impl Job {
    /// The orders it is about, each with its lane.
    pub fn about(&self) -> Vec<(Lane, OrderId)> {
        match self {
            Self::Submit(lane, order_id, _) | Self::Cancel(lane, order_id, _) => vec![(*lane, *order_id)],
            Self::Replace(order_id, ..) => vec![(Lane::Submit, *order_id)],
            Self::Burn(order_id, _) => vec![(Lane::Saga, *order_id)],
            Self::Lookup(all) => all.clone(),
        }
    }
}

/// All that a step decided.
#[derive(Debug, Default)]
pub struct Changes {
    /// Submissions to write.
    pub touched: BTreeSet<OrderId>,
    /// Events for status-updater.
    pub reports: Vec<NewEvent>,
    /// Saga steps to write.
    pub steps: Vec<StepRow>,
    /// Calls to launch after the commit.
    pub jobs: Vec<Job>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.reports.is_empty() && self.steps.is_empty()
    }

    /// Reports a fact about an order.
    pub fn report(&mut self, venue: &str, submission: &Submission, fact: Fact, source: &str, now: Timestamp) {
        self.report_of(submission.order_id, venue, submission, fact, source, now);
    }

    /// Reports a fact about another order of the submission's chain.
    pub fn report_of(
        &mut self,
        order_id: OrderId,
        venue: &str,
        submission: &Submission,
        fact: Fact,
        source: &str,
        now: Timestamp,
    ) {
        let report = VenueReport {
            venue: venue.to_owned(),
            order_id: order_id.get(),
            account_id: submission.account_id.get(),
            fact,
            source: source.to_owned(),
            received_at: now,
        };
        self.reports
            .push(NewEvent::venue_report(&report, submission.request_id.clone()));
    }
}

/// An end without the venue's own words for it.
pub fn ended(end: End, filled: Qty, reason: Option<String>, at: Timestamp) -> Fact {
    Fact::Ended {
        end,
        filled_qty: filled.get(),
        reason,
        at,
        replaced_by: None,
    }
}

/// An end as the venue shows it.
pub fn end_shown(kind: EndKind, view: &VenueOrderView) -> Fact {
    Fact::Ended {
        end: end_of(kind),
        filled_qty: view.filled_qty.get(),
        reason: None,
        at: view.updated_at,
        replaced_by: view.replaced_by.as_ref().map(ToString::to_string),
    }
}
