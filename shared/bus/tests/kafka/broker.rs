//! What else may lie at a broker.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::cell::{Cell, check_once_and_in_order, read};
use crate::support::event;

#[tokio::test]
async fn a_message_that_is_not_from_the_relay_is_passed_over() {
    let cell = Cell::new().await;
    cell.world.publish(&[event("AAPL", 0, "a")]).await;
    cell.ship().await;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", cell.broker.bootstrap_servers())
        .create()
        .unwrap();
    let partition = bus::partition_of("AAPL").into();
    let stray = BaseRecord::<str, str>::to("test.orders")
        .partition(partition)
        .payload("hello");
    producer.send(stray).map_err(|(error, _)| error).unwrap();
    producer.flush(std::time::Duration::from_secs(60)).unwrap();
    cell.world.publish(&[event("AAPL", 1, "a")]).await;
    cell.ship().await;
    let mut consumer = cell.member().await;
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 2).await, 0..2);
}
