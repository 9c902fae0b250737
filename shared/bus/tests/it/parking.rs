//! Poison messages (`consumer::poison`, V12): their order waits, everything else goes on.

use bus::{BusError, HandleError, Runner, Topic, parked};
use chassis::step::Step;

use crate::support::{GROUP, Recorder, World, event, order};

fn broken() -> HandleError {
    HandleError::Failed("no such shelf".into())
}

async fn parked_kinds(world: &World) -> Vec<String> {
    let mut conn = world.pool().acquire().await.unwrap();
    parked::list(&mut conn, Some(GROUP), None, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.kind)
        .collect()
}

/// Steps until nothing is left, with a look at the leases each time (which is when requeued messages are found).
async fn run_dry(runner: &mut Runner<Recorder>) {
    for _ in 0..100 {
        runner.consumer().look_now();
        if runner.step().await.unwrap() == chassis::step::Progress::Idle {
            return;
        }
    }
    panic!("never came to rest");
}

async fn requeue(world: &World, of: u128) -> u64 {
    let mut tx = db::begin(world.pool()).await.unwrap();
    let marked = parked::requeue(&mut tx, GROUP, Topic::Orders, order(of)).await.unwrap();
    tx.commit().await.unwrap();
    marked
}

/// Order 3 of eight is bad; all have two events, and the partition is one.
async fn with_a_poison_message(recorder: &Recorder) -> (World, Runner<Recorder>) {
    let world = World::new().await;
    recorder.fails_on(order(3), "a", broken);
    let mut runner = world.runner(recorder);
    let mut events: Vec<_> = (0..8).map(|n| event("AAPL", n, "a")).collect();
    events.extend((0..8).map(|n| event("AAPL", n, "b")));
    world.publish(&events).await;
    run_dry(&mut runner).await;
    (world, runner)
}

#[tokio::test]
async fn a_poison_message_parks_its_order_and_nothing_else() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    for n in (0..8).filter(|n| *n != 3) {
        assert_eq!(world.effects_of(order(n)).await, ["a", "b"], "order {n}");
    }
    assert_eq!(world.effects_of(order(3)).await, Vec::<String>::new());
    assert_eq!(parked_kinds(&world).await, ["a", "b"]);
    assert!(runner.consumer().is_parked(order(3)) && !runner.consumer().is_parked(order(4)));

    let mut conn = world.pool().acquire().await.unwrap();
    let parked = parked::list(&mut conn, None, None, 100).await.unwrap();
    assert_eq!(parked[0].cause, "no such shelf");
    assert_eq!((parked[0].order_id, parked[0].topic.as_str()), (order(3), "orders"));
    assert_eq!(parked[1].cause, "an earlier message of the order is parked");

    let alone = recorder.calls().into_iter().filter(|size| *size == 1).count();
    assert!(alone >= 3, "three tries before it was parked: {:?}", recorder.calls());
}

#[tokio::test]
async fn a_message_that_arrives_later_joins_its_order_at_any_owner() {
    let recorder = Recorder::default();
    let (world, _) = with_a_poison_message(&recorder).await;
    world.bus.release().await.unwrap();
    let mut next = world.runner(&recorder);
    world.publish(&[event("AAPL", 3, "c"), event("AAPL", 4, "c")]).await;
    run_dry(&mut next).await;
    assert_eq!(parked_kinds(&world).await, ["a", "b", "c"]);
    assert_eq!(world.effects_of(order(4)).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_parked_without_further_tries() {
    let world = World::new().await;
    let recorder = Recorder::default();
    recorder.fails_on(order(1), "a", || {
        let source = serde_json::from_str::<u8>("x").unwrap_err();
        BusError::Decode {
            topic: Topic::Orders,
            kind: "a".into(),
            source,
        }
        .into()
    });
    let mut runner = world.runner(&recorder);
    world.publish(&[event("AAPL", 1, "a")]).await;
    run_dry(&mut runner).await;
    assert_eq!(recorder.calls(), [1]);
    let mut conn = world.pool().acquire().await.unwrap();
    let cause = parked::list(&mut conn, None, None, 1).await.unwrap().remove(0).cause;
    assert!(cause.starts_with("cannot read a on orders: expected value"), "{cause}");
}

#[tokio::test]
async fn a_requeued_order_is_handled_in_its_old_sequence_with_what_came_meanwhile() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    recorder.heals();
    world.publish(&[event("AAPL", 3, "c")]).await;
    assert_eq!(requeue(&world, 3).await, 2);
    assert_eq!(requeue(&world, 3).await, 2, "twice is once");
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, ["a", "b", "c"]);
    assert_eq!(parked_kinds(&world).await, Vec::<String>::new());

    world.publish(&[event("AAPL", 3, "d")]).await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, ["a", "b", "c", "d"]);
    assert!(!runner.consumer().is_parked(order(3)));
}

#[tokio::test]
async fn a_requeued_order_that_fails_again_waits_again() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    recorder.fails_on(order(3), "a", || HandleError::Poison("still bad".into()));
    requeue(&world, 3).await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, Vec::<String>::new());
    let mut conn = world.pool().acquire().await.unwrap();
    let parked = parked::list(&mut conn, None, None, 10).await.unwrap();
    assert_eq!(parked[0].cause, "cannot be handled: still bad");
    assert!(parked.iter().all(|one| one.requeued_at.is_none()) && parked.len() == 2);
}

#[tokio::test]
async fn discarded_messages_are_gone_and_the_order_goes_on() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    let mut tx = db::begin(world.pool()).await.unwrap();
    assert_eq!(
        parked::discard(&mut tx, GROUP, Topic::Orders, order(3)).await.unwrap(),
        2
    );
    tx.commit().await.unwrap();
    world.publish(&[event("AAPL", 3, "c")]).await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, ["c"]);
}

/// What only waited behind a message that nobody can handle is not thrown away with it.
#[tokio::test]
async fn with_the_message_it_waits_for_thrown_away_the_order_goes_on_behind_it() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    let discard_first = async || {
        let mut tx = db::begin(world.pool()).await.unwrap();
        let behind = parked::discard_first(&mut tx, GROUP, Topic::Orders, order(3)).await;
        tx.commit().await.unwrap();
        behind.unwrap()
    };
    assert_eq!(discard_first().await, Some(1));
    assert_eq!(discard_first().await, None, "what is to be handled is not thrown away");
    world.publish(&[event("AAPL", 3, "c")]).await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, ["b", "c"]);
    assert_eq!(discard_first().await, None, "nothing is parked");
}

#[tokio::test]
async fn one_order_is_listed_by_itself() {
    let recorder = Recorder::default();
    let (world, _runner) = with_a_poison_message(&recorder).await;
    let mut conn = world.pool().acquire().await.unwrap();
    let all = parked::list(&mut conn, Some(GROUP), Some(order(3)), 100).await.unwrap();
    let other = parked::list(&mut conn, None, Some(order(4)), 100).await.unwrap();
    assert_eq!((all.len(), other.len()), (2, 0));
}

#[tokio::test]
async fn a_violated_constraint_is_counted_against_the_message() {
    let world = World::new().await;
    sqlx::query("alter table effects add constraint effects_kind check (kind <> 'bad')")
        .execute(world.pool())
        .await
        .unwrap();
    let recorder = Recorder::default();
    let mut runner = world.runner(&recorder);
    world
        .publish(&[event("AAPL", 1, "bad"), event("AAPL", 2, "good")])
        .await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(2)).await, ["good"]);
    assert_eq!(parked_kinds(&world).await, ["bad"]);
}

/// What cannot be handled now must neither hold the live events up nor be parked for good.
#[tokio::test]
async fn a_requeued_message_waits_for_better_times_without_holding_anybody_up() {
    let recorder = Recorder::default();
    let (world, mut runner) = with_a_poison_message(&recorder).await;
    recorder.fails_on(order(3), "a", || HandleError::Later("not yet".into()));
    requeue(&world, 3).await;
    world.publish(&[event("AAPL", 4, "c")]).await;
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(4)).await, ["a", "b", "c"]);
    assert_eq!(parked_kinds(&world).await, ["a", "b"]);
    recorder.heals();
    run_dry(&mut runner).await;
    assert_eq!(world.effects_of(order(3)).await, ["a", "b"]);
}
