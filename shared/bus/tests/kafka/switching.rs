//! From one engine to the other and back.

use std::time::Instant;

use bus::engine::{Adopted, adopt, status};
use bus::{Bus, BusError, Topic};

use crate::cell::{Cell, PATIENCE, broker, check_once_and_in_order, process, read, ring, settle, ship};
use crate::support::{GROUP, World, event, settings};

fn events(orders: std::ops::Range<u128>) -> Vec<bus::NewEvent> {
    orders.map(|n| event(&format!("S{n}"), n, "a")).collect()
}

async fn postgres(world: &World, seed: u64) -> Bus {
    Bus::new(world.pool().clone(), testkit::ids(seed), settings())
}

#[tokio::test]
async fn there_and_back_every_event_is_handled_once_and_in_order() {
    let world = World::new().await;
    let broker = broker();
    let mut all = Vec::new();
    for round in 0_u64..4 {
        let begin = u128::from(round) * 40;
        let on_kafka = round % 2 == 1;
        let bus = if on_kafka {
            process(&world, &broker, 20 + round)
        } else {
            postgres(&world, 20 + round).await
        };
        let expected = if round == 0 {
            Adopted::InForce
        } else {
            Adopted::HandedOver
        };
        assert_eq!(adopt(&bus).await.unwrap(), expected, "round {round}");
        world.publish(&events(begin..begin + 40)).await;
        let mut consumer = bus.consumer(GROUP, Topic::Orders);
        if on_kafka {
            ship(&mut bus::Relay::new(&bus, Topic::Orders).unwrap()).await;
            settle(&bus, &mut consumer, 16).await;
        }
        // Part of it is left to the next round, on the other engine.
        let leave = if round == 3 { 0 } else { 10 };
        let due = usize::try_from(begin).unwrap() + 40 - leave - all.len();
        let (wake, begun) = (bus.waker(Topic::Orders), Instant::now());
        while all.len() < usize::try_from(begin).unwrap() + 40 - leave {
            let left = usize::try_from(begin).unwrap() + 40 - leave - all.len();
            consumer.keep_leases().await.unwrap();
            let batch = consumer.fetch(left.min(due).try_into().unwrap()).await.unwrap().events;
            if batch.is_empty() {
                assert!(begun.elapsed() < PATIENCE, "{left} events are missing in round {round}");
                ring(&wake).await;
            }
            let mut tx = db::begin(world.pool()).await.unwrap();
            consumer.store(&mut tx, &batch).await.unwrap();
            tx.commit().await.unwrap();
            consumer.advance(&batch);
            all.extend(batch);
        }
        drop(consumer);
        bus.release().await.unwrap();
    }
    check_once_and_in_order(&all, 0..160);
}

#[tokio::test]
async fn nobody_hands_over_while_somebody_works_on_the_other_engine() {
    let world = World::new().await;
    let broker = broker();
    let mut working = world.owner().await;
    let bus = process(&world, &broker, 12);
    let busy = Adopted::Busy {
        engine: "postgres".to_owned(),
        members: vec![(GROUP.to_owned(), 1)],
    };
    assert_eq!(adopt(&bus).await.unwrap(), busy);
    world.bus.release().await.unwrap();
    assert_eq!(adopt(&bus).await.unwrap(), Adopted::HandedOver);
    assert_eq!(adopt(&bus).await.unwrap(), Adopted::InForce, "twice is once");

    working.look_now();
    let refused = working.keep_leases().await;
    assert!(
        matches!(refused, Err(BusError::Engine { .. })),
        "it does nothing any more: {refused:?}"
    );
}

#[tokio::test]
async fn the_relay_begins_where_the_slowest_group_is_and_is_taken_off_on_the_way_back() {
    let world = World::new().await;
    let broker = broker();
    world.publish(&events(0..20)).await;
    for (group, limit) in [("quick", 20), ("slow", 5)] {
        let mut consumer = world.bus.consumer(group, Topic::Orders);
        consumer.keep_leases().await.unwrap();
        let batch = consumer.fetch(limit).await.unwrap().events;
        let mut tx = db::begin(world.pool()).await.unwrap();
        consumer.store(&mut tx, &batch).await.unwrap();
        tx.commit().await.unwrap();
    }
    world.bus.release().await.unwrap();
    let bus = process(&world, &broker, 12);
    adopt(&bus).await.unwrap();
    let rows_of = |status: &bus::engine::Status, group: &str| {
        let of_group = status
            .groups
            .iter()
            .filter(|one| one.group == group && one.topic == "orders");
        of_group.map(|one| one.rows).collect::<Vec<_>>()
    };
    let now = status(world.pool()).await.unwrap();
    assert_eq!(now.engine, "kafka");
    assert_eq!(rows_of(&now, "relay"), rows_of(&now, "slow"));
    assert_eq!(rows_of(&now, "quick"), [0]);

    adopt(&postgres(&world, 13).await).await.unwrap();
    let now = status(world.pool()).await.unwrap();
    assert_eq!((now.engine.as_str(), rows_of(&now, "relay")), ("postgres", vec![]));
}

#[tokio::test]
async fn a_new_process_of_the_engine_in_force_simply_joins() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..5)).await;
    cell.ship().await;
    let other = process(&cell.world, &cell.broker, 12);
    assert_eq!(adopt(&other).await.unwrap(), Adopted::InForce);
    let mut consumer = other.consumer(GROUP, Topic::Orders);
    settle(&other, &mut consumer, 16).await;
    check_once_and_in_order(&read(&mut consumer, &other, 5).await, 0..5);
}
