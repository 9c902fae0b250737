//! Parts of a share, dollars, market orders, and the way out of a position.

use std::time::Duration;

use reqwest::Method;
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use testkit::wait_until;

use crate::harness::Customer;
use crate::harness::customer::{id_of, number};
use crate::house::House;

/// A day order to buy AAPL with these members.
fn buy(members: Value) -> Value {
    let mut order = json!({ "symbol": "AAPL", "side": "buy", "time_in_force": "day" });
    order
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    order
}

async fn filled(who: &Customer, order: Value) -> Value {
    let (status, order) = who.place(order).await;
    assert_eq!(status, 200, "{order}");
    who.wait_for(id_of(&order), "filled").await
}

/// Waits until the brokerage has this bid, so that the reference price is of it. Shown with a position only.
async fn quoted(who: &Customer, bid: Decimal) {
    wait_until("the quote to be known", Duration::from_secs(60), || async {
        let position = who.get("/v2/positions/AAPL").await;
        position["current_price"]
            .as_str()
            .is_some_and(|price| price.parse() == Ok(bid))
    })
    .await;
}

#[tokio::test]
async fn parts_of_a_share_are_bought_for_shares_and_dollars_and_sold_to_the_last() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let third = filled(
        &ada,
        buy(json!({ "type": "limit", "qty": "0.333333333", "limit_price": "100.00" })),
    )
    .await;
    assert_eq!(third["filled_qty"], "0.333333333");
    // BP-3, LED-I6: 33.34 were held, 33.3333333 is 33.33 to the cent, and the rest is back.
    assert_eq!(
        (ada.account_field("cash").await, ada.spendable().await),
        (dec!(966.67), dec!(966.67))
    );
    quoted(&ada, dec!(99)).await;
    let dollars = filled(&ada, buy(json!({ "type": "market", "notional": "50.00" }))).await;
    // QTY-3, PX-7: as many as 50.00 buy at the collar, 104.47; they trade at what is asked, and the rest comes back.
    assert_eq!(
        (&dollars["filled_qty"], &dollars["notional"]),
        (&json!("0.478606298"), &json!("50.00"))
    );
    assert_eq!((&dollars["qty"], &dollars["limit_price"]), (&Value::Null, &Value::Null));
    assert_eq!(number(&dollars["filled_avg_price"]), dec!(100));
    assert_eq!(ada.account_field("cash").await, dec!(918.81));
    let position = ada.get("/v2/positions/AAPL").await;
    assert_eq!(
        (&position["qty"], &position["qty_available"]),
        (&json!("0.811939631"), &json!("0.811939631"))
    );
    house.at_rest().await;
    for (path, sold) in [("AAPL?percentage=50", "0.405969815"), ("AAPL", "0.405969816")] {
        let (status, order) = ada.call(Method::DELETE, &format!("/v2/positions/{path}"), None).await;
        assert_eq!(
            (status, &order["qty"], &order["type"]),
            (200, &json!(sold), &json!("market")),
            "{order}"
        );
        ada.wait_for(id_of(&order), "filled").await;
    }
    let (status, gone) = ada.call(Method::DELETE, "/v2/positions/AAPL", None).await;
    assert_eq!((status, &gone["message"]), (404, &json!("position does not exist")));
    // Twice 0.4059698 shares at 99.00.
    assert_eq!(ada.spendable().await, dec!(918.81) + dec!(40.19) * dec!(2));
    house.at_rest().await;
}

#[tokio::test]
async fn bp_3_a_fill_that_costs_less_than_a_cent_is_booked_and_paid_from_the_hold() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 1).await;
    let ada = house.customer(201).await;
    let (_, order) = ada
        .place(buy(
            json!({ "type": "limit", "qty": "2.000000001", "limit_price": "100.00" }),
        ))
        .await;
    let id = id_of(&order);
    ada.wait_for(id, "partially_filled").await;
    for _ in 0..2 {
        house.at_rest().await;
        house.market.step().await;
    }
    let order = ada.wait_for(id, "filled").await;
    assert_eq!(order["filled_qty"], "2.000000001");
    assert_eq!(
        ada.spendable().await,
        dec!(1),
        "the billionth part of a share costs nothing to the cent"
    );
    let fills = ada.get("/v2/account/activities/FILL?direction=asc").await;
    assert_eq!(fills[2]["qty"], "0.000000001");
    house.at_rest().await;
}

#[tokio::test]
async fn a_market_order_never_pays_more_than_the_collar() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(10_000).await;
    filled(
        &ada,
        buy(json!({ "type": "limit", "qty": "1", "limit_price": "100.00" })),
    )
    .await;
    quoted(&ada, dec!(99)).await;
    house.market.halt(true).await;
    let (status, order) = ada.place(buy(json!({ "type": "market", "qty": "10" }))).await;
    assert_eq!(status, 200, "{order}");
    // PX-7: 5 % above the middle of the quote, 99.50, rounded towards it.
    assert_eq!(ada.spendable().await, dec!(9900) - dec!(1044.70));
    house.market.pin("AAPL", "109.00", "110.00", 50).await;
    house.market.halt(false).await;
    house.market.step().await;
    ada.wait_for(id_of(&order), "new").await;
    house.market.pin("AAPL", "103.00", "104.00", 50).await;
    let order = ada.wait_for(id_of(&order), "filled").await;
    assert_eq!(number(&order["filled_avg_price"]), dec!(104));
    house.at_rest().await;
}

#[tokio::test]
async fn all_positions_are_closed_once_the_orders_that_hold_them_have_ended() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(10_000).await;
    let bought = ada.buy(3, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    quoted(&ada, dec!(99)).await;
    let resting = ada.sell(2, "AAPL", "150.00").await;
    ada.wait_for(resting, "new").await;
    let (status, refused) = ada.call(Method::DELETE, "/v2/positions", None).await;
    assert_eq!(
        (status, &refused[0]["status"], &refused[0]["body"]["available"]),
        (207, &json!(403), &json!("1"))
    );
    let (status, closed) = ada.call(Method::DELETE, "/v2/positions?cancel_orders=true", None).await;
    assert_eq!(
        (status, &closed[0]["status"], &closed[0]["body"]["qty"]),
        (207, &json!(200), &json!("3")),
        "{closed}"
    );
    assert_eq!(ada.status(resting).await, "canceled");
    ada.wait_for(id_of(&closed[0]["body"]), "filled").await;
    assert_eq!(ada.get("/v2/positions").await, json!([]));
    house.at_rest().await;
}
