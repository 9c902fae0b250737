//! Compensation: attempts spent, session over, too old; each step run twice, and failing at each step in turn.

use std::time::Duration;

use chassis::step::Step;
use domain::OrderId;
use executor::Executor;
use rust_decimal::{Decimal, dec};
use venue::Venue;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::{Fact, OrderAccepted};

use crate::world::{World, dollars, settle, settle_for, shares};

async fn steps_of(world: &World, order: OrderId) -> Vec<(String, i32, bool)> {
    sqlx::query_as(
        "select step, attempts, done_at is not null
           from venue_saga_steps
          where order_id = $1
          order by started_at, step = 'report', step = 'await_end', step = 'burn_cancel'",
    )
    .bind(order.get())
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

fn all_done(steps: &[(String, i32, bool)]) -> Vec<&str> {
    steps
        .iter()
        .filter(|(_, _, done)| *done)
        .map(|(step, _, _)| step.as_str())
        .collect()
}

/// executor::attempts_spent
#[tokio::test]
async fn an_order_whose_attempts_are_spent_is_ended_by_its_key() {
    let mut world = World::new().await;
    world.config.max_attempts = 2;
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, vec![Act::LoseRequest; 2]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 10).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    let reports = world.reports(order).await;
    let Fact::Ended {
        reason: Some(reason), ..
    } = &reports[2].0
    else {
        panic!("{reports:?}")
    };
    assert!(reason.contains("2 attempts"), "{reason}");
    let steps = steps_of(&world, order).await;
    assert_eq!(all_done(&steps), ["burn_submit", "burn_cancel", "await_end", "report"]);
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/2/none", 0)
    );
    assert_eq!(world.venue.taken(order), 1);
}

/// executor::closed_meanwhile: perhaps sent, so asked first and then burnt.
#[tokio::test]
async fn an_order_in_doubt_at_the_end_of_its_session_is_ended_by_its_key() {
    let (world, mut executor) = World::started().await;
    world.clock.set("2026-11-23T20:59:59.9Z".parse().unwrap());
    world.venue.script(CallKind::Submit, [Act::Late]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(world.venue.deliver_late(), 0);
}

#[tokio::test]
async fn an_order_that_is_too_old_is_not_sent_again() {
    let mut world = World::new().await;
    world.config.max_age = Duration::from_secs(20);
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, [Act::LoseRequest]);
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 12]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 60).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(
        world.venue.count(CallKind::Submit, order),
        2,
        "once for the customer, once to burn the key"
    );
}

/// SAGA-2: a fill always wins over our wish to end the order.
#[tokio::test]
async fn what_was_filled_on_the_way_is_told_with_the_end() {
    let mut world = World::new().await;
    world.config.max_attempts = 1;
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, [Act::Late, Act::Fail]);
    let order = world.place("AAPL").await;
    until_burnt_in_vain(&world, &mut executor, order).await;
    assert_eq!(world.venue.deliver_late(), 1);
    world.venue.fill(order, shares(3), dollars(dec!(50)));
    settle_for(&world, &mut executor, 5).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 3@saga"
    );
}

#[tokio::test]
async fn an_order_filled_while_its_key_was_burnt_is_left_to_its_executions() {
    let mut world = World::new().await;
    world.config.max_attempts = 1;
    let mut executor = world.executor();
    world.venue.trade_at_quote();
    world.venue.script(CallKind::Submit, [Act::Late, Act::Fail]);
    let order = world.put(&[marketable(&world, "buy")]).await[0];
    until_burnt_in_vain(&world, &mut executor, order).await;
    assert_eq!(world.venue.deliver_late(), 1, "and trades at once");
    settle_for(&world, &mut executor, 5).await;
    assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@saga");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("ended/1/none", 0)
    );
}

/// saga::undo_fails, crash-points rule 4: a key that is not burnt proves nothing, so the order stays open with its hold,
/// counted as stuck, until the venue takes the key or reconciliation decides.
#[tokio::test]
async fn an_order_whose_key_the_venue_refuses_stays_open_until_it_can_be_burnt() {
    let mut world = World::new().await;
    world.config.max_attempts = 1;
    let mut executor = world.executor();
    let refusals = vec![Act::Refuse("halted".to_owned()); 10];
    world.venue.script(CallKind::Submit, [Act::LoseRequest]);
    world.venue.script(CallKind::Submit, refusals);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 12).await;
    assert_eq!(world.told(order).await, "in_doubt@submit", "denied, and not believed");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("burning/1/none", 1)
    );
    settle_for(&world, &mut executor, 40).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga",
        "the halt is over"
    );
}

/// saga::late_effect: refused, and yet the first request came through; it is canceled before anything is given back.
#[tokio::test]
async fn a_twin_that_comes_through_after_a_refusal_is_found_and_canceled() {
    let mut world = World::new().await;
    world.config.max_attempts = 1;
    let mut executor = world.executor();
    world
        .venue
        .script(CallKind::Submit, [Act::Late, Act::Refuse("halted".to_owned())]);
    let order = world.place("AAPL").await;
    while world.venue.count(CallKind::Submit, order) < 2 {
        settle(&mut executor).await;
        world.pass(Duration::from_millis(100));
    }
    assert_eq!(world.venue.deliver_late(), 1);
    settle_for(&world, &mut executor, 8).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
}

/// saga::step_done_not_logged: each call of the saga does its work, loses its answer, and is made again.
#[tokio::test]
async fn every_step_may_run_twice() {
    for kind in [CallKind::Submit, CallKind::Cancel, CallKind::Lookup] {
        let mut world = World::new().await;
        world.config.max_attempts = 1;
        let mut executor = world.executor();
        world.venue.script(CallKind::Submit, [Act::LoseRequest]);
        let order = world.place("AAPL").await;
        settle_for(&world, &mut executor, 1).await;
        if kind == CallKind::Lookup {
            world.venue.script(kind, [Act::Normal]);
        }
        world.venue.script(kind, [Act::LoseAnswer]);
        settle_for(&world, &mut executor, 8).await;
        assert_eq!(
            world.told(order).await,
            "in_doubt@submit, acknowledged@saga, canceled 0@saga",
            "{kind:?}"
        );
        assert_eq!((world.venue.taken(order), world.open_rows().await), (1, 0), "{kind:?}");
    }
}

/// saga::logged_not_next, saga::in_compensation, saga::two_recover: the owner dies after each step of the saga was
/// written down, before or after its call was made, and the next one goes on from the rows.
#[tokio::test]
async fn a_saga_goes_on_wherever_its_owner_died() {
    let begun = ["burn_submit", "burn_cancel", "await_end", "report", "report"];
    for (further, last) in begun.into_iter().enumerate() {
        for call_made in [true, false] {
            let mut world = World::new().await;
            world.config.max_attempts = 1;
            world.venue.script(CallKind::Submit, [Act::LoseRequest]);
            let mut first = world.executor();
            let order = world.place("AAPL").await;
            while steps_of(&world, order).await.is_empty() {
                first.calls_settled().await;
                world.pass(Duration::from_millis(150));
                Step::step(&mut first).await.unwrap();
            }
            for _ in 0..further {
                first.calls_settled().await;
                Step::step(&mut first).await.unwrap();
            }
            if call_made {
                first.calls_settled().await;
            }
            drop(first);
            assert_eq!(
                steps_of(&world, order).await.last().map(|(step, _, _)| step.as_str()),
                Some(last)
            );
            world.leases_run_out().await;
            let mut second = world.executor();
            settle_for(&world, &mut second, 4).await;
            let about = format!("it died {further} steps on, call made: {call_made}");
            assert_eq!(
                world.told(order).await,
                "in_doubt@submit, acknowledged@saga, canceled 0@saga",
                "{about}"
            );
            assert_eq!((world.venue.taken(order), world.open_rows().await), (1, 0), "{about}");
        }
    }
}

/// saga::undo_fails: stuck with an alert; the order stays open, nothing is reported, and it ends once the venue can.
#[tokio::test]
async fn a_saga_that_cannot_go_on_keeps_the_order_open_until_it_can() {
    let mut world = World::new().await;
    (world.config.max_attempts, world.config.saga_tries) = (1, 3);
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, vec![Act::LoseRequest; 12]);
    let order = world.place("AAPL").await;
    settle_for(&world, &mut executor, 20).await;
    assert_eq!(world.told(order).await, "in_doubt@submit");
    assert_eq!(
        (world.row(order).await.as_str(), world.open_rows().await),
        ("burning/1/none", 1)
    );
    settle_for(&world, &mut executor, 60).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
}

/// Domain rules 9 row 16: a wish that came before or during the saga is answered when the order turns out filled.
#[tokio::test]
async fn a_cancel_of_an_order_whose_key_is_burnt_is_refused_if_it_was_filled() {
    for before in [true, false] {
        let mut world = World::new().await;
        world.config.max_attempts = 1;
        let mut executor = world.executor();
        world.venue.trade_at_quote();
        world.venue.script(CallKind::Submit, [Act::Late, Act::Fail]);
        let order = world.put(&[marketable(&world, "buy")]).await[0];
        if before {
            settle(&mut executor).await;
            world.cancel(order, "AAPL").await;
        }
        until_burnt_in_vain(&world, &mut executor, order).await;
        if !before {
            world.cancel(order, "AAPL").await;
            settle(&mut executor).await;
        }
        assert_eq!(world.venue.deliver_late(), 1, "and trades at once");
        settle_for(&world, &mut executor, 5).await;
        assert_eq!(
            world.told(order).await,
            "in_doubt@submit, acknowledged@saga, cancel_refused@submit",
            "wished before: {before}"
        );
        assert_eq!(world.open_rows().await, 0);
    }
}

/// The burn's first call is lost, so that a test can have something happen before the second.
async fn until_burnt_in_vain(world: &World, executor: &mut Executor<FakeVenue>, order: OrderId) {
    while world.venue.count(CallKind::Submit, order) < 2 {
        settle(executor).await;
        world.pass(Duration::from_millis(100));
    }
}

/// An order whose own terms would trade at the fake's quote.
fn marketable(world: &World, side: &str) -> OrderAccepted {
    OrderAccepted {
        side: side.to_owned(),
        limit_price: if side == "buy" { dec!(120) } else { dec!(80) },
        ..world.order("AAPL")
    }
}

async fn traded(world: &World) -> Decimal {
    let page = world.venue.executions_after(None).await.unwrap();
    page.executions.iter().map(|execution| execution.qty.get()).sum()
}

/// executor::key_forgotten, executor::accepted_then_lost, V6: what burns the key cannot trade, so what was traded of
/// the lost order is all that is ever traded.
#[tokio::test]
async fn an_order_lost_in_part_filled_is_burnt_with_terms_that_cannot_trade() {
    for (side, price) in [("buy", dec!(0.01)), ("sell", dec!(1_000_000))] {
        for asked in [true, false] {
            let world = World::new().await;
            let mut executor = world.executor();
            let order = world.put(&[marketable(&world, side)]).await[0];
            settle(&mut executor).await;
            world.venue.fill(order, shares(4), dollars(dec!(100)));
            world.venue.trade_at_quote();
            world.venue.forget(order);
            if asked {
                world.ask(order, "AAPL").await;
            } else {
                world.cancel(order, "AAPL").await;
            }
            settle_for(&world, &mut executor, 6).await;
            assert_eq!(traded(&world).await, dec!(4), "{side}");
            let burnt = world.venue.shown(order).unwrap().order;
            assert_eq!(
                (burnt.qty, burnt.limit_price),
                (shares(1), dollars(price)),
                "not at live terms"
            );
            assert_eq!(
                world.venue.count(CallKind::Submit, order),
                2,
                "once for the customer, once to burn the key"
            );
            assert_eq!(
                world.told(order).await,
                "acknowledged@submit, acknowledged@saga, canceled 0@saga"
            );
            assert_eq!(world.open_rows().await, 0);
        }
    }
}

/// An answer that was lost is found again: the key names what burnt it, and that is ours.
#[tokio::test]
async fn a_burn_whose_answer_was_lost_or_differs_is_found_under_the_key() {
    for act in [Act::LoseAnswer, Act::Mismatch, Act::Garble] {
        let mut world = World::new().await;
        world.config.max_attempts = 1;
        let mut executor = world.executor();
        world.venue.script(CallKind::Submit, [Act::LoseRequest, act.clone()]);
        let order = world.place("AAPL").await;
        settle_for(&world, &mut executor, 6).await;
        assert_eq!(
            world.told(order).await,
            "in_doubt@submit, acknowledged@saga, canceled 0@saga",
            "{act:?}"
        );
        assert_eq!((world.venue.taken(order), world.open_rows().await), (1, 0), "{act:?}");
    }
}

/// It should not trade; if it does, it is told like any execution, and the order does not wait for the rest for ever.
#[tokio::test]
async fn what_burnt_the_key_and_traded_all_the_same_ends_the_order_with_its_count() {
    let mut world = World::new().await;
    world.config.max_attempts = 1;
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, [Act::LoseRequest]);
    world.venue.script(CallKind::Cancel, [Act::LoseRequest]);
    let order = world.place("AAPL").await;
    while world.venue.count(CallKind::Cancel, order) == 0 {
        settle(&mut executor).await;
        world.pass(Duration::from_millis(100));
    }
    world.venue.fill(order, shares(1), dollars(dec!(0.01)));
    settle_for(&world, &mut executor, 5).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 1@saga"
    );
    assert_eq!(world.open_rows().await, 0);
}
