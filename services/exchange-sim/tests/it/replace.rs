//! `PATCH /v2/orders/{id}`: an order in another one's place (ORD-8).

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::rig::{PATIENCE, Rig, order};

/// Puts another order in the place of the one called `old`.
async fn replace(rig: &Rig, old: &str, body: Value) -> (StatusCode, Value) {
    let id = rig.order(old).await["id"].as_str().unwrap().to_owned();
    rig.json("PATCH", &format!("/v2/orders/{id}"), Some(body)).await
}

async fn replaced(rig: &Rig, old: &str, body: Value) -> Value {
    let (status, new) = replace(rig, old, body).await;
    assert_eq!(status, 200, "{new}");
    new
}

async fn statuses<const N: usize>(rig: &Rig, keys: [&str; N]) -> [String; N] {
    let mut all = Vec::new();
    for key in keys {
        let order = rig.order(key).await;
        all.push(format!(
            "{} {}",
            order["status"].as_str().unwrap(),
            order["filled_qty"].as_str().unwrap()
        ));
    }
    all.try_into().unwrap()
}

#[tokio::test]
async fn ord_8_a_replacement_is_a_new_order_and_both_know_each_other() {
    let rig = Rig::start().await;
    let old = rig.place(order("c-1", "buy", 10, "100")).await;
    let mut told = rig.listen(None).await;
    let new = replaced(
        &rig,
        "c-1",
        json!({ "qty": 12, "limit_price": 101.0, "client_order_id": "c-2" }),
    )
    .await;
    assert_ne!(new["id"], old["id"]);
    assert_eq!((&new["replaces"], &new["replaced_by"]), (&old["id"], &Value::Null));
    assert_eq!(
        (&new["status"], &new["qty"], &new["limit_price"], &new["time_in_force"]),
        (&json!("new"), &json!("12"), &json!("101"), &json!("gtc"))
    );
    assert_eq!(rig.order("c-2").await, new, "what was answered is what is stored");
    let before = rig.order("c-1").await;
    assert_eq!(
        (&before["status"], &before["replaced_by"]),
        (&json!("replaced"), &new["id"])
    );
    assert!(before["replaced_at"].is_string() && before["canceled_at"].is_null());
    let report = told.report().await;
    assert_eq!(
        (
            &report["event"],
            &report["order"]["id"],
            &report["order"]["replaced_by"]
        ),
        (&json!("replaced"), &old["id"], &new["id"])
    );
    assert_eq!(told.reports(1).await, ["new c-2 new"]);
    let mut again = rig.listen(Some("0")).await;
    let first = again.report().await;
    assert_eq!(
        (&first["event"], &first["order"]["replaced_by"]),
        (&json!("new"), &Value::Null),
        "told again it is as it was then"
    );
    let of = |list: Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|o| o["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(rig.get("/v2/orders?status=closed").await), [old["id"].clone()]);
    assert_eq!(of(rig.get("/v2/orders?status=open").await), [new["id"].clone()]);
}

#[tokio::test]
async fn what_is_left_out_stays_and_a_name_is_drawn_for_the_replacement() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "sell", 10, "300")).await;
    let body = json!({ "qty": "4", "limit_price": null, "stop_price": null, "trail": null, "time_in_force": "day",
                       "client_order_id": "" });
    let new = replaced(&rig, "c-1", body).await;
    assert_eq!(
        (&new["qty"], &new["limit_price"], &new["side"], &new["time_in_force"]),
        (&json!("4"), &json!("300"), &json!("sell"), &json!("day"))
    );
    assert!(new["client_order_id"].as_str().unwrap().len() >= 32 && new["expires_at"].is_string());
}

#[tokio::test]
async fn ord_8_the_replacement_works_its_total_less_what_the_orders_before_it_traded() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("c-1", "sell", 10, "230")).await;
    rig.place(order("b-1", "buy", 4, "230")).await;
    replaced(&rig, "c-1", json!({ "qty": 9, "client_order_id": "c-2" })).await;
    rig.place(order("b-2", "buy", 2, "230")).await;
    replaced(
        &rig,
        "c-2",
        json!({ "qty": 20, "limit_price": "229", "client_order_id": "c-3" }),
    )
    .await;
    rig.place(order("b-3", "buy", 100, "229")).await;
    assert_eq!(
        statuses(&rig, ["c-1", "c-2", "c-3", "b-3"]).await,
        ["replaced 4", "replaced 2", "filled 14", "partially_filled 14"],
        "each fill belongs to the order it was made for"
    );
    let rows = rig.executions().await;
    let sold = rows.iter().filter(|x| x["side"] == "sell");
    assert_eq!(sold.map(|x| x["qty"].to_string()).collect::<Vec<_>>(), ["4", "2", "14"]);
    let fills = rig.get("/v2/account/activities/FILL?direction=asc").await;
    let last = fills.as_array().unwrap().iter().rfind(|x| x["side"] == "sell").unwrap();
    assert_eq!(
        (&last["leaves_qty"], &last["cum_qty"], &last["type"]),
        (&json!("0"), &json!("14"), &json!("fill"))
    );
}

#[tokio::test]
async fn a_replacement_that_is_refused_says_why_in_the_words_of_the_dialect_and_changes_nothing() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("c-1", "sell", 10, "230")).await;
    rig.place(order("b-1", "buy", 4, "230")).await;
    rig.place(order("used", "buy", 1, "1")).await;
    let before = rig.order("c-1").await;
    for (body, code, text) in [
        (json!({ "qty": 4 }), 42210000, "qty must be greater than filled_qty"),
        (
            json!({ "qty": "5.5" }),
            42210000,
            "fractional orders cannot be replaced",
        ),
        (json!({ "qty": 0 }), 40010001, "qty must be > 0"),
        (
            json!({ "client_order_id": "used" }),
            40010001,
            "client_order_id must be unique",
        ),
        (
            json!({ "client_order_id": "c-1" }),
            40010001,
            "client_order_id must be unique",
        ),
        (json!({ "time_in_force": "cls" }), 40010001, "invalid time_in_force"),
        (
            json!({ "stop_price": "1" }),
            42210000,
            "only limit orders are offered by this exchange",
        ),
        (
            json!({ "limit_price": "230.123" }),
            42210000,
            "invalid limit_price 230.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
    ] {
        let (status, refusal) = replace(&rig, "c-1", body.clone()).await;
        assert_eq!(
            (status.as_u16(), refusal),
            (422, json!({ "code": code, "message": text })),
            "{body}"
        );
    }
    assert_eq!(rig.order("c-1").await, before);
    let unknown = "/v2/orders/00000000-0000-8000-8000-000000000001";
    let (status, refusal) = rig.json("PATCH", unknown, Some(json!({ "qty": 1 }))).await;
    assert_eq!((status.as_u16(), &refusal["code"]), (404, &json!(40410000)));
    let not_open = json!({ "code": 42210000, "message": "unable to replace order, order is not open" });
    rig.place(order("b-2", "buy", 6, "230")).await;
    assert_eq!(
        replace(&rig, "c-1", json!({ "qty": 20 })).await.1,
        not_open,
        "it is filled"
    );
    replaced(&rig, "used", json!({ "qty": 2, "client_order_id": "next" })).await;
    assert_eq!(
        replace(&rig, "used", json!({ "qty": 3 })).await.1,
        not_open,
        "it is replaced"
    );
    let repeat = replace(&rig, "used", json!({ "qty": 2, "client_order_id": "next" }))
        .await
        .1;
    assert_eq!(
        repeat["code"], 40010001,
        "a repeated call is told of its name, not of the old order's end"
    );
}

#[tokio::test]
async fn an_order_that_waits_for_the_session_is_not_sent_yet() {
    let rig = Rig::start_on_a_sunday().await;
    rig.place(order("c-1", "buy", 5, "100")).await;
    let (status, refusal) = replace(&rig, "c-1", json!({ "qty": 6 })).await;
    let text = "unable to replace order, order isn't sent to exchange yet";
    assert_eq!((status.as_u16(), &refusal["message"]), (422, &json!(text)));
}

#[tokio::test]
async fn v5_fifty_calls_with_one_name_make_one_replacement() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "buy", 10, "100")).await;
    let body = json!({ "qty": 11, "client_order_id": "same" });
    let answers = futures::future::join_all((0..50).map(|_| replace(&rig, "c-1", body.clone()))).await;
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    let repeats = answers.iter().filter(|(_, body)| body["code"] == 40010001).count();
    assert_eq!((taken, repeats), (1, 49));
    assert_eq!(rig.get("/sim/orders").await["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn places_in_the_queue_and_the_chain_outlive_a_restart() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    for key in ["first", "second", "third"] {
        rig.place(order(key, "sell", 5, "230")).await;
    }
    rig.place(order("b-1", "buy", 1, "230")).await;
    replaced(&rig, "first", json!({ "qty": 4, "client_order_id": "less" })).await;
    replaced(&rig, "second", json!({ "qty": 9, "client_order_id": "more" })).await;
    replaced(&rig, "less", json!({ "qty": 3, "client_order_id": "least" })).await;
    let before = rig.order("least").await;
    let rig = rig.restarted().await;
    assert_eq!(rig.order("least").await, before);
    rig.place(order("b-2", "buy", 8, "230")).await;
    assert_eq!(
        statuses(&rig, ["least", "third", "more"]).await,
        ["filled 2", "filled 5", "partially_filled 1"],
        "who only gave shares away kept the place"
    );
}

#[tokio::test]
async fn a_replacement_that_dies_before_its_commit_never_happened() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("c-1", "sell", 5, "230")).await;
    let id = rig.order("c-1").await["id"].as_str().unwrap().to_owned();
    // The events cannot be written while somebody holds their table, so the batch hangs before its commit.
    let mut holder = PgConnection::connect(&rig.db.url).await.unwrap();
    sqlx::query("begin").execute(&mut holder).await.unwrap();
    let lock = sqlx::query("lock table sim_events in exclusive mode");
    lock.execute(&mut holder).await.unwrap();
    let body = json!({ "qty": 9, "client_order_id": "c-2" });
    let call = rig.call("PATCH", &format!("/v2/orders/{id}")).body(body.to_string());
    assert!(call.timeout(Duration::from_secs(5)).send().await.is_err());
    rig.kill_who_waits_for_a_lock().await;
    sqlx::query("rollback").execute(&mut holder).await.unwrap();
    testkit::wait_until("the books are loaded again", PATIENCE, || async {
        rig.exchange.step().await.unwrap();
        rig.json("GET", "/readyz", None).await.0 == 200
    })
    .await;
    assert!(!rig.knows("c-2").await);
    assert_eq!(statuses(&rig, ["c-1"]).await, ["new 0"]);
    rig.pin("AAPL", "200", "260", 1).await;
    replaced(&rig, "c-1", body).await;
    rig.place(order("b-1", "buy", 9, "230")).await;
    assert_eq!(statuses(&rig, ["c-1", "c-2"]).await, ["replaced 0", "filled 9"]);
}
