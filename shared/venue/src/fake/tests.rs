//! The fake keeps the contract, and its script does what it says.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::contract::{self, Terms, key};
use chassis::clock::ManualClock;
use chassis::ids::SeededIds;
use domain::{Side, TimeInForce};
use rust_decimal::dec;

fn symbol() -> Symbol {
    Symbol::parse("AAPL").expect("a symbol")
}

fn venue() -> FakeVenue {
    FakeVenue::new(clock(), &[symbol()])
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::new("2026-11-23T15:00:00Z".parse().expect("a time")))
}

fn price(value: rust_decimal::Decimal) -> Price {
    Price::new(value).expect("a price")
}

fn order() -> VenueOrder {
    VenueOrder {
        symbol: symbol(),
        side: Side::Buy,
        qty: Qty::new(dec!(2)).expect("shares"),
        limit_price: price(dec!(50)),
        time_in_force: TimeInForce::Day,
    }
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    let venue = venue();
    venue.trade_at_quote();
    let terms = Terms {
        symbol: symbol(),
        resting: price(dec!(50)),
        marketable: price(dec!(120)),
    };
    contract::all(&venue, &SeededIds::new(1, clock()), &terms).await;
}

#[tokio::test]
async fn a_late_request_arrives_when_told_and_meets_its_twin() {
    let venue = venue();
    venue.script(CallKind::Submit, [Act::Late, Act::Late]);
    assert_eq!(venue.submit(key(1), &order()).await, Submitted::Unknown(Fault::Timeout));
    assert_eq!(venue.submit(key(2), &order()).await, Submitted::Unknown(Fault::Timeout));
    assert_eq!(venue.lookup(key(1)).await, Lookup::NotFound);
    assert!(matches!(
        venue.submit(key(1), &order()).await,
        Submitted::Acknowledged(_)
    ));
    assert_eq!(venue.deliver_late(), 1, "only the second one is new");
    assert_eq!((venue.taken(key(1)), venue.taken(key(2))), (1, 1));
}

#[tokio::test]
async fn a_lost_answer_leaves_an_order_and_a_lost_request_does_not() {
    let venue = venue();
    venue.script(CallKind::Submit, [Act::LoseAnswer, Act::LoseRequest]);
    let first = venue.submit(key(1), &order()).await;
    let second = venue.submit(key(2), &order()).await;
    assert_eq!(first, second, "the caller cannot tell them apart");
    assert_eq!((venue.taken(key(1)), venue.taken(key(2))), (1, 0));
}

#[tokio::test]
async fn a_call_given_up_while_the_venue_is_paused_was_never_made() {
    let venue = venue();
    venue.pause();
    let order = order();
    let call = venue.submit(key(1), &order);
    assert!(futures::FutureExt::now_or_never(call).is_none());
    venue.resume();
    assert_eq!((venue.taken(key(1)), venue.calls().len()), (0, 0));
}

#[tokio::test]
async fn the_trade_file_has_what_stands_and_the_record_what_was_taken_back() {
    let venue = venue();
    venue.submit(key(1), &order()).await;
    let shares = |n: &str| Qty::parse(n).unwrap();
    venue.fill(key(1), shares("1"), price(dec!(99)));
    venue.fill(key(1), shares("1"), price(dec!(98)));
    let stranger = venue.trade_for_stranger("by hand", &symbol(), Side::Buy, shares("5"), price(dec!(50)));
    let date = domain::calendar::to_new_york(clock().now()).date_naive();
    let ids = venue.executions();
    venue.bust(&ids[0]);
    let file = crate::trade_file::read(&venue.trade_file(date).await.unwrap(), date).unwrap();
    let told: Vec<_> = file.lines.iter().map(|line| (&line.exec_id, line.key())).collect();
    assert_eq!(told, [(&ids[1], Some(key(1))), (&stranger, None)]);
    let busted = venue.execution(&ids[0]).await.unwrap().unwrap();
    assert!(busted.busted_at.is_some());
    venue.forget_execution(&ids[1]);
    assert_eq!(venue.execution(&ids[1]).await, Ok(None));
    assert_eq!(venue.asked_for(&ids[1]), 1);
}

#[tokio::test]
async fn the_fakes_trade_file_agrees_with_its_record() {
    let venue = venue();
    venue.trade_at_quote();
    let order = VenueOrder {
        limit_price: price(dec!(120)),
        ..order()
    };
    venue.submit(key(1), &order).await;
    let date = domain::calendar::to_new_york(clock().now()).date_naive();
    contract::a_session_has_a_trade_file(&venue, date).await;
}
