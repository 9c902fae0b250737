//! A span around each request, and what its handler sees of it. Nobody takes the spans here, and nobody waits for that.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use chassis::http::traced;
use chassis::trace::{SpanKind, TraceSettings, Tracer, current};
use serde_json::{Value, json};

use crate::{app, call};

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-";

fn tracer(sampling: &str) -> Tracer {
    Tracer::start(&TraceSettings {
        endpoint: "http://127.0.0.1:9".to_owned(),
        sampling: sampling.to_owned(),
        service: "test".to_owned(),
        instance: "1".to_owned(),
    })
    .unwrap()
}

async fn place() -> String {
    json!(current().context()).to_string()
}

/// The place in a trace that a handler finds itself at.
async fn seen(tracer: Tracer, path: &str, traceparent: Option<&str>) -> Option<String> {
    let routes = Router::new()
        .route("/here/{name}", get(place))
        .route("/livez", get(place));
    let mut request = Request::get(path);
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let (_, _, body) = call(traced(app(routes), tracer), request.body(Body::empty()).unwrap()).await;
    match body {
        Value::String(context) => Some(context),
        other => {
            assert_eq!(other, Value::Null);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_on_in_the_trace_of_who_sent_it() {
    let context = seen(tracer("0"), "/here/a", Some(CALLER)).await.unwrap();
    assert!(context.starts_with(TRACE) && context.ends_with("-01"), "{context}");
    assert_ne!(context, CALLER, "as a span of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_the_request_decides_whether_it_is_recorded() {
    let not_recorded = CALLER.replace("-01", "-00");
    assert_eq!(seen(tracer("1"), "/here/a", Some(&not_recorded)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_trace_begins_one_as_often_as_is_set() {
    assert_eq!(seen(tracer("0"), "/here/a", None).await, None);
    for nothing in [None, Some("00-nonsense-01")] {
        let context = seen(tracer("1"), "/here/a", nothing).await.unwrap();
        assert!(!context.starts_with(TRACE), "{context}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tracer_and_for_probes_there_is_nothing() {
    assert_eq!(seen(Tracer::default(), "/here/a", Some(CALLER)).await, None);
    assert_eq!(seen(tracer("1"), "/livez", Some(CALLER)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_has_the_parent_that_it_is_given_or_is_none() {
    let tracer = tracer("0");
    let span = tracer.span(SpanKind::Client, "submit", Some(CALLER));
    let context = span.context().unwrap();
    assert!(context.starts_with(TRACE), "{context}");
    assert_eq!(span.trace_id().unwrap(), TRACE[3..35]);
    assert!(!tracer.span(SpanKind::Client, "submit", Some("nonsense")).is_on());
    assert!(!tracer.span(SpanKind::Client, "submit", None::<String>).is_on());
    assert!(!Tracer::default().span(SpanKind::Client, "submit", Some(CALLER)).is_on());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_at_hand_is_that_of_the_work_under_way() {
    let span = tracer("0").span(SpanKind::Client, "submit", Some(CALLER));
    let within = span.clone().run(async {
        tokio::task::yield_now().await;
        current().context()
    });
    assert_eq!(within.await, span.context());
    assert!(!current().is_on(), "and nobody else's");
}
