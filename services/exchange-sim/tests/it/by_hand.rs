//! What is set by hand: the clock, an outage.

use serde_json::json;

use crate::rig::{Rig, order};

#[tokio::test]
async fn the_clock_can_be_off_by_minutes_and_stays_so_over_a_restart() {
    let rig = Rig::start().await;
    let set = rig.post("/sim/clock", json!({ "offset_ms": -300_000 })).await;
    assert_eq!(set, json!({ "offset_ms": -300_000, "now": "2026-11-23T14:55:00Z" }));
    assert_eq!(
        rig.place(order("c-1", "buy", 1, "100")).await["submitted_at"],
        "2026-11-23T14:55:00Z"
    );
    let rig = rig.restarted().await;
    assert_eq!(rig.get("/sim/clock").await, set);
    let told = rig.get("/v2/clock").await["timestamp"].clone();
    assert_eq!(told, "2026-11-23T09:55:00-05:00");
}

#[tokio::test]
async fn moving_the_clock_ends_the_session_and_its_day_orders() {
    let rig = Rig::start().await;
    let mut day = order("c-1", "buy", 10, "100");
    day["time_in_force"] = "day".into();
    rig.place(day).await;
    rig.post("/sim/clock", json!({ "offset_ms": 14 * 3_600_000 })).await;
    rig.post("/sim/step", json!({})).await;
    assert_eq!(rig.order("c-1").await["status"], "expired");
    assert_eq!(rig.text("/trade-files/2026-11-23").await.0, 200);
}

#[tokio::test]
async fn numbers_and_times_of_orders_go_on_growing_when_the_clock_is_put_back() {
    let rig = Rig::start().await;
    rig.post("/sim/clock", json!({ "offset_ms": 600_000 })).await;
    rig.place(order("c-1", "buy", 1, "100")).await;
    rig.post("/sim/clock", json!({ "offset_ms": 0 })).await;
    let second = rig.place(order("c-2", "buy", 1, "100")).await;
    let at = second["submitted_at"].as_str().unwrap();
    assert!(at.starts_with("2026-11-23T15:10:00.0000"), "{at}");
    let farther = rig
        .json("POST", "/sim/clock", Some(json!({ "offset_ms": 400_000_000_000_i64 })))
        .await;
    assert_eq!(farther.0, 422);
}

#[tokio::test]
async fn in_an_outage_nobody_gets_an_answer_and_the_market_goes_on() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 40).await;
    rig.place(order("c-1", "buy", 100, "230.10")).await;
    let mut listener = rig.listen(None).await;
    rig.post("/sim/outage", json!({ "on": true })).await;
    assert!(listener.is_closed().await);
    for (method, path) in [("GET", "/v2/orders"), ("GET", "/stream"), ("POST", "/v2/orders")] {
        let cut = rig.call(method, path).body(order("c-2", "buy", 1, "100").to_string());
        assert!(
            cut.send().await.unwrap_err().is_request(),
            "{path}: not even a status line"
        );
    }
    rig.exchange.step().await.unwrap();
    let rig = rig.restarted().await;
    assert!(
        rig.call("GET", "/v2/clock").send().await.is_err(),
        "a restart is no way out"
    );
    rig.post("/sim/outage", json!({ "on": false })).await;
    assert_eq!(rig.order("c-1").await["filled_qty"], "80");
    assert!(!rig.knows("c-2").await);
    let told = rig.listen(Some("0")).await.reports(3).await;
    assert_eq!(told.last().unwrap(), "partial_fill c-1 partially_filled");
}
