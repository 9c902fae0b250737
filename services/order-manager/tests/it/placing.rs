//! Orders that are taken.

use crate::house::{House, order};
use axum::http::StatusCode;
use insta::assert_json_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_accepted_order_is_answered_with_every_key() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let body = json!({ "client_order_id": "mine-1" });
    let mut asked = order("buy", "2", "10.00");
    asked.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let answer = house.post(&ada, asked.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers.contains_key("x-request-id"));
    assert_json_snapshot!(answer.body, { ".id" => "[id]" });
}

#[tokio::test]
async fn v3_order_hold_event_and_outbox_are_committed_together() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    house.order(&ada, "buy", "2", "10.01").await.ok();

    let account = house.get(&ada, "/v2/account").await.ok();
    assert_eq!(
        (account["cash"].as_str(), account["buying_power"].as_str()),
        (Some("1000.00"), Some("979.98"))
    );
    let told: Vec<(String, i64, String)> = sqlx::query_as(
        "select o.topic || ' ' || o.kind, e.seq, e.event
           from outbox o join order_events e using (order_id)
          order by o.id",
    )
    .fetch_all(house.pool())
    .await
    .unwrap();
    let expected = [
        ("orders order_accepted.v1", 1, "accepted"),
        ("order-updates order_updated.v1", 1, "accepted"),
    ];
    assert_eq!(
        told,
        expected.map(|(topic, seq, event)| (topic.to_owned(), seq, event.to_owned()))
    );
    let held = house
        .count("select count(*) from ledger_cash where held = 20.02 and avail = 979.98")
        .await;
    assert_eq!(held, 1);
}

#[tokio::test]
async fn the_request_id_goes_from_the_answer_to_the_rows() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let answer = house.order(&ada, "buy", "1", "10").await;
    let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    let rows: i64 = sqlx::query_scalar(
        "select count(*) from orders o join order_events e using (request_id) join outbox x using (request_id)
          where request_id = $1",
    )
    .bind(&id)
    .fetch_one(house.pool())
    .await
    .unwrap();
    assert_eq!(rows, 2, "one order, one event, two rows of the outbox");
}

#[tokio::test]
async fn bodies_as_the_sdks_send_them_are_taken() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let bodies = [
        r#"{"symbol":"AAPL","qty":2.0,"side":"buy","type":"limit","time_in_force":"day","client_order_id":"py","limit_price":10.0}"#,
        r#"{"client_order_id":"js","limit_price":"10.00","qty":"2","side":"buy","symbol":"AAPL","time_in_force":"gtc","type":"limit"}"#,
        r#"{"symbol":"AAPL","qty":"2","notional":null,"side":"buy","type":"limit","time_in_force":"ioc","limit_price":"10","extended_hours":false,"stop_price":null,"client_order_id":"","order_class":"","take_profit":null,"stop_loss":null,"trail_price":null,"trail_percent":null,"legs":null}"#,
        r#"{"symbol":"00000000000000000000000000000001","qty":"2","side":"buy","order_class":"simple","type":"limit","time_in_force":"fok","limit_price":"10","stop_price":null,"trail_price":null,"trail_percent":null,"take_profit":null,"stop_loss":null,"extended_hours":false,"client_order_id":"rs"}"#,
    ];
    for body in bodies {
        let order = house.post(&ada, body).await.ok();
        assert_eq!(
            (order["qty"].as_str(), order["limit_price"].as_str()),
            (Some("2"), Some("10")),
            "{body}"
        );
        assert_eq!(order["symbol"], "AAPL");
        assert!(!order["client_order_id"].as_str().unwrap().is_empty());
    }
    assert_eq!(house.count("select count(*) from orders").await, 4);
}

#[tokio::test]
async fn bp_5_a_sell_holds_shares_and_no_cash() {
    let house = House::open().await;
    let ada = house.customer(10).await;
    house.give(&ada, "AAPL", 5).await;
    house.order(&ada, "sell", "3", "10").await.ok();
    let position = house.get(&ada, "/v2/positions/AAPL").await.ok();
    assert_eq!(
        (position["qty"].as_str(), position["qty_available"].as_str()),
        (Some("5"), Some("2"))
    );
    assert_eq!(house.get(&ada, "/v2/account").await.ok()["buying_power"], "10.00");
}

#[tokio::test]
async fn ord_16_no_two_orders_of_an_account_share_a_time_although_the_clock_stands() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    for _ in 0..3 {
        house.order(&ada, "buy", "1", "10").await.ok();
    }
    let list = house.get(&ada, "/v2/orders?direction=asc").await.ok();
    let times: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["submitted_at"].as_str().unwrap())
        .collect();
    assert_eq!(
        times,
        [
            "2026-11-23T15:00:00Z",
            "2026-11-23T15:00:00.000001Z",
            "2026-11-23T15:00:00.000002Z"
        ]
    );
}
