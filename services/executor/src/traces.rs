//! The span of a call to the venue, beneath whatever caused it: for a cancel the request that asked for it, for all else
//! the one that placed the order. Where nothing is traced there is none, and nothing is looked up.

use chassis::trace::{Span, SpanKind, Tracer};
use domain::{OrderId, TraceContext};

use crate::book::{Answer, Book, Job, Lane};
use crate::metrics::words;

/// Before the call. A look-up of many orders at once belongs to none of their traces.
pub fn begin(tracer: &Tracer, venue: &str, job: &Job, book: &Book) -> Span {
    if !tracer.is_on() {
        return Span::default();
    }
    let (name, lane, order_id) = match job {
        Job::Submit(lane, order_id, _) => ("submit", *lane, *order_id),
        Job::Replace(order_id, ..) => ("replace", Lane::Submit, *order_id),
        Job::Burn(order_id, _) => ("burn", Lane::Saga, *order_id),
        Job::Cancel(lane, order_id, _) => ("cancel", *lane, *order_id),
        Job::Lookup(about) => match about[..] {
            [(lane, order_id)] => ("lookup", lane, order_id),
            _ => return Span::default(),
        },
    };
    let span = tracer.span(SpanKind::Client, name, cause(book, lane, order_id));
    if span.is_on() {
        span.set("daybook.venue", venue.to_owned());
        span.set("daybook.order.id", order_id.to_string());
    }
    span
}

fn cause(book: &Book, lane: Lane, order_id: OrderId) -> Option<TraceContext> {
    let submission = book.get(order_id)?;
    let asked = submission.memory.cancel_trace.filter(|_| lane == Lane::Cancel);
    asked.or(submission.request_id.trace())
}

/// After it.
pub fn end(span: &Span, answers: &[Answer]) {
    let Some(first) = answers.first().filter(|_| span.is_on()) else {
        return;
    };
    span.set("daybook.outcome", words(&first.outcome).1);
    if let Some(fault) = first.outcome.fault() {
        span.fail(fault.to_string());
    }
}
