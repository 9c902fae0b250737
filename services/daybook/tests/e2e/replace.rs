//! Orders in other orders' places, over HTTP from end to end. Afterwards, at rest: our fills are the exchange's, the audit
//! passes.

use reqwest::Method;
use rust_decimal::dec;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::Customer;
use crate::harness::customer::{id_of, number};
use crate::house::House;

/// A replace that is taken; the new order's id.
async fn replace(who: &Customer, order: Uuid, body: Value) -> Uuid {
    let (status, new) = who
        .call(Method::PATCH, &format!("/v2/orders/{order}"), Some(body))
        .await;
    assert_eq!(status, 200, "{new}");
    assert_eq!(new["replaces"], json!(order));
    id_of(&new)
}

async fn shown(who: &Customer, order: Uuid) -> Value {
    who.get(&format!("/v2/orders/{order}")).await
}

async fn house() -> (House, Customer) {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(1_000).await;
    (house, ada)
}

/// Two shares at half the market, once the exchange has the order.
async fn resting(who: &Customer) -> Uuid {
    let order = who.buy(2, "AAPL", "50.00").await;
    who.wait_for(order, "new").await;
    order
}

/// ORD-8, BP-4: the larger of both is held, then the survivor's, and it fills.
#[tokio::test]
async fn ord_8_an_order_is_replaced_and_its_successor_fills() {
    let (house, ada) = house().await;
    let old = resting(&ada).await;
    let new = replace(&ada, old, json!({"qty": 3, "limit_price": "40"})).await;
    let replaced = ada.wait_for(old, "replaced").await;
    assert_eq!(replaced["replaced_by"], json!(new));
    assert!(replaced["replaced_at"].is_string());
    ada.wait_for(new, "new").await;
    assert_eq!(ada.account_field("buying_power").await, dec!(880));
    // And that one in turn; it trades at once.
    let last = replace(&ada, new, json!({"limit_price": "101.00"})).await;
    let filled = ada.wait_for(last, "filled").await;
    assert_eq!((&filled["qty"], &filled["filled_qty"]), (&json!("3"), &json!("3")));
    assert_eq!(ada.status(new).await, "replaced");
    house.at_rest().await;
    assert_eq!(ada.account_field("cash").await, dec!(700));
    assert_eq!(ada.spendable().await, dec!(700));
}

/// replace::sent_no_answer and its like: whatever becomes of the answer, the order is replaced once.
#[tokio::test]
async fn a_replace_whose_answer_is_lost_or_broken_is_made_once() {
    for kind in [
        "answer_lost_after_accepting",
        "lost_before_accepting",
        "500",
        "502_html",
        "body_cut",
        "wrong_qty",
        "429",
    ] {
        let (mut house, ada) = house().await;
        let old = resting(&ada).await;
        house
            .market
            .misbehave(json!({"kind": kind, "on": "replace", "next": 1}))
            .await;
        let new = replace(&ada, old, json!({"limit_price": "40"})).await;
        ada.wait_for(old, "replaced").await;
        ada.wait_for(new, "new").await;
        house.at_rest().await;
        assert_eq!(ada.account_field("buying_power").await, dec!(920), "{kind}");
        house.stop().await;
    }
}

/// replace::refused_or_filled: at once, or by the stream.
#[tokio::test]
async fn a_refused_replace_leaves_the_old_order_as_it_was() {
    for kind in ["reject", "replace_reject_later"] {
        let (mut house, ada) = house().await;
        let old = resting(&ada).await;
        house
            .market
            .misbehave(json!({"kind": kind, "on": "replace", "next": 1}))
            .await;
        let new = replace(&ada, old, json!({"qty": 10})).await;
        ada.wait_for(new, "rejected").await;
        ada.wait_for(old, "new").await;
        house.at_rest().await;
        assert_eq!(ada.account_field("buying_power").await, dec!(900), "{kind}");
        house.stop().await;
    }
}

/// ORD-8: a cancel while the exchange decides goes to the order that lives on; that one has nothing to give then.
#[tokio::test]
async fn a_cancel_meanwhile_goes_to_whichever_lives_on() {
    let (house, ada) = house().await;
    let old = resting(&ada).await;
    house
        .market
        .misbehave(json!({"kind": "replace_pending", "on": "replace", "next": 1, "delay_ms": 60_000}))
        .await;
    let new = replace(&ada, old, json!({"qty": 3})).await;
    ada.wait_for(old, "pending_replace").await;
    assert_eq!(ada.cancel(old).await.0, 204);
    ada.wait_for(old, "canceled").await;
    // The exchange decides with its next tick.
    house.market.step().await;
    ada.wait_for(new, "rejected").await;
    house.at_rest().await;
    assert_eq!(ada.spendable().await, dec!(1000));
}

/// The stream tells nothing, and the sweep's questions find out.
#[tokio::test]
async fn a_replace_never_told_of_is_asked_for() {
    let (house, ada) = house().await;
    let old = resting(&ada).await;
    house
        .market
        .misbehave(json!({"kind": "replace_pending", "on": "replace", "next": 1, "delay_ms": 1}))
        .await;
    house.market.misbehave(json!({"kind": "no_reports"})).await;
    let new = replace(&ada, old, json!({"limit_price": "40"})).await;
    ada.wait_for(old, "pending_replace").await;
    // The exchange has it, decides with its next tick, and tells nobody.
    testkit::wait_until("the exchange has it", std::time::Duration::from_secs(90), || async {
        house.market.step().await;
        let theirs = house.market.orders().await;
        theirs
            .iter()
            .any(|order| order.client_order_id == old.to_string() && order.status == "replaced")
    })
    .await;
    house.pass("40 seconds").await;
    ada.wait_for(old, "replaced").await;
    ada.wait_for(new, "new").await;
    house.at_rest().await;
}

#[tokio::test]
async fn bp_4_a_replace_that_does_not_fit_changes_nothing() {
    let (house, ada) = house().await;
    let old = resting(&ada).await;
    let body = Some(json!({"qty": 21}));
    let (status, refusal) = ada.call(Method::PATCH, &format!("/v2/orders/{old}"), body).await;
    assert_eq!((status, &refusal["code"]), (403, &json!(40_310_000)));
    assert_eq!(number(&refusal["buying_power"]), dec!(900));
    assert_eq!(shown(&ada, old).await["status"], "new");
    house.at_rest().await;
    assert_eq!(ada.account_field("buying_power").await, dec!(900));
}
