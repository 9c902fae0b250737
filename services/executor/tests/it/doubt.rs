//! Outcomes that are not known: asked for under the key before anything is sent again.

use std::time::Duration;

use domain::OrderId;
use domain::order::EndKind;
use uuid::Uuid;
use venue::fake::{Act, CallKind};

use crate::world::{World, dollars, settle, settle_for, shares};
use rust_decimal::dec;

/// executor::sent_no_answer, executor::answer_5xx, executor::answer_garbage, executor::slow_answer: the venue has it.
#[tokio::test]
async fn an_order_whose_answer_was_lost_is_found_by_its_key_and_never_sent_again() {
    for act in [Act::LoseAnswer, Act::FailAfter, Act::Garble, Act::Mismatch] {
        let (world, mut executor) = World::started().await;
        world.venue.script(CallKind::Submit, [act.clone()]);
        let order = world.place("AAPL").await;
        settle(&mut executor).await;
        assert_eq!(world.row(order).await, "in_doubt/1/none", "{act:?}");
        assert_eq!(world.told(order).await, "in_doubt@submit");
        settle_for(&world, &mut executor, 1).await;
        assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@lookup");
        assert_eq!(
            (world.venue.count(CallKind::Submit, order), world.venue.taken(order)),
            (1, 1)
        );
        assert_eq!(world.row(order).await, "working/1/none");
    }
}

/// Domain rules 9, row 9: not found, a settle window, not found again, then the same key.
#[tokio::test]
async fn an_order_that_never_arrived_is_denied_twice_and_then_sent_under_the_same_key() {
    for act in [Act::LoseRequest, Act::Fail] {
        let (world, mut executor) = World::started().await;
        world.venue.script(CallKind::Submit, [act]);
        let order = world.place("AAPL").await;
        settle(&mut executor).await;
        world.pass(Duration::from_millis(200));
        settle(&mut executor).await;
        assert_eq!(world.venue.count(CallKind::Lookup, order), 1);
        assert_eq!(
            world.venue.count(CallKind::Submit, order),
            1,
            "one denial proves nothing"
        );
        world.pass(world.config.settle);
        settle(&mut executor).await;
        assert_eq!(world.venue.count(CallKind::Lookup, order), 2);
        assert_eq!(world.row(order).await, "working/2/none");
        assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@submit");
    }
}

/// executor::answer_duplicate_key: the request was only late, so the second one finds it.
#[tokio::test]
async fn a_late_request_and_its_repetition_are_one_order() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, [Act::Late]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 5).await;
    assert_eq!(world.venue.deliver_late(), 0, "its key was taken by then");
    assert_eq!(world.venue.taken(order), 1);

    let order = world.place("AAPL").await;
    world.venue.script_for(order, CallKind::Submit, [Act::Late]);
    settle(&mut executor).await;
    assert_eq!(world.venue.deliver_late(), 1);
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@lookup");
}

/// In doubt it leaves the line: nobody waits for it.
#[tokio::test]
async fn an_order_in_doubt_stops_nobody() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    let first = world.place("AAPL").await;
    world.venue.script_for(first, CallKind::Submit, [Act::LoseRequest]);
    let second = world.place("AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(first).await, "in_doubt/1/none");
    assert_eq!(world.row(second).await, "working/1/none");
}

#[tokio::test]
async fn questions_without_an_answer_are_asked_again_less_and_less_often() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, [Act::LoseAnswer]);
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 6]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 2).await;
    let asked = world.venue.count(CallKind::Lookup, order);
    assert!((2..=5).contains(&asked), "asked {asked} times in two seconds");
    settle_for(&world, &mut executor, 30).await;
    assert_eq!(world.row(order).await, "working/1/none");
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@lookup",
        "the doubt is told once"
    );
}

/// A no to the second request says nothing about the first one: its key is burnt before it ends (crash-points rule 4).
#[tokio::test]
async fn a_refusal_of_a_repetition_counts_only_once_the_key_is_burnt() {
    let (world, mut executor) = World::started().await;
    world
        .venue
        .script(CallKind::Submit, [Act::LoseRequest, Act::Refuse("halted".to_owned())]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit",
        "refused, and not believed yet"
    );
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(world.reason(order).await.as_deref(), Some("halted"));

    world
        .venue
        .script(CallKind::Submit, [Act::Late, Act::Refuse("halted".to_owned())]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 3).await;
    world.venue.deliver_late();
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@lookup",
        "the first one came through"
    );
}

/// executor::fill_before_ack: the executor tells what it knows, executions are the intake's.
#[tokio::test]
async fn an_order_found_filled_is_acknowledged_and_its_end_is_left_to_its_executions() {
    let (world, mut executor) = World::started().await;
    let order = world.in_doubt(&mut executor, "AAPL").await;
    world.venue.fill(order, shares(10), dollars(dec!(50)));
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@lookup");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

#[tokio::test]
async fn an_order_found_ended_is_reported_with_the_filled_count() {
    let (world, mut executor) = World::started().await;
    let order = world.in_doubt(&mut executor, "AAPL").await;
    world.venue.fill(order, shares(4), dollars(dec!(50)));
    world.venue.end(order, domain::order::EndKind::Expired);
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@lookup, expired 4@lookup"
    );
}

/// Domain rules 9, rows 18 and 21: a job asks about an order that the venue ended without a word.
#[tokio::test]
async fn an_order_somebody_asks_about_is_looked_up_and_its_end_is_told() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(
        world.told(order).await,
        "acknowledged@submit",
        "what is as it was needs no report"
    );
    assert_eq!(world.row(order).await, "working/1/none");
    world.venue.end(order, EndKind::Expired);
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(world.told(order).await, "acknowledged@submit, expired 0@lookup");
    assert_eq!((world.open_rows().await, world.venue.taken(order)), (0, 1));
}

/// executor::accepted_then_lost: asked about and denied twice, it is ended by its key and never handed in again.
#[tokio::test]
async fn an_order_somebody_asks_about_and_the_venue_has_lost_is_ended_by_its_key() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.forget(order);
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(
        world.told(order).await,
        "acknowledged@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(world.open_rows().await, 0);
}

/// A cancel that was sent and never answered: looked up, then sent once more.
#[tokio::test]
async fn an_order_asked_about_with_its_cancel_is_looked_up_before_the_cancel_goes_out_again() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.ask(order, "AAPL").await;
    world.cancel(order, "AAPL").await;
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(world.venue.count(CallKind::Lookup, order), 1);
    assert_eq!(world.row(order).await, "working/1/sent");
}

#[tokio::test]
async fn a_question_about_an_order_never_sent_changes_nothing() {
    let (world, mut executor) = World::started().await;
    let (never, accepted) = (OrderId::new(Uuid::from_u128(77)), world.order("AAPL"));
    let withdrawn = OrderId::new(accepted.order_id);
    let events = [world.accepted(&accepted), world.cancel_of(withdrawn, "AAPL")];
    world.append(&events).await;
    settle(&mut executor).await;
    for order in [never, withdrawn] {
        world.ask(order, "AAPL").await;
    }
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(world.told(never).await, "");
    assert_eq!(world.row(withdrawn).await, "withdrawn/0/none");
    assert_eq!(world.venue.count(CallKind::Lookup, withdrawn), 0);
}

/// A no is final: there is nothing at the venue to ask about, and asking must not send it.
#[tokio::test]
async fn a_refused_order_asked_about_is_never_sent_again() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, [Act::Refuse("halted".to_owned())]);
    let order = world.place("AAPL").await;
    settle(&mut executor).await;
    for _ in 0..2 {
        world.ask(order, "AAPL").await;
        settle_for(&world, &mut executor, 6).await;
    }
    assert_eq!(world.venue.count(CallKind::Submit, order), 1);
    assert_eq!(world.venue.count(CallKind::Lookup, order), 0);
    assert_eq!(world.told(order).await, "rejected 0@submit");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

/// An order that was heard to be over, with 4 of its 10 shares traded.
async fn over(world: &World, executor: &mut executor::Executor<venue::fake::FakeVenue>) -> OrderId {
    let order = world.in_doubt(executor, "AAPL").await;
    world.venue.fill(order, shares(4), dollars(dec!(50)));
    world.venue.end(order, EndKind::Expired);
    settle_for(world, executor, 1).await;
    assert_eq!(world.row(order).await, "ended/1/none");
    order
}

const OVER: &str = "in_doubt@submit, acknowledged@lookup, expired 4@lookup";

#[tokio::test]
async fn the_end_of_an_order_that_is_over_is_told_again_when_somebody_asks() {
    let (world, mut executor) = World::started().await;
    let order = over(&world, &mut executor).await;
    world.venue.script(CallKind::Lookup, [Act::Fail, Act::Deny]);
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 4).await;
    assert_eq!(world.told(order).await, format!("{OVER}, expired 4@lookup"));
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

/// executor::key_forgotten: the end stands; a second order under the key could trade once more.
#[tokio::test]
async fn an_order_that_is_over_and_denied_twice_is_neither_sent_again_nor_burnt() {
    let (world, mut executor) = World::started().await;
    let order = over(&world, &mut executor).await;
    world.venue.forget(order);
    let before = world.venue.count(CallKind::Lookup, order);
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 10).await;
    assert_eq!(
        world.venue.count(CallKind::Lookup, order) - before,
        2,
        "asked twice and then left"
    );
    assert_eq!(
        (world.venue.count(CallKind::Submit, order), world.venue.taken(order)),
        (1, 1)
    );
    assert_eq!(world.told(order).await, OVER);
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

#[tokio::test]
async fn a_question_about_an_order_that_is_over_survives_its_owner_and_puts_nothing_in_motion() {
    let (world, mut first) = World::started().await;
    let order = over(&world, &mut first).await;
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 2]);
    world.ask(order, "AAPL").await;
    settle(&mut first).await;
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 1)
    );
    drop(first);
    world.leases_run_out().await;
    let mut second = world.executor();
    settle_for(&world, &mut second, 4).await;
    assert_eq!(world.told(order).await, format!("{OVER}, expired 4@lookup"));
    assert_eq!(
        (world.venue.count(CallKind::Submit, order), world.open_rows().await),
        (1, 0)
    );
}
