//! What the executor counts.

use std::time::Duration;

use chassis::metrics::{count, describe_counter, describe_gauge, describe_histogram};
use venue::{Canceling, Lookup, Replacing, Submitted};

use crate::book::{Answer, BreakerWord, Census, InFlight, Outcome};
use crate::breakers::BreakerRow;

/// Says what each number means.
pub fn describe() {
    describe_counter(
        "daybook_executor_calls_total",
        "Calls to the venue, by what was asked and what came of it.",
    );
    describe_histogram("daybook_executor_call_seconds", "From a call's begin to its answer.");
    describe_gauge(
        "daybook_executor_in_flight_size",
        "Calls without an answer, cancels apart.",
    );
    describe_gauge("daybook_executor_queued_size", "Orders filed and not sent.");
    describe_gauge(
        "daybook_executor_in_doubt_size",
        "Orders sent whose outcome is not known.",
    );
    describe_gauge("daybook_executor_burning_size", "Orders in compensation.");
    describe_gauge(
        "daybook_executor_stuck_size",
        "Compensations that keep failing; somebody has to look.",
    );
    describe_counter("daybook_executor_sagas_total", "Compensations begun.");
    describe_counter(
        "daybook_executor_denied_ends_total",
        "Orders the venue had ended and now denies; somebody has to look.",
    );
    describe_counter(
        "daybook_executor_parked_total",
        "Messages that could not be read; their order waits.",
    );
    describe_gauge(
        "daybook_executor_breaker_state",
        "Whether the venue is called: 0 closed, 1 half open, 2 open; as this process last read it.",
    );
    describe_counter(
        "daybook_executor_breaker_changes_total",
        "Changes of the breaker that this process made, by the state they led to.",
    );
    describe_gauge(
        "daybook_executor_retry_budget_size",
        "Calls that all executors of the venue together may make again at once; as this process last read it.",
    );
    describe_counter(
        "daybook_executor_retries_total",
        "Calls made again, and orders whose call was put off for want of a budget.",
    );
    describe_histogram("daybook_executor_step_size", "Submissions written in one step.");
}

/// A call ended.
pub fn called(venue: &str, answers: &[Answer], took: Duration) {
    for answer in answers {
        let ((call, outcome), venue) = (words(&answer.outcome), venue.to_owned());
        metrics::counter!("daybook_executor_calls_total", "venue" => venue, "call" => call, "outcome" => outcome)
            .increment(1);
    }
    if let Some(first) = answers.first() {
        let (call, venue) = (words(&first.outcome).0, venue.to_owned());
        metrics::histogram!("daybook_executor_call_seconds", "venue" => venue, "call" => call).record(took);
    }
}

/// The breaker as it was read; `ours`: this process has just made it so.
pub fn breaker(row: &BreakerRow, retries: u32, ours: bool) {
    let (venue, state) = (row.venue.clone(), row.state);
    let number = match state {
        BreakerWord::Closed => 0,
        BreakerWord::HalfOpen => 1,
        BreakerWord::Open => 2,
    };
    metrics::gauge!("daybook_executor_breaker_state", "venue" => venue.clone()).set(number);
    metrics::gauge!("daybook_executor_retry_budget_size", "venue" => venue.clone()).set(retries);
    if ours {
        let word = state.as_str();
        metrics::counter!("daybook_executor_breaker_changes_total", "venue" => venue, "to" => word).increment(1);
    }
}

/// Calls that are made again, and orders that have to wait for theirs.
pub fn retries(venue: &str, made: usize, put_off: usize) {
    for (outcome, many) in [("made", made), ("put_off", put_off)] {
        if many > 0 {
            metrics::counter!("daybook_executor_retries_total", "venue" => venue.to_owned(), "outcome" => outcome)
                .increment(u64::from(count(many)));
        }
    }
}

/// How things stand after a step.
pub fn stand(out: InFlight, census: Census) {
    metrics::gauge!("daybook_executor_in_flight_size", "lane" => "cancel").set(count(out.cancels));
    metrics::gauge!("daybook_executor_in_flight_size", "lane" => "other").set(count(out.calls));
    metrics::gauge!("daybook_executor_queued_size").set(count(census.queued));
    metrics::gauge!("daybook_executor_in_doubt_size").set(count(census.in_doubt));
    metrics::gauge!("daybook_executor_burning_size").set(count(census.burning));
    metrics::gauge!("daybook_executor_stuck_size").set(count(census.stuck));
}

/// A call and what came of it, as labels.
pub fn words(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Submitted(Submitted::Acknowledged(_)) => ("submit", "acknowledged"),
        Outcome::Submitted(Submitted::Refused(_)) => ("submit", "refused"),
        Outcome::Submitted(Submitted::Unknown(fault)) => ("submit", fault.word()),
        Outcome::Replaced(Replacing::Replaced(_), _) => ("replace", "replaced"),
        Outcome::Replaced(Replacing::Refused(_), _) => ("replace", "refused"),
        Outcome::Replaced(Replacing::Unknown(fault), _) => ("replace", fault.word()),
        Outcome::Looked(Lookup::Found(_)) => ("lookup", "found"),
        Outcome::Looked(Lookup::NotFound) => ("lookup", "not_found"),
        Outcome::Looked(Lookup::Unknown(fault)) => ("lookup", fault.word()),
        Outcome::Canceled(Canceling::Taken, _) => ("cancel", "taken"),
        Outcome::Canceled(Canceling::TooLate(_), _) => ("cancel", "too_late"),
        Outcome::Canceled(Canceling::NotFound, _) => ("cancel", "not_found"),
        Outcome::Canceled(Canceling::Unknown(fault), _) => ("cancel", fault.word()),
    }
}
