//! The intake: stream and record of a fake exchange, onto the bus.

use crate::world::{World, asked, settle};
use domain::order::EndKind;
use domain::{AccountId, OrderId, Price, Qty};
use status_updater::Intake;
use std::time::Duration;
use uuid::Uuid;
use venue::Venue;
use venue::fake::FakeVenue;

struct Exchange {
    world: World,
    intake: Intake<FakeVenue>,
    account: AccountId,
}

impl Exchange {
    async fn new() -> Self {
        let world = World::new().await;
        let account = world.account(100_000, 100).await;
        let mut intake = world.intake();
        settle(&mut intake).await;
        Self { world, intake, account }
    }

    /// An order that the venue has.
    async fn working(&self, text: &str) -> OrderId {
        let order = self.world.place(self.account, text).await;
        self.world.venue.submit(order, &asked(text)).await;
        order
    }

    fn fill(&self, order: OrderId, qty: &str, price: &str) {
        self.world
            .venue
            .fill(order, Qty::parse(qty).unwrap(), Price::parse(price).unwrap());
    }

    async fn settle(&mut self) {
        settle(&mut self.intake).await;
        self.world.settle().await;
    }

    async fn reports(&self) -> i64 {
        self.world.count("outbox where topic = 'venue-reports'").await
    }
}

#[tokio::test]
async fn what_the_stream_tells_is_applied() {
    let mut exchange = Exchange::new().await;
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    exchange.fill(order, "4", "99.90");
    exchange.world.venue.end(order, EndKind::Canceled);
    exchange.settle().await;
    assert_eq!(
        exchange.world.summary(order).await,
        "canceled, filled 4, held 0.00, cash 99600.40"
    );
    assert_eq!(
        exchange.reports().await,
        2,
        "the acknowledgement is the executor's to report"
    );
    exchange.world.prove().await;
}

#[tokio::test]
async fn stream_reconnected_after_a_restart_it_resumes_where_it_was() {
    let mut exchange = Exchange::new().await;
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    exchange.fill(order, "4", "100.00");
    exchange.settle().await;
    // Another process takes over; the exchange trades meanwhile.
    exchange.world.bus.release().await.unwrap();
    exchange.fill(order, "5", "100.00");
    exchange.world.venue.end(order, EndKind::Expired);
    exchange.intake = exchange.world.intake();
    exchange.settle().await;
    assert_eq!(
        exchange.world.summary(order).await,
        "expired, filled 9, held 0.00, cash 99100.00"
    );
    assert_eq!(exchange.reports().await, 3, "none of them twice");
    exchange.world.prove().await;
}

/// Fills are in the venue's record as well; that an order is over, only the stream says.
#[tokio::test]
async fn stream_reconnected_an_end_is_not_missed_though_nothing_was_reported_before_it() {
    let mut exchange = Exchange::new().await;
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    exchange.settle().await;
    assert_eq!(
        exchange.reports().await,
        0,
        "the stream has told of the acknowledgement only"
    );
    exchange.world.bus.release().await.unwrap();
    exchange.world.venue.end(order, EndKind::Expired);
    exchange.intake = exchange.world.intake();
    exchange.settle().await;
    assert_eq!(
        exchange.world.summary(order).await,
        "expired, filled 0, held 0.00, cash 100000.00"
    );
    exchange.world.prove().await;
}

#[tokio::test]
async fn poll_none_pushed_the_record_brings_each_execution_within_its_interval() {
    let mut exchange = Exchange::new().await;
    // Traded before the stream was there, so that it never tells of it.
    exchange.world.bus.release().await.unwrap();
    sqlx::query("delete from venue_cursors")
        .execute(&exchange.world.db.pool)
        .await
        .unwrap();
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    exchange.fill(order, "4", "100.00");
    exchange.intake = exchange.world.intake();
    exchange.settle().await;
    assert_eq!(
        exchange.world.summary(order).await,
        "partially_filled, filled 4, held 600.00, cash 99600.00"
    );
    exchange.world.prove().await;
}

#[tokio::test]
async fn updater_three_ways_the_record_repeats_nothing_that_the_stream_brought() {
    let mut exchange = Exchange::new().await;
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    for _ in 0..3 {
        exchange.fill(order, "2", "100.00");
        exchange.settle().await;
        exchange.world.advance(10);
        exchange.settle().await;
    }
    assert_eq!(exchange.reports().await, 3);
    let cursor: Option<String> = sqlx::query_scalar("select activity_id from venue_cursors")
        .fetch_one(&exchange.world.db.pool)
        .await
        .unwrap();
    assert!(cursor.is_some(), "the record was read behind the stream");
    // A newcomer without memory finds them booked.
    exchange.world.bus.release().await.unwrap();
    exchange.intake = exchange.world.intake();
    exchange.world.advance(10);
    exchange.settle().await;
    assert_eq!(exchange.reports().await, 3);
    exchange.world.prove().await;
}

#[tokio::test]
async fn updater_unknown_order_an_execution_under_a_key_of_nobody_is_set_aside_once() {
    let mut exchange = Exchange::new().await;
    let stranger = OrderId::new(Uuid::from_u128(77));
    exchange
        .world
        .venue
        .submit(stranger, &asked("sell 5 ABC @ 50.00"))
        .await;
    exchange.fill(stranger, "5", "50.00");
    exchange.settle().await;
    exchange.world.advance(10);
    exchange.settle().await;
    exchange.intake = exchange.world.intake();
    exchange.world.bus.release().await.unwrap();
    exchange.settle().await;
    assert_eq!(
        (
            exchange.world.count("venue_reports_set_aside").await,
            exchange.reports().await
        ),
        (1, 1)
    );
    let suspense: rust_decimal::Decimal =
        sqlx::query_scalar("select sum(amount) from ledger_entries where book = 'firm.suspense' and asset = 'ABC'")
            .fetch_one(&exchange.world.db.pool)
            .await
            .unwrap();
    assert_eq!(suspense, (-5).into(), "LED-20, for a sale");
    exchange.world.prove().await;
}

#[tokio::test]
async fn of_two_intakes_one_owns_the_venue() {
    let exchange = Exchange::new().await;
    let mut other = exchange.world.intake();
    let order = exchange.working("buy 10 XYZ @ 100.00").await;
    exchange.fill(order, "4", "100.00");
    settle(&mut other).await;
    assert_eq!(exchange.reports().await, 0, "V10: the lease is the first one's");
}

#[tokio::test]
async fn the_running_service_is_woken_by_the_stream() {
    let world = World::new().await;
    let account = world.account(100_000, 0).await;
    let (deps, venue) = (world.deps(), world.venue.clone());
    let shutdown = chassis::shutdown::Shutdown::new();
    shutdown.spawn(
        "status-updater",
        status_updater::run(status_updater::Config::default(), deps, shutdown.clone()),
    );
    let order = world.place(account, "buy 10 XYZ @ 100.00").await;
    venue.submit(order, &asked("buy 10 XYZ @ 100.00")).await;
    venue.fill(order, Qty::parse("10").unwrap(), Price::parse("100.00").unwrap());
    let world = &world;
    testkit::wait_until("the order is filled", Duration::from_secs(60), async || {
        world.order(order).await.state.status == domain::OrderStatus::Filled
    })
    .await;
    shutdown.drain(Duration::from_secs(60)).await.unwrap();
    world.prove().await;
}
