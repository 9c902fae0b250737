//! The tables on a real Postgres: balances follow entries, a replay posts nothing, what must not be is refused.

use crate::world::{Life, account, at, qty, usd};
use domain::{Side, Symbol};
use ledger::{Transfer, rules};
use sqlx::PgConnection;
use testkit::TestDb;
use uuid::Uuid;

async fn funded(db: &TestDb, dollars: &str) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    let mut conn = db.pool.acquire().await.expect("a connection");
    ledger::open_account(&mut conn, account(), false)
        .await
        .expect("an account");
    let id = Uuid::from_u128(3);
    let deposit = [
        rules::deposit_started(account(), id, usd(dollars), at()).expect("started"),
        rules::deposit_collected(account(), id, usd(dollars), at()).expect("collected"),
    ];
    ledger::post(&mut conn, &deposit).await.expect("posted");
    conn
}

async fn avail_and_held(conn: &mut PgConnection) -> (String, String) {
    let cash = ledger::cash(conn, account()).await.expect("read").expect("there");
    (cash.avail.to_string(), cash.held.to_string())
}

#[tokio::test]
async fn led_i4_the_same_transfer_posts_once_also_within_one_batch() {
    let db = TestDb::new().await;
    let mut conn = funded(&db, "5000").await;
    let hold = Life::of(Side::Buy, "10", "100.00").hold();
    let first = ledger::post(&mut conn, &[hold.clone(), hold.clone()]).await;
    assert_eq!(first.expect("posted").len(), 1);
    assert!(ledger::post(&mut conn, &[hold]).await.expect("posted").is_empty());
    assert_eq!(avail_and_held(&mut conn).await, ("4000.00".into(), "1000.00".into()));
}

#[tokio::test]
async fn buying_and_selling_moves_cash_shares_and_cost() {
    let db = TestDb::new().await;
    let mut conn = funded(&db, "5000").await;
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    let posts: Vec<Transfer> = [Some(buy.hold()), buy.fill("4", "99.90"), buy.fill("6", "100.00")]
        .into_iter()
        .flatten()
        .collect();
    ledger::post(&mut conn, &posts).await.expect("posted");
    assert_eq!(avail_and_held(&mut conn).await, ("4000.40".into(), "0.00".into()));
    let position = ledger::positions(&mut conn, account())
        .await
        .expect("read")
        .pop()
        .expect("a position");
    assert_eq!(
        (position.avail, position.cost_basis.to_string()),
        (qty("10"), "999.60".to_owned())
    );

    let mut sell = Life::of(Side::Sell, "5", "101.00");
    sell.order.order = domain::OrderId::new(Uuid::from_u128(8));
    let hold = sell.hold();
    let sold = sell.take(domain::order::OrderEvent::Filled {
        qty: qty("5"),
        price: crate::world::price("102.00"),
    });
    let sold = sold.map(|t| renamed(t, "sale")).expect("a fill");
    ledger::post(&mut conn, &[hold, sold]).await.expect("posted");
    assert_eq!(avail_and_held(&mut conn).await.0, "4510.40");
    let position = ledger::positions(&mut conn, account())
        .await
        .expect("read")
        .pop()
        .expect("a position");
    assert_eq!(
        (position.avail, position.cost_basis.to_string()),
        (qty("5"), "499.80".to_owned())
    );
    let can_leave = ledger::withdrawable(&mut conn, account()).await.expect("read");
    assert_eq!(
        can_leave.to_string(),
        "4000.40",
        "BP-9: proceeds that have not settled can be spent, not withdrawn"
    );
}

/// The same entries under another execution's name.
fn renamed(transfer: Transfer, exec: &str) -> Transfer {
    let exec_id = domain::ExecId::new(exec).expect("an id");
    let cause = ledger::Cause::Fill {
        venue: "sim".into(),
        exec_id,
    };
    Transfer::new(cause, transfer.at, transfer.entries().to_vec())
        .expect("balanced")
        .of_order(account(), domain::OrderId::new(Uuid::from_u128(8)))
        .of_trade(transfer.trade.clone(), transfer.may_debit)
}

#[tokio::test]
async fn led_i3_the_database_refuses_what_the_code_should_never_ask() {
    let db = TestDb::new().await;
    let mut conn = funded(&db, "10").await;
    let refused = ledger::post(&mut conn, &[Life::of(Side::Buy, "10", "100.00").hold()]).await;
    assert_eq!(
        refused.expect_err("too little").constraint(),
        Some("ledger_cash_avail_check")
    );
}

#[tokio::test]
async fn led_15_a_late_fill_may_leave_a_flagged_debit() {
    let db = TestDb::new().await;
    let mut conn = funded(&db, "10").await;
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.cancel();
    let late = buy.fill("3", "100.00").expect("a fill");
    ledger::post(&mut conn, &[late]).await.expect("posted");
    let cash = ledger::cash(&mut conn, account()).await.expect("read").expect("there");
    assert!(cash.debit_allowed);
    assert_eq!(
        (cash.avail.to_string(), cash.buying_power().to_string()),
        ("-290.00".into(), "0.00".into())
    );
}

#[tokio::test]
async fn led_i1_the_trigger_refuses_entries_that_do_not_sum_to_zero() {
    let db = TestDb::new().await;
    let statement = "insert into ledger_entries (transfer_id, line, book, asset, amount)
                     values ('00000000-0000-0000-0000-000000000001', 0, 'bank.fbo', 'USD', 1),
                            ('00000000-0000-0000-0000-000000000001', 1, 'firm.suspense', 'USD', -2)";
    let refused = sqlx::query(statement)
        .execute(&db.pool)
        .await
        .expect_err("must not balance");
    assert!(
        refused.to_string().contains("does not balance in USD: rest -1"),
        "{refused}"
    );
}

#[tokio::test]
async fn entries_and_transfers_are_append_only_even_for_the_owner_and_by_grant_for_the_service() {
    let db = TestDb::new().await;
    let _conn = funded(&db, "10").await;
    for statement in [
        "update ledger_entries set amount = amount * 2",
        "delete from ledger_transfers",
        "truncate ledger_entries",
    ] {
        let refused = sqlx::query(statement).execute(&db.pool).await.expect_err(statement);
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
    let granted: Vec<String> = sqlx::query_scalar(
        "select privilege_type from information_schema.role_table_grants
          where grantee = 'daybook_app' and table_name in ('ledger_entries', 'ledger_transfers')
          group by privilege_type order by privilege_type",
    )
    .fetch_all(&db.pool)
    .await
    .expect("read");
    assert_eq!(granted, ["INSERT", "SELECT"]);
}

#[tokio::test]
async fn a_history_page_goes_on_where_the_last_one_ended() {
    let db = TestDb::new().await;
    let mut conn = funded(&db, "5000").await;
    ledger::post(&mut conn, &[Life::of(Side::Buy, "10", "100.00").hold()])
        .await
        .expect("posted");
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        let page = ledger::history(&mut conn, account(), &[], before, 1)
            .await
            .expect("read");
        let Some(last) = page.last() else { break };
        before = Some((last.posted_at, last.transfer_id));
        seen.extend(page.iter().map(|row| row.kind.clone()));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["deposit_collected", "deposit_started", "hold"]);
    let xyz = Symbol::parse("XYZ").expect("a symbol");
    assert!(
        ledger::shares(&mut conn, &[(account(), xyz)])
            .await
            .expect("read")
            .is_empty()
    );
}
