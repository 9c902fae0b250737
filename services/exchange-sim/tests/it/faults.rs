//! Each misbehaviour, and what is true behind it.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};

use crate::rig::{PATIENCE, Rig, order};

async fn send(rig: &Rig, key: &str) -> Result<Response, reqwest::Error> {
    rig.call("POST", "/v2/orders")
        .body(order(key, "buy", 10, "100").to_string())
        .timeout(PATIENCE)
        .send()
        .await
}

#[tokio::test]
async fn an_answer_lost_after_accepting_leaves_an_order_and_one_lost_before_none() {
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "answer_lost_after_accepting", "next": 1 }))
        .await;
    rig.fault(json!({ "kind": "lost_before_accepting", "next": 1 })).await;
    assert!(
        send(&rig, "after").await.unwrap_err().is_request(),
        "not even a status line arrives"
    );
    assert!(send(&rig, "before").await.is_err());
    assert!(rig.knows("after").await);
    assert!(!rig.knows("before").await);
    assert_eq!(
        send(&rig, "third").await.unwrap().status(),
        200,
        "the rules are used up"
    );
}

#[tokio::test]
async fn statuses_on_request_take_no_effect_unless_told_to() {
    let rig = Rig::start().await;
    for (kind, status) in [("500", 500), ("502_html", 502), ("503", 503), ("429", 429)] {
        for applied in [false, true] {
            rig.fault(json!({ "kind": kind, "next": 1, "applied": applied })).await;
            let key = format!("{kind}-{applied}");
            let answer = send(&rig, &key).await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(
                answer.headers().contains_key("retry-after"),
                matches!(status, 503 | 429)
            );
            assert_eq!(rig.knows(&key).await, applied, "{key}");
        }
    }
}

#[tokio::test]
async fn a_slow_call_takes_effect_late_even_when_its_caller_has_gone() {
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "slow", "next": 1, "delay_ms": 12_000 }))
        .await;
    let body = order("c-1", "buy", 10, "100").to_string();
    let call = rig
        .call("POST", "/v2/orders")
        .timeout(Duration::from_secs(3))
        .body(body);
    assert!(call.send().await.unwrap_err().is_timeout());
    assert!(!rig.knows("c-1").await, "not found proves nothing");
    testkit::wait_until("the late order", PATIENCE, || rig.knows("c-1")).await;
}

#[tokio::test]
async fn a_report_can_come_before_the_answer() {
    const DELAY: Duration = Duration::from_secs(9);
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    rig.fault(json!({ "kind": "report_before_ack", "next": 1, "delay_ms": 9_000 }))
        .await;
    let begun = Instant::now();
    let told = async {
        listener.report().await;
        begun.elapsed()
    };
    let (answer, told) = tokio::join!(send(&rig, "c-1"), told);
    assert_eq!(answer.unwrap().status(), 200);
    assert!(begun.elapsed() >= DELAY && told < DELAY, "{told:?}");
}

#[tokio::test]
async fn a_report_can_come_twice_or_not_at_all() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    rig.fault(json!({ "kind": "duplicate_report", "client_order_id": "twice" }))
        .await;
    rig.fault(json!({ "kind": "no_reports", "client_order_id": "silent" }))
        .await;
    for key in ["twice", "silent", "usual"] {
        rig.place(order(key, "buy", 1, "100")).await;
    }
    assert_eq!(
        listener.reports(3).await,
        ["new twice new", "new twice new", "new usual new"]
    );
    assert_eq!(rig.order("silent").await["status"], "new");
}

#[tokio::test]
async fn reports_of_one_commit_can_come_in_the_wrong_order() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "99", "100", 50).await;
    let mut listener = rig.listen(None).await;
    rig.fault(json!({ "kind": "out_of_order", "next": 1 })).await;
    rig.place(order("c-1", "buy", 10, "100")).await;
    assert_eq!(listener.reports(2).await, ["fill c-1 filled", "new c-1 new"]);
}

#[tokio::test]
async fn answers_can_be_cut_broken_or_about_another_order() {
    let rig = Rig::start().await;
    let kinds = ["body_cut", "broken_json", "wrong_order_id", "wrong_qty"];
    for kind in kinds {
        rig.fault(json!({ "kind": kind, "next": 1, "client_order_id": kind }))
            .await;
    }
    assert!(send(&rig, "body_cut").await.unwrap().text().await.is_err());
    let broken = send(&rig, "broken_json").await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&broken).is_err());
    let wrong: Value =
        serde_json::from_str(&send(&rig, "wrong_order_id").await.unwrap().text().await.unwrap()).unwrap();
    assert_ne!(wrong["id"], rig.order("wrong_order_id").await["id"]);
    let wrong: Value = serde_json::from_str(&send(&rig, "wrong_qty").await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(
        (&wrong["qty"], &rig.order("wrong_qty").await["qty"]),
        (&json!("101"), &json!("10"))
    );
    for kind in kinds {
        assert!(rig.knows(kind).await, "{kind}");
    }
}

#[tokio::test]
async fn an_order_can_be_refused_taken_for_a_repeat_or_rejected_later() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    rig.fault(json!({ "kind": "reject", "next": 1 })).await;
    rig.fault(json!({ "kind": "duplicate_key", "next": 1 })).await;
    rig.fault(json!({ "kind": "reject_later", "next": 1 })).await;
    let (status, refusal) = rig
        .json("POST", "/v2/orders", Some(order("refused", "buy", 1, "100")))
        .await;
    assert_eq!((status.as_u16(), &refusal["code"]), (422, &json!(42210000)));
    let (_, repeat) = rig
        .json("POST", "/v2/orders", Some(order("repeat", "buy", 1, "100")))
        .await;
    assert_eq!(repeat["code"], 40010001);
    assert!(!rig.knows("refused").await && !rig.knows("repeat").await);
    rig.place(order("later", "buy", 1, "100")).await;
    assert_eq!(
        listener.reports(2).await,
        ["accepted later accepted", "rejected later rejected"]
    );
}

#[tokio::test]
async fn an_order_can_be_denied_by_a_look_up() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "buy", 1, "100")).await;
    rig.fault(json!({ "kind": "not_found", "next": 1 })).await;
    let path = "/v2/orders:by_client_order_id?client_order_id=c-1";
    assert_eq!(rig.json("GET", path, None).await.0, 404);
    assert_eq!(rig.json("GET", path, None).await.0, 200);
}

#[tokio::test]
async fn a_fill_can_follow_a_cancel() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    let id = rig.place(order("c-1", "buy", 10, "100")).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    rig.fault(json!({ "kind": "fill_after_cancel", "next": 1 })).await;
    rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!(
        listener.reports(3).await,
        ["new c-1 new", "canceled c-1 canceled", "partial_fill c-1 canceled"]
    );
    assert_eq!(rig.order("c-1").await["filled_qty"], "5");
}

#[tokio::test]
async fn more_than_ordered_can_trade() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "99", "100", 50).await;
    rig.fault(json!({ "kind": "overfill", "next": 1 })).await;
    assert_eq!(rig.place(order("c-1", "buy", 10, "100")).await["filled_qty"], "11");
    assert_eq!(rig.executions().await.len(), 2);
}

#[tokio::test]
async fn an_execution_can_be_taken_back_at_once_or_later() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "99", "100", 50).await;
    let mut listener = rig.listen(None).await;
    rig.fault(json!({ "kind": "bust", "next": 1 })).await;
    assert_eq!(rig.place(order("c-1", "buy", 10, "100")).await["filled_qty"], "0");
    assert_eq!(
        listener.reports(3).await,
        ["new c-1 new", "fill c-1 filled", "trade_bust c-1 filled"]
    );
    rig.place(order("c-2", "buy", 10, "100")).await;
    listener.report().await;
    let fill = listener.report().await;
    let body = json!({ "execution_id": fill["execution_id"] });
    rig.post("/sim/bust", body.clone()).await;
    let bust = listener.report().await;
    assert_eq!(
        (&bust["event"], &bust["execution_id"], &bust["qty"]),
        (&json!("trade_bust"), &fill["execution_id"], &json!("10"))
    );
    assert_eq!(rig.json("POST", "/sim/bust", Some(body)).await.0, 404, "once is enough");
    assert!(
        rig.executions()
            .await
            .iter()
            .all(|execution| execution["busted"] == true)
    );
    assert_eq!(rig.get("/v2/account/activities/FILL").await, json!([]));
}

#[tokio::test]
async fn rules_are_listed_cleared_and_checked() {
    let rig = Rig::start().await;
    rig.fault(json!({ "kind": "slow", "share_percent": 10, "symbol": "AAPL", "delay_ms": 5 }))
        .await;
    let listed = rig.get("/sim/faults").await;
    assert_eq!(
        (&listed[0]["kind"], &listed[0]["share_percent"], &listed[0]["hits"]),
        (&json!("slow"), &json!(10), &json!(0))
    );
    assert_eq!(rig.json("DELETE", "/sim/faults", None).await.0, 204);
    assert_eq!(rig.get("/sim/faults").await, json!([]));
    assert_eq!(
        rig.json("POST", "/sim/faults", Some(json!({ "kind": "sulk" }))).await.0,
        422
    );
}
