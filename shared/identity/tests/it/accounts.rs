//! Accounts: opened, listed, blocked.

use identity::accounts::{create, flags, get, list, set_flags};
use identity::acts::{Act, record};
use identity::{AccountKind, FlagChange, NewAccount};
use testkit::{TestDb, ids, start_of_time};

#[tokio::test]
async fn an_account_is_read_back_as_it_was_opened() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.unwrap();
    let new = NewAccount {
        name: "Ada".to_owned(),
        kind: AccountKind::CashStrict,
    };
    let opened = create(&mut conn, &*ids(1), &new, start_of_time()).await.unwrap();
    assert_eq!(get(&mut conn, opened.id).await.unwrap(), Some(opened.clone()));
    assert_eq!(list(&mut conn).await.unwrap(), vec![opened.clone()]);
    assert!(opened.flags.active && opened.kind.is_strict());
}

#[tokio::test]
async fn a_number_that_is_taken_already_is_drawn_again() {
    let db = TestDb::new().await;
    let first = crate::account(&db.pool, 1).await;
    let mut conn = db.pool.acquire().await.unwrap();
    // The same number as the one the next account would draw first.
    let probe = ids(2);
    let _ = probe.uuid();
    let taken = format!("DB{:09}", probe.jitter(1_000_000_000));
    sqlx::query("update accounts set account_number = $1")
        .bind(&taken)
        .execute(&mut *conn)
        .await
        .unwrap();
    let second = crate::account(&db.pool, 2).await;
    assert!(second.number != taken && second.id != first.id, "{second:?}");
}

#[tokio::test]
async fn flags_change_one_by_one() {
    let db = TestDb::new().await;
    let account = crate::account(&db.pool, 1).await;
    let mut conn = db.pool.acquire().await.unwrap();
    let block = FlagChange {
        trading_blocked: Some(true),
        ..FlagChange::default()
    };
    assert!(set_flags(&mut conn, account.id, block).await.unwrap());
    let closing = FlagChange {
        closing_only: Some(true),
        trading_blocked: None,
        ..FlagChange::default()
    };
    assert!(set_flags(&mut conn, account.id, closing).await.unwrap());
    let now = flags(&mut conn, &[account.id]).await.unwrap()[&account.id];
    assert!(now.trading_blocked && now.closing_only && now.active && !now.account_blocked);
    let nobody = domain::AccountId::new(uuid::Uuid::nil());
    assert!(!set_flags(&mut conn, nobody, closing).await.unwrap());
}

#[tokio::test]
async fn v16_an_act_rolls_back_with_what_it_records() {
    let db = TestDb::new().await;
    let mut tx = db::begin(&db.pool).await.unwrap();
    let act = Act {
        actor: "ops".into(),
        act: "create_account".into(),
        subject: "x".into(),
        detail: String::new(),
    };
    record(&mut tx, &*ids(1), start_of_time(), &act).await.unwrap();
    tx.rollback().await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from admin_acts")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
