//! Who works on which partition, on this engine (V10).

use std::time::Instant;

use bus::{BusError, Topic};

use crate::cell::{Cell, PATIENCE, check_once_and_in_order, handle, process, read, ring, settle};
use crate::support::{GROUP, event};

fn events(orders: std::ops::Range<u128>) -> Vec<bus::NewEvent> {
    // One a partition, so that each half of them has some.
    orders.map(|n| event(&format!("S{n}"), n, "a")).collect()
}

/// consumer::rebalance: a second process joins while the first one holds a batch.
#[tokio::test]
async fn a_rebalance_in_the_middle_of_a_batch_doubles_and_loses_nothing() {
    let cell = Cell::new().await;
    cell.world.publish(&events(0..64)).await;
    cell.ship().await;
    let (mut first, wake) = (cell.member().await, cell.bus.waker(Topic::Orders));
    let begun = Instant::now();
    let batch = loop {
        let batch = first.fetch(64).await.unwrap().events;
        if batch.len() == 64 {
            break batch;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of 64 events", batch.len());
        ring(&wake).await;
    };

    let other = process(&cell.world, &cell.broker, 12);
    let mut second = other.consumer(GROUP, Topic::Orders);
    let begun = Instant::now();
    while second.owned().len() < 8 {
        assert!(begun.elapsed() < PATIENCE, "owns {} of 8", second.owned().len());
        // Its client hands partitions over; it has not looked at its leases since.
        first.fetch(1).await.unwrap();
        second.keep_leases().await.unwrap();
        ring(&wake).await;
    }
    let mut tx = db::begin(cell.world.pool()).await.unwrap();
    let refused = first.store(&mut tx, &batch).await;
    assert!(matches!(refused, Err(BusError::Fenced)), "{refused:?}");
    drop(tx);
    first.rewind();

    let (mut all, mut turn, begun) = (Vec::new(), 0, Instant::now());
    while all.len() < 64 {
        assert!(begun.elapsed() < PATIENCE, "{} of 64 events", all.len());
        turn += 1;
        let (consumer, bus) = if turn % 2 == 0 {
            (&mut first, &cell.bus)
        } else {
            (&mut second, &other)
        };
        all.extend(handle(consumer, bus).await);
        ring(&wake).await;
    }
    check_once_and_in_order(&all, 0..64);
    assert_eq!((first.owned().len(), second.owned().len()), (8, 8));
}

#[tokio::test]
async fn a_member_that_leaves_gives_its_partitions_to_the_others() {
    let cell = Cell::new().await;
    let (mut first, wake) = (cell.member().await, cell.bus.waker(Topic::Orders));
    let other = process(&cell.world, &cell.broker, 12);
    let mut second = other.consumer(GROUP, Topic::Orders);
    let begun = Instant::now();
    while second.owned().len() < 8 {
        assert!(begun.elapsed() < PATIENCE, "owns {} of 8", second.owned().len());
        first.keep_leases().await.unwrap();
        second.keep_leases().await.unwrap();
        ring(&wake).await;
    }
    drop(second);
    other.release().await.unwrap();
    settle(&cell.bus, &mut first, 16).await;
    cell.world.publish(&events(0..20)).await;
    cell.ship().await;
    check_once_and_in_order(&read(&mut first, &cell.bus, 20).await, 0..20);
}

/// lease::paused: somebody else owns a partition in the table, and the group did not say that it is ours now.
#[tokio::test]
async fn a_partition_in_other_hands_is_left_alone_until_its_lease_is_over() {
    let cell = Cell::new().await;
    let mut consumer = cell.member().await;
    sqlx::query(
        "update bus_positions
            set owner = gen_random_uuid(), epoch = epoch + 1, lease_until = daybook_now() + interval '10 minutes'
          where consumer_group = $1 and partition = 3",
    )
    .bind(GROUP)
    .execute(cell.world.pool())
    .await
    .unwrap();
    consumer.look_now();
    let change = consumer.keep_leases().await.unwrap();
    assert_eq!((change.gained, change.lost), (vec![], vec![3]));
    cell.world.later(601).await;
    consumer.look_now();
    let change = consumer.keep_leases().await.unwrap();
    assert_eq!(change.gained, [3]);
}
