//! V16: an operator's act and its row are one. In a test binary of its own, since a failpoint counts for its whole process.

#![expect(clippy::unwrap_used, reason = "tests")]

use db::{DbError, PgPool};
use fail::FailScenario;
use identity::acts::{Act, record};
use identity::{Account, AccountKind, NewAccount, Tier};
use testkit::{TestDb, start_of_time};

const POINT: &str = "audit::row_made";

async fn account(pool: &PgPool) -> Account {
    let new = NewAccount {
        name: "Ada".to_owned(),
        kind: AccountKind::LimitedMargin,
    };
    let mut conn = pool.acquire().await.unwrap();
    identity::accounts::create(&mut conn, &*testkit::ids(1), &new, start_of_time())
        .await
        .unwrap()
}

/// An act with its row, in one transaction.
async fn move_to_pro(pool: &PgPool, account: &str) -> Result<(), DbError> {
    let mut tx = db::begin(pool).await?;
    let id = domain::AccountId::new(account.parse().unwrap());
    identity::accounts::set_tier(&mut tx, id, &Tier::new("pro").unwrap()).await?;
    let act = Act {
        actor: "ada".to_owned(),
        act: "set_tier".to_owned(),
        subject: account.to_owned(),
        detail: "pro".to_owned(),
    };
    record(&mut tx, &*testkit::ids(2), start_of_time(), &act).await?;
    tx.commit().await?;
    Ok(())
}

async fn state(pool: &PgPool, account: &Account) -> (String, i64) {
    let mut conn = pool.acquire().await.unwrap();
    let tier = identity::accounts::get(&mut conn, account.id)
        .await
        .unwrap()
        .unwrap()
        .tier;
    let rows: i64 = sqlx::query_scalar("select count(*) from admin_acts")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    (tier.to_string(), rows)
}

#[tokio::test]
async fn v16_audit_row_made_an_act_that_dies_or_fails_there_leaves_neither_itself_nor_its_row() {
    let db = TestDb::new().await;
    let ada = account(&db.pool).await;
    let environment = [
        ("VICTIM_DATABASE", db.url.as_str()),
        ("VICTIM_ACCOUNT", &ada.id.to_string()),
    ];
    testkit::victim::dies_at("child_moves_an_account", POINT, &environment);
    assert_eq!(state(&db.pool, &ada).await, ("standard".to_owned(), 0), "killed");
    let scenario = FailScenario::setup();
    fail::cfg(POINT, "return").unwrap();
    assert!(move_to_pro(&db.pool, &ada.id.to_string()).await.is_err());
    assert_eq!(state(&db.pool, &ada).await, ("standard".to_owned(), 0), "failed");
    scenario.teardown();
    move_to_pro(&db.pool, &ada.id.to_string()).await.unwrap();
    assert_eq!(state(&db.pool, &ada).await, ("pro".to_owned(), 1), "done again");
}

#[tokio::test]
#[ignore = "the process that dies"]
async fn child_moves_an_account() {
    testkit::victim::abort_on_panic();
    let _points = FailScenario::setup();
    let pool = PgPool::connect(&std::env::var("VICTIM_DATABASE").unwrap())
        .await
        .unwrap();
    move_to_pro(&pool, &std::env::var("VICTIM_ACCOUNT").unwrap())
        .await
        .unwrap();
}
