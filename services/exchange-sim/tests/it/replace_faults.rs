//! Replacements that misbehave on request.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{PATIENCE, Rig, order};

async fn send(rig: &Rig, old: &str, key: &str) -> Result<reqwest::Response, reqwest::Error> {
    let id = rig.order(old).await["id"].as_str().unwrap().to_owned();
    let body = json!({ "qty": 12, "client_order_id": key }).to_string();
    rig.call("PATCH", &format!("/v2/orders/{id}")).body(body).send().await
}

async fn status(rig: &Rig, key: &str) -> Value {
    rig.order(key).await["status"].clone()
}

/// An order and its replacement, taken and not decided for a minute.
async fn pending(rig: &Rig, old: &str, new: &str) {
    rig.fault(json!({ "kind": "replace_pending", "client_order_id": new, "delay_ms": 60_000 }))
        .await;
    rig.place(order(old, "sell", 10, "230")).await;
    let answer: Value = serde_json::from_str(&send(rig, old, new).await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(answer["status"], "pending_new");
    assert_eq!(status(rig, old).await, "pending_replace");
}

#[tokio::test]
async fn replace_sent_no_answer_an_answer_lost_after_applying_leaves_a_replacement_and_one_before_none() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "buy", 10, "100")).await;
    rig.fault(json!({ "kind": "lost_before_accepting", "on": "replace", "next": 1 }))
        .await;
    assert!(send(&rig, "c-1", "c-2").await.is_err());
    assert!(!rig.knows("c-2").await);
    rig.fault(json!({ "kind": "answer_lost_after_accepting", "on": "replace", "next": 1 }))
        .await;
    assert!(send(&rig, "c-1", "c-2").await.is_err());
    assert_eq!(rig.order("c-2").await["replaces"], rig.order("c-1").await["id"]);
    let repeat = send(&rig, "c-1", "c-2").await.unwrap();
    assert_eq!(repeat.status(), 422);
    assert!(repeat.text().await.unwrap().contains("client_order_id must be unique"));
}

#[tokio::test]
async fn statuses_and_refusals_on_request_take_no_effect_unless_told_to() {
    let rig = Rig::start().await;
    for (kind, code, applied) in [
        ("500", 500, false),
        ("429", 429, false),
        ("503", 503, false),
        ("502_html", 502, true),
        ("500", 500, true),
        ("reject", 422, false),
        ("duplicate_key", 422, false),
    ] {
        let (old, new) = (format!("{kind}-{applied}"), format!("{kind}-{applied}-new"));
        rig.place(order(&old, "buy", 10, "100")).await;
        let rule = json!({ "kind": kind, "on": "replace", "client_order_id": new, "next": 1, "applied": applied });
        rig.fault(rule).await;
        assert_eq!(send(&rig, &old, &new).await.unwrap().status(), code);
        assert_eq!(rig.knows(&new).await, applied, "{new}");
        assert_eq!(status(&rig, &old).await, if applied { "replaced" } else { "new" });
    }
}

#[tokio::test]
async fn a_slow_replacement_takes_effect_late_even_when_its_caller_has_gone() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "buy", 10, "100")).await;
    let id = rig.order("c-1").await["id"].as_str().unwrap().to_owned();
    rig.fault(json!({ "kind": "slow", "on": "replace", "symbol": "AAPL", "next": 1, "delay_ms": 5_000 }))
        .await;
    let body = json!({ "qty": 12, "client_order_id": "c-2" }).to_string();
    let call = rig.call("PATCH", &format!("/v2/orders/{id}")).body(body);
    assert!(
        call.timeout(Duration::from_secs(3))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    testkit::wait_until("the late replacement", PATIENCE, || rig.knows("c-2")).await;
    assert_eq!(status(&rig, "c-1").await, "replaced");
}

#[tokio::test]
async fn a_pending_replacement_is_decided_when_its_time_has_come_and_works_what_is_left_then() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    pending(&rig, "c-1", "c-2").await;
    let mut told = rig.listen(Some("1")).await;
    assert_eq!(told.reports(1).await, ["pending_replace c-1 pending_replace"]);
    rig.place(order("b-1", "buy", 4, "230")).await;
    assert_eq!(
        status(&rig, "c-1").await,
        "pending_replace",
        "ORD-4: a part of it leaves the wish as it is"
    );
    for (old, text) in [
        ("c-1", "unable to replace order, order is not open"),
        ("c-2", "unable to replace order, order isn't sent to exchange yet"),
    ] {
        let refused = send(&rig, old, "c-3").await.unwrap().text().await.unwrap();
        assert!(refused.contains(text), "{refused}");
    }
    rig.exchange.step().await.unwrap();
    assert_eq!(status(&rig, "c-2").await, "pending_new", "not yet");
    rig.clock.advance(Duration::from_secs(61));
    rig.exchange.step().await.unwrap();
    assert_eq!(status(&rig, "c-1").await, "replaced");
    rig.place(order("b-2", "buy", 20, "230")).await;
    let new = rig.order("c-2").await;
    assert_eq!(
        (&new["status"], &new["filled_qty"], &new["qty"]),
        (&json!("filled"), &json!("8"), &json!("12"))
    );
}

/// ORD-8, V4: whatever comes first, one of the two is open at most, each has one end, and the stream says which.
#[tokio::test]
async fn replace_refused_or_filled_a_pending_replacement_comes_to_nothing_when_its_order_is_over_first() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    for (n, first, old_end) in [(1, "fill", "filled"), (2, "cancel", "canceled")] {
        let (old, new) = (format!("old-{n}"), format!("new-{n}"));
        pending(&rig, &old, &new).await;
        match first {
            "fill" => drop(rig.place(order("b-1", "buy", 10, "230")).await),
            _ => cancel(&rig, &old).await,
        }
        assert_eq!(
            (status(&rig, &old).await, status(&rig, &new).await),
            (json!(old_end), json!("pending_new"))
        );
        rig.exchange.step().await.unwrap();
        assert_eq!(
            status(&rig, &new).await,
            "rejected",
            "at once, there is nothing to wait for"
        );
        assert_eq!(status(&rig, &old).await, old_end);
    }
    let mut told = rig.listen(Some("0")).await;
    let mut rejected = Vec::new();
    while rejected.len() < 2 {
        let report = told.report().await;
        assert_ne!(
            report["event"], "order_replace_rejected",
            "nothing is told of an order that is over"
        );
        if report["event"] == "rejected" {
            assert_eq!(report["reason"], "unable to replace order, order is not open");
            rejected.push(report["order"]["client_order_id"].clone());
        }
    }
    assert_eq!(rejected, ["new-1", "new-2"]);
}

#[tokio::test]
async fn an_order_goes_on_when_its_replacement_is_refused_later_or_canceled() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("c-1", "sell", 10, "230")).await;
    rig.place(order("b-1", "buy", 4, "230")).await;
    let mut told = rig.listen(None).await;
    rig.fault(json!({ "kind": "replace_reject_later", "client_order_id": "c-2" }))
        .await;
    assert_eq!(send(&rig, "c-1", "c-2").await.unwrap().status(), 200);
    assert_eq!(
        told.reports(3).await,
        [
            "pending_replace c-1 pending_replace",
            "order_replace_rejected c-1 partially_filled",
            "rejected c-2 rejected"
        ]
    );
    pending(&rig, "d-1", "d-2").await;
    cancel(&rig, "d-2").await;
    assert_eq!(
        (status(&rig, "d-1").await, status(&rig, "d-2").await),
        (json!("new"), json!("canceled"))
    );
    assert_eq!(
        send(&rig, "c-1", "c-3").await.unwrap().status(),
        200,
        "it can be tried again"
    );
}

#[tokio::test]
async fn a_pending_replacement_outlives_a_restart_and_is_decided_then() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    pending(&rig, "c-1", "c-2").await;
    let rig = rig.restarted().await;
    assert_eq!(status(&rig, "c-2").await, "pending_new");
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("b-1", "buy", 3, "230")).await;
    assert_eq!(
        rig.order("c-1").await["filled_qty"],
        "3",
        "the old order is on the book, the new one is not"
    );
    rig.exchange.step().await.unwrap();
    rig.place(order("b-2", "buy", 9, "230")).await;
    assert_eq!(
        (status(&rig, "c-1").await, status(&rig, "c-2").await),
        (json!("replaced"), json!("filled"))
    );
}

#[tokio::test]
async fn a_pending_replacement_that_only_gives_shares_away_keeps_the_place_over_a_restart() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.fault(json!({ "kind": "replace_pending", "next": 1, "delay_ms": 0 }))
        .await;
    rig.place(order("c-1", "sell", 10, "230")).await;
    rig.place(order("later", "sell", 5, "230")).await;
    let id = rig.order("c-1").await["id"].as_str().unwrap().to_owned();
    let body = json!({ "qty": 6, "client_order_id": "c-2" });
    rig.json("PATCH", &format!("/v2/orders/{id}"), Some(body)).await;
    assert_eq!(status(&rig, "c-2").await, "pending_new");
    rig.exchange.step().await.unwrap();
    let rig = rig.restarted().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("b-1", "buy", 7, "230")).await;
    assert_eq!(status(&rig, "c-2").await, "filled");
    assert_eq!(rig.order("later").await["filled_qty"], "1");
}

async fn cancel(rig: &Rig, key: &str) {
    let id = rig.order(key).await["id"].as_str().unwrap().to_owned();
    assert_eq!(rig.json("DELETE", &format!("/v2/orders/{id}"), None).await.0, 204);
}
