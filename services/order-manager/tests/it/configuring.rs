//! What customers set about their accounts.

use axum::body::Body;
use axum::http::Method;
use rstest::rstest;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::house::{Answer, Customer, House, order, request};

const PATH: &str = "/v2/account/configurations";

async fn patch(house: &House, who: &Customer, body: &str) -> Answer {
    let request = request(who, Method::PATCH, PATH).body(Body::from(body.to_owned()));
    house.send(request.unwrap()).await
}

#[tokio::test]
async fn an_account_has_what_is_usual_and_a_change_answers_all_of_it() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(0).await, house.customer(0).await);
    let usual = json!({
        "suspend_trade": false, "trade_suspended_by_user": false, "no_shorting": false, "trade_confirm_email": "all",
        "fractional_trading": true, "max_margin_multiplier": "1", "ptp_no_exception_entry": false,
        "max_options_trading_level": null,
    });
    assert_eq!(house.get(&ada, PATH).await.ok(), usual);
    let body = r#"{"no_shorting":true,"trade_confirm_email":"none","suspend_trade":null,"pdt_check":"both"}"#;
    let mut expected = usual.clone();
    expected["no_shorting"] = true.into();
    expected["trade_confirm_email"] = "none".into();
    assert_eq!(patch(&house, &ada, body).await.ok(), expected);
    // What was answered may come back as it is.
    assert_eq!(patch(&house, &ada, &expected.to_string()).await.ok(), expected);
    assert_eq!(
        house.get(&bob, PATH).await.ok(),
        usual,
        "another account's stay as they are"
    );
}

#[tokio::test]
async fn suspended_trading_takes_no_new_orders_until_it_is_lifted_and_cancels_pass() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let resting = house.order(&ada, "buy", "1", "10").await.ok();
    patch(&house, &ada, r#"{"suspend_trade":true}"#).await.ok();
    let account = house.get(&ada, "/v2/account").await.ok();
    assert_eq!(account["trade_suspended_by_user"], true);
    let refused = house.order(&ada, "buy", "1", "10").await;
    assert_eq!(refused.error(), (403, 40310000, "trading is suspended by the user"));
    let id = resting["id"].as_str().unwrap();
    assert_eq!(house.delete(&ada, &format!("/v2/orders/{id}")).await.status, 204);
    patch(&house, &ada, r#"{"suspend_trade":"False"}"#).await.ok();
    house.order(&ada, "buy", "1", "10").await.ok();
}

#[tokio::test]
async fn an_order_that_waits_while_trading_is_suspended_is_refused() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let mut tx = db::begin(house.pool()).await.unwrap();
    ledger::lock(&mut tx, &[ada.account]).await.unwrap();
    let change = identity::FlagChange {
        trade_suspended_by_user: Some(true),
        ..identity::FlagChange::default()
    };
    identity::accounts::set_flags(&mut tx, ada.account, change)
        .await
        .unwrap();
    let (answer, ()) = tokio::join!(house.order(&ada, "buy", "1", "10"), async {
        tx.commit().await.unwrap()
    });
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn without_fractional_trading_only_the_rest_of_a_position_is_sold_in_parts() {
    let house = House::open().await;
    house.fractionable(&["AAPL"]);
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", Decimal::new(15, 1)).await;
    patch(&house, &ada, r#"{"fractional_trading":false}"#).await.ok();
    let told = (
        403,
        40310000,
        "fractional trading is switched off in the account's configurations",
    );
    assert_eq!(house.order(&ada, "buy", "0.5", "100").await.error(), told);
    assert_eq!(house.order(&ada, "sell", "0.5", "100").await.error(), told);
    let mut dollars = order("buy", "1", "100");
    dollars["qty"] = Value::Null;
    dollars["notional"] = "100".into();
    assert_eq!(house.post(&ada, dollars.to_string()).await.error(), told);
    house.order(&ada, "buy", "1", "2").await.ok();
    house.delete(&ada, "/v2/positions/AAPL").await.ok();
}

#[rstest]
#[case(r#"{"suspend_trade":"perhaps"}"#, "suspend_trade must be true or false")]
#[case(r#"{"suspend_trade":1}"#, "suspend_trade must be true or false")]
#[case(r#"{"no_shorting":[]}"#, "no_shorting must be true or false")]
#[case(r#"{"fractional_trading":{}}"#, "fractional_trading must be true or false")]
#[case(r#"{"ptp_no_exception_entry":"1"}"#, "ptp_no_exception_entry must be true or false")]
#[case(r#"{"trade_confirm_email":"some"}"#, "trade_confirm_email must be all or none")]
#[case(r#"{"trade_confirm_email":false}"#, "trade_confirm_email must be all or none")]
#[case(r#"{"max_margin_multiplier":"4"}"#, "max_margin_multiplier must be 1")]
#[case(r#"{"max_options_trading_level":3}"#, "max_options_trading_level must be 0")]
#[case("{", "request body format is invalid")]
#[tokio::test]
async fn a_value_that_a_setting_cannot_have_changes_nothing(#[case] body: &str, #[case] message: &str) {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let before = house.get(&ada, PATH).await.ok();
    let with_another = body.replacen(
        '{',
        r#"{"ptp_no_exception_entry":true,"#,
        usize::from(!body.contains("ptp")),
    );
    assert_eq!(
        patch(&house, &ada, &with_another).await.error(),
        (400, 40010000, message),
        "{with_another}"
    );
    assert_eq!(house.get(&ada, PATH).await.ok(), before);
}
