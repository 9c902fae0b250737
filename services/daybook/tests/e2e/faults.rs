//! The exchange misbehaves, one way at a time. Afterwards, at rest: our fills are the exchange's, the audit passes.

use reqwest::Method;
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::harness::customer::number;
use crate::house::House;

/// Six orders through an exchange that follows this rule: all of them fill, once.
async fn six_orders_fill_in_spite_of(rule: Value) {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    house.market.misbehave(rule).await;
    let mut orders = vec![];
    for _ in 0..6 {
        orders.push(ada.buy(2, "AAPL", "101.00").await);
    }
    for order in orders {
        ada.wait_for(order, "filled").await;
    }
    assert!(house.market.strikes().await > 0, "the rule never struck");
    house.at_rest().await;
    assert_eq!(ada.account_field("cash").await, dec!(8800));
    assert_eq!(ada.spendable().await, dec!(8800));
}

macro_rules! misbehaviours {
    ($(fn $name:ident() = $rule:tt)*) => {
        $(#[tokio::test] async fn $name() { six_orders_fill_in_spite_of(json!($rule)).await; })*
    };
}

misbehaviours! {
    fn an_answer_lost_after_accepting_is_asked_for() = {"kind": "answer_lost_after_accepting", "next": 2}
    fn a_request_lost_before_accepting_is_sent_again() = {"kind": "lost_before_accepting", "next": 2}
    fn a_500_that_changed_nothing_is_asked_about_and_sent_again() = {"kind": "500", "next": 2}
    fn a_500_that_took_effect_makes_no_second_order() = {"kind": "500", "next": 2, "applied": true}
    fn a_page_of_html_is_no_answer() = {"kind": "502_html", "next": 2}
    fn a_503_is_asked_about() = {"kind": "503", "next": 2, "applied": true}
    fn a_429_is_waited_for() = {"kind": "429", "next": 2}
    fn a_slow_exchange_is_waited_for() = {"kind": "slow", "next": 2, "delay_ms": 400}
    fn a_report_before_the_acknowledgement_is_booked() = {"kind": "report_before_ack", "next": 2, "delay_ms": 300}
    fn a_body_cut_in_the_middle_is_no_answer() = {"kind": "body_cut", "next": 2}
    fn an_answer_that_is_not_json_is_no_answer() = {"kind": "broken_json", "next": 2}
    fn an_answer_about_another_order_is_no_answer() = {"kind": "wrong_order_id", "next": 2}
    fn an_answer_with_another_quantity_is_no_answer() = {"kind": "wrong_qty", "next": 2}
    fn a_false_duplicate_is_found_out() = {"kind": "duplicate_key", "next": 1}
    fn reports_told_twice_are_booked_once() = {"kind": "duplicate_report"}
    fn reports_out_of_order_come_to_the_same() = {"kind": "out_of_order"}
    fn executions_never_told_are_polled_for() = {"kind": "no_reports"}
}

#[tokio::test]
async fn a_cancel_whose_answer_is_lost_is_settled() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    let order = ada.buy(2, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    house
        .market
        .misbehave(json!({"kind": "answer_lost_after_accepting", "on": "cancel", "next": 1}))
        .await;
    assert_eq!(ada.cancel(order).await.0, 204);
    ada.wait_for(order, "canceled").await;
    house.at_rest().await;
    assert_eq!(ada.spendable().await, dec!(10000));
}

/// The submission keeps the wrong name until somebody asks under it; then the key leads to the right one.
#[tokio::test]
async fn an_order_that_was_told_under_a_wrong_name_can_be_canceled() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    house
        .market
        .misbehave(json!({"kind": "wrong_order_id", "next": 1}))
        .await;
    let order = ada.buy(2, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    assert_eq!(ada.cancel(order).await.0, 204);
    ada.wait_for(order, "canceled").await;
    house.at_rest().await;
}

#[tokio::test]
async fn a_fill_that_crosses_a_cancel_is_booked_and_the_rest_comes_back() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    let order = ada.buy(10, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    house
        .market
        .misbehave(json!({"kind": "fill_after_cancel", "next": 1}))
        .await;
    ada.cancel(order).await;
    let canceled = ada.wait_for(order, "canceled").await;
    house.at_rest().await;
    let filled = number(&canceled["filled_qty"]);
    let now = ada.get(&format!("/v2/orders/{order}")).await;
    assert!(
        number(&now["filled_qty"]) >= filled && number(&now["filled_qty"]) > dec!(0),
        "{now}"
    );
    let paid = number(&now["filled_qty"]) * number(&now["filled_avg_price"]);
    assert_eq!(ada.spendable().await, dec!(10000) - paid);
}

#[tokio::test]
async fn a_refused_order_is_rejected_with_its_reason_and_gives_its_hold_back() {
    for kind in ["reject", "reject_later"] {
        let mut house = House::open().await;
        house.market.pin("AAPL", "99.00", "100.00", 100).await;
        let ada = house.customer(1_000).await;
        house.market.misbehave(json!({"kind": kind, "next": 1})).await;
        let order = ada.buy(2, "AAPL", "100.00").await;
        ada.wait_for(order, "rejected").await;
        assert_eq!(ada.spendable().await, dec!(1000), "{kind}");
        house.at_rest().await;
        house.stop().await;
    }
}

/// LED-16, ORD-12: cash and shares are as before; the order is open again, since nobody told that it is over.
#[tokio::test]
async fn a_trade_that_is_taken_back_is_taken_out_of_the_books() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(1_000).await;
    house.market.misbehave(json!({"kind": "bust", "next": 1})).await;
    let order = ada.buy(2, "AAPL", "100.00").await;
    testkit::wait_until(
        "the trade is taken back here",
        std::time::Duration::from_secs(90),
        || async {
            let busted = "select count(*) from fills where busted_at is not null";
            let busted: i64 = sqlx::query_scalar(busted).fetch_one(&house.db.pool).await.unwrap();
            busted == 1
        },
    )
    .await;
    assert_eq!(ada.account_field("cash").await, dec!(1000));
    let (status, _) = ada.call(Method::GET, "/v2/positions/AAPL", None).await;
    assert_eq!(status, 404);
    assert_eq!(ada.get(&format!("/v2/orders/{order}")).await["filled_qty"], "0");
    let mut conn = house.db.pool.acquire().await.unwrap();
    let report = audit::audit(&mut conn, false).await.unwrap();
    assert!(report.is_clean(), "{report}");
    drop(conn);
    // The exchange works it no more. Who wants to be rid of it gets the sweep's help.
    ada.cancel(order).await;
    house.pass("40 seconds").await;
    ada.wait_for(order, "canceled").await;
    assert_eq!(ada.spendable().await, dec!(1000));
}

/// Domain rules 9, rows 18 and 21: polling finds executions, not ends. The sweep asks, the executor looks up.
#[tokio::test]
async fn an_end_never_told_is_asked_for() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(2, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    house.market.misbehave(json!({"kind": "no_reports"})).await;
    assert_eq!(ada.cancel(order).await.0, 204);
    ada.wait_for(order, "pending_cancel").await;
    house.pass("40 seconds").await;
    ada.wait_for(order, "canceled").await;
    house.at_rest().await;
    assert_eq!(ada.spendable().await, dec!(1000));
}

/// ORD-2: the share too many is nobody's. It waits in suspense, set aside with its reason; the customer's books are right.
#[tokio::test]
async fn a_share_too_many_is_set_aside() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(1_000).await;
    house.market.misbehave(json!({"kind": "overfill", "next": 1})).await;
    let order = ada.buy(2, "AAPL", "100.00").await;
    testkit::wait_until(
        "the overfill is set aside",
        std::time::Duration::from_secs(90),
        || async {
            let aside: i64 = sqlx::query_scalar("select count(*) from venue_reports_set_aside")
                .fetch_one(&house.db.pool)
                .await
                .unwrap();
            aside > 0
        },
    )
    .await;
    let order = ada.get(&format!("/v2/orders/{order}")).await;
    assert!(number(&order["filled_qty"]) <= dec!(2), "{order}");
    let mut conn = house.db.pool.acquire().await.unwrap();
    let working = audit::audit(&mut conn, false).await.unwrap();
    assert!(working.is_clean(), "{working}");
    let resting = audit::audit(&mut conn, true).await.unwrap();
    assert!(
        resting
            .broken()
            .any(|finding| finding.check.title.contains("waits for an operator")),
        "{resting}"
    );
}
