//! Executions that are told of late, and orders that the exchange forgets.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::{PATIENCE, Rig, order};

fn day(key: &str) -> serde_json::Value {
    let mut body = order(key, "buy", 10, "100");
    body["time_in_force"] = "day".into();
    body
}

/// When the session of the rig's day closes.
const CLOSE: &str = "2026-11-24T04:59:59Z";

#[tokio::test]
async fn expiry_fill_after_close_half_of_an_expired_order_is_printed_minutes_later_as_of_before_the_close() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    let id = rig.place(day("c-1")).await["id"].as_str().unwrap().to_owned();
    rig.fault(json!({ "kind": "late_print", "next": 1, "delay_ms": 180_000 }))
        .await;
    rig.clock.set(CLOSE.parse().unwrap());
    rig.exchange.step().await.unwrap();
    let (status, _) = rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!(status, 422, "asked to cancel it, the exchange says that it is over");
    assert_eq!(rig.executions().await.len(), 0);
    rig.clock.advance(Duration::from_secs(180));
    rig.exchange.step().await.unwrap();
    assert_eq!(listener.reports(2).await, ["new c-1 new", "expired c-1 expired"]);
    let print = listener.report().await;
    assert_eq!(
        (&print["event"], &print["order"]["status"], &print["qty"]),
        (&json!("partial_fill"), &json!("expired"), &json!("5"))
    );
    assert_eq!(print["timestamp"], "2026-11-24T04:59:58Z");
    assert_eq!(print["at"], "2026-11-24T05:02:59Z");
    let file = rig.text("/trade-files/2026-11-23").await.1;
    assert!(file.contains(",buy,5,100,2026-11-24T04:59:58.000000Z,live"), "{file}");
    assert_eq!(rig.order("c-1").await["filled_qty"], "5");
}

#[tokio::test]
async fn orders_on_the_book_and_orders_that_are_over_can_be_printed_by_hand() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "buy", 10, "100")).await;
    let print = |body| rig.json("POST", "/sim/late-print", Some(body));
    let at = "2026-11-23T14:00:00Z";
    print(json!({ "client_order_id": "c-1", "qty": 4, "price": "99.5", "at": at })).await;
    let open = rig.order("c-1").await;
    assert_eq!(
        (&open["status"], &open["filled_avg_price"]),
        (&json!("partially_filled"), &json!("99.5"))
    );
    let id = open["id"].as_str().unwrap().to_owned();
    rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!(print(json!({ "client_order_id": "c-1" })).await.0, 200);
    let over = rig.order("c-1").await;
    assert_eq!(
        (&over["status"], &over["filled_qty"]),
        (&json!("filled"), &json!("10")),
        "ORD-11"
    );
    assert_eq!(
        print(json!({ "client_order_id": "c-1" })).await.0,
        422,
        "nothing is left"
    );
    assert_eq!(print(json!({ "client_order_id": "none" })).await.0, 404);
    let rig = rig.restarted().await;
    let mut told = rig.listen(Some("0")).await;
    assert_eq!(
        told.reports(2).await,
        ["new c-1 new", "partial_fill c-1 partially_filled"]
    );
    assert_eq!(told.reports(2).await, ["canceled c-1 canceled", "fill c-1 filled"]);
}

#[tokio::test]
async fn executor_key_forgotten_a_name_can_be_forgotten_and_used_again_while_its_order_works_on() {
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "key_forgotten", "next": 1 })).await;
    let first = rig.place(order("c-1", "buy", 10, "100")).await;
    assert!(!rig.knows("c-1").await);
    let path = "/v2/orders:by_client_order_id?client_order_id=c-1";
    assert_eq!(rig.json("GET", path, None).await.0, 404);
    let second = rig.place(order("c-1", "buy", 10, "100")).await;
    assert_ne!(first["id"], second["id"]);
    let by_id = rig.get(&format!("/v2/orders/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(
        (&by_id["status"], &by_id["client_order_id"]),
        (&json!("new"), &json!("c-1"))
    );
    assert_eq!(rig.order("c-1").await["id"], second["id"]);
    let third = rig
        .json("POST", "/v2/orders", Some(order("c-1", "buy", 10, "100")))
        .await;
    assert_eq!(third.1["code"], 40010001, "the second is not forgotten");
}

#[tokio::test]
async fn executor_accepted_then_lost_an_order_can_be_acknowledged_and_then_denied() {
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "accepted_then_lost", "next": 1 })).await;
    let lost = rig.place(order("c-1", "buy", 10, "100")).await;
    assert_eq!(lost["status"], "new");
    let path = format!("/v2/orders/{}", lost["id"].as_str().unwrap());
    assert_eq!(rig.json("GET", &path, None).await.0, 404);
    assert_eq!(rig.json("DELETE", &path, None).await.0, 404);
    assert!(!rig.knows("c-1").await);
    assert_eq!(rig.get("/sim/orders").await["rows"], json!([]));
    let again = rig.place(order("c-1", "buy", 10, "100")).await;
    assert_ne!(again["id"], lost["id"], "sent again under its key it is a new one");
}

#[tokio::test]
async fn executor_slow_answer_an_answer_can_come_bit_by_bit_and_is_whole_in_the_end() {
    const DELAY: Duration = Duration::from_secs(10);
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "slow_body", "next": 2, "delay_ms": 10_000 }))
        .await;
    let call = |key: &str| {
        rig.call("POST", "/v2/orders")
            .body(order(key, "buy", 1, "100").to_string())
    };
    let patient = async {
        let begun = Instant::now();
        let answer = call("c-1").timeout(PATIENCE).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(begun.elapsed() < DELAY, "the head comes at once");
        assert!(answer.text().await.unwrap().contains("\"c-1\""));
        assert!(begun.elapsed() >= DELAY);
    };
    let hasty = async {
        let answer = call("c-2").timeout(Duration::from_secs(8)).send().await.unwrap();
        assert!(answer.bytes().await.unwrap_err().is_timeout());
    };
    tokio::join!(patient, hasty);
    assert!(rig.knows("c-2").await);
}
