//! Replaces: asked once, asked again by key when in doubt, refused, canceled, taken over.

use domain::OrderId;
use executor::Executor;
use rust_decimal::{Decimal, dec};
use uuid::Uuid;
use venue::VenueStatus;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::{Fact, OrderAccepted, ReplaceRequested};

use crate::world::{World, calls_answered, dollars, settle, settle_for, shares, steps};

/// An order that the venue has, and one that is to take its place.
async fn asked(executor: &mut Executor<FakeVenue>, world: &World, qty: Decimal) -> (OrderId, OrderId) {
    let old = world.working(executor, "AAPL").await;
    (old, replace(world, old, qty).await)
}

async fn replace(world: &World, old: OrderId, qty: Decimal) -> OrderId {
    let order = OrderAccepted {
        qty,
        ..world.order("AAPL")
    };
    ask_for(world, old, order, None).await
}

/// Asks for this order in the place of one that its readers know by a name at the venue.
async fn ask_for(world: &World, old: OrderId, order: OrderAccepted, at_venue: Option<String>) -> OrderId {
    let new = OrderId::new(order.order_id);
    let requested = ReplaceRequested {
        order,
        replaces: old.get(),
        at_venue,
    };
    world.append(&[world.replacement(&requested)]).await;
    new
}

fn has_the_place(world: &World, order: OrderId) -> bool {
    world
        .venue
        .shown(order)
        .is_some_and(|view| view.status == VenueStatus::Working && view.replaces.is_some())
}

async fn refusal(world: &World, old: OrderId) -> (Uuid, Option<Decimal>) {
    match world.reports(old).await.pop() {
        Some((
            Fact::ReplaceRefused {
                replacement_id,
                filled_qty,
                ..
            },
            _,
        )) => (replacement_id, filled_qty),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_replace_is_one_call_and_both_orders_are_told() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    world.venue.fill(old, shares(4), dollars(dec!(50)));
    settle(&mut executor).await;
    assert!(has_the_place(&world, new));
    assert_eq!(world.told(old).await, "acknowledged@submit, replaced 4@lookup");
    assert_eq!(world.told(new).await, "acknowledged@submit");
    assert_eq!(
        (world.row(new).await.as_str(), world.open_rows().await),
        ("working/1/none", 0)
    );
    assert_eq!(world.venue.count(CallKind::Replace, new), 1);
    assert_eq!(world.venue.count(CallKind::Submit, new), 0);
}

#[tokio::test]
async fn a_replace_that_is_told_twice_is_one_call() {
    let (world, mut executor) = World::started().await;
    let old = world.working(&mut executor, "AAPL").await;
    let order = world.order("AAPL");
    let (new, replaces) = (OrderId::new(order.order_id), old.get());
    let at_venue = None;
    let event = world.replacement(&ReplaceRequested {
        order,
        replaces,
        at_venue,
    });
    world.append(&[event.clone(), event.clone()]).await;
    settle(&mut executor).await;
    world.append(&[event]).await;
    settle(&mut executor).await;
    assert_eq!(world.venue.count(CallKind::Replace, new), 1);
}

/// replace::refused_or_filled: the old order goes on, and the venue's count of it is told with the refusal.
#[tokio::test]
async fn a_refused_replace_is_told_of_the_order_that_goes_on() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(5)).await;
    world.venue.fill(old, shares(6), dollars(dec!(50)));
    settle(&mut executor).await;
    assert_eq!(refusal(&world, old).await, (new.get(), Some(dec!(6))));
    assert_eq!(world.told(new).await, "", "nothing else is said of it");
    assert_eq!(world.row(new).await, "ended/1/none");
    assert_eq!(world.open_rows().await, 0);
}

/// ORD-9, replace::refused_or_filled: how much had filled decides whether the rest is wanted, so a refusal without that
/// number is no answer yet.
#[tokio::test]
async fn ord_9_a_refused_replace_is_asked_again_until_the_count_of_the_old_order_is_known() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(5)).await;
    world.venue.fill(old, shares(6), dollars(dec!(50)));
    world.venue.script_for(old, CallKind::Lookup, [Act::Fail, Act::Fail]);
    settle(&mut executor).await;
    assert_eq!(world.told(old).await, "acknowledged@submit");
    assert_eq!(world.row(new).await, "queued/0/none");
    settle_for(&world, &mut executor, 20).await;
    assert_eq!(refusal(&world, old).await, (new.get(), Some(dec!(6))));
    assert_eq!(world.venue.count(CallKind::Replace, new), 3);
    assert_eq!(
        (world.row(new).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

#[tokio::test]
async fn a_refused_replace_that_waits_to_be_asked_again_can_be_canceled() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(5)).await;
    world.venue.fill(old, shares(6), dollars(dec!(50)));
    world.venue.script_for(old, CallKind::Lookup, [Act::Fail]);
    settle(&mut executor).await;
    world.cancel(new, "AAPL").await;
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(world.told(new).await, "canceled 0@never_sent");
    assert_eq!(world.venue.count(CallKind::Replace, new), 1);
}

/// The venue has lost the old order: no number is to be had, and waiting would bring none.
#[tokio::test]
async fn a_refused_replace_of_an_order_that_the_venue_denies_is_told_without_a_count() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(5)).await;
    world.venue.fill(old, shares(6), dollars(dec!(50)));
    world.venue.script_for(old, CallKind::Lookup, [Act::Deny]);
    settle(&mut executor).await;
    assert_eq!(refusal(&world, old).await, (new.get(), None));
}

/// replace::done_not_recorded: the status-updater has to know which replacement it was.
#[tokio::test]
async fn the_end_of_a_replaced_order_names_the_one_that_took_its_place() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle(&mut executor).await;
    let name = world.venue.shown(new).unwrap().venue_order_id.to_string();
    world.ask(old, "AAPL").await;
    settle(&mut executor).await;
    let reports = world.reports(old).await;
    let told = reports.iter().filter_map(|(fact, source)| match fact {
        Fact::Ended { replaced_by, .. } => Some((replaced_by.as_deref(), source.as_str())),
        _ => None,
    });
    assert_eq!(Vec::from_iter(told), [(Some(name.as_str()), "lookup"); 2]);
}

/// ORD-12: whether a replacement's own count makes it whole depends on its chain, so the count is told.
#[tokio::test]
async fn ord_12_a_filled_replacement_is_told_with_its_count() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    world.venue.fill(old, shares(4), dollars(dec!(50)));
    settle(&mut executor).await;
    world.venue.fill(new, shares(8), dollars(dec!(50)));
    world.ask(new, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(new).await, "acknowledged@submit, completed 8@lookup");
}

/// The stream told of the old order before its own answer, which is lost: whoever asks to replace it knows its name.
#[tokio::test]
async fn an_order_in_doubt_is_replaced_under_the_name_that_its_readers_know() {
    let (world, mut executor) = World::started().await;
    let old = world.in_doubt(&mut executor, "AAPL").await;
    let name = world.venue.shown(old).unwrap().venue_order_id.to_string();
    let new = ask_for(&world, old, world.order("AAPL"), Some(name)).await;
    settle(&mut executor).await;
    assert!(has_the_place(&world, new));
    assert_eq!(world.told(new).await, "acknowledged@submit");
    settle_for(&world, &mut executor, 3).await;
    assert!(
        world.told(old).await.ends_with("replaced 0@lookup"),
        "{}",
        world.told(old).await
    );
    assert_eq!(
        (world.venue.count(CallKind::Submit, old), world.open_rows().await),
        (1, 0)
    );
}

/// replace::refused_or_filled: all of it traded on the way.
#[tokio::test]
async fn a_replace_of_an_order_that_filled_first_is_refused() {
    let (world, mut executor) = World::started().await;
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    world.venue.fill(old, shares(10), dollars(dec!(50)));
    settle(&mut executor).await;
    assert_eq!(refusal(&world, old).await, (new.get(), Some(dec!(10))));
}

/// replace::sent_no_answer: asked under the replacement's own key; it had come through.
#[tokio::test]
async fn a_replace_whose_answer_is_lost_is_found_by_its_key() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Replace, [Act::LoseAnswer]);
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle_for(&world, &mut executor, 3).await;
    assert_eq!(world.venue.count(CallKind::Replace, new), 1);
    assert_eq!(world.told(new).await, "in_doubt@submit, acknowledged@lookup");
    assert_eq!(world.told(old).await, "acknowledged@submit, replaced 0@lookup");
}

/// replace::sent_no_answer: it was lost on the way, so it is sent again under the same key.
#[tokio::test]
async fn a_replace_that_never_arrived_is_sent_again_under_its_key() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Replace, [Act::LoseRequest]);
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(world.venue.count(CallKind::Replace, new), 2);
    assert!(has_the_place(&world, new));
    assert_eq!(world.told(old).await, "acknowledged@submit, replaced 0@lookup");
}

/// Rule 4: a cancel meets a replace that may still be on its way. Its key is burnt, and the late request meets that.
#[tokio::test]
async fn a_canceled_replace_in_doubt_is_ended_by_its_key() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Replace, [Act::Late]);
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle(&mut executor).await;
    world.cancel(new, "AAPL").await;
    settle_for(&world, &mut executor, 30).await;
    assert_eq!(world.venue.deliver_late(), 0, "the key is burnt");
    assert!(
        world.told(new).await.ends_with("canceled 0@saga"),
        "{}",
        world.told(new).await
    );
    let shown = world.venue.shown(old).unwrap();
    assert_eq!((shown.status, shown.replaced_by), (VenueStatus::Working, None));
    assert_eq!(world.open_rows().await, 0);
}

#[tokio::test]
async fn a_replacement_that_was_not_sent_yet_is_withdrawn_without_a_call() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    let old = world.working(&mut executor, "AAPL").await;
    world.venue.pause();
    world.place("AAPL").await;
    steps(&mut executor).await;
    let new = replace(&world, old, dec!(12)).await;
    steps(&mut executor).await;
    world.cancel(new, "AAPL").await;
    steps(&mut executor).await;
    assert_eq!(world.told(new).await, "canceled 0@never_sent");
    world.venue.resume();
    settle(&mut executor).await;
    assert_eq!(world.venue.count(CallKind::Replace, new), 0);
}

#[tokio::test]
async fn an_order_that_the_venue_never_had_has_no_place_to_give() {
    let (world, mut executor) = World::started().await;
    let new = replace(&world, OrderId::new(world.ids.uuid()), dec!(12)).await;
    settle(&mut executor).await;
    assert_eq!(world.told(new).await, "rejected 0@never_sent");
    assert_eq!(world.row(new).await, "withdrawn/0/none");
}

/// cancel::too_late: the old order's place was taken, so its end is told and no refusal.
#[tokio::test]
async fn a_cancel_of_an_order_that_was_replaced_meanwhile_hears_that_it_was() {
    let (world, mut executor) = World::started().await;
    let (old, _) = asked(&mut executor, &world, dec!(12)).await;
    settle(&mut executor).await;
    world.cancel(old, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(
        world.told(old).await,
        "acknowledged@submit, replaced 0@lookup, replaced 0@lookup"
    );
    assert_eq!(world.row(old).await, "ended/1/sent");
}

/// ORD-8: the venue cancels nothing while it decides on a replace, so the wish is kept for whichever order lives on.
#[tokio::test]
async fn a_cancel_that_is_refused_while_a_replace_is_undecided_is_kept_and_sent_again() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Replace, [Act::Pend]);
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle(&mut executor).await;
    let undecided = "order is pending replace".to_owned();
    world.venue.script(CallKind::Cancel, [Act::Refuse(undecided)]);
    world.cancel(old, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(old).await, "working/1/wanted");
    assert_eq!(world.told(old).await, "acknowledged@submit", "the wish is not refused");
    world.venue.refuse_replace(new, "the venue would not have it");
    settle_for(&world, &mut executor, 3).await;
    assert!(world.is_canceled(old));
    assert_eq!(
        (world.row(old).await.as_str(), world.open_rows().await),
        ("working/1/sent", 0)
    );
}

/// The venue takes the replacement and decides later: its stream tells what became of it.
#[tokio::test]
async fn a_replace_that_is_not_decided_is_neither_told_nor_asked_about() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Replace, [Act::Pend]);
    let (old, new) = asked(&mut executor, &world, dec!(12)).await;
    settle(&mut executor).await;
    assert_eq!(world.told(old).await, "acknowledged@submit");
    assert_eq!(world.told(new).await, "acknowledged@submit");
    world.venue.decide_replace(new);
    // The sweep asks about both, should the stream be silent.
    world.ask(old, "AAPL").await;
    world.ask(new, "AAPL").await;
    settle(&mut executor).await;
    assert!(world.told(old).await.ends_with("replaced 0@lookup"));
}

/// replace::done_not_recorded: the venue replaced it, and nobody here knows.
#[tokio::test]
async fn an_owner_that_died_before_it_recorded_a_replace_is_followed_by_one_that_asks_first() {
    let (world, mut first) = World::started().await;
    let (old, new) = asked(&mut first, &world, dec!(12)).await;
    calls_answered(&mut first, 1).await;
    drop(first);
    assert!(has_the_place(&world, new));
    assert_eq!(world.row(new).await, "sending/1/none");
    world.leases_run_out().await;
    let mut second = world.executor();
    settle(&mut second).await;
    assert_eq!(world.venue.count(CallKind::Replace, new), 1);
    assert_eq!(world.told(new).await, "acknowledged@lookup");
    assert_eq!(world.told(old).await, "acknowledged@submit, replaced 0@lookup");
}

/// Died between intent and call: the next owner asks, is denied twice, and sends under the same key.
#[tokio::test]
async fn an_intent_to_replace_without_a_call_is_carried_out_by_the_next_owner() {
    let (world, mut first) = World::started().await;
    let old = world.working(&mut first, "AAPL").await;
    world.venue.pause();
    let new = replace(&world, old, dec!(12)).await;
    steps(&mut first).await;
    assert_eq!(world.row(new).await, "sending/1/none");
    drop(first);
    world.venue.resume();
    world.leases_run_out().await;
    let mut second = world.executor();
    settle_for(&world, &mut second, 6).await;
    assert_eq!(world.venue.taken(new), 1);
    assert!(has_the_place(&world, new));
}

/// V5: too many calls, an overloaded venue, a broken answer: whatever it does, there is one replacement at most.
#[tokio::test]
async fn whatever_the_venue_answers_there_is_one_replacement_at_most() {
    for act in [
        Act::Fail,
        Act::FailAfter,
        Act::Garble,
        Act::Mismatch,
        Act::LoseAnswer,
        Act::LoseRequest,
    ] {
        let (world, mut executor) = World::started().await;
        world.venue.script(CallKind::Replace, [act.clone()]);
        let (old, new) = asked(&mut executor, &world, dec!(12)).await;
        settle_for(&world, &mut executor, 60).await;
        assert_eq!(world.venue.taken(new), 1, "{act:?}");
        assert!(
            world.told(old).await.contains("replaced 0"),
            "{act:?}: {}",
            world.told(old).await
        );
        assert_eq!(world.open_rows().await, 0, "{act:?}");
    }
}
