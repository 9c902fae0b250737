//! CAL-4: an operator changes the calendar while orders wait. They are asked again by the new one.

use chassis::clock::Clock;
use domain::calendar::Exception;
use domain::{OrderId, Timestamp};
use executor::Executor;
use sessions::ExceptionRow;
use venue::fake::FakeVenue;
use wire::events::v1::OrderAccepted;

use crate::world::{World, settle};

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

impl World {
    /// What an operator enters for the 23rd, and the executor's process hears within a second.
    async fn change_the_day(&self, exception: Option<Exception>) {
        let day = "2026-11-23".parse().unwrap();
        let mut conn = self.db.pool.acquire().await.unwrap();
        match exception {
            None => sessions::remove(&mut conn, day).await.unwrap(),
            Some(exception) => {
                let row = ExceptionRow {
                    day,
                    exception,
                    reason: "a storm".to_owned(),
                    added_by: "test".to_owned(),
                    added_at: self.clock.now(),
                };
                sessions::put(&mut conn, &row).await.unwrap();
            }
        }
        assert!(self.sessions.refresh(&mut conn).await.unwrap());
    }
}

/// A `day` and a `gtc` order of the night before, not looked at yet.
async fn overnight() -> (World, Executor<FakeVenue>, [OrderId; 2]) {
    let (world, executor) = World::started().await;
    world.clock.set(at("2026-11-23T02:00:00Z"));
    let day = world.place("AAPL").await;
    let gtc = |order| OrderAccepted {
        time_in_force: "gtc".to_owned(),
        ..order
    };
    let gtc = world.place_with(gtc).await;
    (world, executor, [day, gtc])
}

#[tokio::test]
async fn orders_of_a_session_that_is_taken_away_are_never_sent_and_end_at_its_usual_close() {
    let (world, mut executor, [day, gtc]) = overnight().await;
    settle(&mut executor).await;
    world.change_the_day(Some(Exception::Closed)).await;
    for time in ["2026-11-23T14:30:00Z", "2026-11-23T20:59:59Z"] {
        world.clock.set(at(time));
        settle(&mut executor).await;
        assert_eq!(world.row(day).await, "queued/0/none", "{time}");
    }
    world.clock.set(at("2026-11-23T21:00:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.told(day).await, "expired 0@never_sent");
    assert_eq!(world.venue.calls(), []);
    world.clock.set(at("2026-11-24T14:30:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.row(gtc).await, "working/1/none", "it has further sessions");
}

#[tokio::test]
async fn orders_go_at_the_bell_when_the_session_was_given_back() {
    let (world, mut executor, [day, gtc]) = overnight().await;
    world.change_the_day(Some(Exception::Closed)).await;
    settle(&mut executor).await;
    world.change_the_day(None).await;
    settle(&mut executor).await;
    world.clock.set(at("2026-11-23T14:30:00Z"));
    settle(&mut executor).await;
    for order in [day, gtc] {
        assert_eq!(world.row(order).await, "working/1/none");
    }
}

#[tokio::test]
async fn an_order_that_waits_for_its_time_ends_with_a_session_that_closes_early() {
    let (world, mut executor) = World::started().await;
    let timed = |time: &str| {
        let submit_at = Some(at(time));
        move |order: OrderAccepted| OrderAccepted { submit_at, ..order }
    };
    let before = world.place_with(timed("2026-11-23T17:30:00Z")).await;
    let after = world.place_with(timed("2026-11-23T19:00:00Z")).await;
    settle(&mut executor).await;
    let one_o_clock = "13:00:00".parse().unwrap();
    world.change_the_day(Some(Exception::ClosesAt(one_o_clock))).await;
    world.clock.set(at("2026-11-23T17:59:59Z"));
    settle(&mut executor).await;
    assert_eq!(world.row(before).await, "working/1/none");
    assert_eq!(world.row(after).await, "queued/0/none");
    world.clock.set(at("2026-11-23T18:00:00Z"));
    settle(&mut executor).await;
    assert_eq!(world.told(after).await, "expired 0@never_sent");
}
