//! What readers get: each event once and in order, whatever the broker has.

use std::time::Instant;

use bus::Topic;
use bus::engine::{Again, Replayed, replay};
use chassis::step::{Progress, Step};

use crate::cell::{Cell, PATIENCE, broker, check_once_and_in_order, handle, process, read, ring, settle, ship};
use crate::support::{Recorder, TRACE, event, order, seen, traced};

fn events(orders: std::ops::Range<u128>) -> Vec<bus::NewEvent> {
    const SYMBOLS: [&str; 4] = ["AAPL", "F", "MSFT", "TSLA"];
    orders.map(|n| event(SYMBOLS[n as usize % 4], n, "a")).collect()
}

#[tokio::test]
async fn every_group_gets_each_event_once_and_in_order() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..300)).await;
    cell.ship().await;
    for group in ["one", "two"] {
        let mut consumer = cell.bus.consumer(group, Topic::Orders);
        settle(&cell.bus, &mut consumer, 16).await;
        check_once_and_in_order(&read(&mut consumer, &cell.bus, 300).await, 0..300);
    }
}

#[tokio::test]
async fn a_message_is_the_row_it_was_made_from() {
    let cell = Cell::new().await;
    cell.world.publish(&events(7..8)).await;
    cell.world.publish(&[traced("AAPL", 8, "a")]).await;
    let mut on_postgres = cell.world.bus.consumer("other", Topic::Orders);
    sqlx::query("update bus_engine set engine = 'postgres'")
        .execute(cell.world.pool())
        .await
        .unwrap();
    on_postgres.keep_leases().await.unwrap();
    let mut row = on_postgres.fetch(10).await.unwrap().events;
    row.sort_by_key(|event| event.position);
    sqlx::query("update bus_engine set engine = 'kafka'")
        .execute(cell.world.pool())
        .await
        .unwrap();
    cell.ship().await;
    let mut consumer = cell.member().await;
    let mut message = read(&mut consumer, &cell.bus, 2).await;
    // They are of two partitions, which come in any order.
    message.sort_by_key(|event| event.position);
    assert_eq!(message, row);
    let trace = |event: &bus::Event| event.request_id.trace_text();
    let traces: Vec<_> = message.iter().filter_map(trace).collect();
    assert_eq!(traces, [TRACE], "of the one that has one");
}

#[tokio::test]
async fn what_was_handled_does_not_come_again_to_the_next_owner() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..10)).await;
    cell.ship().await;
    let mut first = cell.member().await;
    read(&mut first, &cell.bus, 10).await;
    drop(first);
    cell.world.publish(&events(10..20)).await;
    cell.ship().await;
    let mut next = cell.member().await;
    check_once_and_in_order(&read(&mut next, &cell.bus, 10).await, 10..20);
}

/// The relay's position is beyond rows that the broker does not have.
async fn lose_what_is_not_shipped(cell: &Cell) {
    sqlx::query(
        "update bus_positions p set xid = m.xid, id = m.id
           from (select distinct on (topic, partition) topic, partition, xid, id from outbox
                  order by topic, partition, outbox.xid desc, id desc) m
          where p.consumer_group = 'relay' and (p.topic, p.partition) = (m.topic, m.partition)",
    )
    .execute(cell.world.pool())
    .await
    .unwrap();
}

/// relay::broker_lost_data
#[tokio::test]
async fn rows_that_the_broker_lost_are_read_from_the_outbox_in_their_place() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..20)).await;
    cell.ship().await;
    cell.world.publish(&events(20..39)).await;
    cell.world.publish(&[traced("AAPL", 39, "a")]).await;
    lose_what_is_not_shipped(&cell).await;
    cell.world.publish(&events(40..60)).await;
    cell.ship().await;
    let mut consumer = cell.member().await;
    let came = read(&mut consumer, &cell.bus, 60).await;
    check_once_and_in_order(&came, 0..60);
    let lost = came.iter().find(|event| event.order_id == order(39)).unwrap();
    assert_eq!(
        lost.request_id.trace_text().as_deref(),
        Some(TRACE),
        "as the message had it"
    );
}

#[tokio::test]
async fn a_partition_that_stays_silent_while_the_relay_went_on_is_read_from_the_outbox() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..20)).await;
    lose_what_is_not_shipped(&cell).await;
    let mut consumer = cell.member().await;
    assert_eq!(handle(&mut consumer, &cell.bus).await, [], "the broker has nothing");
    for _ in 0..2 {
        consumer.look_now();
        consumer.keep_leases().await.unwrap();
    }
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 20).await, 0..20);
}

/// relay::broker_lost_data: all of it, and an operator fills the topics again.
#[tokio::test]
async fn a_broker_with_an_empty_disk_is_filled_again_and_nothing_comes_twice() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..20)).await;
    cell.ship().await;
    let mut consumer = cell.member().await;
    read(&mut consumer, &cell.bus, 20).await;
    drop(consumer);

    let empty = broker();
    let bus = process(&cell.world, &empty, 12);
    let mut conn = cell.world.pool().acquire().await.unwrap();
    let since = Again::Since("2020-01-01T00:00:00Z".parse().unwrap());
    let replayed = replay(&mut conn, since).await.unwrap();
    assert!(
        matches!(replayed, Replayed::Rows { partitions: 1.., .. }),
        "{replayed:?}"
    );
    let mut relay = bus::Relay::new(&bus, Topic::Orders).unwrap();
    ship(&mut relay).await;
    cell.world.publish(&events(20..30)).await;
    ship(&mut relay).await;

    let mut consumer = bus.consumer(crate::support::GROUP, Topic::Orders);
    settle(&bus, &mut consumer, 16).await;
    check_once_and_in_order(&read(&mut consumer, &bus, 10).await, 20..30);
    let mut late = bus.consumer("late", Topic::Orders);
    settle(&bus, &mut late, 16).await;
    check_once_and_in_order(&read(&mut late, &bus, 30).await, 0..30);
}

/// consumer::poison on this engine.
#[tokio::test]
async fn a_poison_message_parks_its_order_and_nothing_else_on_kafka() {
    let cell = Cell::new().await;
    let recorder = Recorder::default();
    recorder.fails_on(order(1), "bad", || bus::HandleError::Poison("no".into()));
    let mut runner = cell.runner(&recorder);
    settle(&cell.bus, runner.consumer(), 16).await;
    let sent = [
        event("AAPL", 1, "bad"),
        event("AAPL", 2, "a"),
        event("AAPL", 1, "later"),
    ];
    cell.world.publish(&sent).await;
    cell.ship().await;
    let (wake, begun) = (cell.bus.waker(Topic::Orders), Instant::now());
    while cell.world.effects().await.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the order beside it has no effect");
        if runner.step().await.unwrap() == Progress::Idle {
            ring(&wake).await;
        }
    }
    assert_eq!(cell.world.effects().await, [(order(2), "a".into())]);
    let mut conn = cell.world.pool().acquire().await.unwrap();
    let parked = bus::parked::list(&mut conn, None, None, 10).await.unwrap();
    let kinds: Vec<&str> = parked.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["bad", "later"]);
}

#[tokio::test]
async fn a_follower_hears_every_later_event_once_and_none_of_the_past() {
    let cell = Cell::new().await;
    cell.world.publish(&[event("AAPL", 1, "past")]).await;
    cell.ship().await;
    let mut follower = cell.bus.follower(Topic::Orders);
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), []);
    cell.world.publish(&events(2..22)).await;
    cell.ship().await;
    let (mut heard, wake, begun) = (Vec::new(), cell.bus.waker(Topic::Orders), Instant::now());
    while heard.len() < 20 {
        let batch = follower.fetch(7).await.unwrap().events;
        if batch.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{} of 20 events", heard.len());
            ring(&wake).await;
        }
        heard.extend(batch);
    }
    check_once_and_in_order(&heard, 2..22);
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), []);
}
