//! The way out: a bounded queue, a thread that sends what is in it, our own HTTP client.
//!
//! What does not fit is dropped, and what cannot be sent is lost: nobody who makes a span ever waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter as Exporter,
};
use tokio::runtime::Handle;

use super::{TraceError, TraceSettings};
use crate::http_client::{ClientSettings, client};

/// Most spans that wait; one more is dropped.
const QUEUE: usize = 8_192;
/// Most spans of one message to the collector.
const BATCH: usize = 512;
/// A span waits no longer for its batch to fill.
const LINGER: Duration = Duration::from_secs(1);
/// A collector that takes longer for one message has not got it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn provider(settings: &TraceSettings) -> Result<SdkTracerProvider, TraceError> {
    let endpoint = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
    let wrong = |why: String| TraceError {
        endpoint: settings.endpoint.clone(),
        why,
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Sender::new())
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(LINGER)
        .build();
    let processor = BatchSpanProcessor::builder(Watched::new(exporter))
        .with_batch_config(batches)
        .build();
    let part = settings.sampling.parse();
    let here = Sampler::TraceIdRatioBased(part.map_err(|error| wrong(format!("sampling: {error}")))?);
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(here)))
        .with_resource(resource(settings))
        .build())
}

/// Who made the spans; nothing of the environment, which only the settings read.
fn resource(settings: &TraceSettings) -> Resource {
    Resource::builder_empty()
        .with_service_name(settings.service.clone())
        .with_attribute(KeyValue::new("service.instance.id", settings.instance.clone()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The process' HTTP client, for a thread that is not of its runtime.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
}

impl Sender {
    fn new() -> Self {
        let http = client(ClientSettings {
            total_timeout: PATIENCE,
            ..ClientSettings::default()
        });
        Sender {
            http,
            runtime: Handle::current(),
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let send = async move {
            let answer = http.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        };
        self.runtime.spawn(send).await?
    }
}

/// Counts what is sent, and says once when sending begins to fail and when it works again.
#[derive(Debug)]
struct Watched {
    inner: SpanExporter,
    failing: AtomicBool,
}

impl Watched {
    fn new(inner: SpanExporter) -> Self {
        Watched {
            inner,
            failing: AtomicBool::new(false),
        }
    }

    fn came(&self, spans: u64, outcome: &OTelSdkResult) {
        let word = if outcome.is_ok() { "sent" } else { "lost" };
        metrics::counter!("daybook_trace_exported_spans_total", "outcome" => word).increment(spans);
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Err(error) if !failed_before => tracing::warn!(%error, "spans cannot be sent, they are lost: {error}"),
            Ok(()) if failed_before => tracing::info!("spans are sent again"),
            _ => {}
        }
    }
}

impl Exporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let outcome = self.inner.export(batch).await;
        self.came(spans, &outcome);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
