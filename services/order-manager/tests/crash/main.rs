//! Placing and canceling, stopped at each named point.
//!
//! A binary of its own, because failpoints are global to a process.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../it/house.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod house;
#[path = "../it/promised.rs"]
mod promised;
#[path = "../it/street.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod street;

use std::time::Duration;

use chassis::batch::BatchSettings;
use fail::FailScenario;
use futures::StreamExt;
use futures::future::join_all;
use house::{Customer, House, order};
use order_manager::Config;
use serde_json::Value;

/// An order with a name, so that its client can look it up.
fn named() -> String {
    let mut body = order("buy", "1", "10");
    body["client_order_id"] = "mine".into();
    body.to_string()
}

/// What the client does after an answer it could not use: it looks the order up by its own name.
async fn looked_up(house: &House, who: &Customer) -> Option<Value> {
    let answer = house
        .get(who, "/v2/orders:by_client_order_id?client_order_id=mine")
        .await;
    answer.status.is_success().then_some(answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn v3_a_fault_before_the_commit_leaves_nothing_and_the_retry_succeeds() {
    let scenario = FailScenario::setup();
    for point in [
        "api::tx_account_locked",
        "api::tx_hold_made",
        "api::tx_order_made",
        "api::tx_before_commit",
    ] {
        let house = House::open().await;
        let ada = house.customer(100).await;
        fail::cfg(point, "1*return").unwrap();
        let answer = house.post(&ada, named()).await;
        assert_eq!((answer.status.as_u16(), house.traces().await), (500, 0), "{point}");
        house.post(&ada, named()).await.ok();
        assert!(looked_up(&house, &ada).await.is_some(), "{point}");
    }
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn v3_a_process_that_dies_before_its_transaction_stored_nothing() {
    let scenario = FailScenario::setup();
    let house = House::open().await;
    let ada = house.customer(100).await;
    fail::cfg("api::before_tx", "panic").unwrap();
    assert_eq!(house.post(&ada, named()).await.status, 503);
    fail::remove("api::before_tx");
    assert_eq!(house.traces().await, 0);

    let House { db, .. } = house;
    let restarted = House::of(db, Config::default(), 2);
    restarted.post(&ada, named()).await.ok();
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_batch_costs_nobody_an_order() {
    let scenario = FailScenario::setup();
    let batch = BatchSettings {
        linger: Duration::from_millis(200),
        ..BatchSettings::default()
    };
    let house = House::with(Config {
        batch,
        place_shards: 1,
        ..Config::default()
    })
    .await;
    let ada = house.customer(100).await;
    fail::cfg("api::tx_order_made", "1*return").unwrap();
    let answers = join_all((0..5).map(|_| house.order(&ada, "buy", "1", "10"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let held = house.count("select held::bigint from ledger_cash").await;
    assert_eq!((house.count("select count(*) from orders").await, held), (5, 50));
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn v11_a_commit_whose_answer_is_lost_is_read_back() {
    let scenario = FailScenario::setup();
    let house = House::open().await;
    let ada = house.customer(100).await;
    fail::cfg("api::commit_unknown", "1*return").unwrap();
    let answer = house.post(&ada, named()).await.ok();
    assert_eq!(looked_up(&house, &ada).await, Some(answer));
    let held = house.count("select held::bigint from ledger_cash").await;
    assert_eq!((house.count("select count(*) from orders").await, held), (1, 10));
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn v11_a_commit_that_never_arrived_is_done_again() {
    let scenario = FailScenario::setup();
    let house = House::open().await;
    let ada = house.customer(100).await;
    let url = house.db.url.clone();
    // The server process dies just before COMMIT is sent: its answer is lost, and it did not happen.
    fail::cfg_callback("api::tx_before_commit", move || {
        fail::remove("api::tx_before_commit");
        kill_idle_transactions(&url);
    })
    .unwrap();
    house.post(&ada, named()).await.ok();
    let held = house.count("select held::bigint from ledger_cash").await;
    assert_eq!((house.count("select count(*) from orders").await, held), (1, 10));
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn v3_a_process_that_dies_after_the_commit_left_one_order_for_its_client_to_find() {
    for point in ["api::committed_not_woken", "api::committed_not_answered"] {
        let scenario = FailScenario::setup();
        let house = House::open().await;
        let ada = house.customer(100).await;
        fail::cfg(point, "panic").unwrap();
        let answer = house.post(&ada, named()).await;
        assert_eq!(answer.error().0, 503, "{point}");
        fail::remove(point);

        let House { db, .. } = house;
        let restarted = House::of(db, Config::default(), 2);
        assert!(looked_up(&restarted, &ada).await.is_some(), "{point}");
        let again = restarted.post(&ada, named()).await;
        assert_eq!(
            again.error(),
            (422, 40010001, "client_order_id must be unique"),
            "{point}"
        );
        let told = restarted.count("select count(*) from outbox").await;
        assert_eq!(
            (restarted.count("select count(*) from orders").await, told),
            (1, 2),
            "{point}"
        );
        scenario.teardown();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v4_a_cancel_that_was_stopped_is_asked_for_again_and_told_once() {
    let scenario = FailScenario::setup();
    let house = House::open().await;
    let ada = house.customer(100).await;
    let id = house.post(&ada, named()).await.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/v2/orders/{id}");
    fail::cfg("cancel::tx_before_commit", "1*return").unwrap();
    assert_eq!(house.delete(&ada, &path).await.status, 500);
    assert_eq!(house.get(&ada, &path).await.ok()["status"], "accepted");

    fail::cfg("cancel::committed_not_answered", "panic").unwrap();
    assert_eq!(house.delete(&ada, &path).await.status, 503);
    fail::remove("cancel::committed_not_answered");
    let House { db, .. } = house;
    let restarted = House::of(db, Config::default(), 2);
    assert_eq!(restarted.delete(&ada, &path).await.status, 204);
    assert_eq!(
        restarted
            .count("select count(*) from outbox where kind = 'cancel_requested.v1'")
            .await,
        1
    );
    scenario.teardown();
}

/// From a thread of its own: a failpoint's callback is not async.
fn kill_idle_transactions(url: &str) {
    let url = url.to_owned();
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pool = db::connect(
                &url,
                db::PoolSettings {
                    max_connections: 1,
                    ..db::PoolSettings::default()
                },
            )
            .await
            .unwrap();
            let killed: i64 = sqlx::query_scalar(
                "with idle as materialized (
                     select pid from pg_stat_activity
                      where datname = current_database() and state = 'idle in transaction')
                 select count(*) from idle where pg_terminate_backend(pid)",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            killed
        })
    });
    assert_eq!(killed.join().unwrap(), 1);
}

/// An order that the venue works.
async fn working(house: &House, who: &Customer) -> String {
    let order = house.order(who, "buy", "1", "10").await.ok();
    sqlx::query("update orders set status = 'new', acknowledged_at = submitted_at, venue_order_id = 'v-1'")
        .execute(house.pool())
        .await
        .unwrap();
    order["id"].as_str().unwrap().to_owned()
}

async fn replace(house: &House, who: &Customer, id: &str) -> house::Answer {
    let body = axum::body::Body::from(r#"{"qty": 3, "client_order_id": "mine"}"#);
    let path = format!("/v2/orders/{id}");
    let request = house::request(who, axum::http::Method::PATCH, &path).body(body);
    house.send(request.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_a_replace_that_dies_with_the_larger_hold_made_leaves_nothing_and_the_retry_succeeds() {
    let scenario = FailScenario::setup();
    for (point, action) in [
        ("replace::tx_delta_held", "1*return"),
        ("api::tx_before_commit", "1*return"),
    ] {
        let house = House::open().await;
        let ada = house.customer(100).await;
        let old = working(&house, &ada).await;
        let before = house.traces().await;
        fail::cfg(point, action).unwrap();
        let answer = replace(&house, &ada, &old).await;
        assert_eq!((answer.status.as_u16(), house.traces().await), (500, before), "{point}");
        let held = "select count(*) from ledger_cash where held = 10";
        assert_eq!(house.count(held).await, 1, "{point}");
        replace(&house, &ada, &old).await.ok();
        assert!(looked_up(&house, &ada).await.is_some(), "{point}");
        let held = "select count(*) from ledger_cash where held = 30";
        assert_eq!(house.count(held).await, 1, "{point}");
    }
    scenario.teardown();
}

/// crash-points rule 11: the replacement is read back by its name; it is there once.
#[tokio::test(flavor = "multi_thread")]
async fn v3_a_replace_whose_commit_has_no_answer_is_read_back() {
    let scenario = FailScenario::setup();
    let house = House::open().await;
    let ada = house.customer(100).await;
    let old = working(&house, &ada).await;
    fail::cfg("api::commit_unknown", "1*return").unwrap();
    let new = replace(&house, &ada, &old).await.ok();
    assert_eq!(
        looked_up(&house, &ada).await.map(|found| found["id"].clone()),
        Some(new["id"].clone())
    );
    assert_eq!(house.count("select count(*) from orders").await, 2);
    scenario.teardown();
}

/// A connection breaks off in the middle of what it was being sent: the client resumes after the last update it had.
#[tokio::test(flavor = "multi_thread")]
async fn ws_mid_stream_a_connection_that_breaks_off_is_resumed_without_loss() {
    let scenario = FailScenario::setup();
    let street = street::Street::open().await;
    let ada = street.house.customer(100).await;
    let order = street.order(&ada).await;
    street.flood(order, 40).await;
    let mut had = 0;
    for _ in 0..3 {
        let mut socket = street.listener_since(&ada, &had.to_string()).await;
        fail::cfg("ws::mid_stream", "9*off->1*return").unwrap();
        while let Some(Ok(message)) = socket.0.next().await {
            if message.is_text() {
                let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
                assert_eq!(street::number(&frame["data"]), had + 1);
                had += 1;
            }
        }
    }
    fail::remove("ws::mid_stream");
    assert!(had < 41, "it broke off each time");
    let mut socket = street.listener_since(&ada, &had.to_string()).await;
    let rest = usize::try_from(41 - had).unwrap();
    assert_eq!(socket.numbers(rest).await, (had + 1..=41).collect::<Vec<_>>());
    scenario.teardown();
}
