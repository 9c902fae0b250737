//! The relay: a broker that is away, two of it, rows that Kafka does not take.

use std::collections::BTreeMap;
use std::time::Instant;

use bus::{NewEvent, PARTITIONS, Relay, Topic};
use chassis::step::{Progress, Step};
use domain::RequestId;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::cell::{Broker, Cell, PATIENCE, check_once_and_in_order, process, read, ship};
use crate::support::{LEASE, event, order};

/// Of several partitions.
const SYMBOLS: [&str; 6] = ["AAPL", "MSFT", "TSLA", "F", "KO", "XOM"];

async fn marked(cell: &Cell) -> bool {
    let depths = bus::observe::depths(&bus::observe::lags(cell.world.pool()).await.unwrap());
    depths.iter().all(|depth| depth.group != "relay" || depth.rows == 0)
}

/// relay::broker_gone
#[tokio::test]
async fn rows_wait_for_a_broker_that_is_away_and_the_position_waits_for_them() {
    let cell = Cell::new().await;
    let mut relay = cell.relay();
    cell.world.publish(&[event("AAPL", 1, "a")]).await;
    ship(&mut relay).await;
    cell.broker.broker_down(-1).unwrap();
    cell.world.publish(&[event("AAPL", 2, "a")]).await;
    for _ in 0..3 {
        assert!(
            matches!(relay.step().await.unwrap(), Progress::Soon(_)),
            "it goes on waiting"
        );
    }
    assert!(!marked(&cell).await, "what did not arrive is not marked");
    cell.broker.broker_up(-1).unwrap();
    ship(&mut relay).await;
    assert!(marked(&cell).await);
    cell.bus_released().await;
    let mut consumer = cell.member().await;
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 2).await, 1..3);
}

/// relay::two_relays: one was taken for dead in the middle of a batch.
#[tokio::test]
async fn two_relays_ship_twice_and_readers_get_each_event_once() {
    let cell = Cell::new().await;
    let mut first = cell.relay();
    ship(&mut first).await;
    let sent: Vec<_> = (0..50).map(|n| event("AAPL", n, "a")).collect();
    cell.world.publish(&sent[..1]).await;
    ship(&mut first).await;
    cell.broker.broker_down(-1).unwrap();
    cell.world.publish(&sent[1..]).await;
    assert!(
        matches!(first.step().await.unwrap(), Progress::Soon(_)),
        "sent, and not known to have arrived"
    );

    cell.world.later(LEASE + 1).await;
    cell.broker.broker_up(-1).unwrap();
    let other = process(&cell.world, &cell.broker, 12);
    let mut second = Relay::new(&other, Topic::Orders).unwrap();
    ship(&mut second).await;
    assert!(marked(&cell).await, "V10: the second one has the partitions now");
    ship(&mut first).await;
    cell.bus_released().await;

    let mut consumer = cell.member().await;
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 50).await, 0..50);
    assert_eq!(consumer.fetch(10).await.unwrap().events, [], "and nothing more");
}

/// relay::fatal_error: part of the batch has arrived, the rest never will from this producer, which takes nothing more.
#[tokio::test]
async fn after_a_fatal_error_a_new_producer_goes_on_at_the_lowest_row_that_is_not_marked() {
    for fatal in [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    ] {
        after_a_fatal(fatal).await;
    }
}

async fn after_a_fatal(error: RDKafkaRespErr) {
    let cell = Cell::new().await;
    let mut relay = cell.relay();
    cell.world.publish(&[event("AAPL", 0, "a")]).await;
    ship(&mut relay).await;
    let sent: Vec<_> = (1..50)
        .map(|n| event(SYMBOLS[usize::try_from(n).unwrap() % SYMBOLS.len()], n, "a"))
        .collect();
    cell.world.publish(&sent).await;
    // A request a partition: the first two arrive.
    let fine = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    cell.broker.request_errors(RDKafkaApiKey::Produce, &[fine, fine, error]);
    let failed = failure(&mut relay).await;
    assert!(
        failed.contains("rows were not delivered, they are sent again"),
        "{failed}"
    );
    assert!(!marked(&cell).await, "nothing of the batch is");

    ship(&mut relay).await;
    assert!(marked(&cell).await);
    check_sent_again(&sent, &keys(&cell.broker));
    cell.bus_released().await;
    let mut consumer = cell.member().await;
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 50).await, 0..50);
    assert_eq!(
        consumer.fetch(10).await.unwrap().events,
        [],
        "what arrived twice is read once"
    );
}

/// In each partition the topic ends with all of its rows, in their order. Readers would not tell: they take what is missing from the outbox.
fn check_sent_again(sent: &[NewEvent], keys: &BTreeMap<i32, Vec<String>>) {
    let mut rows: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for event in sent {
        let partition = bus::partition_of(&event.key).into();
        rows.entry(partition).or_default().push(event.order_id.to_string());
    }
    assert!(rows.len() > 2, "a request a partition, and the third one fails");
    for (partition, rows) in rows {
        let keys = &keys[&partition];
        assert!(keys.ends_with(&rows), "{partition}: {keys:?}");
    }
}

/// The keys in the topic, by partition.
fn keys(broker: &Broker) -> BTreeMap<i32, Vec<String>> {
    let reader: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("group.id", "onlooker")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    let (mut keys, mut left) = (BTreeMap::new(), 0);
    for partition in 0..PARTITIONS.into() {
        places
            .add_partition_offset("test.orders", partition, Offset::Beginning)
            .unwrap();
        left += reader.fetch_watermarks("test.orders", partition, PATIENCE).unwrap().1;
    }
    reader.assign(&places).unwrap();
    while left > 0 {
        let message = reader.poll(PATIENCE).expect("what lies there comes").unwrap();
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let of_partition: &mut Vec<String> = keys.entry(message.partition()).or_default();
        of_partition.push(key);
        left -= 1;
    }
    keys
}

/// What the relay says when it does not go on.
async fn failure(relay: &mut Relay) -> String {
    let begun = Instant::now();
    loop {
        match relay.step().await {
            Err(why) => return why.to_string(),
            Ok(progress) => assert_ne!(progress, Progress::Idle, "all of it arrived"),
        }
        assert!(begun.elapsed() < PATIENCE, "neither arrived nor failed");
    }
}

/// relay::poison_row
#[tokio::test]
async fn a_row_that_kafka_does_not_take_reaches_its_readers_from_the_outbox() {
    let cell = Cell::new().await;
    let mut large = event("AAPL", 1, "large");
    large.payload = format!("\"{}\"", "x".repeat(2_000_000));
    let request_id = RequestId::new("r-1").unwrap();
    assert_eq!(large.request_id, request_id);
    cell.world
        .publish(&[event("AAPL", 0, "a"), large, event("AAPL", 2, "a")])
        .await;
    cell.ship().await;
    let mut consumer = cell.member().await;
    let events = read(&mut consumer, &cell.bus, 3).await;
    check_once_and_in_order(&events, 0..3);
    assert_eq!((events[1].order_id, events[1].payload.len()), (order(1), 2_000_002));
}

/// Readers get partitions of a topic that is there, and may have to be at work before the first event.
#[tokio::test]
async fn a_relay_asks_for_its_topic_before_there_is_anything_to_ship() {
    let cell = Cell::new().await;
    cell.broker.create_topic("odd.orders", 3, 1).unwrap();
    let mut relay = Relay::new(&odd(&cell), Topic::Orders).unwrap();
    let refused = relay.step().await.unwrap_err().to_string();
    assert!(refused.contains("odd.orders has 3 partitions"), "{refused}");
}

fn odd(cell: &Cell) -> bus::Bus {
    let settings = bus::KafkaSettings {
        prefix: "odd.".to_owned(),
        ..cell.bus.kafka().unwrap().clone()
    };
    let (pool, engine) = (cell.world.pool().clone(), bus::Engine::Kafka(settings));
    bus::Bus::with_engine(pool, testkit::ids(12), crate::support::settings(), engine).unwrap()
}

#[tokio::test]
async fn the_relay_makes_no_use_of_a_topic_with_other_partitions() {
    let cell = Cell::new().await;
    cell.broker.create_topic("odd.orders", 3, 1).unwrap();
    cell.world.publish(&[event("AAPL", 1, "a")]).await;
    let mut relay = Relay::new(&odd(&cell), Topic::Orders).unwrap();
    let refused = relay.step().await.unwrap_err().to_string();
    assert!(
        refused.contains("odd.orders has 3 partitions, it must have 16"),
        "{refused}"
    );
    assert!(!marked(&cell).await);
}
