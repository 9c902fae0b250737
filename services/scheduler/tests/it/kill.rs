//! RSK-6, `block_new_and_cancel_all`: the end of every open order of what a switch stops is asked for, once.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use chassis::step::{Progress, Step};
use domain::{AccountId, Symbol};
use risk::desk::{self, NewSwitch};
use risk::{Mode, Target};
use scheduler::kill::{KillCancels, Settings};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::start_of_time;
use uuid::Uuid;
use venue::fake::FakeVenue;

use crate::deps;
use crate::sweep::{asked, open_order, pass};

/// Orders 1 to `n` of account 1, with what their account's locks need.
async fn book(pool: &PgPool, n: u128) {
    let mut conn = pool.acquire().await.unwrap();
    for account in [Uuid::from_u128(1), Uuid::from_u128(2)].map(AccountId::new) {
        ledger::open_account(&mut conn, account, false).await.unwrap();
        orders::open_sequence(&mut conn, account).await.unwrap();
    }
    for order in 1..=n {
        open_order(pool, order, "1 minute", "").await;
    }
}

/// Gives an order to account 2, or another symbol.
async fn change(pool: &PgPool, order: u128, what: &str) {
    for table in ["orders", "open_orders"] {
        let order = Uuid::from_u128(order);
        let update = format!("update {table} set {what} where order_id = '{order}'");
        sqlx::query(AssertSqlSafe(update)).execute(pool).await.unwrap();
    }
}

async fn set(pool: &PgPool, target: Target, mode: Mode) {
    let new = NewSwitch {
        target,
        mode,
        reason: "a test".to_owned(),
        by: "ada".to_owned(),
    };
    let mut conn = pool.acquire().await.unwrap();
    desk::set(&mut conn, &*testkit::ids(5), &new, start_of_time())
        .await
        .unwrap();
}

fn follower(deps: &scheduler::Deps<FakeVenue>) -> KillCancels<FakeVenue> {
    let settings = Settings {
        page: 2,
        batch: 1,
        ..Settings::default()
    };
    KillCancels::new(settings, Arc::new(deps.clone()))
}

async fn one_round(follower: &mut KillCancels<FakeVenue>) {
    while follower.step().await.unwrap() == Progress::Worked {}
}

fn cancels(orders: &[u128]) -> Vec<(String, Uuid)> {
    orders
        .iter()
        .map(|n| ("cancel_requested.v1".to_owned(), Uuid::from_u128(*n)))
        .collect()
}

#[tokio::test]
async fn rsk_6_everything_that_a_switch_stops_is_asked_to_end_once_and_nothing_else() {
    let symbol = Target::Symbol(Symbol::parse("AAPL").unwrap());
    let cases = [
        (Target::Firm, vec![1, 2, 3, 4, 5]),
        (Target::Venue("exchange".to_owned()), vec![1, 2, 3, 4, 5]),
        (Target::Venue("elsewhere".to_owned()), vec![]),
        (Target::Account(AccountId::new(Uuid::from_u128(2))), vec![4]),
        (symbol, vec![1, 3, 4, 5]),
    ];
    for (target, expected) in cases {
        let (db, deps) = deps().await;
        book(&db.pool, 5).await;
        change(&db.pool, 2, "symbol = 'MSFT'").await;
        change(&db.pool, 4, &format!("account_id = '{}'", Uuid::from_u128(2))).await;
        set(&db.pool, target.clone(), Mode::BlockNewAndCancelAll).await;
        let mut follower = follower(&deps);
        one_round(&mut follower).await;
        let mut done = asked(&db.pool).await;
        done.sort_by_key(|(_, order)| *order);
        assert_eq!(done, cancels(&expected), "{target}");
        let cause: Vec<String> = sqlx::query_scalar("select distinct cause from order_events")
            .fetch_all(&db.pool)
            .await
            .unwrap();
        assert!(
            cause.iter().all(|cause| *cause == format!("kill switch: {target}")),
            "{cause:?}"
        );
        pass(&db.pool, "1 minute").await;
        one_round(&mut follower).await;
        assert_eq!(asked(&db.pool).await.len(), expected.len(), "nobody is asked twice");
    }
}

#[tokio::test]
async fn rsk_6_what_was_not_asked_before_the_process_died_is_asked_by_the_next() {
    let (db, deps) = deps().await;
    book(&db.pool, 5).await;
    set(&db.pool, Target::Firm, Mode::BlockNewAndCancelAll).await;
    let mut first = follower(&deps);
    first.step().await.unwrap();
    let before = asked(&db.pool).await.len();
    assert!((1..5).contains(&before), "{before}");
    drop(first);
    pass(&db.pool, "1 minute").await;
    one_round(&mut follower(&deps)).await;
    let mut done = asked(&db.pool).await;
    done.sort_by_key(|(_, order)| *order);
    assert_eq!(done, cancels(&[1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn rsk_6_orders_of_the_moment_the_switch_was_set_are_found_by_the_next_round() {
    let (db, deps) = deps().await;
    book(&db.pool, 1).await;
    set(&db.pool, Target::Firm, Mode::BlockNewAndCancelAll).await;
    let mut follower = follower(&deps);
    one_round(&mut follower).await;
    open_order(&db.pool, 2, "0 minutes", "").await;
    one_round(&mut follower).await;
    assert_eq!(asked(&db.pool).await.len(), 1, "the round is over");
    pass(&db.pool, "5 seconds").await;
    one_round(&mut follower).await;
    assert_eq!(asked(&db.pool).await, cancels(&[1, 2]));
}

#[tokio::test]
async fn rsk_6_a_switch_that_only_blocks_ends_nothing() {
    let (db, deps) = deps().await;
    book(&db.pool, 1).await;
    set(&db.pool, Target::Firm, Mode::BlockNew).await;
    one_round(&mut follower(&deps)).await;
    assert_eq!(asked(&db.pool).await, []);
}
