//! What is set by hand: the clock, closures, halts, an outage.

use domain::calendar::Calendar;
use exchange_sim::{Config, MIGRATOR};
use serde_json::json;
use testkit::TestDb;

use crate::rig::{Rig, config, order};

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

#[tokio::test]
async fn in_a_halt_nothing_trades_until_it_is_lifted_or_the_session_closes() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    rig.pin("MSFT", "419.90", "420.10", 50).await;
    let halts = rig.post("/sim/halt", json!({ "symbol": "AAPL", "on": true })).await;
    assert_eq!(halts, json!([{ "symbol": "AAPL", "ends_at": "2026-11-24T04:59:59Z" }]));
    assert_eq!(rig.place(order("c-1", "buy", 10, "235")).await["status"], "accepted");
    let mut other = order("c-2", "buy", 10, "425");
    other["symbol"] = "MSFT".into();
    assert_eq!(rig.place(other).await["status"], "filled");
    let rig = rig.restarted().await;
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("c-1").await["status"], "accepted", "a restart lifts no halt");
    rig.post("/sim/halt", json!({ "symbol": "AAPL", "on": false })).await;
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("c-1").await["status"], "filled");
    rig.post("/sim/halt", json!({ "on": true })).await;
    let mut day = order("c-3", "buy", 10, "235");
    day["time_in_force"] = "day".into();
    rig.place(day).await;
    rig.place(order("c-4", "buy", 10, "235")).await;
    rig.post("/sim/clock", json!({ "offset_ms": 14 * 3_600_000 })).await;
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("c-3").await["status"], "expired");
    assert_eq!(
        rig.order("c-4").await["status"],
        "filled",
        "the next session is not halted"
    );
    assert_eq!(rig.get("/sim/halt").await, json!([]));
    let unknown = rig.json("POST", "/sim/halt", Some(json!({ "symbol": "NOPE", "on": true })));
    assert_eq!(unknown.await.0, 404);
}

fn nyse() -> Config {
    Config {
        calendar: Calendar::nyse(),
        round_max: 2,
        ..config()
    }
}

async fn on_nyse() -> Rig {
    let db = TestDb::with_migrator(&MIGRATOR, "exchange").await;
    Rig::start_on(db, testkit::clock(), nyse()).await
}

async fn day_orders(rig: &Rig, count: usize) {
    for n in 0..count {
        let mut body = order(&format!("d-{n}"), "buy", 10, "100");
        body["time_in_force"] = "day".into();
        rig.place(body).await;
    }
}

#[tokio::test]
async fn cal_4_a_session_that_is_cut_short_ends_its_day_orders_and_its_trade_file_is_there() {
    let rig = on_nyse().await;
    day_orders(&rig, 5).await;
    rig.place(order("gtc", "buy", 10, "100")).await;
    let closures = rig
        .post("/sim/closures", json!({ "date": "2026-11-23", "closes_at": "13:00" }))
        .await;
    assert_eq!(closures, json!([{ "date": "2026-11-23", "closes_at": "13:00:00" }]));
    let rig = rig.restarted().await;
    assert_eq!(rig.get("/v2/clock").await["next_close"], "2026-11-23T13:00:00-05:00");
    rig.clock.set("2026-11-23T18:00:00Z".parse().unwrap());
    let ended = rig.post("/sim/step", json!({})).await["reports"].clone();
    assert_eq!(ended, 5, "in rounds of two");
    assert_eq!(rig.order("d-4").await["status"], "expired");
    assert_eq!(rig.order("gtc").await["status"], "new");
    rig.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(rig.text("/trade-files/2026-11-23").await.0, 200);
}

#[tokio::test]
async fn cal_4_orders_of_a_day_without_session_end_when_it_would_have_closed() {
    let rig = on_nyse().await;
    rig.clock.set("2026-11-23T22:00:00Z".parse().unwrap());
    rig.exchange.step().await.unwrap();
    day_orders(&rig, 1).await;
    rig.place(order("gtc", "buy", 10, "300")).await;
    rig.post("/sim/closures", json!({ "date": "2026-11-24" })).await;
    rig.clock.set("2026-11-24T17:00:00Z".parse().unwrap());
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("d-0").await["status"], "accepted");
    rig.clock.set("2026-11-24T21:00:00Z".parse().unwrap());
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("d-0").await["status"], "expired");
    assert_eq!(rig.order("gtc").await["status"], "accepted");
    assert_eq!(rig.json("DELETE", "/sim/closures/2026-11-24", None).await.0, 204);
    assert_eq!(rig.get("/sim/closures").await, json!([]));
}
