//! The fake keeps the contract, and its script does what it says.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::contract::{self, Terms, key};
use crate::{UpdateKind, VenueStatus};
use chassis::clock::ManualClock;
use chassis::ids::SeededIds;
use domain::{Side, TimeInForce};
use rust_decimal::dec;

fn symbol() -> Symbol {
    Symbol::parse("AAPL").expect("a symbol")
}

fn venue() -> FakeVenue {
    FakeVenue::new(clock(), &[symbol(), whole()])
}

/// Of which no parts are traded, where a test says so.
fn whole() -> Symbol {
    Symbol::parse("BRK.B").expect("a symbol")
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
    venue.whole_shares_only(&whole());
    let terms = Terms {
        symbol: symbol(),
        whole_only: whole(),
        today: clock().now().date_naive(),
        resting: price(dec!(50)),
        marketable: price(dec!(120)),
    };
    let ids = SeededIds::new(1, clock());
    contract::all(&venue, &ids, &terms).await;
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

fn change(qty: &str) -> VenueOrder {
    VenueOrder {
        qty: Qty::parse(qty).unwrap(),
        ..order()
    }
}

async fn pending(venue: &FakeVenue) -> VenueOrderId {
    venue.submit(key(1), &order()).await;
    let old = venue.shown(key(1)).unwrap().venue_order_id;
    venue.script(CallKind::Replace, [Act::Pend]);
    let answer = venue.replace(key(2), &old, &change("5")).await;
    assert!(matches!(answer, Replacing::Replaced(view) if view.status == VenueStatus::PendingReplace));
    assert_eq!(venue.shown(key(1)).unwrap().status, VenueStatus::PendingReplace);
    old
}

fn statuses(venue: &FakeVenue) -> [VenueStatus; 2] {
    [1, 2].map(|n| venue.shown(key(n)).unwrap().status)
}

/// ORD-8: until the venue decides, fills are the old order's; the replacement works what is left of its total.
#[tokio::test]
async fn a_pending_replacement_works_its_total_less_what_traded_before() {
    let venue = venue();
    pending(&venue).await;
    venue.fill(key(1), Qty::parse("1").unwrap(), price(dec!(50)));
    venue.decide_replace(key(2));
    assert_eq!(
        statuses(&venue),
        [VenueStatus::Ended(EndKind::Replaced), VenueStatus::Working]
    );
    venue.fill(key(2), Qty::parse("4").unwrap(), price(dec!(50)));
    assert_eq!(statuses(&venue)[1], VenueStatus::Filled);
}

/// ORD-8: the old order filled first, so the replacement is rejected and the stream says so.
#[tokio::test]
async fn a_replacement_whose_old_order_filled_first_is_rejected() {
    let venue = venue();
    pending(&venue).await;
    venue.fill(key(1), Qty::parse("2").unwrap(), price(dec!(50)));
    let mut updates = venue.updates(None).await.unwrap();
    venue.decide_replace(key(2));
    assert_eq!(
        statuses(&venue),
        [VenueStatus::Filled, VenueStatus::Ended(EndKind::Rejected)]
    );
    let told = updates.next().await.unwrap().unwrap();
    assert_eq!(
        (told.order.key, told.kind),
        (Some(key(2)), UpdateKind::Ended(EndKind::Rejected))
    );
    assert!(told.reason.is_some());
}

#[tokio::test]
async fn an_order_goes_on_when_its_pending_replacement_is_refused_or_canceled() {
    let venue = venue();
    pending(&venue).await;
    let mut updates = venue.updates(None).await.unwrap();
    venue.refuse_replace(key(2), "no");
    for (number, kind) in [
        (1, UpdateKind::ReplaceRefused),
        (2, UpdateKind::Ended(EndKind::Rejected)),
    ] {
        let told = updates.next().await.unwrap().unwrap();
        assert_eq!(
            (told.order.key, told.kind, told.reason.as_deref()),
            (Some(key(number)), kind, Some("no"))
        );
    }
    assert_eq!(
        statuses(&venue),
        [VenueStatus::Working, VenueStatus::Ended(EndKind::Rejected)]
    );
    let venue = self::venue();
    pending(&venue).await;
    let new = venue.shown(key(2)).unwrap().venue_order_id;
    assert_eq!(venue.cancel(&new).await, Canceling::Taken);
    assert_eq!(
        statuses(&venue),
        [VenueStatus::Working, VenueStatus::Ended(EndKind::Canceled)]
    );
}

/// Rule 4: whoever used the key first has it, whether it was a replacement that came late or what burnt it.
#[tokio::test]
async fn a_late_replacement_meets_the_order_that_burnt_its_key() {
    let venue = venue();
    venue.submit(key(1), &order()).await;
    let old = venue.shown(key(1)).unwrap().venue_order_id;
    venue.script(CallKind::Replace, [Act::Late]);
    let answer = venue.replace(key(2), &old, &change("5")).await;
    assert_eq!(answer, Replacing::Unknown(Fault::Timeout));
    venue.submit(key(2), &change("5")).await;
    assert_eq!(venue.deliver_late(), 0);
    assert_eq!(statuses(&venue), [VenueStatus::Working; 2]);
    assert_eq!(venue.taken(key(2)), 1);
}
