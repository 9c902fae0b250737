//! What a replacement is measured by (RSK-2): all that measures a new order, but that it opens no further order and equals
//! none. A refusal leaves the old order untouched. The churn rule (RSK-8) is in `churn.rs`, funds (BP-4) in `replacing.rs`.

use axum::body::Body;
use axum::http::Method;
use domain::{Money, Symbol};
use order_manager::Config;
use risk::desk::Restriction;
use risk::{Mode, Settings};
use rstest::rstest;
use serde_json::{Value, json};
use testkit::start_of_time;

use crate::house::{Answer, Customer, House, request, router_of};
use crate::replacing::{id_of, patch, shown, working};
use crate::risk_controls::target_of;

fn dollars(n: i64) -> Money {
    Money::from_decimal(n.into())
}

async fn house(risk: Settings) -> House {
    House::with(Config {
        risk,
        ..Config::default()
    })
    .await
}

/// The refusal, after which the old order is as it was.
async fn refused(house: &House, who: &Customer, old: &str, change: Value) -> Answer {
    let before = (shown(house, who, old).await, house.traces().await);
    let answer = patch(house, who, old, change).await;
    assert_eq!((shown(house, who, old).await, house.traces().await), before);
    answer
}

/// Asks a process that has just started: it knows of an operator's change at once.
async fn at_another_door(house: &House, who: &Customer, old: &str, change: Value) -> Answer {
    let asked = request(who, Method::PATCH, &format!("/v2/orders/{old}")).body(Body::from(change.to_string()));
    House::answer(&router_of(house, 2), asked.unwrap()).await
}

#[tokio::test]
async fn rsk_3_what_a_replacement_is_worth_is_limited() {
    let house = house(Settings {
        max_order_value: dollars(1_000),
        ..Settings::default()
    })
    .await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let answer = refused(&house, &ada, &old, json!({"qty": 11})).await;
    let told = "order value 1100.00 is above the limit of 1000.00";
    assert_eq!(answer.error(), (403, 40310000, told));
    patch(&house, &ada, &old, json!({"qty": 10})).await.ok();
}

/// Of the two orders the larger one counts.
#[tokio::test]
async fn rsk_3_a_replacement_counts_with_what_it_is_worth_beyond_its_old_order() {
    let house = house(Settings {
        max_open_value: dollars(1_200),
        ..Settings::default()
    })
    .await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    house.order(&ada, "buy", "5", "100").await.ok();
    let answer = refused(&house, &ada, &old, json!({"qty": 8})).await;
    let told = "all open orders together may be worth at most 1200.00: cancel some first";
    assert_eq!(answer.error(), (403, 40310000, told));
    patch(&house, &ada, &old, json!({"qty": 7})).await.ok();
}

#[tokio::test]
async fn rsk_3_a_replacement_counts_towards_the_firms_limit() {
    let house = house(Settings {
        max_firm_open_value: dollars(1_000),
        ..Settings::default()
    })
    .await;
    let (ada, bob) = (house.customer(10_000).await, house.customer(10_000).await);
    let old = working(&house, &ada, "buy", "5", "100").await;
    house.order(&bob, "buy", "4", "100").await.ok();
    let answer = refused(&house, &ada, &old, json!({"qty": 7})).await;
    let told = "the firm's limit of open orders is reached, try again later";
    assert_eq!(answer.error(), (403, 40310000, told));
    patch(&house, &ada, &old, json!({"qty": 6})).await.ok();
}

#[tokio::test]
async fn px_5_a_replacement_that_reaches_too_far_beyond_the_last_price_is_refused() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    house.clock.set(start_of_time());
    house.quote("99", "101");
    let old = working(&house, &ada, "buy", "5", "100").await;
    let answer = refused(&house, &ada, &old, json!({"limit_price": "110.01"})).await;
    let told = "limit_price 110.01 is more than 10 percent above the last price, 100";
    assert_eq!(answer.error(), (403, 40310000, told));
    patch(&house, &ada, &old, json!({"limit_price": "110"})).await.ok();
}

#[tokio::test]
async fn rsk_5_a_replacement_that_would_trade_against_the_accounts_own_order_is_refused_with_that_order() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    house.give(&ada, "AAPL", 5).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let sell = id_of(&house.order(&ada, "sell", "1", "120").await.ok());
    let answer = refused(&house, &ada, &old, json!({"limit_price": "120"})).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body["existing_order_id"], json!(sell), "{}", answer.body);
    patch(&house, &ada, &old, json!({"limit_price": "119.99"})).await.ok();
}

#[rstest]
#[case("symbol", "new orders are stopped in this symbol")]
#[case("account", "new orders are stopped for this account")]
#[case("venue", "new orders are stopped at the exchange")]
#[case("firm", "new orders are stopped for everybody")]
#[tokio::test]
async fn rsk_6_a_kill_switch_stops_replacements(#[case] level: &str, #[case] told: &str) {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    house.kill(target_of(level, &ada), Mode::BlockNew).await;
    let answer = at_another_door(&house, &ada, &old, json!({"qty": 6})).await;
    assert_eq!(answer.error(), (403, 40310000, told));
    assert_eq!(shown(&house, &ada, &old).await["status"], "new");
}

#[tokio::test]
async fn rsk_1_a_replacement_in_a_restricted_symbol_is_refused() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let mut conn = house.pool().acquire().await.unwrap();
    let row = Restriction {
        symbol: Symbol::parse("AAPL").unwrap(),
        account: None,
        reason: "a test".to_owned(),
        added_by: "ada".to_owned(),
        added_at: start_of_time(),
    };
    risk::desk::restrict(&mut conn, &row).await.unwrap();
    drop(conn);
    let answer = at_another_door(&house, &ada, &old, json!({"qty": 6})).await;
    assert_eq!(answer.error(), (403, 40310000, "trading in AAPL is restricted"));
}

#[tokio::test]
async fn rsk_2_an_account_that_may_not_trade_replaces_nothing() {
    let house = House::open().await;
    let ada = house.customer(10_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let asked =
        request(&ada, Method::PATCH, "/v2/account/configurations").body(Body::from("{\"suspend_trade\": true}"));
    house.send(asked.unwrap()).await.ok();
    let answer = refused(&house, &ada, &old, json!({"qty": 6})).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
}
