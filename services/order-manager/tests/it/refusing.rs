//! Orders that are refused, and faults that must not reach the neighbours.

use std::time::Duration;

use crate::house::{House, order};
use chassis::batch::BatchSettings;
use futures::future::join_all;
use identity::FlagChange;
use insta::assert_json_snapshot;
use order_manager::Config;
use serde_json::{Value, json};

/// Connections of this test's database that wait for a lock.
const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
/// Ends them, and tells how many there were.
const KILL_WAITING: &str = "with waiting as materialized (
        select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
    select count(*) from waiting where pg_terminate_backend(pid)";

#[tokio::test]
async fn bp_1_a_buy_over_the_buying_power_is_told_both_numbers() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let answer = house.order(&ada, "buy", "12", "10").await;
    assert_eq!(answer.status, 403);
    assert_json_snapshot!(answer.body, @r#"
    {
      "buying_power": "100.00",
      "code": 40310000,
      "cost_basis": "120.00",
      "message": "insufficient buying power"
    }
    "#);
    assert_eq!(house.traces().await, 0);
}

#[tokio::test]
async fn qty_4_a_sell_of_more_than_is_free_is_told_what_holds_the_rest() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", 10).await;
    let first = house.order(&ada, "sell", "7", "10").await.ok();
    let answer = house.order(&ada, "sell", "4", "10").await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body["related_orders"], json!([first["id"]]));
    assert_json_snapshot!(answer.body, { ".related_orders" => "[ids]" }, @r#"
    {
      "available": "3",
      "code": 40310000,
      "existing_qty": "10",
      "held_for_orders": "7",
      "message": "insufficient qty available for order (requested: 4, available: 3)",
      "related_orders": "[ids]",
      "symbol": "AAPL"
    }
    "#);
}

#[tokio::test]
async fn selling_without_any_shares_would_be_a_short_sale() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    assert_eq!(
        house.order(&ada, "sell", "1", "10").await.error(),
        (403, 40310000, "account is not allowed to short")
    );
}

#[tokio::test]
async fn ord_13_a_repeated_client_order_id_is_refused_and_never_replayed() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(100).await, house.customer(100).await);
    let named = |price: &str| {
        let mut body = order("buy", "1", price);
        body["client_order_id"] = "mine".into();
        body.to_string()
    };
    house.post(&ada, named("10")).await.ok();
    for body in [named("10"), named("11")] {
        let answer = house.post(&ada, body).await;
        assert_eq!(answer.error(), (422, 40010001, "client_order_id must be unique"));
    }
    house.post(&bob, named("10")).await.ok();
    assert_eq!(house.count("select count(*) from orders").await, 2);
}

#[tokio::test]
async fn a_blocked_account_places_nothing_from_the_moment_of_the_block() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    house.order(&ada, "buy", "1", "10").await.ok();
    let mut tx = db::begin(house.pool()).await.unwrap();
    ledger::lock(&mut tx, &[ada.account]).await.unwrap();
    let block = FlagChange {
        trading_blocked: Some(true),
        ..FlagChange::default()
    };
    identity::accounts::set_flags(&mut tx, ada.account, block)
        .await
        .unwrap();
    // The order waits for the lock that the block holds, and then sees the block (api::account_blocked_race).
    let (answer, ()) = tokio::join!(house.order(&ada, "buy", "1", "10"), async {
        tx.commit().await.unwrap()
    });
    assert_eq!(answer.error(), (403, 40310000, "account is not allowed to trade"));
}

#[tokio::test]
async fn one_order_that_cannot_be_stored_never_fails_its_neighbours() {
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
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
         create trigger refuse before insert on orders for each row when (new.symbol = 'MSFT') execute function refuse()",
    )
    .execute(house.pool())
    .await
    .unwrap();
    let ada = house.customer(1_000).await;
    let symbols = ["AAPL", "AAPL", "AAPL", "MSFT", "AAPL", "AAPL"];
    let bodies = symbols.map(|symbol| {
        let mut body = order("buy", "1", "10");
        body["symbol"] = symbol.into();
        body.to_string()
    });
    let answers = join_all(bodies.map(|body| house.post(&ada, body))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 500, 200, 200]);
    assert_eq!(
        answers[3].body,
        json!({ "code": 50010000, "message": "internal server error" })
    );
    assert_eq!(house.count("select count(*) from orders").await, 5);
    assert_eq!(house.count("select held::bigint from ledger_cash").await, 50);
}

#[tokio::test]
async fn a_full_queue_answers_503_with_a_time_to_wait_and_takes_nothing() {
    let batch = BatchSettings {
        max: 1,
        queue: 1,
        ..BatchSettings::default()
    };
    let house = House::with(Config {
        batch,
        place_shards: 1,
        ..Config::default()
    })
    .await;
    let ada = house.customer(1_000).await;
    house.get(&ada, "/v2/clock").await.ok();
    let mut lock = db::begin(house.pool()).await.unwrap();
    ledger::lock(&mut lock, &[ada.account]).await.unwrap();
    // One under way, one waiting, the others refused at once.
    let orders = join_all((0..6).map(|_| house.order(&ada, "buy", "1", "10")));
    let unlock = async {
        testkit::wait_until("one is under way", Duration::from_secs(60), async || {
            house.count(WAITING).await > 0
        })
        .await;
        lock.commit().await.unwrap();
    };
    let (answers, ()) = tokio::join!(orders, unlock);
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(taken >= 1 && refused.len() >= 4, "{taken} taken");
    for answer in &refused {
        assert_eq!(
            answer.error(),
            (503, 50310000, "too many orders are waiting, try again")
        );
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(
        house.count("select count(*) from orders").await,
        i64::try_from(taken).unwrap()
    );
}

#[tokio::test]
async fn a_connection_that_dies_under_an_order_is_replaced() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let mut lock = db::begin(house.pool()).await.unwrap();
    ledger::lock(&mut lock, &[ada.account]).await.unwrap();
    let kill = async {
        testkit::wait_until("the order waits for the lock", Duration::from_secs(60), async || {
            house.count(KILL_WAITING).await > 0
        })
        .await;
        lock.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(house.order(&ada, "buy", "1", "10"), kill);
    answer.ok();
    assert_eq!(house.count("select count(*) from orders").await, 1);
}

#[tokio::test]
async fn rsk_3_too_many_open_orders_are_refused_whoever_counts_them() {
    let house = House::with(Config {
        risk: risk::Settings {
            max_open_orders: 3,
            max_open_orders_per_symbol: 2,
            ..risk::Settings::default()
        },
        ..Config::default()
    })
    .await;
    let ada = house.customer(1_000).await;
    for _ in 0..2 {
        house.order(&ada, "buy", "1", "10").await.ok();
    }
    let refused = (
        403,
        40310000,
        "too many open orders in AAPL: at most 2, cancel some first",
    );
    assert_eq!(house.order(&ada, "buy", "1", "10").await.error(), refused);
    let other = |n: &str| {
        let mut body = order("buy", n, "10");
        body["symbol"] = "MSFT".into();
        body.to_string()
    };
    house.post(&ada, other("1")).await.ok();
    let refused = (403, 40310000, "too many open orders: at most 3, cancel some first");
    assert_eq!(house.post(&ada, other("2")).await.error(), refused);
}

#[tokio::test]
async fn without_instruments_nothing_is_taken_and_the_client_is_told_to_come_back() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    house.instruments.set_assets(vec![]);
    let answer = house.order(&ada, "buy", "1", "10").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["code"], Value::from(50310000));
}

#[tokio::test]
async fn rsk_10_reads_that_take_every_connection_do_not_keep_an_order_waiting() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let mut busy = Vec::new();
    for _ in 1..house.pool().options().get_max_connections() {
        busy.push(house.pool().acquire().await.unwrap());
    }
    // Her key is known for a second from here on, and needs no connection meanwhile.
    house.get(&ada, "/v2/clock").await.ok();
    busy.push(house.pool().acquire().await.unwrap());
    house.order(&ada, "buy", "1", "10").await.ok();
    drop(busy);
    assert_eq!(house.count("select count(*) from orders").await, 1);
}
