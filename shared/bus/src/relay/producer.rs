//! The producer of one topic, and the reports on what it delivered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;

use crate::backend::kafka::client::{basics, log, topic_name};
use crate::backend::kafka::message;
use crate::{BusError, Event, KafkaSettings, Position, Topic};

/// What became of the rows of one batch, as the broker tells.
pub(super) struct Reports {
    topic: Topic,
    missing: AtomicUsize,
    failure: Mutex<Option<String>>,
    settled: Notify,
}

/// What is known of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Some rows are not reported on.
    Waiting,
    /// All have arrived.
    Done,
    /// At least one has not, and will not.
    Failed(String),
}

impl Reports {
    pub(super) fn of(rows: usize, topic: Topic) -> Arc<Self> {
        Arc::new(Reports {
            topic,
            missing: AtomicUsize::new(rows),
            failure: Mutex::default(),
            settled: Notify::new(),
        })
    }

    /// A row is not sent at all.
    pub(super) fn left_out(&self) {
        self.one_less();
    }

    /// Waits for the reports, for a while.
    pub(super) async fn settled(&self, patience: Duration) -> Delivery {
        // The permit of a last report that came before is kept.
        if self.missing.load(Ordering::Acquire) > 0 {
            let _ = tokio::time::timeout(patience, self.settled.notified()).await;
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (failure, self.missing.load(Ordering::Acquire)) {
            (Some(why), _) => Delivery::Failed(why),
            (None, 0) => Delivery::Done,
            (None, _) => Delivery::Waiting,
        }
    }

    fn reported(&self, failure: Option<String>) {
        let outcome = if failure.is_some() { "failed" } else { "delivered" };
        metrics::counter!("daybook_relay_delivery_reports_total", "topic" => self.topic.as_str(),
            "outcome" => outcome)
        .increment(1);
        if let Some(why) = failure {
            self.failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(why);
            self.settled.notify_one();
        }
        self.one_less();
    }

    fn one_less(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.settled.notify_one();
        }
    }
}

/// Hands reports on to their batch.
struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!("the way to Kafka: {error}: {reason}");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Reports>;

    fn delivery(&self, result: &DeliveryResult<'_>, reports: Arc<Reports>) {
        reports.reported(result.as_ref().err().map(|(error, _)| error.to_string()));
    }
}

/// Why a row was not taken.
pub(super) enum Refusal {
    /// Not now.
    Busy(String),
    /// This row never.
    Never(String),
}

/// A producer whose rows arrive once and in order, or it fails as a whole.
pub(super) struct Producer {
    inner: ThreadedProducer<Context>,
    name: String,
}

impl Producer {
    pub(super) fn connect(settings: &KafkaSettings, topic: Topic) -> Result<Self, BusError> {
        let mut config = basics(settings);
        config.set("enable.idempotence", "true");
        config.set("enable.gapless.guarantee", "true");
        config.set("acks", "all");
        // Rows wait for a broker that is away: they are not given up.
        config.set("message.timeout.ms", "0");
        config.set("linger.ms", "1");
        config.set("batch.size", "1000000");
        Ok(Producer {
            inner: config.create_with_context(Context)?,
            name: topic_name(settings, topic),
        })
    }

    /// Hands one row over; its report will come. The message's own time is that of shipping: a broker refuses what is more than an
    /// hour ahead of its clock, and would drop old rows that are shipped again as soon as it has them.
    pub(super) fn send(&self, event: &Event, prev: Position, reports: &Arc<Reports>) -> Result<(), Refusal> {
        let key = event.order_id.to_string();
        let record = BaseRecord::with_opaque_to(&self.name, reports.clone())
            .partition(event.partition.into())
            .key(&key)
            .payload(&event.payload)
            .headers(message::headers(event, prev));
        self.inner.send(record).map_err(|(error, _)| match error {
            KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge) => Refusal::Never(error.to_string()),
            error => Refusal::Busy(error.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_done_when_each_row_was_reported_on() {
        let reports = Reports::of(3, Topic::Orders);
        reports.reported(None);
        reports.left_out();
        assert_eq!(reports.settled(Duration::ZERO).await, Delivery::Waiting);
        reports.reported(None);
        assert_eq!(reports.settled(Duration::ZERO).await, Delivery::Done);
        assert_eq!(
            reports.settled(Duration::ZERO).await,
            Delivery::Done,
            "however often one asks"
        );
    }

    #[tokio::test]
    async fn one_row_that_failed_fails_the_batch_at_once() {
        let reports = Reports::of(2, Topic::Orders);
        reports.reported(Some("the broker said no".to_owned()));
        let failed = Delivery::Failed("the broker said no".to_owned());
        assert_eq!(
            reports.settled(Duration::from_secs(60)).await,
            failed,
            "without waiting for the others"
        );
    }

    #[tokio::test]
    async fn a_report_ends_the_wait() {
        let reports = Reports::of(1, Topic::Orders);
        let waiting = reports.settled(Duration::from_secs(60));
        let ((), delivery) = tokio::join!(async { reports.reported(None) }, waiting);
        assert_eq!(delivery, Delivery::Done);
    }
}
