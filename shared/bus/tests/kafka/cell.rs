//! A bus on a broker of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::engine::{Adopted, adopt};
use bus::{Bus, Consumer, Engine, Event, KafkaSettings, PARTITIONS, Position, Relay, Runner, Topic};
use chassis::step::{Progress, Step, Wake};
use domain::OrderId;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use strum::VariantArray;

use crate::support::{GROUP, Recorder, World, order, settings};

/// A busy machine may take its time; nothing waits for this to pass.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// A member looks again this soon, should nobody ring.
const LOOK: Duration = Duration::from_millis(200);

pub type Broker = MockCluster<'static, DefaultProducerContext>;

/// A broker with our topics.
pub fn broker() -> Broker {
    let broker = MockCluster::new(1).unwrap();
    for topic in Topic::VARIANTS {
        broker
            .create_topic(&format!("test.{topic}"), PARTITIONS.into(), 1)
            .unwrap();
    }
    broker
}

pub fn engine(broker: &Broker) -> Engine {
    Engine::Kafka(KafkaSettings {
        brokers: broker.bootstrap_servers(),
        prefix: "test.".to_owned(),
        instance: None,
        // The mock cluster lets a rebalance last almost as long.
        session: Duration::from_secs(6),
    })
}

/// A process of the Kafka engine.
pub fn process(world: &World, broker: &Broker, seed: u64) -> Bus {
    Bus::with_engine(world.pool().clone(), testkit::ids(seed), settings(), engine(broker)).unwrap()
}

/// An installation on Kafka.
pub struct Cell {
    pub world: World,
    pub broker: Broker,
    pub bus: Bus,
}

impl Cell {
    pub async fn new() -> Self {
        let world = World::new().await;
        let broker = broker();
        let bus = process(&world, &broker, 11);
        assert_eq!(adopt(&bus).await.unwrap(), Adopted::HandedOver);
        Cell { world, broker, bus }
    }

    pub fn relay(&self) -> Relay {
        Relay::new(&self.bus, Topic::Orders).unwrap()
    }

    /// Ships all that was committed.
    pub async fn ship(&self) {
        ship(&mut self.relay()).await;
        self.bus_released().await;
    }

    /// What this process had is free for the next one.
    pub async fn bus_released(&self) {
        sqlx::query("update bus_positions set owner = null, lease_until = '-infinity' where consumer_group = 'relay'")
            .execute(self.world.pool())
            .await
            .unwrap();
        sqlx::query("delete from bus_members where consumer_group = 'relay'")
            .execute(self.world.pool())
            .await
            .unwrap();
    }

    /// A member of the group that has all partitions.
    pub async fn member(&self) -> Consumer {
        let mut consumer = self.bus.consumer(GROUP, Topic::Orders);
        settle(&self.bus, &mut consumer, usize::from(PARTITIONS.unsigned_abs())).await;
        consumer
    }

    pub fn runner(&self, recorder: &Recorder) -> Runner<Recorder> {
        Runner::new("test-runner", self.bus.consumer(GROUP, Topic::Orders), recorder.clone())
    }
}

/// Steps a relay until there is nothing left.
pub async fn ship(relay: &mut Relay) {
    let begun = Instant::now();
    while relay.step().await.unwrap() != Progress::Idle {
        assert!(begun.elapsed() < PATIENCE, "the relay does not come to an end");
    }
}

/// Until the group has given a member that many partitions.
pub async fn settle(bus: &Bus, consumer: &mut Consumer, partitions: usize) {
    let (wake, begun) = (bus.waker(consumer.topic()), Instant::now());
    loop {
        consumer.keep_leases().await.unwrap();
        if consumer.owned().len() == partitions {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "owns {} of {partitions}",
            consumer.owned().len()
        );
        ring(&wake).await;
    }
}

/// Waits for the next ring, or for a while.
pub async fn ring(wake: &Wake) {
    let _ = tokio::time::timeout(LOOK, wake.woken()).await;
}

/// Handles what comes until there were as many events.
pub async fn read(consumer: &mut Consumer, bus: &Bus, events: usize) -> Vec<Event> {
    let (wake, begun) = (bus.waker(consumer.topic()), Instant::now());
    let mut all = Vec::new();
    while all.len() < events {
        let batch = handle(consumer, bus).await;
        if batch.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{} of {events} events", all.len());
            ring(&wake).await;
        }
        all.extend(batch);
    }
    assert_eq!(all.len(), events, "more than there are");
    all
}

/// Handles one batch.
pub async fn handle(consumer: &mut Consumer, bus: &Bus) -> Vec<Event> {
    consumer.keep_leases().await.unwrap();
    let batch = consumer.fetch(64).await.unwrap().events;
    let mut tx = db::begin(bus.pool()).await.unwrap();
    consumer.store(&mut tx, &batch).await.unwrap();
    tx.commit().await.unwrap();
    consumer.advance(&batch);
    batch
}

/// Each order once, and in each partition in the order of positions.
pub fn check_once_and_in_order(events: &[Event], orders: std::ops::Range<u128>) {
    let mut seen: Vec<OrderId> = events.iter().map(|event| event.order_id).collect();
    seen.sort_unstable();
    assert_eq!(seen, orders.map(order).collect::<Vec<_>>(), "each once");
    let mut last: BTreeMap<i16, Position> = BTreeMap::new();
    for event in events {
        let before = last.insert(event.partition, event.position);
        assert!(before < Some(event.position), "{before:?}, then {:?}", event.position);
    }
}
