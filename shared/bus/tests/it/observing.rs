//! What the metrics are made of.

use std::time::Duration;

use bus::observe::{depths, horizon_age, lags};

use crate::support::{GROUP, World, event};

#[tokio::test]
async fn depth_is_what_a_group_has_not_read() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    world
        .publish(&[event("AAPL", 1, "a"), event("F", 2, "a"), event("AAPL", 3, "a")])
        .await;
    let (aapl, f) = (bus::partition_of("AAPL"), bus::partition_of("F"));
    let behind = lags(world.pool()).await.unwrap();
    let rows_of = |partition| {
        let of_it: Vec<i64> = behind
            .iter()
            .filter(|lag| lag.partition == partition)
            .map(|lag| lag.rows)
            .collect();
        of_it
    };
    assert_eq!((rows_of(aapl), rows_of(f), rows_of(0)), (vec![2], vec![1], vec![0]));
    assert!(
        behind.iter().all(|lag| lag.oldest.is_some() == (lag.rows > 0)),
        "{behind:?}"
    );
    let depth = |rows, old| vec![(GROUP.to_owned(), "orders".to_owned(), rows, old)];
    let seen = |lags: &[_]| {
        let of_group = |depth: bus::observe::Depth| (depth.group, depth.topic, depth.rows, depth.oldest.is_some());
        depths(lags).into_iter().map(of_group).collect::<Vec<_>>()
    };
    assert_eq!(seen(&behind), depth(3, true));
    let events = consumer.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(seen(&lags(world.pool()).await.unwrap()), depth(0, false));
    bus::observe(world.pool()).await.unwrap();
}

#[tokio::test]
async fn a_stalled_writer_shows_in_the_horizons_age() {
    let world = World::new().await;
    let mut stalled = db::begin(world.pool()).await.unwrap();
    bus::append(&mut stalled, &[event("AAPL", 1, "a")]).await.unwrap();
    let first = horizon_age(world.pool()).await.unwrap();
    assert!(first > Duration::ZERO && first < Duration::from_secs(60), "{first:?}");
}
