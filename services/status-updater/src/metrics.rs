//! What the status-updater counts.

use std::collections::HashMap;
use std::time::Duration;

use chassis::metrics::{describe_counter, describe_histogram};
use domain::{OrderId, OrderStatus, Timestamp};
use orders::StoredOrder;

/// Says what each number means.
pub fn describe() {
    describe_counter(
        "daybook_status_updater_reports_total",
        "Reports booked, by what they said.",
    );
    describe_counter(
        "daybook_status_updater_set_aside_total",
        "Reports that no rule allows, by kind; somebody has to look.",
    );
    describe_counter(
        "daybook_status_updater_indebted_total",
        "Accounts that a late execution or a bust left below zero.",
    );
    describe_counter(
        "daybook_status_updater_intake_total",
        "Reports taken in, by where they came from.",
    );
    describe_counter(
        "daybook_status_updater_stream_lost_total",
        "Times the venue's stream was lost, by fault.",
    );
    describe_counter(
        "daybook_status_updater_poll_failed_total",
        "Reads of the venue's record that failed, by fault.",
    );
    describe_histogram(
        "daybook_status_updater_delay_seconds",
        "From a report to its booking, the longest of each batch.",
    );
    describe_histogram(
        "daybook_status_updater_in_state_seconds",
        "How long an order was in the state that it left, from its last change in it.",
    );
}

/// The states of a batch's orders before it.
pub(crate) struct Before(HashMap<OrderId, (OrderStatus, Timestamp)>);

impl Before {
    pub(crate) fn of(orders: &HashMap<OrderId, StoredOrder>) -> Self {
        let states = orders
            .iter()
            .map(|(id, order)| (*id, (order.state.status, order.updated_at)));
        Before(states.collect())
    }

    /// The states that were left, each with how long it had lasted.
    pub(crate) fn left(&self, after: &HashMap<OrderId, StoredOrder>, now: Timestamp) -> Vec<(OrderStatus, Duration)> {
        let moved = self.0.iter().filter_map(|(id, (status, since))| {
            after.get(id).filter(|order| order.state.status != *status)?;
            let lasted = now - *since;
            Some((*status, lasted.to_std().unwrap_or_default()))
        });
        moved.collect()
    }
}

/// After the commit.
pub(crate) fn tell_left(left: &[(OrderStatus, Duration)]) {
    for (status, lasted) in left {
        let status: &'static str = status.into();
        ::metrics::histogram!("daybook_status_updater_in_state_seconds", "status" => status).record(*lasted);
    }
}
