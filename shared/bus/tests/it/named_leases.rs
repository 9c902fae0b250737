//! Leases by name: a venue's intake, a job.

use bus::BusError;

use crate::support::{LEASE, World};

/// lease::race
#[tokio::test]
async fn of_two_that_want_a_lease_one_gets_it() {
    let world = World::new().await;
    let (mut one, mut two) = (world.bus.lease("intake"), world.bus.lease("intake"));
    let (first, second) = tokio::join!(one.acquire(), two.acquire());
    assert!(first.unwrap() ^ second.unwrap());
    assert!(one.is_held() ^ two.is_held());
    assert!(world.bus.lease("another").acquire().await.unwrap(), "names do not meet");
}

#[tokio::test]
async fn after_its_end_it_goes_to_the_next_under_a_higher_epoch_and_the_old_holder_is_fenced() {
    let world = World::new().await;
    let (mut old, mut new) = (world.bus.lease("intake"), world.bus.lease("intake"));
    assert!(old.keep().await.unwrap());
    assert!(!new.keep().await.unwrap());
    world.later(LEASE + 1).await;
    assert!(new.acquire().await.unwrap());
    assert!(new.epoch() > old.epoch());

    let mut conn = world.pool().acquire().await.unwrap();
    let refused = old.check(&mut conn).await;
    assert!(matches!(refused, Err(BusError::Fenced)), "{refused:?}");
    new.check(&mut conn).await.unwrap();
    assert!(!old.renew().await.unwrap());
    assert!(!old.is_held());
}

#[tokio::test]
async fn nobody_takes_over_while_the_holder_is_in_a_transaction() {
    let world = World::new().await;
    let (mut holder, mut other) = (world.bus.lease("intake"), world.bus.lease("intake"));
    holder.acquire().await.unwrap();
    let mut tx = db::begin(world.pool()).await.unwrap();
    holder.check(&mut tx).await.unwrap();
    assert!(
        !other.acquire().await.unwrap(),
        "a lease that runs is refused at once, not waited for"
    );
    world.later(LEASE + 1).await;
    let (taken, ended) = tokio::join!(other.acquire(), async {
        // Once the other one waits for the row, and not before.
        testkit::wait_until("the other one waits", std::time::Duration::from_secs(60), || async {
            sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                                 where datname = current_database() and wait_event_type = 'Lock')",
            )
            .fetch_one(world.pool())
            .await
            .unwrap()
        })
        .await;
        tx.commit().await
    });
    ended.unwrap();
    assert!(taken.unwrap(), "it got it when the transaction had ended");
}

#[tokio::test]
async fn a_released_lease_is_free_at_once() {
    let world = World::new().await;
    let (mut one, mut two) = (world.bus.lease("job"), world.bus.lease("job"));
    assert!(one.keep().await.unwrap());
    one.release().await.unwrap();
    assert!(!one.is_held());
    assert!(two.keep().await.unwrap());
    assert_eq!(two.epoch(), Some(2));
}
