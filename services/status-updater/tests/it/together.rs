//! Many orders and accounts at once: batches, locks, replay.

use crate::world::{World, acknowledged, ended, filled};
use domain::{AccountId, OrderId};
use rust_decimal::Decimal;
use wire::events::v1::{End, Fact};

/// Reports of a small day: every account buys and sells, some of it ends early, much of it is told twice.
fn day(orders: &[(OrderId, AccountId)]) -> Vec<(OrderId, AccountId, Fact)> {
    let facts = |at: usize| match at % 4 {
        0 => vec![
            acknowledged(),
            filled(&format!("{at}a"), "4", "5.00"),
            filled(&format!("{at}b"), "6", "5.00"),
        ],
        1 => vec![
            ended(End::Canceled, "4"),
            filled(&format!("{at}a"), "4", "5.00"),
            acknowledged(),
        ],
        2 => vec![
            filled(&format!("{at}a"), "3", "5.00"),
            acknowledged(),
            filled(&format!("{at}a"), "3", "5.00"),
        ],
        _ => vec![ended(End::Rejected, "0")],
    };
    let told = orders
        .iter()
        .enumerate()
        .flat_map(|(at, (order, account))| facts(at).into_iter().map(|fact| (*order, *account, fact)));
    told.collect()
}

async fn brokerage() -> (World, Vec<(OrderId, AccountId)>) {
    let world = World::new().await;
    let mut orders = Vec::new();
    for at in 0..6 {
        let account = world.account(10_000, 100).await;
        for text in [
            "buy 10 XYZ @ 5.00",
            "sell 10 XYZ @ 5.00",
            "buy 10 ABC @ 5.00",
            "sell 10 ABC @ 5.00",
        ] {
            let order = world.place(account, text).await;
            orders.push((order, account));
        }
        if at % 2 == 0 {
            orders.rotate_left(1);
        }
    }
    (world, orders)
}

async fn balances(world: &World) -> Vec<(String, Decimal, Decimal)> {
    sqlx::query_as(
        "select account_id::text, avail, held from ledger_cash
         union all
         select account_id || symbol, avail, held from ledger_shares
         order by 1",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_batch_of_many_orders_and_accounts_is_applied_report_by_report() {
    let (mut world, orders) = brokerage().await;
    world.report(&day(&orders)).await;
    world.settle().await;
    world.prove().await;
    let ended: Vec<(String, i64)> =
        sqlx::query_as("select status, count(*) from orders group by status order by status")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    let expected = [("canceled", 6), ("filled", 6), ("partially_filled", 6), ("rejected", 6)];
    assert_eq!(ended, expected.map(|(status, count)| (status.to_owned(), count)));
    assert_eq!(
        world.count("bus_parked").await + world.count("venue_reports_set_aside").await,
        0
    );
}

#[tokio::test]
async fn led_i4_replaying_all_reports_into_a_fresh_database_gives_equal_balances() {
    let (mut first, orders) = brokerage().await;
    let mut told = day(&orders);
    first.report(&told).await;
    first.settle().await;
    // The same seed places the same orders; the reports come backwards, twice, and one to a batch.
    let (mut second, again) = brokerage().await;
    assert_eq!(orders, again);
    told.reverse();
    for report in told.iter().chain(&told) {
        second.report(std::slice::from_ref(report)).await;
        second.settle().await;
    }
    second.prove().await;
    assert_eq!(balances(&second).await, balances(&first).await);
    assert_eq!((first.count("fills").await, second.count("fills").await), (24, 24));
}

#[tokio::test]
async fn accounts_in_opposite_order_beside_new_orders_do_not_deadlock() {
    let world = World::new().await;
    let accounts = [world.account(100_000, 0).await, world.account(100_000, 0).await];
    let mut orders = Vec::new();
    for at in 0..40 {
        let account = accounts[at % 2];
        orders.push((world.place(account, "buy 1 XYZ @ 5.00").await, account));
    }
    // Backwards, so that the batch meets the accounts in the other order than the placing does.
    let told = orders.iter().rev().enumerate();
    let fills: Vec<_> = told
        .map(|(at, (order, account))| (*order, *account, filled(&format!("f{at}"), "1", "5.00")))
        .collect();
    let mut applier = world.deps().applier();
    let placing = async {
        for _ in 0..15 {
            // As order-manager does: all accounts of a batch in id order, then the orders.
            let mut tx = world.db.pool.begin().await.unwrap();
            let mut both = accounts;
            both.sort_unstable();
            ledger::lock(&mut tx, &both).await.unwrap();
            for account in both {
                world.place_in(&mut tx, account, "buy 1 ABC @ 5.00").await;
            }
            tx.commit().await.unwrap();
        }
    };
    let applying = async {
        for fill in &fills {
            world.report(std::slice::from_ref(fill)).await;
            crate::world::settle(&mut applier).await;
        }
    };
    tokio::join!(placing, applying);
    assert_eq!(world.count("orders where status = 'filled'").await, 40);
    assert_eq!(world.count("open_orders").await, 30);
    world.prove().await;
}

#[tokio::test]
async fn two_appliers_share_the_accounts_and_the_books_balance() {
    let (mut world, orders) = brokerage().await;
    let mut other = world.deps().applier();
    world.report(&day(&orders)).await;
    // V10: whatever one has begun the other cannot do again.
    tokio::join!(
        crate::world::settle(&mut other),
        crate::world::settle(&mut world.applier)
    );
    crate::world::settle(&mut other).await;
    world.settle().await;
    world.prove().await;
    assert_eq!(world.count("fills").await, 24);
}

/// A venue that gives one execution id to two orders: whoever comes second must not move without its fill (V6).
#[tokio::test]
async fn an_execution_that_another_order_gets_at_the_same_moment_moves_nothing() {
    let mut world = World::new().await;
    let (ada, bob) = (world.account(1_000, 0).await, world.account(1_000, 0).await);
    let order = world.place(ada, "buy 10 XYZ @ 5.00").await;
    let other = world.place(bob, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, ada, filled("x1", "4", "5.00"))]).await;
    let mut tx = world.db.pool.begin().await.unwrap();
    sqlx::query(
        "insert into fills (venue, exec_id, fill_id, order_id, account_id, symbol, side, qty, price, cash, cum_qty,
                            leaves_qty, order_status, venue_at, received_at)
         select 'fake', 'x1', order_id, order_id, account_id, symbol, side, 4, 5, 20, 4, 6, 'partially_filled',
                created_at, created_at
           from orders where order_id = $1",
    )
    .bind(other.get())
    .execute(&mut *tx)
    .await
    .unwrap();
    let committing = async {
        testkit::wait_until("the applier waits", std::time::Duration::from_secs(30), async || {
            let waits = "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            world.count(waits).await == 1
        })
        .await;
        tx.commit().await.unwrap();
    };
    let mut applier = world.deps().applier();
    tokio::join!(crate::world::settle(&mut applier), committing);
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "accepted, filled 0, held 50.00, cash 1000.00"
    );
    let kinds = "venue_reports_set_aside where kind = 'contradiction'";
    assert_eq!((world.count(kinds).await, world.count("bus_parked").await), (1, 0));
}
