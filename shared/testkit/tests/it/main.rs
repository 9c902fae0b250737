//! The helpers themselves.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use testkit::{TestDb, clock, ids, wait_until};

async fn databases(pool: &sqlx::PgPool, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from pg_database where datname = $1")
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn two_tests_do_not_see_each_others_rows() {
    let (one, other) = tokio::join!(TestDb::new(), TestDb::new());
    sqlx::query("create table mine (id int)")
        .execute(&one.pool)
        .await
        .unwrap();
    assert!(sqlx::query("select id from mine").execute(&other.pool).await.is_err());
}

#[tokio::test]
async fn a_database_has_all_migrations() {
    let test = TestDb::new().await;
    let applied: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations where success")
        .fetch_one(&test.pool)
        .await
        .unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), db::MIGRATOR.iter().count());
}

#[tokio::test]
async fn a_database_is_gone_soon_after_its_test_ends() {
    let (stays, goes) = tokio::join!(TestDb::new(), TestDb::new());
    let name: String = sqlx::query_scalar("select current_database()::text")
        .fetch_one(&goes.pool)
        .await
        .unwrap();
    assert_eq!(databases(&stays.pool, &name).await, 1);
    drop(goes);
    wait_until("the database to be gone", Duration::from_secs(60), || async {
        databases(&stays.pool, &name).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_second_connection_finds_the_same_database() {
    let test = TestDb::new().await;
    sqlx::query("create table mine (id int)")
        .execute(&test.pool)
        .await
        .unwrap();
    let second = db::connect(&test.url, db::PoolSettings::default()).await.unwrap();
    sqlx::query("select id from mine").execute(&second).await.unwrap();
}

#[test]
fn the_clock_stands_and_ids_repeat() {
    use chassis::Clock;
    assert_eq!(clock().now(), testkit::start_of_time());
    assert_eq!(ids(1).uuid(), ids(1).uuid());
}

#[tokio::test]
#[should_panic(expected = "in vain for: the cows")]
async fn waiting_in_vain_says_for_what() {
    wait_until("the cows", Duration::from_millis(30), || async { false }).await;
}
