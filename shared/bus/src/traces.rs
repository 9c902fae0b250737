//! Spans of what becomes of an event, beneath whatever caused it. One for each traced event of a batch, with that event's own
//! parent; of a batch without any, or where tracing is off, not even the list is made.

use chassis::trace::{Span, SpanKind, Tracer};

use crate::{Event, Topic};

/// Whoever handles these events begins.
pub(crate) fn handling<'a>(
    tracer: &Tracer,
    group: &'static str,
    events: &'a [Event],
    word: impl Fn(&'a Event) -> Option<String>,
) -> Vec<Span> {
    let begin = |event: &'a Event| {
        let span = begin(tracer, SpanKind::Consumer, "process", event)?;
        span.set("messaging.consumer.group.name", group);
        if let Some(word) = word(event) {
            span.set("daybook.event", word);
        }
        Some(span)
    };
    for_each(tracer, events, begin)
}

/// The relay hands these rows to the broker.
#[cfg(feature = "kafka")]
pub(crate) fn shipping(tracer: &Tracer, events: &[Event]) -> Vec<Span> {
    let begin = |event: &Event| {
        let span = begin(tracer, SpanKind::Producer, "send", event)?;
        span.set("messaging.system", "kafka");
        Some(span)
    };
    for_each(tracer, events, begin)
}

fn for_each<'a>(tracer: &Tracer, events: &'a [Event], begin: impl Fn(&'a Event) -> Option<Span>) -> Vec<Span> {
    if tracer.is_on() {
        events.iter().filter_map(begin).collect()
    } else {
        Vec::new()
    }
}

fn begin(tracer: &Tracer, kind: SpanKind, operation: &'static str, event: &Event) -> Option<Span> {
    let parent = event.request_id.trace()?;
    let span = tracer.span(kind, name(operation, event.topic), Some(parent));
    span.set("messaging.operation.type", operation);
    span.set("messaging.destination.name", event.topic.as_str());
    span.set("daybook.order.id", event.order_id.to_string());
    Some(span)
}

fn name(operation: &str, topic: Topic) -> String {
    format!("{operation} {topic}")
}
