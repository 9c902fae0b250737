//! The close: what jobs ask for then, what the venue does not answer, and what lives on.

use std::time::Duration;

use domain::Timestamp;
use venue::fake::{Act, CallKind};
use wire::events::v1::OrderAccepted;

use crate::world::{World, settle, settle_for, steps};

const CLOSE: &str = "2026-11-23T21:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// EOD step 2: the cancels of a whole session are due at the same moment. They go out within their window, and who is in
/// doubt does not wait behind them.
#[tokio::test]
async fn the_cancels_of_a_close_go_out_within_their_window_and_hold_up_no_look_up() {
    let (mut world, _) = World::started().await;
    (world.config.cancel_window, world.config.symbol_window) = (4, 64);
    let mut executor = world.executor();
    let working = world.place_many(&["AAPL"; 40]).await;
    settle(&mut executor).await;
    let unheard = world.in_doubt(&mut executor, "MSFT").await;
    world.clock.set(at("2026-11-23T21:00:05Z"));
    world.venue.pause();
    let cancels: Vec<_> = working.iter().map(|order| world.cancel_of(*order, "AAPL")).collect();
    world.append(&cancels).await;
    steps(&mut executor).await;
    let out = executor.in_flight();
    assert_eq!((out.calls, out.cancels), (1, 4), "the look-up goes beside them");
    world.venue.resume();
    settle(&mut executor).await;
    for order in working {
        assert!(world.is_canceled(order));
        assert_eq!(world.venue.count(CallKind::Cancel, order), 1);
    }
    assert_eq!(world.told(unheard).await, "in_doubt@submit, acknowledged@lookup");
    assert_eq!(world.open_rows().await, 0);
}

/// Domain rules 9, rows 20 and 21: the venue cannot be reached over the close. Nothing is told and nothing is let go; the
/// cancel and the question are repeated until it answers, and its word counts.
#[tokio::test]
async fn an_outage_over_the_close_ends_nothing_by_a_guess() {
    for act in [Act::Unreachable, Act::Fail, Act::LoseRequest] {
        let (world, mut executor) = World::started().await;
        let pending = world.working(&mut executor, "AAPL").await;
        let unheard = world.in_doubt(&mut executor, "MSFT").await;
        world.clock.set(at(CLOSE));
        for kind in [CallKind::Cancel, CallKind::Lookup] {
            world.venue.script(kind, vec![act.clone(); 12]);
        }
        world.cancel(pending, "AAPL").await;
        settle_for(&world, &mut executor, 10).await;
        assert_eq!(world.told(pending).await, "acknowledged@submit", "{act:?}");
        assert_eq!(world.told(unheard).await, "in_doubt@submit", "{act:?}");
        assert_eq!(world.row(pending).await, "working/1/wanted", "{act:?}");
        assert_eq!(world.open_rows().await, 2, "{act:?}");
        world.venue.end(unheard, domain::order::EndKind::Expired);
        settle_for(&world, &mut executor, 60).await;
        assert!(world.is_canceled(pending), "{act:?}");
        assert_eq!(
            world.told(unheard).await,
            "in_doubt@submit, acknowledged@lookup, expired 0@lookup",
            "{act:?}"
        );
        assert_eq!(world.venue.count(CallKind::Submit, unheard), 1, "{act:?}");
        assert_eq!(world.open_rows().await, 0, "{act:?}");
    }
}

/// Row 20: the venue ended it at the close while the cancel was on its way; the end is the venue's.
#[tokio::test]
async fn a_cancel_that_crosses_the_close_brings_the_venues_own_end() {
    let (world, mut executor) = World::started().await;
    let order = world.working(&mut executor, "AAPL").await;
    world.venue.end(order, domain::order::EndKind::Expired);
    world.clock.set(at(CLOSE));
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "acknowledged@submit, expired 0@lookup");
}

/// Row 29: the job's wish comes while the submit is unknown. First the doubt, then the cancel.
#[tokio::test]
async fn an_order_that_expires_while_in_doubt_is_looked_up_before_it_is_canceled() {
    let (world, mut executor) = World::started().await;
    world.venue.script(CallKind::Submit, [Act::LoseAnswer]);
    world.venue.script(CallKind::Lookup, vec![Act::Fail; 3]);
    let expires_at = Some(at("2026-11-23T15:00:01Z"));
    let order = world.place_with(|order| OrderAccepted { expires_at, ..order }).await;
    settle(&mut executor).await;
    world.pass(Duration::from_secs(1));
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert_eq!(world.row(order).await, "in_doubt/1/wanted");
    assert_eq!(world.venue.count(CallKind::Cancel, order), 0);
    settle_for(&world, &mut executor, 6).await;
    assert_eq!(world.told(order).await, "in_doubt@submit, acknowledged@lookup");
    assert!(world.is_canceled(order));
    assert_eq!(world.venue.count(CallKind::Submit, order), 1);
}

/// A `gtc` order rests over the night at the venue, and can be canceled there.
#[tokio::test]
async fn an_order_done_for_the_day_can_be_canceled_in_the_night() {
    let (world, mut executor) = World::started().await;
    let time_in_force = "gtc".to_owned();
    let order = world.place_with(|order| OrderAccepted { time_in_force, ..order }).await;
    settle(&mut executor).await;
    world.venue.done_for_day(order);
    world.clock.set(at("2026-11-24T02:00:00Z"));
    world.ask(order, "AAPL").await;
    settle_for(&world, &mut executor, 1).await;
    assert_eq!(
        (world.row(order).await.as_str(), world.told(order).await.as_str()),
        ("working/1/none", "acknowledged@submit")
    );
    world.cancel(order, "AAPL").await;
    settle(&mut executor).await;
    assert!(world.is_canceled(order));
    assert_eq!(world.row(order).await, "working/1/sent");
}

/// Answers of the venue come by the thousand after an outage; each step records a part of them.
#[tokio::test]
async fn a_step_records_no_more_answers_than_its_share() {
    let (mut world, _) = World::started().await;
    (world.config.answers, world.config.symbol_window) = (3, 64);
    let mut executor = world.executor();
    let orders = world.place_many(&["AAPL"; 8]).await;
    settle(&mut executor).await;
    let mut at_once: Vec<i64> = sqlx::query_scalar(
        "select count(*) from venue_submissions where state = 'working' group by xmin::text order by 1",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    at_once.sort_unstable();
    assert_eq!(at_once, [2, 3, 3]);
    for order in orders {
        assert_eq!(world.told(order).await, "acknowledged@submit");
    }
}
