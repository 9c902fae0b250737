//! The intake at a venue that does not say, or not in time, which order an execution belongs to.

use crate::shy::{Instead, Shy};
use crate::world::{World, asked, settle};
use chassis::step::Step;
use domain::{OrderId, Price, Qty};
use status_updater::{Deps, Intake, IntakeSettings};
use std::time::Duration;
use venue::Venue;

/// Far above what a step may take, far below what a test may.
const LONG: Duration = Duration::from_secs(60);

struct Exchange {
    world: World,
    venue: Shy,
    intake: Intake<Shy>,
    /// Filled before the stream was there, so that only the record tells of it.
    first: OrderId,
    second: OrderId,
}

impl Exchange {
    async fn new() -> Self {
        let world = World::new().await;
        let account = world.account(100_000, 0).await;
        let venue = Shy::new(world.venue.clone());
        let deps = world.deps();
        let shy = Deps {
            pool: deps.pool,
            bus: deps.bus,
            venue: venue.clone().into(),
            clock: deps.clock,
            ids: deps.ids,
            sessions: deps.sessions,
        };
        let settings = IntakeSettings {
            venue_within: Duration::from_millis(200),
            ..IntakeSettings::default()
        };
        let intake = shy.intake(settings, None);
        let terms = "buy 10 XYZ @ 100.00";
        let (first, second) = (world.place(account, terms).await, world.place(account, terms).await);
        for order in [first, second] {
            world.venue.submit(order, &asked(terms)).await;
            let (qty, price) = (Qty::parse("4").unwrap(), Price::parse("100.00").unwrap());
            world.venue.fill(order, qty, price);
        }
        world.advance(10);
        Self {
            world,
            venue,
            intake,
            first,
            second,
        }
    }

    async fn settle(&mut self) {
        settle(&mut self.intake).await;
        self.world.settle().await;
    }

    async fn later(&mut self, seconds: u64) {
        self.world.advance(seconds);
        self.settle().await;
    }

    async fn filled(&self, order: OrderId) -> String {
        self.world.order(order).await.state.filled.to_string()
    }

    async fn set_aside(&self) -> i64 {
        self.world.count("venue_reports_set_aside").await
    }
}

#[tokio::test]
async fn saga_15_one_word_that_an_order_is_not_there_makes_no_customers_fill_a_strangers() {
    let mut exchange = Exchange::new().await;
    exchange.venue.be_shy_of(exchange.first, Instead::DenyIt);
    exchange.settle().await;
    exchange.later(30).await;
    exchange.later(29).await;
    assert_eq!(exchange.set_aside().await, 0, "it may turn up");
    assert_eq!(exchange.filled(exchange.second).await, "4", "others do not wait for it");
    exchange.venue.get_over_it();
    exchange.later(10).await;
    assert_eq!(exchange.filled(exchange.first).await, "4", "the cursor waited for it");
    assert_eq!(exchange.set_aside().await, 0);
    exchange.world.prove().await;
}

#[tokio::test]
async fn saga_15_an_order_that_the_venue_never_knew_is_a_strangers_after_a_minute_and_the_record_goes_on() {
    let mut exchange = Exchange::new().await;
    exchange.venue.be_shy_of(exchange.first, Instead::DenyIt);
    exchange.settle().await;
    exchange.later(61).await;
    assert_eq!(exchange.set_aside().await, 1);
    let cursor: Option<String> = sqlx::query_scalar("select activity_id from venue_cursors")
        .fetch_one(&exchange.world.db.pool)
        .await
        .unwrap();
    assert_eq!(cursor.as_deref(), Some("000000002"));
    exchange.world.prove().await;
}

#[tokio::test]
async fn a_look_up_that_is_never_answered_holds_up_neither_the_step_nor_other_fills() {
    let mut exchange = Exchange::new().await;
    exchange.venue.be_shy_of(exchange.first, Instead::NeverAnswer);
    tokio::time::timeout(LONG, exchange.settle()).await.unwrap();
    assert_eq!(exchange.filled(exchange.second).await, "4", "what was answered is kept");
    exchange.venue.get_over_it();
    exchange.later(10).await;
    assert_eq!(exchange.filled(exchange.first).await, "4");
    exchange.world.prove().await;
}

#[tokio::test]
async fn a_venue_that_never_answers_does_not_keep_the_intake_beyond_its_lease() {
    let mut exchange = Exchange::new().await;
    exchange.world.venue.pause();
    tokio::time::timeout(LONG, exchange.intake.step())
        .await
        .unwrap()
        .unwrap();
    exchange.world.venue.resume();
    exchange.later(10).await;
    assert_eq!(exchange.filled(exchange.first).await, "4");
    exchange.world.prove().await;
}
