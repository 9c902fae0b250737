//! Orders for parts of a share, for dollars, and at the market.

use std::time::Duration;

use crate::house::{Customer, House, order};
use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A house in which AAPL trades in parts, at 100.00 in the middle.
async fn house() -> House {
    let house = House::open().await;
    house.fractionable(&["AAPL"]);
    house
}

/// A day order for AAPL with these members; `null` takes one of a limit order's away.
fn body(members: Value) -> String {
    let mut body = order("buy", "1", "100.00");
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body.to_string()
}

/// An order of dollars at the market.
fn dollars(side: &str, notional: &str) -> String {
    body(json!({ "type": "market", "limit_price": null, "qty": null, "notional": notional, "side": side }))
}

/// What the exchange will be asked for: type, shares, limit, and what is held.
async fn stored(house: &House, who: &Customer) -> (String, Decimal, Decimal, Decimal) {
    sqlx::query_as(
        "select o.order_type, o.qty, o.limit_price, abs(e.amount)
           from orders o
           join ledger_transfers t on t.order_id = o.order_id
           join ledger_entries e on e.transfer_id = t.transfer_id and e.book in ('cust.cash.held', 'cust.sec.held')
          where o.account_id = $1",
    )
    .bind(who.account.get())
    .fetch_one(house.pool())
    .await
    .unwrap()
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

/// What is asked for, what the exchange is asked for, and the hold.
#[rstest]
#[case::qty_2_parts_of_a_share(json!({ "qty": "0.123456789" }), ("limit", "0.123456789", "100", "12.35"))]
#[case::qty_3_a_dollar_limit_holds_its_dollars(
    json!({ "qty": null, "notional": "10", "limit_price": "0.0003" }), ("limit", "33333.333333333", "0.0003", "10")
)]
#[case::px_7_a_market_buy_is_a_limit_at_the_collar(
    json!({ "type": "market", "limit_price": null, "qty": "2" }), ("market", "2", "105", "210")
)]
#[case::qty_3_dollars_at_the_market(
    json!({ "type": "market", "limit_price": null, "qty": null, "notional": "52.5" }), ("market", "0.5", "105", "52.5")
)]
#[case::qty_3_all_there_is_at_the_market(
    json!({ "type": "market", "limit_price": null, "qty": null, "notional": "1000" }),
    ("market", "9.523809523", "105", "1000")
)]
#[case::market_orders_may_rest(
    json!({ "type": "market", "limit_price": null, "time_in_force": "gtc" }), ("market", "1", "105", "105")
)]
#[case::px_7_a_market_sell_is_a_limit_at_the_collar(
    json!({ "side": "sell", "type": "market", "limit_price": null, "qty": "1.5" }), ("market", "1.5", "95", "1.5")
)]
#[case::dollars_of_shares_sold(
    json!({ "side": "sell", "type": "market", "limit_price": null, "qty": null, "notional": "33.33" }),
    ("market", "0.3333", "95", "0.3333")
)]
#[tokio::test]
async fn the_exchange_is_asked_for_shares_at_a_limit_whatever_was_written(
    #[case] members: Value,
    #[case] (kind, qty, limit, held): (&str, &str, &str, &str),
) {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 10).await;
    house.post(&ada, body(members)).await.ok();
    let expected = (kind.to_owned(), decimal(qty), decimal(limit), decimal(held));
    assert_eq!(stored(&house, &ada).await, expected);
}

#[tokio::test]
async fn an_order_shows_what_was_written_and_exactly_one_of_qty_and_notional() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    let placed = house.post(&ada, dollars("buy", "50.00")).await.ok();
    let read = house
        .get(&ada, &format!("/v2/orders/{}", placed["id"].as_str().unwrap()))
        .await
        .ok();
    for shown in [placed, read] {
        assert_eq!((&shown["notional"], &shown["qty"]), (&json!("50.00"), &Value::Null));
        assert_eq!(
            (&shown["type"], &shown["order_type"]),
            (&json!("market"), &json!("market"))
        );
        assert_eq!(shown["limit_price"], Value::Null);
    }
    let shares = house.post(&ada, body(json!({ "qty": "0.5" }))).await.ok();
    assert_eq!((&shares["notional"], &shares["qty"]), (&Value::Null, &json!("0.5")));
    assert_eq!(shares["limit_price"], json!("100"));
}

#[tokio::test]
async fn qty_4_parts_of_a_share_are_set_aside_exactly() {
    let house = house().await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", decimal("1.000000001")).await;
    house
        .post(&ada, body(json!({ "side": "sell", "qty": "0.9" })))
        .await
        .ok();
    let position = house.get(&ada, "/v2/positions/AAPL").await.ok();
    assert_eq!(
        (&position["qty"], &position["qty_available"]),
        (&json!("1.000000001"), &json!("0.100000001"))
    );
    let answer = house
        .post(&ada, body(json!({ "side": "sell", "qty": "0.100000002" })))
        .await;
    let told = "insufficient qty available for order (requested: 0.100000002, available: 0.100000001)";
    assert_eq!(answer.error(), (403, 40310000, told));
}

/// What is well-formed, and refused for what it comes to.
#[rstest]
#[case::dust(json!({ "qty": "0.0099" }), 403, "cost basis must be >= minimal amount of order 1")]
#[case::dust_at_the_market(
    json!({ "type": "market", "limit_price": null, "qty": "0.0098" }), 403, "cost basis must be >= minimal amount of order 1"
)]
#[case::a_dollar_less_a_cent(json!({ "qty": null, "notional": "0.99" }), 403, "cost basis must be >= minimal amount of order 1")]
#[case::dust_to_sell(json!({ "side": "sell", "qty": "0.009" }), 403, "cost basis must be >= minimal amount of order 1")]
#[case::the_hold_is_at_the_collar(
    json!({ "type": "market", "limit_price": null, "qty": "9.6" }), 403, "insufficient buying power"
)]
#[case::more_shares_than_there_can_be(
    json!({ "qty": null, "notional": "1000000", "limit_price": "0.0001" }), 422, "notional is too large"
)]
#[case::nobody_knows_the_price(
    json!({ "symbol": "MSFT", "type": "market", "limit_price": null }), 422, "there is no reference price of \"MSFT\""
)]
#[tokio::test]
async fn what_is_too_small_too_large_or_without_a_price_is_refused(
    #[case] members: Value,
    #[case] status: u16,
    #[case] reason: &str,
) {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 10).await;
    let before = house.traces().await;
    let answer = house.post(&ada, body(members)).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.error().2.contains(reason), "{}", answer.body);
    assert_eq!(house.traces().await, before);
}

#[tokio::test]
async fn the_rest_of_a_position_can_be_sold_whatever_it_is_worth() {
    let house = house().await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", decimal("0.000000001")).await;
    house
        .post(&ada, body(json!({ "side": "sell", "qty": "0.000000001" })))
        .await
        .ok();
}

/// PX-7: within the session a price of a quarter of an hour ago says nothing; outside it the last one is all there is.
#[tokio::test]
async fn px_7_a_market_order_needs_a_price_of_the_last_quarter_of_an_hour_while_the_market_is_open() {
    let house = house().await;
    let ada = house.customer(10_000).await;
    let minutes = |n: u64| Duration::from_secs(60 * n);
    house.clock.advance(minutes(15));
    house.post(&ada, dollars("buy", "50")).await.ok();
    house.clock.advance(minutes(1));
    for (body, status) in [
        (dollars("buy", "50"), 422),
        (body(json!({ "type": "market", "limit_price": null })), 422),
        (body(json!({})), 200),
    ] {
        let answer = house.post(&ada, body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 422 {
            let told = "there is no reference price of \"AAPL\" for a market order: send a limit order";
            assert_eq!(answer.error(), (422, 42210000, told));
        }
    }
    // The session ends at four.
    house.clock.advance(minutes(6 * 60));
    house.post(&ada, dollars("buy", "50")).await.ok();
}

/// QTY-2: nobody is left with a part of a share that cannot be sold.
#[tokio::test]
async fn qty_2_the_rest_of_a_position_can_be_sold_though_its_asset_trades_in_whole_shares_again() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", decimal("2.5")).await;
    house.fractionable(&[]);
    for (members, status) in [
        (json!({ "side": "sell", "qty": "0.5" }), 403),
        (json!({ "side": "sell", "qty": "3.5" }), 403),
        (json!({ "side": "buy", "qty": "2.5" }), 403),
        (json!({ "side": "sell", "qty": "2" }), 200),
        (json!({ "side": "sell", "qty": "0.5" }), 200),
    ] {
        let answer = house.post(&ada, body(members.clone())).await;
        assert_eq!(answer.status, status, "{members}: {}", answer.body);
        if status == 403 {
            assert_eq!(answer.error().2, "asset \"AAPL\" is not fractionable", "{members}");
        }
    }
}
