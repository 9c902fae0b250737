//! An exchange that is left alone, by itself and by hand.

use std::time::Duration;

use reqwest::Method;
use rust_decimal::dec;
use serde_json::{Value, json};
use testkit::wait_until;

use crate::house::House;
use crate::operator::{acts, call, get};

const PATIENCE: Duration = Duration::from_secs(60);

fn shown(house: &House) -> Value {
    let (code, said) = house.command(&["admin", "venue", "show", "--json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str::<Value>(&said).unwrap()[0].clone()
}

/// The exchange answers everything with a 503 until it is told to stop: orders wait, nothing is ended, and when it is back all
/// of them trade, each once.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_down_is_left_alone_until_it_answers_again() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    wait_until("the executor knows its exchange", PATIENCE, || async {
        sqlx::query_scalar("select exists (select from venue_breakers)")
            .fetch_one(&house.db.pool)
            .await
            .unwrap()
    })
    .await;
    let venue = shown(&house);
    assert_eq!(venue["state"], "closed");
    let retries = venue["retries"].as_u64();
    assert!(retries.is_some_and(|left| (50..=100).contains(&left)), "{venue}");
    house.market.misbehave(json!({"kind": "503", "on": "any"})).await;
    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(ada.buy(2, "AAPL", "101.00").await);
    }
    let opened = "select version > 0 from venue_breakers";
    wait_until("it is left alone", PATIENCE, || async {
        sqlx::query_scalar(opened).fetch_one(&house.db.pool).await.unwrap()
    })
    .await;
    for order in &orders {
        let order = ada.get(&format!("/v2/orders/{order}")).await;
        assert!(
            order["status"] == "accepted" || order["status"] == "pending_new",
            "{order}"
        );
    }
    house.market.behave().await;
    for order in orders {
        ada.wait_for(order, "filled").await;
    }
    house.at_rest().await;
    assert_eq!(ada.account_field("cash").await, dec!(8400));
    assert_eq!(shown(&house)["state"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_an_exchange_left_alone_and_called_again() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    let mut resting = Vec::new();
    for _ in 0..10 {
        resting.push(ada.buy(1, "AAPL", "50.00").await);
    }
    for order in &resting {
        ada.wait_for(*order, "new").await;
    }
    let venue = |words: &[&str]| house.command(&[&["admin", "venue"], words].concat());
    let (code, said) = venue(&["open", "nowhere", "--reason", "a test"]);
    assert!(code == 1 && said.contains("venue show"), "{said}");
    let (code, said) = venue(&["open", "exchange", "--reason", "they move house"]);
    assert_eq!(code, 0, "{said}");
    let (_, table) = venue(&["show"]);
    assert!(
        table.contains("they move house") && table.contains("when an operator closes it"),
        "{table}"
    );
    // The executor has read it when an order stays although a cancel after it was carried out.
    let waiting = loop {
        let order = ada.buy(1, "AAPL", "101.00").await;
        let canceled = resting.pop().expect("it reads four times a second");
        assert_eq!(ada.cancel(canceled).await.0, 204);
        ada.wait_for(canceled, "canceled").await;
        if ada.get(&format!("/v2/orders/{order}")).await["status"] == "accepted" {
            break order;
        }
    };
    let listed = get(&house, "/admin/v1/venues").await;
    assert_eq!(
        (&listed[0]["state"], &listed[0]["cause"]),
        (&json!("open"), &json!("they move house")),
        "{listed}"
    );
    let close = async |venue: &str, reason: &str| {
        let path = format!("/admin/v1/venues/{venue}/close");
        call(&house, Method::POST, path, Some(json!({"reason": reason})))
            .await
            .0
    };
    assert_eq!(close("nowhere", "a test").await, 404);
    assert_eq!(close("exchange", " ").await, 422);
    assert_eq!(close("exchange", "they have moved").await, 204);
    ada.wait_for(waiting, "filled").await;
    house.at_rest().await;
    let acts = acts(&house).await;
    let of_venue: Vec<_> = acts.iter().filter(|(_, act)| act.ends_with("_venue")).collect();
    assert!(
        matches!(of_venue[..], [(by_command, open), (by_http, close)]
            if by_command != by_http && by_http == "http:ada" && open == "open_venue" && close == "close_venue"),
        "V16: {of_venue:?}"
    );
}
