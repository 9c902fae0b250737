//! Many at once: the last dollar, the last share, one name from many clients, two doors over the same accounts.

use std::sync::Arc;
use std::time::Duration;

use crate::house::{Customer, House, door, order, unlimited};
use chassis::batch::BatchSettings;
use domain::Money;
use futures::future::join_all;
use order_manager::Config;
use rust_decimal::Decimal;
use serde_json::Value;
use tower::ServiceExt;

/// Small batches, so that a thousand orders need many of them and both doors interleave.
fn small_batches() -> Config {
    let batch = BatchSettings {
        max: 32,
        ..BatchSettings::default()
    };
    Config {
        batch,
        risk: risk::Settings {
            max_open_orders: 5_000,
            max_open_orders_per_symbol: 5_000,
            ..risk::Settings::default()
        },
        ..Config::default()
    }
}

fn amount(body: &Value, key: &str) -> Decimal {
    body[key].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_2_a_thousand_orders_for_the_last_dollars_never_hold_more_than_there_is() {
    let house = House::with(small_batches()).await;
    let ada = house.customer(100).await;
    let other = second_door(&house);
    let placed = (0..1_000).map(|n| {
        let body = order("buy", "1", &format!("{}", 3 + n % 9)).to_string();
        let (router, ada) = (
            if n % 2 == 0 {
                house.router.clone()
            } else {
                other.clone()
            },
            ada.clone(),
        );
        async move { send(router, &ada, body).await }
    });
    let answers = join_all(placed).await;
    let accepted: Decimal = answers
        .iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, body)| amount(body, "limit_price"))
        .sum();
    assert!(accepted <= Decimal::ONE_HUNDRED, "{accepted}");
    for (status, body) in answers.iter().filter(|(status, _)| *status != 200) {
        assert_eq!((*status, body["code"].as_i64()), (403, Some(40310000)), "{body}");
        // What was there at its place in the line did not suffice.
        assert!(amount(body, "buying_power") < amount(body, "cost_basis"), "{body}");
    }
    let mut conn = house.pool().acquire().await.unwrap();
    let cash = ledger::cash(&mut conn, ada.account).await.unwrap().unwrap();
    assert_eq!(cash.held, Money::from_decimal(accepted));
    assert!(
        cash.avail.get() >= Decimal::ZERO && cash.avail.get() < Decimal::from(3),
        "{cash:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn qty_4_a_thousand_sells_of_the_last_shares_never_sell_one_twice() {
    let house = House::with(small_batches()).await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", 7).await;
    let other = second_door(&house);
    let placed = (0..1_000).map(|n| {
        let body = order("sell", "1", "10").to_string();
        let (router, ada) = (
            if n % 2 == 0 {
                house.router.clone()
            } else {
                other.clone()
            },
            ada.clone(),
        );
        async move { send(router, &ada, body).await }
    });
    let answers = join_all(placed).await;
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers
        .iter()
        .filter(|(status, body)| *status == 403 && body["available"] == "0")
        .count();
    assert_eq!((taken, refused), (7, 993));
}

#[tokio::test(flavor = "multi_thread")]
async fn ord_13_one_name_from_a_hundred_clients_is_one_order() {
    let house = House::with(small_batches()).await;
    let ada = house.customer(10_000).await;
    let other = second_door(&house);
    let mut body = order("buy", "1", "10");
    body["client_order_id"] = "the-only-one".into();
    let body = body.to_string();
    let placed = (0..100).map(|n| {
        let router = if n % 2 == 0 {
            house.router.clone()
        } else {
            other.clone()
        };
        send(router, &ada, body.clone())
    });
    let answers = join_all(placed).await;
    let count = |wanted: u16| answers.iter().filter(|(status, _)| *status == wanted).count();
    assert_eq!((count(200), count(422)), (1, 99));
    assert_eq!(house.count("select count(*) from orders").await, 1);
    assert_eq!(house.count("select held::bigint from ledger_cash").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_over_the_same_accounts_in_opposite_order_do_not_deadlock() {
    let batch = BatchSettings {
        linger: Duration::from_millis(3),
        ..BatchSettings::default()
    };
    let house = House::with(Config {
        batch,
        place_shards: 1,
        ..small_batches()
    })
    .await;
    let other = second_door(&house);
    let mut customers = Vec::new();
    for _ in 0..8 {
        customers.push(house.customer(100_000).await);
    }
    let customers = Arc::new(customers);
    for _ in 0..20 {
        let forward = customers
            .iter()
            .map(|who| send(house.router.clone(), who, order("buy", "1", "10").to_string()));
        let backward = customers
            .iter()
            .rev()
            .map(|who| send(other.clone(), who, order("buy", "1", "10").to_string()));
        let (first, second) = tokio::join!(join_all(forward), join_all(backward));
        assert!(first.iter().chain(&second).all(|(status, _)| *status == 200));
    }
    let deadlocks = house
        .count("select deadlocks from pg_stat_database where datname = current_database()")
        .await;
    assert_eq!((deadlocks, house.count("select count(*) from orders").await), (0, 320));
}

#[tokio::test(flavor = "multi_thread")]
async fn v9_events_of_an_account_are_numbered_without_gaps_whatever_came_at_once() {
    let house = House::with(small_batches()).await;
    let ada = house.customer(10_000).await;
    let placed = join_all((0..50).map(|_| house.order(&ada, "buy", "1", "10"))).await;
    let ids: Vec<String> = placed
        .into_iter()
        .map(|answer| answer.ok()["id"].as_str().unwrap().to_owned())
        .collect();
    let cancels = ids.iter().map(|id| format!("/v2/orders/{id}"));
    let cancels: Vec<String> = cancels.collect();
    let (canceled, placed) = tokio::join!(
        join_all(cancels.iter().map(|path| house.delete(&ada, path))),
        join_all((0..50).map(|_| house.order(&ada, "buy", "1", "10"))),
    );
    assert!(canceled.iter().all(|answer| answer.status == 204) && placed.iter().all(|answer| answer.status == 200));
    let gaps = house
        .count("select count(*) from (select seq, row_number() over (order by seq) as n from order_events) e where seq <> n")
        .await;
    assert_eq!((gaps, house.count("select count(*) from order_events").await), (0, 150));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_row_is_held_fails_alone() {
    let house = House::with(small_batches()).await;
    let mut customers = Vec::new();
    for _ in 0..8 {
        customers.push(house.customer(1_000).await);
    }
    let pool = db::connect(
        &house.db_url(),
        db::PoolSettings {
            lock_timeout_ms: 100,
            ..db::PoolSettings::default()
        },
    )
    .await
    .unwrap();
    let config = Config {
        batch: BatchSettings {
            linger: Duration::from_millis(50),
            ..BatchSettings::default()
        },
        place_shards: 1,
        ..small_batches()
    };
    let ids = testkit::ids(78);
    let door = door(
        &pool,
        &house.clock,
        &ids,
        &house.instruments,
        &house.sessions,
        &house.shutdown,
        &config,
    );
    let mut holder = house.pool().begin().await.unwrap();
    ledger::lock(&mut holder, &[customers[3].account]).await.unwrap();
    let placed = customers
        .iter()
        .map(|who| send(door.clone(), who, order("buy", "1", "10").to_string()));
    let statuses: Vec<u16> = join_all(placed).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, [200, 200, 200, 503, 200, 200, 200, 200]);
    holder.rollback().await.unwrap();
    let (status, _) = send(door.clone(), &customers[3], order("buy", "1", "10").to_string()).await;
    assert_eq!(status, 200, "nothing of the refused try was left behind");
}

/// Another process' door to the same database.
fn second_door(house: &House) -> axum::Router {
    let ids = testkit::ids(77);
    door(
        house.pool(),
        &house.clock,
        &ids,
        &house.instruments,
        &house.sessions,
        &house.shutdown,
        &unlimited(small_batches()),
    )
}

async fn send(router: axum::Router, who: &Customer, body: String) -> (u16, Value) {
    let request = crate::house::request(who, axum::http::Method::POST, "/v2/orders")
        .body(axum::body::Body::from(body))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}
