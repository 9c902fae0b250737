//! The cursor: nothing skipped, nothing twice, order kept.

use bus::{Topic, append, partition_of};

use crate::support::{World, event, order, seen};

/// relay::late_commit: the lower transaction commits after the higher one was there to be read.
#[tokio::test]
async fn a_late_commit_is_not_skipped() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    let mut slow = db::begin(world.pool()).await.unwrap();
    append(&mut slow, &[event("AAPL", 1, "slow")]).await.unwrap();
    let mut quick = db::begin(world.pool()).await.unwrap();
    append(&mut quick, &[event("AAPL", 2, "quick")]).await.unwrap();
    quick.commit().await.unwrap();

    let early = consumer.fetch(10).await.unwrap();
    assert_eq!(
        seen(&early.events),
        [],
        "the quick one would hide the slow one behind the position"
    );
    assert!(early.held_back, "so that the loop looks again soon");

    slow.commit().await.unwrap();
    world.settled().await;
    let both = consumer.fetch(10).await.unwrap();
    assert_eq!(seen(&both.events), [(order(1), "slow"), (order(2), "quick")]);
    assert!(!both.held_back);
}

#[tokio::test]
async fn a_rolled_back_event_never_was() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    let mut tx = db::begin(world.pool()).await.unwrap();
    append(&mut tx, &[event("AAPL", 1, "undone")]).await.unwrap();
    tx.rollback().await.unwrap();
    world.publish(&[event("AAPL", 2, "done")]).await;
    assert_eq!(seen(&consumer.fetch(10).await.unwrap().events), [(order(2), "done")]);
}

#[tokio::test]
async fn an_empty_log_holds_nothing_back() {
    let world = World::new().await;
    let fetched = world.owner().await.fetch(10).await.unwrap();
    assert!(fetched.events.is_empty() && !fetched.held_back);
}

#[tokio::test]
async fn events_of_one_key_come_in_the_order_they_were_appended() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    let many: Vec<_> = (0..500).map(|n| event("AAPL", n, "a")).collect();
    for part in many.chunks(100) {
        world.publish(part).await;
    }
    let mut got = Vec::new();
    while got.len() < many.len() {
        let events = consumer.fetch(64).await.unwrap().events;
        assert!(!events.is_empty(), "stopped after {}", got.len());
        got.extend(events.iter().map(|event| event.order_id));
        consumer.advance(&events);
    }
    assert_eq!(got, (0..500).map(order).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_partition_with_a_backlog_starves_nobody_and_a_cut_never_skips() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    assert!(
        partition_of("F") < partition_of("AAPL"),
        "so that the backlog lies first"
    );
    let backlog: Vec<_> = (0..50).map(|n| event("F", n, "backlog")).collect();
    world.publish(&backlog).await;
    world.publish(&[event("AAPL", 99, "other")]).await;

    let (mut got, mut batches, mut other_came_in) = (Vec::new(), 0, None);
    while got.len() < 51 {
        let events = consumer.fetch(10).await.unwrap().events;
        assert!(!events.is_empty() && events.len() <= 10);
        batches += 1;
        if events.iter().any(|event| event.kind == "other") {
            other_came_in.get_or_insert(batches);
        }
        got.extend(events.iter().map(|event| event.order_id));
        consumer.advance(&events);
    }
    assert_eq!(other_came_in, Some(2), "right after the first full batch");
    got.retain(|one| *one != order(99));
    assert_eq!(got, (0..50).map(order).collect::<Vec<_>>());
}

#[tokio::test]
async fn groups_read_independently_and_topics_do_not_mix() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    for group in ["one", "two"] {
        let mut consumer = world.bus.consumer(group, Topic::Orders);
        consumer.keep_leases().await.unwrap();
        assert_eq!(consumer.fetch(10).await.unwrap().events.len(), 1, "{group}");
    }
    let mut elsewhere = world.bus.consumer("one", Topic::VenueReports);
    elsewhere.keep_leases().await.unwrap();
    assert_eq!(elsewhere.fetch(10).await.unwrap().events, []);
}

#[tokio::test]
async fn a_batch_keeps_what_was_appended() {
    let world = World::new().await;
    world.publish(&[event("BRK.B", 1, "a"), event("F", 2, "b")]).await;
    let events = world.owner().await.fetch(10).await.unwrap().events;
    let b = events.iter().find(|event| event.kind == "b").unwrap();
    assert_eq!((b.topic, b.partition), (Topic::Orders, partition_of("F")));
    assert_eq!((b.payload.as_str(), b.request_id.as_str()), ("{}", "r-1"));
    assert_eq!(events.len(), 2);
}

/// The danger is a plan cached while the table was small and just analyzed: reading it whole was cheapest then.
#[tokio::test]
async fn a_fetch_uses_the_cursor_index_whatever_the_statistics_say() {
    let world = World::new().await;
    let mut consumer = world.owner().await;
    let few: Vec<_> = (0..60).map(|n| event("AAPL", n, "a")).collect();
    world.publish(&few).await;
    sqlx::query("analyze outbox").execute(world.pool()).await.unwrap();
    let mut conn = world.pool().acquire().await.unwrap();
    let scans = "select coalesce(sum(seq_scan), 0)::bigint, coalesce(sum(idx_scan), 0)::bigint
                   from pg_stat_xact_user_tables where relname like 'outbox%'";
    // Not yet flushed statistics are exact and this session's own; what it did before is taken off.
    let mut tx = sqlx::Connection::begin(&mut *conn).await.unwrap();
    let before: (i64, i64) = sqlx::query_as(scans).fetch_one(&mut *tx).await.unwrap();
    for _ in 0..10 {
        let rows: i64 = sqlx::query_scalar(
            "select count(*) from bus_events_after('orders', array[12, 13]::smallint[], '{0,0}', '{0,0}', 100)",
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert_eq!(rows, 60);
        let _: bool = sqlx::query_scalar("select bus_held_back('orders', array[12, 13]::smallint[])")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    }
    let (whole, by_index): (i64, i64) = sqlx::query_as(scans).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(whole - before.0, 0, "scans of whole tables");
    assert!(by_index - before.1 >= 10, "{by_index} scans of the index");
    assert_eq!(consumer.fetch(100).await.unwrap().events.len(), 60);
}
