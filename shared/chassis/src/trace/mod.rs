//! Traces: spans, sent to a collector by OTLP. Off unless an endpoint is set, and then nothing is made, kept or sent.
//!
//! Here a span's parent is seldom what called it: a request's effects go on in other tasks, batches and processes, and a
//! batch is about as many traces as it has events. So a parent is named, by the text that came in a header or in a row
//! (W3C `traceparent`), and the [`Tracer`] that makes spans is passed in like a clock. Within one task the span at hand is
//! [`current`].
//!
//! A trace that is not recorded has no spans at all, and no context goes on from it: it costs what a switched-off one does.

mod export;

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use opentelemetry::context::FutureExt;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanBuilder, Status, TraceContextExt, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use opentelemetry::Value;
pub use opentelemetry::trace::SpanKind;

/// The header of the W3C's Trace Context, and the key of the same text elsewhere.
pub const TRACEPARENT: &str = "traceparent";

/// How long the last spans may take to be sent when the process stops.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Where spans go, and how many.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The collector's OTLP/HTTP address, such as `http://127.0.0.1:4318`.
    pub endpoint: String,
    /// Of the requests that come without a decision, the part that is recorded: a decimal from 0 to 1.
    pub sampling: String,
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
}

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent to {endpoint}: {why}")]
pub struct TraceError {
    endpoint: String,
    why: String,
}

/// Makes spans; clones share the way out. The default is off.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<On>>);

struct On {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Tracer {
    /// One whose spans are sent from this runtime.
    ///
    /// # Errors
    /// The endpoint is no address, or the sampling no number.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn start(settings: &TraceSettings) -> Result<Self, TraceError> {
        let provider = export::provider(settings)?;
        let tracer = provider.tracer("daybook");
        Ok(Tracer(Some(Arc::new(On { provider, tracer }))))
    }

    /// Whether spans are made at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The span of a request from outside: in the trace that its headers name, else in a new one.
    pub fn accept(&self, name: String, headers: &HeaderMap) -> Span {
        let Some(on) = &self.0 else {
            return Span::default();
        };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        on.begin(SpanKind::Server, name.into(), &parent)
    }

    /// A span of something that was caused at this place of a trace; none if there is no such place.
    pub fn span(&self, kind: SpanKind, name: impl Into<Cow<'static, str>>, parent: Option<impl ToString>) -> Span {
        let (Some(on), Some(parent)) = (&self.0, parent) else {
            return Span::default();
        };
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), parent.to_string())]);
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
        if !parent.has_active_span() {
            return Span::default();
        }
        on.begin(kind, name.into(), &parent)
    }

    /// Sends what is left, for a while. Spans that end later are lost.
    pub async fn stop(&self) {
        let Some(on) = self.0.clone() else { return };
        // It waits for its thread.
        let stopped = tokio::task::spawn_blocking(move || on.provider.shutdown_with_timeout(LAST_SPANS)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the last spans were not sent: {error}");
        }
    }
}

impl On {
    fn begin(&self, kind: SpanKind, name: Cow<'static, str>, parent: &Context) -> Span {
        let span = self
            .tracer
            .build_with_context(SpanBuilder::from_name(name).with_kind(kind), parent);
        let span = Context::new().with_span(span);
        if !span.span().span_context().is_sampled() {
            return Span::default();
        }
        metrics::counter!("daybook_trace_spans_total").increment(1);
        Span(Some(span))
    }
}

/// Something that takes time, in a trace; ends with its last clone. Of a trace that is not recorded it is nothing.
#[derive(Debug, Clone, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// Whether it is recorded.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Says something about it.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(name, value));
        }
    }

    /// It failed.
    pub fn fail(&self, why: impl Into<Cow<'static, str>>) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(why));
        }
    }

    /// What names it as a parent, in a header or a row.
    pub fn context(&self) -> Option<String> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(self.0.as_ref()?, &mut carrier);
        carrier.remove(TRACEPARENT)
    }

    /// Its trace, for the log.
    pub fn trace_id(&self) -> Option<String> {
        let context = self.0.as_ref()?;
        Some(context.span().span_context().trace_id().to_string())
    }

    /// Does something with this span as the one at hand.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        match self.0 {
            Some(context) => Box::pin(work).with_context(context).await,
            None => work.await,
        }
    }
}

/// The span of what this task does at the moment.
pub fn current() -> Span {
    Span(Context::map_current(|context| {
        context.has_active_span().then(|| context.clone())
    }))
}
