//! What the metrics are made of.

use std::time::Duration;

use bus::observe::{Depth, horizon_age, outbox_depth};

use crate::support::{GROUP, World, event};

#[tokio::test]
async fn depth_is_what_a_group_has_not_read() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    world
        .publish(&[event("AAPL", 1, "a"), event("F", 2, "a"), event("AAPL", 3, "a")])
        .await;
    let depth = |rows| {
        vec![Depth {
            group: GROUP.into(),
            topic: "orders".into(),
            rows,
        }]
    };
    assert_eq!(outbox_depth(world.pool()).await.unwrap(), depth(3));
    let events = consumer.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outbox_depth(world.pool()).await.unwrap(), depth(0));
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
