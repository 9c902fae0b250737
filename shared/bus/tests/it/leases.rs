//! Who owns which partition (V10).

use bus::{BusError, Consumer, PARTITIONS};

use crate::support::{LEASE, World, event, settings};

fn owned(consumer: &Consumer) -> Vec<i16> {
    consumer.owned().iter().map(|one| one.partition).collect()
}

async fn look(consumer: &mut Consumer) -> (Vec<i16>, Vec<i16>) {
    consumer.look_now();
    let change = consumer.keep_leases().await.unwrap();
    (change.gained, change.lost)
}

fn all() -> Vec<i16> {
    (0..PARTITIONS).collect()
}

#[tokio::test]
async fn one_process_takes_all_partitions_at_its_first_look() {
    let world = World::new().await;
    let mut consumer = world.consumer();
    assert!(owned(&consumer).is_empty());
    let change = consumer.keep_leases().await.unwrap();
    assert_eq!((change.gained, change.lost), (all(), vec![]));
    assert_eq!(owned(&consumer), all());
    assert!(consumer.owned().iter().all(|one| one.epoch == 1));
    assert_eq!(
        consumer.keep_leases().await.unwrap(),
        bus::LeaseChange::default(),
        "nothing is due"
    );
}

/// lease::race: both look at the same moment; each partition goes to one of them.
#[tokio::test]
async fn two_that_claim_at_once_never_own_the_same() {
    let world = World::new().await;
    let (mut one, mut two) = (world.consumer(), world.consumer());
    let (first, second) = tokio::join!(one.keep_leases(), two.keep_leases());
    first.unwrap();
    second.unwrap();
    let mut together = [owned(&one), owned(&two)].concat();
    together.sort_unstable();
    let distinct = together.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(distinct && !together.is_empty(), "{together:?}");
}

/// crash-points rule 6, `consumer::rebalance`.
#[tokio::test]
async fn after_the_lease_the_next_takes_over_and_the_old_owner_is_fenced() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let mut old = world.owner().await;
    let batch = old.fetch(10).await.unwrap().events;

    let mut new = world.consumer();
    assert_eq!(look(&mut new).await, (vec![], vec![]), "the lease still runs");
    world.later(LEASE + 1).await;
    assert_eq!(look(&mut new).await.0, all());
    assert!(new.owned().iter().all(|one| one.epoch == 2));

    let mut tx = db::begin(world.pool()).await.unwrap();
    let refused = old.store(&mut tx, &batch).await;
    assert!(matches!(refused, Err(BusError::Fenced)), "{refused:?}");
    drop(tx);
    let batch = new.fetch(10).await.unwrap().events;
    assert_eq!(batch.len(), 1, "what the old owner did not finish comes to the new one");
    let mut tx = db::begin(world.pool()).await.unwrap();
    new.store(&mut tx, &batch).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(look(&mut old).await.1, all(), "and the old one learns what it lost");
}

/// The owner is in the middle of its commit when its lease ends: the row is locked, and left to it.
#[tokio::test]
async fn nobody_takes_over_in_the_middle_of_a_batch() {
    let world = World::new().await;
    world.publish(&[event("AAPL", 1, "a")]).await;
    let mut old = world.owner().await;
    let batch = old.fetch(10).await.unwrap().events;
    let mut tx = db::begin(world.pool()).await.unwrap();
    old.store(&mut tx, &batch).await.unwrap();
    world.later(LEASE + 1).await;
    let mut new = world.consumer();
    let gained = look(&mut new).await.0;
    assert_eq!(gained.len(), 15, "all but the one being stored: {gained:?}");
    tx.commit().await.unwrap();
    assert_eq!(look(&mut new).await.0, [batch[0].partition]);
    assert_eq!(
        new.fetch(10).await.unwrap().events,
        [],
        "and it begins behind what was stored"
    );
}

#[tokio::test]
async fn a_renewed_lease_stays_with_its_owner_under_its_epoch() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let mut other = world.consumer();
    for _ in 0..3 {
        world.later(LEASE * 6 / 10).await;
        assert_eq!(look(&mut owner).await, (vec![], vec![]));
    }
    other.keep_leases().await.unwrap();
    assert!(owned(&other).is_empty());
    assert!(owner.owned().iter().all(|one| one.epoch == 1));
}

#[tokio::test]
async fn members_share_fairly_and_a_leaver_gives_everything_back() {
    let world = World::new().await;
    let mut one = world.owner().await;
    let other_process = bus::Bus::new(world.pool().clone(), testkit::ids(8), settings());
    let mut two = other_process.consumer(one.group(), one.topic());
    two.keep_leases().await.unwrap();
    let (_, lost) = look(&mut one).await;
    let (gained, _) = look(&mut two).await;
    assert_eq!((lost.len(), &gained), (8, &lost), "half of it changes hands");
    assert!(two.owned().iter().all(|one| one.epoch == 2));
    assert_eq!(look(&mut one).await, (vec![], vec![]), "and there it rests");

    other_process.release().await.unwrap();
    assert_eq!(look(&mut one).await.0, gained, "without waiting for the end of a lease");
    assert_eq!(owned(&one), all());
}

#[tokio::test]
async fn the_only_process_of_an_installation_need_not_wait_for_its_dead_predecessor() {
    let world = World::new().await;
    let mut dead = world.owner().await;
    world.bus.take_over().await.unwrap();
    let next = world.owner().await;
    assert_eq!(owned(&next), all(), "V17: at once, no clock was moved");
    // Should the predecessor live after all, its writes fail (V10).
    dead.look_now();
    look(&mut dead).await;
    assert!(owned(&dead).is_empty());
}

#[tokio::test]
async fn a_member_that_died_is_forgotten_with_its_lease() {
    let world = World::new().await;
    let mut one = world.owner().await;
    let mut dead = world.consumer();
    dead.keep_leases().await.unwrap();
    look(&mut one).await;
    look(&mut dead).await;
    assert_eq!((owned(&one).len(), owned(&dead).len()), (8, 8));
    world.later(LEASE + 1).await;
    look(&mut one).await;
    assert_eq!(owned(&one), all());
}
