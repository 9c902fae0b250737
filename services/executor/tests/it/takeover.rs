//! Owners that die, are paused, or meet: the key and the epoch do the rest.

use chassis::step::Step;
use venue::fake::{Act, CallKind};

use crate::world::{SYMBOLS, World, calls_answered, settle, settle_for, steps};

/// executor::intent_committed, lease::loaded: the new owner asks by key before anything is sent.
#[tokio::test]
async fn an_owner_that_died_between_intent_and_call_is_followed_by_one_that_asks_first() {
    let (world, mut first) = World::started().await;
    world.venue.pause();
    let order = world.place("AAPL").await;
    steps(&mut first).await;
    assert_eq!(world.row(order).await, "sending/1/none");
    drop(first);
    world.venue.resume();
    world.leases_run_out().await;
    let mut second = world.executor();
    settle(&mut second).await;
    assert_eq!(world.venue.count(CallKind::Lookup, order), 1);
    assert_eq!(
        world.venue.count(CallKind::Submit, order),
        0,
        "one denial proves nothing"
    );
    settle_for(&world, &mut second, 3).await;
    assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@submit");
    assert_eq!(world.row(order).await, "working/2/none");
}

/// executor::acked_not_recorded: the venue has it, we do not know its id yet.
#[tokio::test]
async fn an_owner_that_died_before_it_recorded_the_answer_is_followed_by_one_that_finds_the_order() {
    let (world, mut first) = World::started().await;
    let order = world.place("AAPL").await;
    calls_answered(&mut first, 1).await;
    drop(first);
    assert_eq!(
        (world.venue.taken(order), world.row(order).await.as_str()),
        (1, "sending/1/none")
    );
    world.leases_run_out().await;
    let mut second = world.executor();
    settle(&mut second).await;
    assert_eq!(
        world.told(order).await,
        "acknowledged@lookup",
        "found at once, so nobody hears of a doubt"
    );
    assert_eq!(world.venue.count(CallKind::Submit, order), 1);
}

/// A takeover asks for all keys at once.
#[tokio::test]
async fn many_open_intents_are_one_question() {
    let (world, mut first) = World::started().await;
    let orders = world.place_many(&SYMBOLS.repeat(10)).await;
    calls_answered(&mut first, 40).await;
    drop(first);
    world.leases_run_out().await;
    let mut second = world.executor();
    let before = world.venue.calls().len();
    settle(&mut second).await;
    let asked = &world.venue.calls()[before..];
    assert_eq!((asked.len(), asked[0].keys.len()), (1, 40));
    for order in orders {
        assert_eq!(world.told(order).await, "acknowledged@lookup");
    }
}

/// V10, lease::paused: an owner that was paused past its lease can write nothing more, and its call carries the key.
#[tokio::test]
async fn an_owner_without_its_lease_can_write_nothing_and_does_no_harm() {
    let (world, mut first) = World::started().await;
    world.venue.pause();
    let order = world.place("AAPL").await;
    steps(&mut first).await;
    world.leases_run_out().await;
    let mut second = world.executor();
    steps(&mut second).await;
    world.venue.resume();
    settle_for(&world, &mut second, 4).await;
    first.calls_settled().await;
    let refused = first.step().await;
    assert!(refused.is_err(), "its epoch is over");
    settle(&mut first).await;
    assert_eq!(world.venue.taken(order), 1);
    let told = world.told(order).await;
    assert_eq!(told.matches("acknowledged").count(), 1, "{told}");
    assert_eq!(
        (world.row(order).await.split('/').next(), world.open_rows().await),
        (Some("working"), 0)
    );
}

/// lease::race: two processes share the partitions, and each order has one owner.
#[tokio::test]
async fn two_executors_share_the_work() {
    let world = World::new().await;
    let (mut first, mut second) = (world.executor(), world.executor());
    let mut orders = Vec::new();
    for n in 0..12 {
        orders.push(world.place(SYMBOLS[n % 4]).await);
        settle(&mut first).await;
        settle(&mut second).await;
    }
    for order in orders {
        assert_eq!(world.told(order).await, "acknowledged@submit");
        assert_eq!(world.venue.count(CallKind::Submit, order), 1);
    }
}

/// A failed commit forgets everything decided, and the answer that was at hand is recorded by the next step.
#[tokio::test]
async fn an_answer_survives_a_transaction_that_fails() {
    let (world, mut executor) = World::started().await;
    let order = world.place("AAPL").await;
    calls_answered(&mut executor, 1).await;
    let rename = |from: &str, to: &str| sqlx::AssertSqlSafe(format!("alter table {from} rename to {to}"));
    sqlx::query(rename("venue_submissions", "gone"))
        .execute(&world.db.pool)
        .await
        .unwrap();
    assert!(executor.step().await.is_err());
    sqlx::query(rename("gone", "venue_submissions"))
        .execute(&world.db.pool)
        .await
        .unwrap();
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "acknowledged@submit");
    assert_eq!(world.venue.count(CallKind::Lookup, order), 0, "nothing had to be asked");
}

#[tokio::test]
async fn what_waits_in_line_survives_its_owner_in_its_order() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut first = world.executor();
    world.venue.pause();
    let orders = world.place_many(&["AAPL"; 4]).await;
    steps(&mut first).await;
    drop(first);
    world.venue.resume();
    world.leases_run_out().await;
    let mut second = world.executor();
    settle_for(&world, &mut second, 4).await;
    let sent: Vec<_> = world
        .venue
        .calls()
        .iter()
        .filter(|c| c.kind == CallKind::Submit)
        .map(|c| c.keys[0])
        .collect();
    assert_eq!(
        sent,
        [orders[1], orders[2], orders[3], orders[0]],
        "the one in doubt stops nobody"
    );
}

/// proc::sigterm: answers that are out are waited for and recorded.
#[tokio::test]
async fn a_draining_executor_records_its_answers_and_begins_nothing() {
    let (world, mut executor) = World::started().await;
    let order = world.place("AAPL").await;
    calls_answered(&mut executor, 1).await;
    executor.drain();
    let late = world.place("AAPL").await;
    executor.step().await.unwrap();
    assert_eq!(world.told(order).await, "acknowledged@submit");
    assert_eq!(world.venue.count(CallKind::Submit, late), 0);
}

/// A cancel's intent is loaded as a wish: it is sent again, which is harmless.
#[tokio::test]
async fn a_cancel_that_was_out_when_its_owner_died_is_sent_again() {
    let (world, mut first) = World::started().await;
    let order = world.place("AAPL").await;
    settle(&mut first).await;
    world.venue.script(CallKind::Cancel, [Act::LoseRequest]);
    world.cancel(order, "AAPL").await;
    calls_answered(&mut first, 1).await;
    drop(first);
    assert_eq!(world.row(order).await, "working/1/sending");
    world.leases_run_out().await;
    let mut second = world.executor();
    settle_for(&world, &mut second, 1).await;
    assert_eq!(world.row(order).await, "working/1/sent");
}

/// More open submissions than one page: all of them are taken over, over all partitions.
#[tokio::test]
async fn open_submissions_are_taken_over_page_by_page() {
    let mut world = World::new().await;
    world.config.load_page = 3;
    let mut first = world.executor();
    world.venue.pause();
    let orders = world.place_many(&SYMBOLS.repeat(3)).await;
    steps(&mut first).await;
    assert_eq!(world.open_rows().await, 12);
    drop(first);
    world.venue.resume();
    world.leases_run_out().await;
    let mut second = world.executor();
    settle_for(&world, &mut second, 4).await;
    for order in orders {
        assert_eq!(world.row(order).await, "working/2/none");
    }
}
