//! On a real Postgres: errors by kind, timeouts, migrations, the movable clock.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use chrono::TimeDelta;
use db::{DbError, ExactlyOne, OnConstraint, PoolSettings};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::{TestDb, wait_until};

/// A busy machine may take its time; no test waits for this to pass.
const PATIENCE: Duration = Duration::from_secs(60);

async fn run(pool: &PgPool, sql: &str) -> Result<u64, DbError> {
    Ok(sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await?
        .rows_affected())
}

async fn with_table() -> TestDb {
    let test = TestDb::new().await;
    run(&test.pool, "create table parcels (id int constraint parcels_key primary key, weight int constraint parcels_weight check (weight > 0))").await.unwrap();
    test
}

#[tokio::test]
async fn a_second_row_of_one_key_is_a_duplicate_with_its_constraint() {
    let test = with_table().await;
    run(&test.pool, "insert into parcels values (1, 1)").await.unwrap();
    let error = run(&test.pool, "insert into parcels values (1, 1)").await.unwrap_err();
    assert!(
        matches!(&error, DbError::Duplicate { constraint } if constraint == "parcels_key"),
        "{error:?}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn other_constraints_are_named_too_and_can_be_given_a_meaning() {
    let test = with_table().await;
    let refused = run(&test.pool, "insert into parcels values (1, 0)").await;
    assert_eq!(refused.as_ref().unwrap_err().constraint(), Some("parcels_weight"));
    let meant: Result<u64, DbError> = refused.on_constraint("parcels_weight", DbError::Stale);
    assert!(matches!(meant, Err(DbError::Stale)));
    let other: Result<u64, DbError> = run(&test.pool, "insert into parcels values (1, 0)")
        .await
        .on_constraint("parcels_key", DbError::Stale);
    assert!(matches!(other, Err(DbError::Sqlx(_))));
}

#[tokio::test]
async fn a_statement_that_finds_no_row_is_stale() {
    let test = with_table().await;
    let done = sqlx::query("update parcels set weight = 2 where id = 7")
        .execute(&test.pool)
        .await
        .unwrap();
    assert!(matches!(done.exactly_one_row(DbError::Stale), Err(DbError::Stale)));
}

#[tokio::test]
async fn a_hot_role_cannot_stall_the_event_log() {
    let test = TestDb::new().await;
    let brief = PoolSettings {
        statement_timeout_ms: 50,
        acquire_timeout: PATIENCE,
        ..PoolSettings::default()
    };
    let pool = db::connect(&test.url, brief).await.unwrap();
    let slow = run(&pool, "select pg_sleep(60)").await.unwrap_err();
    assert!(slow.is_transient() && !slow.is_connection_lost(), "{slow:?}");
    let restless = PoolSettings {
        application_name: "idler".to_owned(),
        statement_timeout_ms: 0,
        idle_in_transaction_timeout_ms: 50,
        acquire_timeout: PATIENCE,
        ..PoolSettings::default()
    };
    let pool = db::connect(&test.url, restless).await.unwrap();
    let mut idle = db::begin(&pool).await.unwrap();
    let gone = "select not exists (select from pg_stat_activity
                                    where datname = current_database() and application_name = 'idler')";
    wait_until("the server ends the session", PATIENCE, || async {
        sqlx::query_scalar(gone).fetch_one(&test.pool).await.unwrap()
    })
    .await;
    let error = DbError::from(sqlx::query("select 1").execute(&mut *idle).await.unwrap_err());
    assert!(error.is_connection_lost() && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_pool_outlives_its_connections() {
    let test = TestDb::new().await;
    let pool = db::connect(
        &test.url,
        PoolSettings {
            max_connections: 2,
            acquire_timeout: PATIENCE,
            ..PoolSettings::default()
        },
    )
    .await
    .unwrap();
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    run(&test.pool, kill).await.unwrap();
    let outcome = db::with_retry(5, |_| Duration::from_millis(20), || run(&pool, "select 1")).await;
    assert_eq!(outcome.unwrap(), 1);
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_outlasts_the_timeouts_of_a_hot_role() {
    let test = TestDb::new().await;
    let settings = PoolSettings {
        acquire_timeout: PATIENCE,
        ..PoolSettings::default()
    };
    let pool = db::connect(&test.url, settings).await.unwrap();
    db::migrate(&pool, &db::MIGRATOR).await.unwrap();
    let timeout: String = sqlx::query_scalar("show statement_timeout")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(timeout, "2s", "the settings of the migration stay out of the pool");
}

#[tokio::test]
async fn a_wrong_url_is_told_at_once() {
    let url = "postgres://postgres@127.0.0.1:1/nowhere";
    let settings = PoolSettings {
        acquire_timeout: Duration::from_millis(200),
        ..PoolSettings::default()
    };
    assert!(db::connect(url, settings).await.unwrap_err().is_transient());
    assert!(
        !db::connect("nonsense", PoolSettings::default())
            .await
            .unwrap_err()
            .is_transient()
    );
}

#[tokio::test]
async fn the_databases_time_can_be_moved() {
    let test = TestDb::new().await;
    let mut connection = test.pool.acquire().await.unwrap();
    let before = db::database_time(&mut connection).await.unwrap();
    db::advance_database_time(&mut connection, TimeDelta::hours(5))
        .await
        .unwrap();
    let after = db::database_time(&mut connection).await.unwrap();
    assert!(
        after - before >= TimeDelta::hours(5) && after - before < TimeDelta::hours(6),
        "{before} {after}"
    );
}

#[tokio::test]
async fn settings_with_which_commits_may_be_lost_are_named() {
    let test = TestDb::new().await;
    let mut conn = test.pool.acquire().await.unwrap();
    let mut names = Vec::new();
    for setting in ["on", "off", "local"] {
        let set = format!("set synchronous_commit = {setting}");
        sqlx::query(AssertSqlSafe(set)).execute(&mut *conn).await.unwrap();
        let off = db::forgetful_settings(&mut conn).await.unwrap();
        names.push(off.contains(&"synchronous_commit".to_owned()));
    }
    assert_eq!(names, [false, true, false]);
}
