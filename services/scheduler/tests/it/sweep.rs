//! What the sweep asks, of whom, and how often.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::step::{Progress, Step};
use scheduler::{Config, Deps, Sweep};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;
use venue::fake::FakeVenue;

use crate::{deps, small_pages};

/// Puts an open order there that was accepted `age` ago; `more` sets further columns.
pub async fn open_order(pool: &PgPool, n: u128, age: &str, more: &str) -> Uuid {
    let order = Uuid::from_u128(n);
    let insert = format!(
        "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force, qty,
                             limit_price, session_date, request_id, created_at, submitted_at, status, updated_at)
         values ('{order}', '{account}', 'c-{n}', '{account}', 'AAPL', 'buy', 'limit', 'gtc', 10, 5,
                 (daybook_now() at time zone 'America/New_York')::date, 'r-{n}', daybook_now(),
                 daybook_now() - interval '{age}' + {n} * interval '1 microsecond', 'accepted', daybook_now() - interval '{age}')",
        account = Uuid::from_u128(1),
    );
    let open = format!(
        "insert into open_orders values ('{}', '{order}', 'AAPL', 'buy')",
        Uuid::from_u128(1)
    );
    for statement in [insert, open] {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
    if !more.is_empty() {
        let update = format!("update orders set {more} where order_id = '{order}'");
        sqlx::query(AssertSqlSafe(update)).execute(pool).await.unwrap();
    }
    order
}

pub async fn file(pool: &PgPool, order: Uuid) {
    sqlx::query(
        "insert into venue_submissions (order_id, account_id, partition, symbol, side, qty, limit_price, time_in_force,
                                        session_date, request_id, filed_xid, filed_id, state, updated_at)
         select order_id, account_id, 0, symbol, side, qty, limit_price, time_in_force, session_date, request_id, 1, 1,
                'working', updated_at
           from orders
          where order_id = $1",
    )
    .bind(order)
    .execute(pool)
    .await
    .unwrap();
}

/// Kind and order of everything asked so far.
pub async fn asked(pool: &PgPool) -> Vec<(String, Uuid)> {
    sqlx::query_as("select kind, order_id from outbox where topic = 'orders' order by xid, id")
        .fetch_all(pool)
        .await
        .unwrap()
}

pub async fn one_round(sweep: &mut Sweep<FakeVenue>) {
    while sweep.step().await.unwrap() == Progress::Worked {}
}

pub async fn pass(pool: &PgPool, time: &str) {
    let statement = format!("update db_clock set clock_offset = clock_offset + interval '{time}'");
    sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
}

pub fn sweep(config: Config, deps: &Deps<FakeVenue>) -> Sweep<FakeVenue> {
    Sweep::new(config, deps.clone())
}

#[tokio::test]
async fn an_order_nobody_filed_is_told_to_the_executor_again() {
    let (db, deps) = deps().await;
    let lost = open_order(&db.pool, 7, "1 minute", "").await;
    open_order(&db.pool, 8, "1 second", "").await;
    one_round(&mut sweep(Config::default(), &deps)).await;
    assert_eq!(asked(&db.pool).await, [("order_accepted.v1".to_owned(), lost)]);
    let (payload, key): (String, i16) = sqlx::query_as("select payload, partition from outbox")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    let event: wire::events::v1::OrderAccepted = serde_json::from_str(&payload).unwrap();
    assert_eq!((event.order_id, event.qty.to_string().as_str()), (lost, "10"));
    assert_eq!(key, bus::partition_of("AAPL"), "where its first event went");
}

#[tokio::test]
async fn every_page_is_looked_at() {
    let (db, deps) = deps().await;
    for n in 10..15 {
        open_order(&db.pool, n, "1 minute", "").await;
    }
    one_round(&mut sweep(small_pages(), &deps)).await;
    assert_eq!(asked(&db.pool).await.len(), 5, "pages of two");
}

#[tokio::test]
async fn a_cancel_without_an_answer_is_looked_up_and_asked_again_and_no_order_is_moved() {
    let (db, deps) = deps().await;
    let late = "status = 'new', cancel_requested_at = daybook_now() - interval '1 minute'";
    let order = open_order(&db.pool, 7, "1 hour", late).await;
    file(&db.pool, order).await;
    one_round(&mut sweep(Config::default(), &deps)).await;
    let expected = ["look_up_requested.v1", "cancel_requested.v1"].map(|kind| (kind.to_owned(), order));
    assert_eq!(asked(&db.pool).await, expected);
    let status: String = sqlx::query_scalar("select status from orders")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(status, "new");
}

#[tokio::test]
async fn an_order_that_stays_wrong_is_asked_about_less_and_less_often() {
    let (db, deps) = deps().await;
    open_order(&db.pool, 7, "1 minute", "").await;
    let mut sweep = sweep(Config::default(), &deps);
    for (time, questions) in [("0 s", 1), ("10 s", 1), ("21 s", 2), ("31 s", 2), ("30 s", 3)] {
        pass(&db.pool, time).await;
        one_round(&mut sweep).await;
        assert_eq!(asked(&db.pool).await.len(), questions, "after {time} more");
    }
}

#[tokio::test]
async fn one_process_sweeps_at_a_time() {
    let (db, deps) = deps().await;
    open_order(&db.pool, 7, "1 minute", "").await;
    let (mut first, mut second) = (sweep(Config::default(), &deps), sweep(Config::default(), &deps));
    one_round(&mut first).await;
    one_round(&mut second).await;
    assert_eq!(asked(&db.pool).await.len(), 1);
}

#[tokio::test]
async fn a_sweep_asks_only_so_much_at_a_time() {
    let (db, deps) = deps().await;
    for n in 10..15 {
        open_order(&db.pool, n, "1 minute", "").await;
    }
    let mut sweep = sweep(
        Config {
            asks_max: 3,
            ..Config::default()
        },
        &deps,
    );
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await.len(), 3);
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await.len(), 5, "the rest in the next round");
}

/// However many orders are open, a run costs so much and no more.
#[tokio::test]
async fn a_run_looks_at_so_many_pages_and_the_next_one_goes_on_from_there() {
    let (db, deps) = deps().await;
    for n in 10..17 {
        open_order(&db.pool, n, "1 minute", "").await;
    }
    let bounded = Config {
        pages_max: 2,
        ..small_pages()
    };
    let mut sweep = sweep(bounded, &deps);
    for looked_at in [4, 7] {
        one_round(&mut sweep).await;
        assert_eq!(asked(&db.pool).await.len(), looked_at);
    }
    open_order(&db.pool, 9, "1 minute", "").await;
    one_round(&mut sweep).await;
    assert_eq!(asked(&db.pool).await.len(), 8, "and then from the beginning");
}
