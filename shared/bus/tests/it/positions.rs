//! Position and effect: one transaction, so an effect happens once (V8).

use bus::BusError;

use crate::support::{World, event, order, record, seen};

#[tokio::test]
async fn position_and_effect_commit_together() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a"), event("F", 2, "b")]).await;
    let mut consumer = world.owner().await;
    let batch = consumer.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &batch).await.unwrap();
    for event in &batch {
        record(&mut tx, event).await.unwrap();
    }
    tx.commit().await.unwrap();
    consumer.advance(&batch);
    assert_eq!(consumer.fetch(10).await.unwrap().events, []);

    world.bus.release().await.unwrap();
    let mut next = world.owner().await;
    assert_eq!(
        next.fetch(10).await.unwrap().events,
        [],
        "the next owner begins behind it too"
    );
    assert_eq!(world.effects().await.len(), 2);
}

/// consumer::tx_seen_marked
#[tokio::test]
async fn a_rollback_undoes_both() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let mut consumer = world.owner().await;
    let batch = consumer.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &batch).await.unwrap();
    record(&mut tx, &batch[0]).await.unwrap();
    tx.rollback().await.unwrap();
    consumer.rewind();
    assert_eq!(seen(&consumer.fetch(10).await.unwrap().events), [(order(1), "a")]);
    assert_eq!(world.effects().await, []);
}

/// consumer::committed_not_acked, and a commit whose answer was lost (crash-points rule 11): it happened, but this
/// one does not know.
#[tokio::test]
async fn a_commit_of_unknown_outcome_is_read_back() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a"), event("AAPL", 2, "b")]).await;
    let mut consumer = world.owner().await;
    let batch = consumer.fetch(1).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &batch).await.unwrap();
    tx.commit().await.unwrap();

    let again = consumer.fetch(1).await.unwrap().events;
    assert_eq!(again, batch, "memory knows nothing of the commit");
    let mut tx = db::begin(world.pool()).await.unwrap();
    let refused = consumer.store(&mut tx, &again).await;
    assert!(
        matches!(refused, Err(BusError::Fenced)),
        "the effect cannot happen twice: {refused:?}"
    );
    drop(tx);

    consumer.rewind();
    assert_eq!(seen(&consumer.fetch(10).await.unwrap().events), [(order(2), "b")]);
}

#[tokio::test]
async fn storing_in_parts_skips_nothing() {
    let world = World::new().await;
    let many: Vec<_> = (0..6).map(|n| event("AAPL", n, "a")).collect();
    world.publish(&many).await;
    let mut consumer = world.owner().await;
    let batch = consumer.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    consumer.store(&mut tx, &batch[..2]).await.unwrap();
    tx.commit().await.unwrap();
    consumer.advance(&batch[..2]);
    let rest = consumer.fetch(10).await.unwrap().events;
    assert_eq!(rest, batch[2..]);
}

/// pg::restored: old positions mean nothing in a database that was restored elsewhere.
#[tokio::test]
async fn positions_of_another_incarnation_are_refused() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let mut consumer = world.owner().await;
    let batch = consumer.fetch(10).await.unwrap().events;
    sqlx::query("update bus_incarnation set incarnation = 2")
        .execute(world.pool())
        .await
        .unwrap();
    let mut tx = db::begin(world.pool()).await.unwrap();
    assert!(matches!(consumer.store(&mut tx, &batch).await, Err(BusError::Fenced)));
    drop(tx);
    consumer.look_now();
    let refused = consumer.keep_leases().await;
    assert!(
        matches!(
            refused,
            Err(BusError::Incarnation {
                stored: 1,
                current: 2,
                ..
            })
        ),
        "{refused:?}"
    );
}
