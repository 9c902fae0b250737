//! A collector of traces, as small as it can be: it takes OTLP over HTTP and keeps what it is sent.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::net::TcpListener;

/// A span as it was sent; ids as `traceparent` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub service: String,
    pub name: String,
    pub kind: SpanKind,
    pub trace: String,
    pub id: String,
    /// Empty: none.
    pub parent: String,
    pub attributes: BTreeMap<String, String>,
}

impl Sent {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The collector; gone with the test's runtime.
#[derive(Clone, Default)]
pub struct Collector {
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Collector {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Collector {
            url: format!("http://{}", listener.local_addr().unwrap()),
            ..Collector::default()
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// All that came so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut sent = collector.sent.lock().unwrap();
    for resource in request.resource_spans {
        let attributes = texts(&resource.resource.unwrap_or_default().attributes);
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        sent.extend(spans.map(|span| read(&attributes["service.name"], span)));
    }
    ExportTraceServiceResponse::default().encode_to_vec()
}

fn read(service: &str, span: Span) -> Sent {
    Sent {
        service: service.to_owned(),
        kind: span.kind(),
        attributes: texts(&span.attributes),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |one: &KeyValue| match one.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|one| (one.key.clone(), text(one))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
