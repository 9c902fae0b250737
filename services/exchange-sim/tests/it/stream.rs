//! The report stream: what it tells, and that it can be resumed.

use serde_json::json;

use crate::rig::{Listener, Rig, order, told_shortly};

#[tokio::test]
async fn both_auth_dialects_work_and_a_wrong_secret_does_not() {
    let rig = Rig::start().await;
    let mut other = Listener::connect(&rig.exchange).await;
    let refused = other
        .ask(json!({ "action": "listen", "data": { "streams": ["trade_updates"] } }))
        .await;
    assert_eq!(
        refused,
        json!({ "stream": "authorization", "data": { "status": "unauthorized", "action": "listen" } })
    );
    let authorized = other.ask(json!({ "action": "auth", "key": "k", "secret": "s" })).await;
    assert_eq!(
        authorized,
        json!({ "stream": "authorization", "data": { "status": "authorized", "action": "authenticate" } })
    );
    let mut wrong = Listener::connect(&rig.exchange).await;
    let told = wrong.ask(json!({ "action": "auth", "key": "k", "secret": "x" })).await;
    assert_eq!(told["data"]["status"], "unauthorized");
    assert!(wrong.is_closed().await);
}

#[tokio::test]
async fn only_streams_that_exist_are_confirmed_and_nonsense_is_an_error() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    let both = listener
        .ask(json!({ "action": "listen", "data": { "streams": ["trade_updates", "account_updates"] } }))
        .await;
    assert_eq!(both["data"]["streams"], json!(["trade_updates"]));
    assert_eq!(listener.ask(json!({ "action": "dance" })).await["action"], "error");
    let odd = json!({ "action": "listen", "data": { "streams": ["trade_updates"], "since_id": "x" } });
    assert!(listener.ask(odd).await["data"]["error_message"].is_string());
    assert_eq!(
        listener
            .ask(json!({ "action": "listen", "data": { "streams": [] } }))
            .await["data"]["streams"],
        json!([])
    );
}

#[tokio::test]
async fn each_change_of_an_order_is_told_in_order_with_the_order_as_it_was_then() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 40).await;
    let mut listener = rig.listen(None).await;
    rig.place(order("c-1", "buy", 60, "230.10")).await;
    rig.exchange.step().await.unwrap();
    let new = listener.report().await;
    assert_eq!(told_shortly(&new), "new c-1 new");
    assert_eq!(
        (&new["order"]["filled_qty"], &new["order"]["filled_at"], &new["price"]),
        (&json!("0"), &json!(null), &json!(null))
    );
    let partial = listener.report().await;
    assert_eq!(told_shortly(&partial), "partial_fill c-1 partially_filled");
    assert_eq!(
        (&partial["price"], &partial["qty"], &partial["order"]["filled_qty"]),
        (&json!("230.1"), &json!("40"), &json!("40"))
    );
    let fill = listener.report().await;
    assert_eq!(told_shortly(&fill), "fill c-1 filled");
    assert_eq!(
        (&fill["qty"], &fill["order"]["filled_qty"]),
        (&json!("20"), &json!("60"))
    );
    assert_ne!(fill["execution_id"], partial["execution_id"]);
    assert_eq!(fill["timestamp"], fill["order"]["filled_at"]);
    let ids: Vec<&str> = [&new, &partial, &fill]
        .map(|report| report["event_id"].as_str().unwrap())
        .into();
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn a_replayed_report_equals_the_live_one() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 40).await;
    let mut listener = rig.listen(None).await;
    rig.place(order("c-1", "buy", 60, "230.10")).await;
    rig.exchange.step().await.unwrap();
    let mut live = Vec::new();
    for _ in 0..3 {
        live.push(listener.report().await);
    }
    let mut later = rig.listen(Some("0")).await;
    for report in live {
        assert_eq!(later.report().await, report);
    }
}

#[tokio::test]
async fn v9_a_listener_that_comes_back_gets_what_it_missed_once_and_then_the_live_ones() {
    let rig = Rig::start().await;
    let mut listener = rig.listen(None).await;
    rig.place(order("c-1", "buy", 1, "100")).await;
    let last = listener.report().await["event_id"].as_str().unwrap().to_owned();
    drop(listener);
    rig.place(order("c-2", "buy", 1, "100")).await;
    rig.place(order("c-3", "buy", 1, "100")).await;
    let rig = rig.restarted().await;
    rig.place(order("c-4", "buy", 1, "100")).await;
    let mut listener = rig.listen(Some(&last)).await;
    rig.place(order("c-5", "buy", 1, "100")).await;
    let told = listener.reports(4).await;
    assert_eq!(told, ["new c-2 new", "new c-3 new", "new c-4 new", "new c-5 new"]);
}

#[tokio::test]
async fn a_listener_that_joins_under_load_misses_nothing() {
    let rig = Rig::start().await;
    let orders = async {
        for batch in 0..20 {
            let batch = (0..10).map(|n| rig.place(order(&format!("{batch}-{n}"), "buy", 1, "100")));
            futures::future::join_all(batch).await;
        }
    };
    let listening = async {
        let mut listener = rig.listen(Some("0")).await;
        let mut numbers = Vec::new();
        while numbers.len() < 200 {
            numbers.push(
                listener.report().await["event_id"]
                    .as_str()
                    .unwrap()
                    .parse::<i64>()
                    .unwrap(),
            );
        }
        numbers
    };
    let ((), numbers) = tokio::join!(orders, listening);
    assert_eq!(numbers, (1..=200).collect::<Vec<i64>>());
}
