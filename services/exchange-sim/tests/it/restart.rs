//! What a restart, a lost connection and a batch cut off in the middle leave behind.

use std::time::Duration;

use chassis::shutdown::Shutdown;
use exchange_sim::Exchange;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::rig::{PATIENCE, Rig, config, deps, order};

#[tokio::test]
async fn the_books_come_back_with_their_priorities() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    for key in ["first", "second", "third"] {
        rig.place(order(key, "sell", 5, "230")).await;
    }
    rig.place(order("taker-1", "buy", 2, "230")).await;
    let rig = rig.restarted().await;
    rig.place(order("taker-2", "buy", 5, "230")).await;
    let mut filled = Vec::new();
    for key in ["first", "second", "third"] {
        filled.push(rig.order(key).await["filled_qty"].clone());
    }
    assert_eq!(filled, ["5", "2", "0"]);
    let numbers: Vec<i64> = rig
        .executions()
        .await
        .iter()
        .map(|x| x["no"].as_i64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=6).collect::<Vec<_>>(),
        "the sequence goes on without a gap"
    );
}

#[tokio::test]
async fn ord_13_a_used_client_order_id_stays_used_after_a_restart() {
    let rig = Rig::start().await;
    let before = rig.place(order("c-1", "buy", 5, "100")).await;
    let rig = rig.restarted().await;
    assert_eq!(
        rig.json("POST", "/v2/orders", Some(order("c-1", "buy", 5, "100")))
            .await
            .1["code"],
        40010001
    );
    assert_eq!(rig.order("c-1").await, before, "same id, same times");
}

#[tokio::test]
async fn pg_killed_a_lost_connection_costs_one_answer_and_no_order() {
    let rig = Rig::start().await;
    rig.place(order("c-1", "sell", 5, "230")).await;
    let killed = sqlx::query(
        "select pg_terminate_backend(l.pid)
           from pg_locks l
           join pg_database d on d.oid = l.database
          where l.locktype = 'advisory' and d.datname = current_database()",
    );
    killed.execute(&rig.db.pool).await.unwrap();
    let (status, _) = rig.json("POST", "/v2/orders", Some(order("lost", "buy", 1, "1"))).await;
    assert_eq!(status, 503);
    assert!(!rig.knows("lost").await);
    testkit::wait_until("the books are loaded again", PATIENCE, || async {
        rig.json("POST", "/v2/orders", Some(order("again", "buy", 5, "230")))
            .await
            .0
            != 503
    })
    .await;
    assert_eq!(rig.order("c-1").await["filled_qty"], "5");
    assert_eq!(rig.get("/readyz").await["status"], "ready");
}

#[tokio::test]
async fn a_batch_that_dies_before_its_commit_never_happened() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("resting", "sell", 5, "230")).await;
    // The events cannot be written while somebody holds their table, so the batch hangs before its commit.
    let mut holder = PgConnection::connect(&rig.db.url).await.unwrap();
    sqlx::query("begin").execute(&mut holder).await.unwrap();
    sqlx::query("lock table sim_events in exclusive mode")
        .execute(&mut holder)
        .await
        .unwrap();
    let taker = order("taker", "buy", 5, "230").to_string();
    let call = rig
        .call("POST", "/v2/orders")
        .body(taker)
        .timeout(Duration::from_secs(5));
    assert!(call.send().await.is_err());
    rig.kill_who_waits_for_a_lock().await;
    sqlx::query("rollback").execute(&mut holder).await.unwrap();
    testkit::wait_until("the books are loaded again", PATIENCE, || async {
        rig.exchange.step().await.unwrap();
        rig.json("GET", "/readyz", None).await.0 == 200
    })
    .await;
    assert!(!rig.knows("taker").await);
    assert_eq!(rig.order("resting").await["filled_qty"], "0");
    assert_eq!(
        rig.place(order("taker", "buy", 5, "230")).await["status"],
        "filled",
        "its name is not used up"
    );
    assert_eq!(rig.get("/sim/orders").await["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn v10_a_second_exchange_on_the_same_database_does_not_get_to_write() {
    let rig = Rig::start().await;
    let shutdown = Shutdown::new();
    let locked = Exchange::start(config(), deps(&rig.db, &rig.clock), &shutdown);
    let early = tokio::time::timeout(Duration::from_millis(500), locked).await;
    assert!(early.is_err(), "it waits for the first one to go");
    assert_eq!(rig.place(order("c-1", "buy", 1, "100")).await["status"], "new");
}

#[tokio::test]
async fn the_walk_goes_on_where_it_stood() {
    let rig = Rig::start().await;
    for _ in 0..50 {
        rig.exchange.step().await.unwrap();
    }
    rig.clock.advance(Duration::from_secs(6));
    rig.exchange.step().await.unwrap();
    let mid = |quotes: Value| quotes["quotes"]["AAPL"]["bp"].clone();
    let before = mid(rig.get("/v2/stocks/quotes/latest?symbols=AAPL").await);
    let rig = rig.restarted().await;
    assert_eq!(mid(rig.get("/v2/stocks/quotes/latest?symbols=AAPL").await), before);
    assert_ne!(before, json!(229.98), "it has moved from its start");
}

#[tokio::test]
async fn one_seed_gives_one_day_of_trading() {
    let mut days = Vec::new();
    for _ in 0..2 {
        let rig = Rig::start().await;
        for n in 0..20 {
            rig.exchange.step().await.unwrap();
            rig.place(order(
                &format!("{n}"),
                if n % 2 == 0 { "buy" } else { "sell" },
                30,
                "230",
            ))
            .await;
        }
        days.push(rig.executions().await);
    }
    assert_eq!(days[0], days[1]);
    assert!(!days[0].is_empty());
}

#[tokio::test]
async fn between_sessions_orders_wait_for_the_open_and_over_a_restart() {
    let rig = Rig::start_on_a_sunday().await;
    let mut listener = rig.listen(None).await;
    rig.pin("AAPL", "99", "100", 50).await;
    let waiting = rig.place(order("c-1", "buy", 5, "100")).await;
    assert_eq!(
        (&waiting["status"], &waiting["filled_qty"]),
        (&json!("accepted"), &json!("0"))
    );
    assert_eq!(listener.reports(1).await, ["accepted c-1 accepted"]);
    let mut immediate = order("c-2", "buy", 5, "230");
    immediate["time_in_force"] = "ioc".into();
    assert_eq!(rig.place(immediate).await["status"], "canceled");
    let rig = rig.restarted().await;
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("c-1").await["status"], "accepted");
    rig.clock.set("2026-11-23T14:30:00Z".parse().unwrap());
    rig.exchange.step().await.unwrap();
    assert_eq!(rig.order("c-1").await["status"], "new");
    rig.pin("AAPL", "99", "100", 50).await;
    assert_eq!(rig.order("c-1").await["status"], "filled");
}
