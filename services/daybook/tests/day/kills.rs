//! EOD-2: the job dies in the middle of a step, after its effect and before its mark, and another goes on: the day ends the
//! same. The failpoints of a process are everybody's, so each test thread says which one it dies at.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Once;

use futures::FutureExt;

use crate::world::{World, dollars, shares};

const MONDAY: &str = "2026-11-23";

/// One for each step, in their order.
const POINTS: [&str; 13] = [
    "eod::routing_closed",
    "expiry::mid_batch",
    "eod::canceled",
    "eod::prints_taken",
    "eod::looked_up",
    "eod::ended",
    "eod::released",
    "eod::fees_posted",
    "eod::reconciled",
    "eod::settled",
    "eod::proven",
    "eod::notified",
    "eod::date_closed",
];

thread_local! {
    static DIES_AT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Arms every point, once for the process; a thread that did not ask for one passes it.
fn arm() {
    static ARMED: Once = Once::new();
    ARMED.call_once(|| {
        for point in POINTS {
            let dies = move || {
                if DIES_AT.get() == Some(point) {
                    DIES_AT.set(None);
                    panic!("died at {point}");
                }
            };
            fail::cfg_callback(point, dies).unwrap();
        }
    });
}

/// How a day ended, in one text: everything but times and ids.
async fn ended(world: &World) -> String {
    let orders = "select status || ' ' || filled_qty || ' ' || session_date from orders order by order_id";
    let events = "select event from order_events order by account_id, seq";
    let steps = "select step::text from eod_steps where done_at is not null order by step";
    let books = "select book || ' ' || asset || ' ' || sum(amount) from ledger_entries group by book, asset order by 1";
    let cash = "select avail || ' ' || held from ledger_cash order by account_id";
    let mut all = Vec::new();
    for query in [orders, events, steps, books, cash] {
        all.push(world.text(query).await);
    }
    all.join("\n")
}

/// A day with an order of each kind, up to the bell.
async fn day() -> World {
    let mut world = World::new().await;
    let ada = world.account(10_000).await;
    let bob = world.account(10_000).await;
    for account in [ada, bob] {
        world.place(account, "buy 10 @ 50.00").await;
        world.place(account, "buy 1 @ 40.00 gtc").await;
    }
    let partly = world.place(bob, "buy 10 @ 60.00").await;
    world.settle().await;
    world.venue.fill(partly, shares(4), dollars("60.00"));
    world.settle().await;
    world.now_is("2026-11-23T21:00:00Z").await;
    world
}

/// The job dies there, another takes its run over and dies there, too.
async fn dies_twice(world: &mut World, point: &'static str) {
    for _ in 0..2 {
        let run = world.run(MONDAY).await;
        DIES_AT.set(Some(point));
        let died = AssertUnwindSafe(world.until(&run, None)).catch_unwind().await;
        let said = died.expect_err(point).downcast::<String>().expect("it says where");
        assert_eq!(*said, format!("died at {point}"));
        world.run_is_over(&run).await;
    }
}

async fn undisturbed() -> String {
    let mut world = day().await;
    world.close(MONDAY).await;
    ended(&world).await
}

async fn all_is_as(world: &World, expected: &str, after: &str) {
    assert_eq!(ended(world).await, expected, "after {after}");
    let asked = "outbox where kind = 'cancel_requested.v1'";
    assert_eq!(
        world.count(asked).await,
        3,
        "each order is asked to end once, after {after}"
    );
    assert_eq!(world.count("eod_proofs").await, 1, "after {after}");
    world.prove().await;
}

#[tokio::test]
async fn eod_2_killed_twice_in_the_middle_of_every_step_the_day_ends_the_same() {
    arm();
    let expected = undisturbed().await;
    let mut world = day().await;
    for point in POINTS {
        dies_twice(&mut world, point).await;
    }
    world.close(MONDAY).await;
    all_is_as(&world, &expected, "all of them").await;
}

#[tokio::test]
#[ignore = "long: a day for each point"]
async fn eod_2_killed_twice_at_one_point_only_the_day_ends_the_same() {
    arm();
    let expected = undisturbed().await;
    for point in POINTS {
        let mut world = day().await;
        dies_twice(&mut world, point).await;
        world.close(MONDAY).await;
        all_is_as(&world, &expected, point).await;
    }
}

/// A worker that was only paused writes nothing once another has its run.
#[tokio::test]
async fn a_run_that_was_taken_over_writes_nothing() {
    let mut world = day().await;
    let lost = world.run(MONDAY).await;
    world.until(&lost, Some("late prints")).await.unwrap();
    world.run_is_over(&lost).await;
    let before = world
        .text("select step || ' ' || coalesce(summary, '') from eod_steps order by step")
        .await;
    let outcome = world.until(&lost, None).await;
    assert!(matches!(outcome, Err(scheduler::engine::JobError::Lost)), "{outcome:?}");
    assert_eq!(
        world
            .text("select step || ' ' || coalesce(summary, '') from eod_steps order by step")
            .await,
        before
    );
}
