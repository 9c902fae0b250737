//! The relay: ships the outbox to Kafka.
//!
//! It is a consumer group of its own on the outbox, one relay a topic, so of several processes one leads each
//! partition, under an epoch, and retention waits for it. A step reads a batch, hands all of it to the producer, waits
//! until each row was reported as delivered, and moves the position. What it does again after a crash, or does together
//! with a predecessor that lives on, arrives twice and is dropped by the readers: positions tell.
//!
//! A row that the producer does not take (too large) is left out and said so, once: its readers find the gap and read it
//! from the outbox.

mod producer;

use std::collections::BTreeMap;
use std::time::Duration;

use chassis::step::{Progress, Step, StepError};
use chassis::trace::Span;
use tracing::{error, info};

use self::producer::{Delivery, Producer, Reports};
use crate::backend::kafka::topics;
use crate::engine::RELAY;
use crate::{Bus, BusError, Consumer, Event, Fetched, KafkaSettings, LeaseChange, Position, Topic, traces};

/// Rows of one batch.
const BATCH: i64 = 5_000;
/// A step waits no longer for the broker: the leases have to be kept meanwhile, and a process must be able to stop.
const PATIENCE: Duration = Duration::from_millis(500);
/// How soon to look again at what waits above the horizon.
const HELD_BACK: Duration = Duration::from_millis(1);

/// Ships one topic.
pub struct Relay {
    consumer: Consumer,
    settings: KafkaSettings,
    topic: Topic,
    /// Made at first use, and anew after a failure.
    producer: Option<Producer>,
    /// Sent, and not known to have arrived.
    shipment: Option<Shipment>,
}

struct Shipment {
    events: Vec<Event>,
    reports: std::sync::Arc<Reports>,
    /// Of the traced rows; they end when all has arrived.
    spans: Vec<Span>,
}

impl Relay {
    /// The relay of a topic, on a bus of the Kafka engine.
    ///
    /// # Errors
    /// [`BusError::NoKafka`] on another engine: there is nowhere to ship to.
    pub fn new(bus: &Bus, topic: Topic) -> Result<Self, BusError> {
        let settings = bus.kafka().ok_or(BusError::NoKafka)?.clone();
        Ok(Relay {
            consumer: bus.outbox_consumer(RELAY, topic),
            settings,
            topic,
            producer: None,
            shipment: None,
        })
    }

    async fn work(&mut self) -> Result<Progress, BusError> {
        if self.producer.is_none() {
            // Before there is anything to ship: readers wait for the topics.
            topics::ensure(&self.settings, self.topic).await?;
            self.producer = Some(Producer::connect(&self.settings, self.topic)?);
        }
        if self.shipment.is_none() {
            let Fetched { events, held_back } = self.consumer.fetch(BATCH).await?;
            if events.is_empty() {
                let pause = if held_back {
                    Progress::Soon(HELD_BACK)
                } else {
                    Progress::Idle
                };
                return Ok(pause);
            }
            fail::fail_point!("relay::batch_read");
            let spans = traces::shipping(self.consumer.bus().tracer(), &events);
            let reports = match self.send(&events) {
                Err(BusError::Kafka(why)) => return Err(self.begin_anew(&why)),
                sent => sent?,
            };
            self.shipment = Some(Shipment { events, reports, spans });
        }
        let Some(Shipment { events, reports, .. }) = &self.shipment else {
            return Ok(Progress::Idle);
        };
        match reports.settled(PATIENCE).await {
            Delivery::Waiting => return Ok(Progress::Soon(HELD_BACK)),
            Delivery::Failed(why) => return Err(self.begin_anew(&why)),
            Delivery::Done => {}
        }
        fail::fail_point!("relay::published_not_marked");
        self.mark(events).await?;
        self.arrived();
        Ok(Progress::Worked)
    }

    /// Hands a batch to the producer, each row with the position of the one before it.
    fn send(&self, events: &[Event]) -> Result<std::sync::Arc<Reports>, BusError> {
        let no_producer = || BusError::Kafka("no producer".to_owned());
        let producer = self.producer.as_ref().ok_or_else(no_producer)?;
        let mut last: BTreeMap<i16, Position> = BTreeMap::new();
        let reports = Reports::of(events.len(), self.topic);
        for event in events {
            let begin = || self.consumer.place(event.partition).map(|place| place.position);
            let prev = match last.insert(event.partition, event.position).or_else(begin) {
                Some(prev) => prev,
                None => return Err(BusError::Fenced),
            };
            if let Err(why) = producer.send(event, prev, &reports) {
                refused(event, &reports, why)?;
            }
        }
        Ok(reports)
    }

    /// A crash may take the position back, and the batch is shipped again: it does not wait for the disk.
    async fn mark(&self, events: &[Event]) -> Result<(), BusError> {
        let mut tx = db::begin(self.consumer.bus().pool()).await?;
        sqlx::query!("set local synchronous_commit = off")
            .execute(&mut *tx)
            .await?;
        self.consumer.store(&mut tx, events).await?;
        // Should the answer be lost, the next one is refused, and the position is read again.
        tx.commit().await?;
        Ok(())
    }

    fn arrived(&mut self) {
        if let Some(Shipment { events, .. }) = self.shipment.take() {
            self.consumer.advance(&events);
            metrics::counter!("daybook_relay_rows_total", "topic" => self.topic.as_str())
                .increment(u64::try_from(events.len()).unwrap_or(u64::MAX));
        }
    }

    /// The producer's order can no longer be relied on: another one sends the batch again, from the stored position.
    fn begin_anew(&mut self, why: &str) -> BusError {
        if let Some(Shipment { spans, .. }) = self.shipment.take() {
            spans.iter().for_each(|span| span.fail(why.to_owned()));
        }
        if let Some(producer) = self.producer.take() {
            // It waits for its thread.
            tokio::task::spawn_blocking(move || drop(producer));
        }
        metrics::counter!("daybook_relay_restarts_total", "topic" => self.topic.as_str()).increment(1);
        BusError::Kafka(format!("rows were not delivered, they are sent again: {why}"))
    }

    /// Another relay leads now, or an operator set this one back.
    fn fenced(&mut self) {
        self.shipment = None;
        self.consumer.rewind();
        self.consumer.look_now();
        info!(topic = %self.topic, "the relay of {} begins at its stored position", self.topic);
    }
}

impl Step for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let change = self.consumer.keep_leases().await?;
        if change != LeaseChange::default() {
            info!(topic = %self.topic, gained = ?change.gained, lost = ?change.lost,
                "the relay of {} now ships {} partitions", self.topic, self.consumer.owned().len());
            // Places may be other ones now than when it was sent.
            self.shipment = None;
        }
        match self.work().await {
            Err(BusError::Fenced) => {
                self.fenced();
                Ok(Progress::Worked)
            }
            done => Ok(done?),
        }
    }
}

/// A row that can never be sent does not stop the others.
fn refused(event: &Event, reports: &Reports, why: producer::Refusal) -> Result<(), BusError> {
    match why {
        producer::Refusal::Busy(why) => Err(BusError::Kafka(why)),
        producer::Refusal::Never(why) => {
            reports.left_out();
            metrics::counter!("daybook_relay_left_out_total", "topic" => event.topic.as_str()).increment(1);
            error!(order.id = %event.order_id, request.id = %event.request_id, kind = event.kind,
                "Kafka does not take a row of order {}, its readers have to read it from the outbox: {why}",
                event.order_id);
            Ok(())
        }
    }
}
