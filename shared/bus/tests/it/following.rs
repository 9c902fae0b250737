//! Reading along outside any group: from now on, nothing skipped, nothing kept.

use bus::{Event, Topic, append};

use crate::support::{World, event, order, seen};

#[tokio::test]
async fn a_follower_begins_with_the_present_and_hears_every_later_event_once() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "past")]).await;
    let mut follower = world.bus.follower(Topic::Orders);
    let first = follower.fetch(10).await.unwrap();
    assert_eq!(seen(&first.events), [], "the past is looked up elsewhere");

    world.publish(&[event("AAPL", 2, "a"), event("MSFT", 3, "a")]).await;
    let mut heard: Vec<Event> = follower.fetch(1).await.unwrap().events;
    assert_eq!(heard.len(), 1, "no more than asked for");
    heard.extend(follower.fetch(10).await.unwrap().events);
    let mut orders: Vec<_> = heard.iter().map(|event| event.order_id).collect();
    orders.sort_unstable();
    assert_eq!(orders, [order(2), order(3)]);
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), []);
    let kept: i64 = sqlx::query_scalar("select count(*) from bus_positions")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(kept, 0, "no group: nothing waits for it when partitions are dropped");
}

/// relay::late_commit, for a follower that begins in the middle of it.
#[tokio::test]
async fn what_was_being_written_when_a_follower_began_is_heard() {
    let world = World::new().await;
    let mut slow = db::begin(world.pool()).await.unwrap();
    append(&mut slow, &[event("AAPL", 1, "slow")]).await.unwrap();
    let mut follower = world.bus.follower(Topic::Orders);
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), []);
    slow.commit().await.unwrap();
    world.settled().await;
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), [(order(1), "slow")]);
}

#[tokio::test]
async fn a_follower_that_rested_begins_anew() {
    let world = World::new().await;
    let mut follower = world.bus.follower(Topic::Orders);
    follower.fetch(10).await.unwrap();
    follower.rest();
    world.publish(&[event("AAPL", 1, "meanwhile")]).await;
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), []);
    world.publish(&[event("AAPL", 2, "after")]).await;
    assert_eq!(seen(&follower.fetch(10).await.unwrap().events), [(order(2), "after")]);
}
