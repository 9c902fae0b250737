//! Cancels: in every state an order can be in when the wish comes.

use std::time::Duration;

use domain::OrderId;
use executor::Executor;
use rust_decimal::dec;
use uuid::Uuid;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::Fact;

use crate::world::{World, dollars, settle, settle_for, shares, steps};

#[tokio::test]
async fn a_working_order_is_canceled_at_the_venue_whose_end_is_left_to_the_intake() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert!(world.is_canceled(order));
    assert_eq!(
        world.told(order).await,
        "acknowledged@submit",
        "the executor says nothing that it has not heard"
    );
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("working/1/sent", 0)
    );
}

/// cancel::before_submit_race, domain rules 9 row 17: never sent, so no call at all.
#[tokio::test]
async fn an_order_not_sent_yet_is_withdrawn_without_a_call() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    world.venue.pause();
    let (first, second) = (world.place("AAPL").await, world.place("AAPL").await);
    steps(&mut executor).await;
    world.cancel(second, "AAPL").await;
    steps(&mut executor).await;
    assert_eq!(world.told(second).await, "canceled 0@never_sent");
    assert_eq!(world.row(second).await, "withdrawn/0/none");
    world.venue.resume();
    settle(&mut executor).await;
    assert_eq!(
        (world.venue.taken(first), world.venue.count(CallKind::Submit, second)),
        (1, 0)
    );
    assert_eq!(world.open_rows().await, 0);
}

#[tokio::test]
async fn an_order_and_its_cancel_in_one_batch_never_reach_the_venue() {
    let (world, mut executor) = World::started().await;
    let accepted = world.order("AAPL");
    let order = OrderId::new(accepted.order_id);
    let both = [world.accepted(&accepted), world.cancel_of(order, "AAPL")];
    world.append(&both).await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "canceled 0@never_sent");
    assert_eq!(world.venue.calls(), []);
}

/// A cancel that overtook its order leaves a tombstone: the order is never sent.
#[tokio::test]
async fn a_cancel_of_an_order_never_heard_of_is_remembered() {
    let (world, mut executor) = World::started().await;
    let accepted = world.order("AAPL");
    let order = OrderId::new(accepted.order_id);
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "canceled 0@never_sent");
    world.put(std::slice::from_ref(&accepted)).await;
    // The tombstone is not in memory, so it is the table that knows, and no step fails.
    settle(&mut executor).await;
    assert_eq!(
        (world.row(order).await.as_str(), world.venue.calls().len()),
        ("withdrawn/0/none", 0)
    );
    assert_eq!(world.told(order).await, "canceled 0@never_sent", "told once");
}

/// Domain rules 9 row 17: the wish waits until the order is known.
#[tokio::test]
async fn a_cancel_while_the_submit_is_out_goes_out_after_it() {
    let (world, mut executor) = World::started().await;
    world.venue.pause();
    let order = world.place("AAPL").await;
    steps(&mut executor).await;
    world.cancel(order, "AAPL").await;
    steps(&mut executor).await;
    assert_eq!(world.row(order).await, "sending/1/wanted");
    world.venue.resume();
    settle(&mut executor).await;
    assert!(world.is_canceled(order));
    assert_eq!(world.row(order).await, "working/1/sent");
}

#[tokio::test]
async fn a_cancel_while_in_doubt_waits_for_the_look_up() {
    let (world, mut executor) = World::started().await;
    let order = world.in_doubt(&mut executor, "AAPL").await;
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "in_doubt/1/wanted");
    assert_eq!(world.venue.count(CallKind::Cancel, order), 0);
    settle_for(&world, &mut executor, 1).await;
    assert!(world.is_canceled(order));
}

/// executor::paused_then_canceled: denied twice, its key is burnt before it ends; the old request meets a duplicate.
#[tokio::test]
async fn a_canceled_order_that_the_venue_denies_ends_only_after_its_key_is_burnt() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, [Act::Late]);
    let order = world.place("AAPL").await;
    settle(&mut executor).await;
    world.cancel(order, "AAPL").await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(world.venue.deliver_late(), 0, "the late twin is refused as a duplicate");
    assert!(world.is_canceled(order));
    assert_eq!(world.venue.taken(order), 1);
}

/// cancel::fill_race, cancel::too_late, domain rules 9 row 16
#[tokio::test]
async fn a_cancel_that_comes_too_late_is_refused_and_the_fill_stands() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.fill(order, shares(10), dollars(dec!(50)));
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "acknowledged@submit, cancel_refused@submit");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("working/1/refused", 0)
    );
}

#[tokio::test]
async fn a_cancel_too_late_because_the_order_is_over_brings_its_end() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.fill(order, shares(3), dollars(dec!(50)));
    world.venue.end(order, domain::order::EndKind::Canceled);
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "acknowledged@submit, canceled 3@lookup");
}

/// cancel::sent_no_answer: asked again, which is harmless.
#[tokio::test]
async fn a_cancel_without_an_answer_is_sent_again() {
    for act in [
        Act::LoseAnswer,
        Act::LoseRequest,
        Act::Fail,
        Act::Throttle(Duration::from_millis(300)),
    ] {
        let (world, mut executor) = World::started().await;
        let order = world.working(&mut executor, "AAPL").await;
        world.venue.script(CallKind::Cancel, [act.clone()]);
        world.cancel(order, "AAPL").await;
        settle(&mut executor).await;
        assert_eq!(world.row(order).await, "working/1/wanted", "{act:?}");
        settle_for(&world, &mut executor, 2).await;
        assert!(world.is_canceled(order), "{act:?}");
        let applied = act == Act::LoseAnswer;
        let told = if applied {
            "acknowledged@submit, canceled 0@lookup"
        } else {
            "acknowledged@submit"
        };
        assert_eq!(world.told(order).await, told, "{act:?}");
        assert_eq!(world.open_rows().await, 0);
    }
}

/// executor::accepted_then_lost, domain rules 9 row 12
#[tokio::test]
async fn an_order_the_venue_lost_is_ended_by_its_key() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.forget(order);
    world.cancel(order, "AAPL").await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(
        world.told(order).await,
        "acknowledged@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(world.open_rows().await, 0);
}

#[tokio::test]
async fn cancels_have_a_window_of_their_own() {
    let mut world = World::new().await;
    (world.config.venue_window, world.config.cancel_window) = (1, 2);
    let mut executor = world.executor();
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(world.place("AAPL").await);
    }
    settle(&mut executor).await;
    world.venue.pause();
    let blocked = world.place("MSFT").await;
    for order in &orders {
        world.cancel(*order, "AAPL").await;
    }
    steps(&mut executor).await;
    let out = executor.in_flight();
    assert_eq!(
        (out.calls, out.cancels),
        (1, 2),
        "a submit that hangs does not hold cancels, nor they it"
    );
    world.venue.resume();
    settle(&mut executor).await;
    assert!(orders.iter().all(|order| world.is_canceled(*order)));
    assert_eq!(world.venue.taken(blocked), 1);
}

#[tokio::test]
async fn a_wish_repeated_later_is_sent_again() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    for _ in 0..2 {
        world.cancel(order, "AAPL").await;
        settle(&mut executor).await;
    }
    assert_eq!(world.venue.count(CallKind::Cancel, order), 2);
    assert_eq!(world.told(order).await, "acknowledged@submit, canceled 0@lookup");
    world.cancel(OrderId::new(Uuid::from_u128(99)), "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.open_rows().await, 0);
}

#[tokio::test]
async fn two_wishes_in_one_batch_about_an_order_that_is_over_change_nothing() {
    let (world, mut executor) = World::started().await;
    let order = world.place("AAPL").await;
    world.venue.script(CallKind::Submit, [Act::Refuse("halted".to_owned())]);
    settle(&mut executor).await;
    world.cancel(order, "AAPL").await;
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "rejected 0@submit");
    assert_eq!(world.row(order).await, "ended/1/none");
}

/// An outcome that is not known is not a refusal: the cancel is sent again, less and less often.
#[tokio::test]
async fn a_cancel_too_late_of_an_order_that_cannot_be_looked_up_is_sent_again() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.fill(order, shares(3), dollars(dec!(50)));
    world.venue.end(order, domain::order::EndKind::Canceled);
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 2]);
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "working/1/wanted");
    assert_eq!(
        world.told(order).await,
        "acknowledged@submit",
        "nothing is known, so nothing is told"
    );
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(world.told(order).await, "acknowledged@submit, canceled 3@lookup");
    assert_eq!(
        (world.venue.count(CallKind::Cancel, order), world.open_rows().await),
        (3, 0)
    );
}

/// An order heard to be over: filled or ended, before anybody wished to cancel it.
async fn over(world: &World, executor: &mut Executor<FakeVenue>, filled: bool) -> OrderId {
    let order = world.in_doubt(executor, "AAPL").await;
    if filled {
        world.venue.fill(order, shares(10), dollars(dec!(50)));
    } else {
        world.venue.end(order, domain::order::EndKind::Expired);
    }
    settle_for(world, executor, 1).await;
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
    order
}

/// Domain rules 9 row 16: who asks to cancel what has filled hears that it was refused, and the wish is over.
#[tokio::test]
async fn a_cancel_of_an_order_known_to_be_filled_is_refused() {
    let (world, mut executor) = World::started().await;
    let order = over(&world, &mut executor, true).await;
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    let reports = world.reports(order).await;
    let Some((Fact::CancelRefused { reason }, _)) = reports.last() else {
        panic!("{reports:?}")
    };
    assert!(reason.contains("already"), "{reason}");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/refused", 0)
    );
    assert_eq!(world.venue.count(CallKind::Cancel, order), 0);
}

#[tokio::test]
async fn a_cancel_of_an_order_known_to_be_over_has_its_end_told_again() {
    let (world, mut executor) = World::started().await;
    let order = over(&world, &mut executor, false).await;
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    let told = world.told(order).await;
    assert!(told.ends_with("expired 0@lookup, expired 0@lookup"), "{told}");
    assert_eq!(
        (world.venue.count(CallKind::Cancel, order), world.open_rows().await),
        (0, 0)
    );
}

/// executor::key_forgotten: nobody can say any more how it ended, and the wish does not wait for ever.
#[tokio::test]
async fn a_cancel_of_an_order_over_and_forgotten_is_refused_and_burns_nothing() {
    let (world, mut executor) = World::started().await;
    let order = over(&world, &mut executor, true).await;
    world.venue.forget(order);
    world.cancel(order, "AAPL").await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@lookup, cancel_refused@submit"
    );
    assert_eq!(
        (world.venue.count(CallKind::Submit, order), world.open_rows().await),
        (1, 0)
    );
}
