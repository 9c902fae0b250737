//! Ends that nobody told: our open orders against those that the venue lists.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::order::EndKind;
use domain::{OrderId, Price, Qty, Side, Symbol, TimeInForce};
use scheduler::Config;
use testkit::TestDb;
use uuid::Uuid;
use venue::fake::FakeVenue;
use venue::{Venue, VenueOrder};

use crate::deps;
use crate::sweep::{asked, file, one_round, open_order, pass, sweep};

/// A good-till-canceled order that the venue acknowledged, last changed `age` ago.
async fn working(db: &TestDb, venue: &FakeVenue, n: u128, age: &str) -> Uuid {
    let order = open_order(&db.pool, n, age, "status = 'new', acknowledged_at = daybook_now()").await;
    file(&db.pool, order).await;
    let terms = VenueOrder {
        symbol: Symbol::parse("AAPL").unwrap(),
        side: Side::Buy,
        qty: Qty::parse("10").unwrap(),
        limit_price: Price::parse("5.00").unwrap(),
        time_in_force: TimeInForce::Gtc,
    };
    venue.submit(OrderId::new(order), &terms).await;
    order
}

#[tokio::test]
async fn saga_12_an_order_that_ended_unheard_is_asked_about_and_one_that_is_listed_is_not() {
    let (db, deps) = deps().await;
    let venue = deps.venue.clone().unwrap();
    let ended = working(&db, &venue, 7, "1 hour").await;
    working(&db, &venue, 8, "1 hour").await;
    let young = working(&db, &venue, 9, "5 seconds").await;
    for order in [ended, young] {
        venue.end(OrderId::new(order), EndKind::Canceled);
    }
    one_round(&mut sweep(Config::default(), &deps)).await;
    assert_eq!(
        asked(&db.pool).await,
        [("look_up_requested.v1".to_owned(), ended)],
        "the young one may have ended a moment ago, and its report be on its way"
    );
    let status: Vec<String> = sqlx::query_scalar("select status from orders")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    assert_eq!(status, ["new"; 3], "a sweep moves no order");
}

#[tokio::test]
async fn the_venue_is_asked_for_its_list_at_the_start_and_then_now_and_then() {
    let (db, deps) = deps().await;
    let venue = deps.venue.clone().unwrap();
    let order = working(&db, &venue, 7, "1 hour").await;
    let mut sweep = sweep(Config::default(), &deps);
    one_round(&mut sweep).await;
    venue.end(OrderId::new(order), EndKind::Expired);
    pass(&db.pool, "50 s").await;
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await, [], "the first list is still the last one");
    pass(&db.pool, "11 s").await;
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await, [("look_up_requested.v1".to_owned(), order)]);
}

#[tokio::test]
async fn a_venue_that_does_not_answer_has_nothing_asked_and_stops_no_sweep() {
    let (db, deps) = deps().await;
    let venue = deps.venue.clone().unwrap();
    let ended = working(&db, &venue, 7, "1 hour").await;
    venue.end(OrderId::new(ended), EndKind::Canceled);
    let lost = open_order(&db.pool, 8, "1 minute", "").await;
    venue.pause();
    let mut sweep = sweep(Config::default(), &deps);
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await, [("order_accepted.v1".to_owned(), lost)]);
    venue.resume();
    one_round(&mut sweep).await;
    assert_eq!(
        asked(&db.pool).await.last(),
        Some(&("look_up_requested.v1".to_owned(), ended)),
        "a late answer is taken by a later run"
    );
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_given_up_and_none_is_missed_in_it() {
    let (db, deps) = deps().await;
    let venue = deps.venue.clone().unwrap();
    let ended = working(&db, &venue, 7, "1 hour").await;
    venue.end(OrderId::new(ended), EndKind::Canceled);
    venue.pause();
    let impatient = Config {
        listing_within: std::time::Duration::from_millis(10),
        ..Config::default()
    };
    let mut sweep = sweep(impatient, &deps);
    one_round(&mut sweep).await;
    venue.resume();
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await, [], "not before it is asked for again");
    pass(&db.pool, "61 s").await;
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await, [("look_up_requested.v1".to_owned(), ended)]);
}
