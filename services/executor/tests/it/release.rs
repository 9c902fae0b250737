//! Orders that wait: for the bell, for their own time, for another session; and what becomes of them when the calendar
//! changes, the time passes, or their owner dies meanwhile.

use std::time::Duration;

use chassis::step::{Progress, Step};
use chrono::TimeDelta;
use domain::{OrderId, Timestamp};
use executor::Executor;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::OrderAccepted;

use crate::world::{SYMBOLS, World, calls_answered, settle, settle_for, steps};

const BELL: &str = "2026-11-23T14:30:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// The evening before the session of the 23rd.
async fn overnight() -> (World, Executor<FakeVenue>) {
    let world = World::new().await;
    world.clock.set(at("2026-11-23T02:00:00Z"));
    let executor = world.executor();
    (world, executor)
}

/// The keys of all submits so far, in the order in which they arrived.
fn arrived(world: &World) -> Vec<OrderId> {
    let calls = world.venue.calls().into_iter();
    calls
        .filter(|call| call.kind == CallKind::Submit)
        .map(|call| call.keys[0])
        .collect()
}

impl World {
    async fn place_for(&self, session: &str) -> OrderId {
        self.place_with(|order| OrderAccepted {
            session_date: session.parse().unwrap(),
            ..order
        })
        .await
    }

    async fn place_at(&self, submit_at: &str) -> OrderId {
        self.place_with(|order| OrderAccepted {
            submit_at: Some(at(submit_at)),
            ..order
        })
        .await
    }
}

/// TIF-8: filed at once, sent at the open in the order of the bus.
#[tokio::test]
async fn orders_of_the_night_are_filed_at_once_and_go_at_the_bell_in_their_order() {
    let (mut world, _) = overnight().await;
    world.config.symbol_window = 4;
    let mut executor = world.executor();
    let orders = world.place_many(&["AAPL"; 20]).await;
    settle(&mut executor).await;
    for order in &orders {
        assert_eq!(world.row(*order).await, "queued/0/none");
    }
    world.clock.set(at(BELL) - TimeDelta::milliseconds(5));
    settle(&mut executor).await;
    assert_eq!(world.venue.calls(), [], "not a moment too soon");
    world.clock.set(at(BELL));
    settle(&mut executor).await;
    assert_eq!(arrived(&world), orders);
    assert_eq!(world.open_rows().await, 0);
}

/// The loop sleeps until the bell, not until the next look.
#[tokio::test]
async fn the_step_knows_when_the_next_order_may_go() {
    let (world, mut executor) = overnight().await;
    world.place("AAPL").await;
    world.place_at("2026-11-23T14:30:01Z").await;
    settle(&mut executor).await;
    world.clock.set(at(BELL) - TimeDelta::milliseconds(40));
    let progress = executor.step().await.unwrap();
    assert_eq!(progress, Progress::Soon(Duration::from_millis(40)));
    world.clock.set(at(BELL));
    settle(&mut executor).await;
    let progress = executor.step().await.unwrap();
    assert_eq!(
        progress,
        Progress::Soon(Duration::from_secs(1)),
        "the next bell is its own"
    );
}

/// TIF-8: who waits for its own time or another session holds up nobody, and takes its own place when it comes.
#[tokio::test]
async fn an_order_that_waits_for_its_own_time_holds_up_nobody_and_is_passed_by_nobody_afterwards() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    let timed = world.place_at("2026-11-23T15:30:00Z").await;
    let tomorrow = world.place_for("2026-11-24").await;
    let first = world.place("AAPL").await;
    settle(&mut executor).await;
    assert_eq!(arrived(&world), [first]);
    world.venue.pause();
    let later = world.place_many(&["AAPL"; 3]).await;
    steps(&mut executor).await;
    world.clock.set(at("2026-11-23T15:30:00Z"));
    steps(&mut executor).await;
    world.venue.resume();
    settle(&mut executor).await;
    assert_eq!(
        arrived(&world),
        [first, later[0], timed, later[1], later[2]],
        "one was out already"
    );
    assert_eq!(world.row(tomorrow).await, "queued/0/none");
    world.clock.set(at("2026-11-24T14:30:00Z"));
    settle(&mut executor).await;
    assert_eq!(arrived(&world).last(), Some(&tomorrow));
}

#[tokio::test]
async fn an_order_for_a_time_outside_the_session_goes_at_the_next_open_if_it_lives_on() {
    let (world, mut executor) = overnight().await;
    let gtc = |time: &str| {
        let submit_at = Some(at(time));
        move |order: OrderAccepted| OrderAccepted {
            time_in_force: "gtc".to_owned(),
            submit_at,
            ..order
        }
    };
    let before = world.place_with(gtc("2026-11-23T09:00:00Z")).await;
    let after = world.place_with(gtc("2026-11-23T22:00:00Z")).await;
    let day = world.place_at("2026-11-23T22:00:00Z").await;
    world.clock.set(at(BELL));
    settle(&mut executor).await;
    assert_eq!(arrived(&world), [before]);
    world.clock.set(at("2026-11-23T21:00:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.told(day).await, "expired 0@never_sent");
    world.clock.set(at("2026-11-24T14:29:59Z"));
    settle(&mut executor).await;
    assert_eq!(arrived(&world), [before]);
    world.clock.set(at("2026-11-24T14:30:00Z"));
    settle(&mut executor).await;
    assert_eq!(arrived(&world), [before, after]);
}

/// TIF-5: its own end comes before it could be sent.
#[tokio::test]
async fn an_order_that_expires_before_it_is_sent_is_never_sent() {
    let (world, mut executor) = overnight().await;
    let expiring = |time: &str| {
        let expires_at = Some(at(time));
        move |order: OrderAccepted| OrderAccepted { expires_at, ..order }
    };
    let night = world.place_with(expiring("2026-11-23T03:00:00Z")).await;
    let noon = world.place_with(expiring("2026-11-23T17:00:00Z")).await;
    settle(&mut executor).await;
    world.clock.set(at("2026-11-23T03:00:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.told(night).await, "expired 0@never_sent");
    world
        .venue
        .script(CallKind::Submit, [Act::Throttle(Duration::from_secs(30))]);
    world.clock.set(at("2026-11-23T16:59:50Z"));
    settle(&mut executor).await;
    assert_eq!(world.row(noon).await, "queued/0/none", "the venue asked for a pause");
    world.clock.set(at("2026-11-23T17:00:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.told(noon).await, "expired 0@never_sent");
    assert_eq!((arrived(&world), world.open_rows().await), (vec![noon], 0));
}

/// What may have arrived does not simply expire: its key is burnt.
#[tokio::test]
async fn an_order_in_doubt_when_it_expires_is_ended_by_its_key() {
    let world = World::new().await;
    let mut executor = world.executor();
    world.venue.script(CallKind::Submit, [Act::LoseRequest]);
    let expires_at = Some(at("2026-11-23T15:00:01Z"));
    let order = world.place_with(|order| OrderAccepted { expires_at, ..order }).await;
    settle_for(&world, &mut executor, 8).await;
    assert_eq!(
        world.told(order).await,
        "in_doubt@submit, acknowledged@saga, canceled 0@saga"
    );
    assert_eq!(
        world.reason(order).await.as_deref(),
        Some("it expired before the exchange had it")
    );
}

/// TIF-7: what still waits is rejected; what was sent is at the venue, which decides.
#[tokio::test]
async fn an_order_that_may_not_go_is_rejected_only_while_it_waits() {
    let (world, mut executor) = overnight().await;
    let queued = world.place("AAPL").await;
    settle(&mut executor).await;
    world.reject(queued, "AAPL", "halted").await;
    settle(&mut executor).await;
    assert_eq!(world.told(queued).await, "rejected 0@never_sent");
    assert_eq!(world.reason(queued).await.as_deref(), Some("halted"));
    assert_eq!(
        (world.row(queued).await.as_str(), world.open_rows().await),
        ("withdrawn/0/none", 0)
    );
    let sent = world.place("AAPL").await;
    world.clock.set(at(BELL));
    settle(&mut executor).await;
    for order in [queued, sent] {
        world.reject(order, "AAPL", "halted").await;
    }
    settle(&mut executor).await;
    assert_eq!(world.told(queued).await, "rejected 0@never_sent", "told once");
    assert_eq!(world.told(sent).await, "acknowledged@submit");
    assert_eq!(world.row(sent).await, "working/1/none");
    assert_eq!(arrived(&world), [sent]);
}

#[tokio::test]
async fn a_rejection_of_an_order_never_heard_of_is_remembered() {
    let world = World::new().await;
    let mut executor = world.executor();
    let accepted = world.order("AAPL");
    let order = OrderId::new(accepted.order_id);
    world.reject(order, "AAPL", "halted").await;
    world.put(&[accepted]).await;
    settle(&mut executor).await;
    assert_eq!(world.told(order).await, "rejected 0@never_sent");
    assert_eq!(world.venue.calls(), []);
}

/// EOD-4: an order belongs to the session it was accepted for.
#[tokio::test]
async fn the_close_takes_out_its_own_session_only() {
    let mut world = World::new().await;
    world.config.symbol_window = 1;
    let mut executor = world.executor();
    world.venue.pause();
    world.place("AAPL").await;
    let (today, tomorrow) = (world.place("AAPL").await, world.place_for("2026-11-24").await);
    steps(&mut executor).await;
    world.clock.set(at("2026-11-23T21:00:00Z"));
    world.venue.resume();
    settle(&mut executor).await;
    assert_eq!(world.told(today).await, "expired 0@never_sent");
    assert_eq!(world.told(tomorrow).await, "");
    world.clock.set(at("2026-11-24T14:30:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.row(tomorrow).await, "working/1/none");
}

/// CAL-5: by New York's clock, on the days around both changes of it; CAL-2: half days close early.
#[tokio::test]
async fn sessions_open_and_close_by_new_yorks_clock() {
    let sessions = [
        ("2026-03-06", "2026-03-06T14:30:00Z", "2026-03-06T21:00:00Z"),
        ("2026-03-09", "2026-03-09T13:30:00Z", "2026-03-09T20:00:00Z"),
        ("2026-10-30", "2026-10-30T13:30:00Z", "2026-10-30T20:00:00Z"),
        ("2026-11-02", "2026-11-02T14:30:00Z", "2026-11-02T21:00:00Z"),
        ("2026-11-27", "2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z"),
    ];
    let world = World::new().await;
    let mut executor = world.executor();
    for (date, open, close) in sessions {
        world.clock.set(at(open) - TimeDelta::hours(10));
        let order = world.place_for(date).await;
        let late = world
            .place_with(|order| OrderAccepted {
                session_date: date.parse().unwrap(),
                submit_at: Some(at(close)),
                ..order
            })
            .await;
        settle(&mut executor).await;
        world.clock.set(at(open) - TimeDelta::milliseconds(5));
        settle(&mut executor).await;
        assert_eq!(world.row(order).await, "queued/0/none", "{date}");
        world.clock.set(at(open));
        settle(&mut executor).await;
        assert_eq!(world.row(order).await, "working/1/none", "{date}");
        world.clock.set(at(close) - TimeDelta::milliseconds(5));
        settle(&mut executor).await;
        assert_eq!(world.told(late).await, "", "{date}");
        world.clock.set(at(close));
        settle(&mut executor).await;
        assert_eq!(world.told(late).await, "expired 0@never_sent", "{date}");
    }
}

/// api::deferred_release: killed after every few intents of a release, again and again; the next owner finds by scan
/// what is due, and each order is sent once.
#[tokio::test]
async fn a_release_that_is_killed_again_and_again_sends_each_order_once() {
    let (mut world, first) = overnight().await;
    drop(first);
    (world.config.symbol_window, world.config.load_page) = (2, 7);
    let mut executor = world.executor();
    let orders = world.place_many(&SYMBOLS.repeat(6)).await;
    settle(&mut executor).await;
    world.clock.set(at(BELL));
    for round in 0..6 {
        if round % 2 == 0 {
            world.venue.pause();
            steps(&mut executor).await;
            drop(executor);
            world.venue.resume();
        } else {
            calls_answered(&mut executor, 1).await;
            drop(executor);
        }
        world.leases_run_out().await;
        executor = world.executor();
    }
    settle_for(&world, &mut executor, 8).await;
    for order in orders {
        assert_eq!(world.venue.taken(order), 1);
        assert_eq!(world.told(order).await.matches("acknowledged").count(), 1);
    }
    assert_eq!(world.open_rows().await, 0);
}

/// A restart in the night: no timer is lost, because there is none.
#[tokio::test]
async fn what_waited_when_its_owner_died_goes_in_its_time() {
    let (world, mut first) = overnight().await;
    let timed = world.place_at("2026-11-23T15:30:00Z").await;
    let bell = world.place("AAPL").await;
    settle(&mut first).await;
    drop(first);
    world.leases_run_out().await;
    world.clock.set(at("2026-11-23T14:45:00Z"));
    let mut second = world.executor();
    settle(&mut second).await;
    assert_eq!(arrived(&world), [bell]);
    drop(second);
    world.leases_run_out().await;
    world.clock.set(at("2026-11-23T15:30:00Z"));
    let mut third = world.executor();
    settle(&mut third).await;
    assert_eq!(arrived(&world), [bell, timed]);
}
