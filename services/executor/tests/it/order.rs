//! Handing in: the plain way, refusals, the line, the session.

use std::time::Duration;

use domain::OrderId;
use venue::fake::{Act, CallKind};
use wire::events::v1::{Fact, OrderAccepted};

use crate::world::{World, settle, settle_for, steps};

#[tokio::test]
async fn an_accepted_order_reaches_the_venue_once_and_is_acknowledged() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    assert_eq!(world.told(order).await, "acknowledged@submit");
    assert_eq!(world.row(order).await, "working/1/none");
    assert_eq!(
        (world.venue.taken(order), world.venue.count(CallKind::Submit, order)),
        (1, 1)
    );
    assert_eq!(
        world.venue.count(CallKind::Lookup, order),
        0,
        "nothing was in doubt, so nothing was asked"
    );
    assert_eq!(world.open_rows().await, 0, "there is nothing left to do about it");
}

/// Rule 2: intent before effect.
#[tokio::test]
async fn the_intent_is_committed_before_the_call_is_made() {
    let (world, mut executor) = World::started().await;
    world.venue.pause();
    let order = world.place("AAPL").await;
    steps(&mut executor).await;
    assert_eq!(world.venue.calls(), [], "the venue has not seen it");
    assert_eq!(world.row(order).await, "sending/1/none");
}

/// executor::answer_reject, domain rules 9 row 11
#[tokio::test]
async fn a_refused_order_ends_rejected_with_the_venues_reason() {
    let (world, mut executor) = World::started().await;
    let refusal = Act::Refuse("asset is halted".to_owned());
    let order = world.place("AAPL").await;
    world.venue.script_for(order, CallKind::Submit, [refusal]);
    settle(&mut executor).await;
    let reports = world.reports(order).await;
    assert!(matches!(&reports[..], [(Fact::Ended { reason: Some(reason), .. }, _)] if reason == "asset is halted"));
    assert_eq!(world.told(order).await, "rejected 0@submit");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

/// TIF-8: order of dispatch is the order on the log, with a window for each symbol.
#[tokio::test]
async fn orders_of_a_symbol_go_out_in_their_order_and_no_more_than_the_window_at_once() {
    let mut world = World::new().await;
    world.config.symbol_window = 3;
    let mut executor = world.executor();
    world.venue.pause();
    let orders = world.place_many(&["AAPL"; 8]).await;
    let other = world.place("MSFT").await;
    steps(&mut executor).await;
    let mut states = Vec::new();
    for order in &orders {
        states.push(world.row(*order).await);
    }
    assert_eq!(states[..3], ["sending/1/none"; 3]);
    assert_eq!(states[3..], ["queued/0/none"; 5]);
    assert_eq!(
        world.row(other).await,
        "sending/1/none",
        "a full window holds its own symbol only"
    );
    world.venue.resume();
    settle(&mut executor).await;
    let mut rest = orders.clone();
    rest.retain(|order| world.venue.taken(*order) == 1);
    assert_eq!(rest, orders, "all of them got through");
    let first_calls: Vec<_> = world.venue.calls().iter().flat_map(|call| call.keys.clone()).collect();
    let third_wave = |order| first_calls.iter().position(|key| *key == order).unwrap();
    assert!(third_wave(orders[0]) < third_wave(orders[4]) && third_wave(orders[3]) < third_wave(orders[7]));
}

#[tokio::test]
async fn the_whole_venue_has_a_window_too() {
    let mut world = World::new().await;
    (world.config.symbol_window, world.config.venue_window) = (2, 3);
    let mut executor = world.executor();
    world.venue.pause();
    for symbol in ["AAPL", "MSFT", "TSLA", "F", "AAPL", "MSFT"] {
        world.place(symbol).await;
    }
    steps(&mut executor).await;
    assert_eq!(executor.in_flight().calls, 3);
    world.venue.resume();
    settle(&mut executor).await;
    assert_eq!(world.venue.calls().len(), 6);
}

#[tokio::test]
async fn an_order_waits_for_its_session_and_then_goes() {
    let (world, mut executor) = World::started().await;
    let tomorrow = OrderAccepted {
        session_date: "2026-11-24".parse().unwrap(),
        ..world.order("AAPL")
    };
    let order = world.put(&[tomorrow]).await[0];
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "queued/0/none");
    world.clock.set("2026-11-24T14:29:59Z".parse().unwrap());
    settle(&mut executor).await;
    assert_eq!(world.venue.calls(), []);
    world.clock.set("2026-11-24T14:30:00Z".parse().unwrap());
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "working/1/none");
}

/// executor::closed_meanwhile: never sent, so it may end without the venue's word.
#[tokio::test]
async fn an_order_whose_session_ended_before_it_was_sent_expires_unsent() {
    let (world, mut executor) = World::started().await;
    let order = world.place("AAPL").await;
    world.clock.set("2026-11-23T21:00:00Z".parse().unwrap());
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "expired 0@never_sent");
    assert_eq!(
        (world.row(order).await.as_str(), world.venue.calls().len()),
        ("withdrawn/0/none", 0)
    );
}

/// executor::answer_429: not an attempt, and the whole venue is left alone.
#[tokio::test]
async fn a_throttled_order_keeps_its_place_and_no_attempt_is_counted() {
    let (world, mut executor) = World::started().await;
    world
        .venue
        .script(CallKind::Submit, [Act::Throttle(Duration::from_secs(3))]);
    let first = world.place("AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(first).await, "queued/0/none");
    let (second, other) = (world.place("AAPL").await, world.place("MSFT").await);
    settle(&mut executor).await;
    assert_eq!(
        world.venue.calls().len(),
        1,
        "nobody calls while the venue asks for a pause"
    );
    world.pass(Duration::from_secs(3));
    settle(&mut executor).await;
    for order in [first, second, other] {
        assert_eq!(world.row(order).await, "working/1/none");
    }
    let order_of_calls: Vec<_> = world.venue.calls()[1..].iter().map(|call| call.keys[0]).collect();
    assert!(order_of_calls.iter().position(|key| *key == first) < order_of_calls.iter().position(|key| *key == second));
    assert_eq!(world.told(first).await, "acknowledged@submit");
}

/// lease::exchange_only_reachable and its opposite: without the exchange, orders queue and nothing is given up.
#[tokio::test]
async fn a_venue_that_cannot_be_reached_costs_no_attempts() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, vec![Act::Unreachable; 12]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 60).await;
    assert_eq!(world.told(order).await, "acknowledged@submit");
    assert_eq!(world.row(order).await, "working/1/none");
}

/// consumer::poison: its order waits with the cause, everybody else goes on (V12).
#[tokio::test]
async fn a_message_that_cannot_be_read_parks_its_order_only() {
    let (world, mut executor) = World::started().await;
    let bad = OrderAccepted {
        side: "borrow".to_owned(),
        ..world.order("AAPL")
    };
    let bad = world.put(&[bad]).await[0];
    let good = world.place("AAPL").await;
    world.cancel(bad, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(good).await, "working/1/none");
    assert_eq!(world.told(bad).await, "");
    let causes: Vec<String> = sqlx::query_scalar("select cause from bus_parked where order_id = $1 order by xid, id")
        .bind(bad.get())
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(causes.len(), 2, "the cancel joins it: {causes:?}");
    assert!(causes[0].contains("side"), "{causes:?}");
}

/// dead::requeued: an operator's second try is handled where the message is, and only once.
#[tokio::test]
async fn a_parked_order_that_is_requeued_goes_out_once_it_can_be_read() {
    let (world, mut executor) = World::started().await;
    let bad = OrderAccepted {
        side: "borrow".to_owned(),
        ..world.order("AAPL")
    };
    let order = world.put(&[bad]).await[0];
    settle(&mut executor).await;
    let mend = "update bus_parked set payload = replace(payload, 'borrow', 'buy') where order_id = $1";
    sqlx::query(mend)
        .bind(order.get())
        .execute(&world.db.pool)
        .await
        .unwrap();
    let mut conn = world.db.pool.acquire().await.unwrap();
    for _ in 0..2 {
        bus::parked::requeue(&mut conn, executor::GROUP, bus::Topic::Orders, order)
            .await
            .unwrap();
    }
    drop(executor);
    world.leases_run_out().await;
    let mut executor = world.executor();
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "acknowledged@submit");
    assert_eq!(world.venue.count(CallKind::Submit, order), 1);
}

/// A job that finds no trace of an order files it again: one that has a row is known, and harms nobody in its batch.
#[tokio::test]
async fn an_order_filed_again_is_known_and_its_batch_goes_on() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    let (settled, buried) = (world.order("AAPL"), world.order("AAPL"));
    let settled_id = world.put(std::slice::from_ref(&settled)).await[0];
    world.cancel(OrderId::new(buried.order_id), "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(settled_id).await, "working/1/none");
    let new = world.order("AAPL");
    // No step fails: `settle` would panic.
    let again = world.put(&[settled.clone(), buried, settled, new]).await;
    settle(&mut executor).await;
    assert_eq!(world.row(settled_id).await, "working/1/none");
    assert_eq!(world.told(settled_id).await, "acknowledged@submit");
    assert_eq!(world.row(again[1]).await, "withdrawn/0/none");
    assert_eq!(world.told(again[1]).await, "canceled 0@never_sent");
    assert_eq!(world.row(again[3]).await, "working/1/none", "its line is free");
    let calls: Vec<_> = world.venue.calls().into_iter().flat_map(|call| call.keys).collect();
    assert_eq!(calls, [settled_id, again[3]]);
    assert_eq!((executor.in_flight().calls, world.open_rows().await), (0, 0));
}

/// TIF: a session's end takes everything that waits out of the lines, a part in each transaction.
#[tokio::test]
async fn all_that_waits_at_the_end_of_its_session_leaves_in_parts() {
    let mut world = World::new().await;
    world.config.leave = 3;
    let mut executor = world.executor();
    let orders = world.place_many(&["AAPL"; 8]).await;
    world.clock.set("2026-11-23T21:00:00Z".parse().unwrap());
    settle(&mut executor).await;
    let mut at_once: Vec<i64> = sqlx::query_scalar(
        "select count(*) from venue_submissions where state = 'withdrawn' group by xmin::text order by 1",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    at_once.sort_unstable();
    assert_eq!(at_once, [2, 3, 3]);
    for order in orders {
        assert_eq!(world.told(order).await, "expired 0@never_sent");
    }
}
