//! One order's reports, from the bus into every table.

use crate::world::{World, acknowledged, busted, corrected, ended, filled};
use domain::{AccountId, OrderStatus};
use identity::AccountKind;
use orders::WishKind;
use wire::events::v1::End;

#[tokio::test]
async fn a_buy_is_filled_in_parts_and_the_difference_comes_back_at_once() {
    let mut world = World::new().await;
    let account = world.account(10_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 100.00").await;
    world
        .report(&[
            (order, account, acknowledged()),
            (order, account, filled("a", "4", "99.90")),
        ])
        .await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "partially_filled, filled 4, held 600.00, cash 9600.40"
    );
    assert_eq!(
        world.cash(account).await.avail.to_string(),
        "9000.40",
        "LED-8, updater::price_better"
    );
    world.report(&[(order, account, filled("b", "6", "100.00"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "filled, filled 10, held 0.00, cash 9000.40");
    let told = "accepted:accepted new:new partial_fill:partially_filled fill:filled";
    assert_eq!(world.told(account).await, told);
    let shares = world.shares(account, "XYZ").await.unwrap();
    assert_eq!(
        (shares.avail.to_string(), shares.cost_basis.to_string()),
        ("10".into(), "999.60".into())
    );
    world.prove().await;
}

#[tokio::test]
async fn a_sell_delivers_its_shares_and_is_canceled_with_the_rest_given_back() {
    let mut world = World::new().await;
    let account = world.account(0, 50).await;
    let order = world.place(account, "sell 10 XYZ @ 5.00").await;
    world
        .report(&[
            (order, account, acknowledged()),
            (order, account, filled("a", "4", "5.10")),
        ])
        .await;
    world.report(&[(order, account, ended(End::Canceled, "4"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "canceled, filled 4, held 0.00, cash 20.40");
    let shares = world.shares(account, "XYZ").await.unwrap();
    assert_eq!(
        (shares.avail.to_string(), shares.held.to_string()),
        ("46".into(), "0".into()),
        "LED-9, LED-10"
    );
    let stored = world.order(order).await;
    assert_eq!(
        (stored.end_reason.as_deref(), stored.canceled_at.is_some()),
        (Some("as asked"), true)
    );
    world.prove().await;
}

#[tokio::test]
async fn led_11_in_a_strict_account_the_proceeds_wait_unsettled() {
    let mut world = World::new().await;
    let account = world.account_of(AccountKind::CashStrict, 0, 50).await;
    let order = world.place(account, "sell 10 XYZ @ 5.00").await;
    world.report(&[(order, account, filled("a", "10", "5.00"))]).await;
    world.settle().await;
    let cash = world.cash(account).await;
    assert_eq!(
        (cash.avail.to_string(), cash.unsettled.to_string()),
        ("0.00".into(), "50.00".into())
    );
    world.prove().await;
}

#[tokio::test]
async fn each_fill_is_a_trade_that_settles_on_the_next_settlement_day() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, account, filled("a", "10", "5.00"))]).await;
    world.settle().await;
    let dates: (chrono::NaiveDate, chrono::NaiveDate) =
        sqlx::query_as("select trade_date, settle_date from ledger_trades")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(
        (dates.0.to_string(), dates.1.to_string()),
        ("2026-11-23".into(), "2026-11-24".into()),
        "BP-6, T+1"
    );
}

#[tokio::test]
async fn updater_out_of_order_an_end_waits_for_the_fills_it_counts() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world
        .report(&[
            (order, account, ended(End::Canceled, "3")),
            (order, account, acknowledged()),
        ])
        .await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "new, filled 0, held 50.00, cash 1000.00",
        "nothing is let go yet"
    );
    world.report(&[(order, account, filled("a", "3", "4.90"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "canceled, filled 3, held 0.00, cash 985.30");
    world.prove().await;
}

#[tokio::test]
async fn led_15_a_fill_after_the_end_is_booked_and_closes_the_account_for_buys() {
    let mut world = World::new().await;
    let account = world.account(50, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, account, ended(End::Canceled, "0"))]).await;
    world.settle().await;
    let other = world.place(account, "buy 10 ABC @ 5.00").await;
    world.report(&[(order, account, filled("late", "3", "4.90"))]).await;
    world.settle().await;
    let cash = world.cash(account).await;
    assert_eq!(
        (cash.avail.to_string(), cash.held.to_string(), cash.debit_allowed),
        ("-14.70".into(), "50.00".into(), true)
    );
    assert_eq!(world.order(order).await.state.status, OrderStatus::Canceled, "ORD-11");
    assert_eq!(world.order(other).await.state.status, OrderStatus::Accepted);
    let flags = identity::accounts::flags(&mut *world.conn().await, &[account])
        .await
        .unwrap();
    assert!(flags[&account].closing_only);
    world.prove().await;
}

#[tokio::test]
async fn updater_bust_reverses_by_a_new_journal_and_opens_the_order_again() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world
        .report(&[
            (order, account, acknowledged()),
            (order, account, filled("a", "10", "4.90")),
        ])
        .await;
    world.settle().await;
    world.prove().await;
    let before = world.count("ledger_entries").await;
    world
        .report(&[
            (order, account, busted("a", "10", "4.90")),
            (order, account, busted("a", "10", "4.90")),
        ])
        .await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "new, filled 0, held 50.00, cash 1000.00");
    assert_eq!(world.shares(account, "XYZ").await.unwrap().total(), 0.into());
    assert!(world.count("ledger_entries").await > before, "nothing is overwritten");
    world.prove().await;
    world
        .report(&[
            (order, account, ended(End::Expired, "0")),
            (order, account, filled("a", "10", "4.90")),
        ])
        .await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "expired, filled 0, held 0.00, cash 1000.00");
    world.prove().await;
}

#[tokio::test]
async fn led_16_a_bust_of_shares_already_sold_leaves_the_difference_in_suspense() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let buy = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(buy, account, filled("a", "10", "5.00"))]).await;
    world.settle().await;
    let sell = world.place(account, "sell 8 XYZ @ 5.00").await;
    world
        .report(&[
            (sell, account, filled("b", "8", "5.00")),
            (buy, account, busted("a", "10", "5.00")),
        ])
        .await;
    world.settle().await;
    assert_eq!(world.shares(account, "XYZ").await.unwrap().total(), 0.into());
    let suspense: rust_decimal::Decimal =
        sqlx::query_scalar("select sum(amount) from ledger_entries where book = 'firm.suspense' and asset = 'XYZ'")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(suspense, (-8).into());
    world.prove().await;
}

#[tokio::test]
async fn a_refused_cancel_takes_the_wish_back_and_says_so() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, account, acknowledged())]).await;
    world.settle().await;
    let mut conn = world.conn().await;
    orders::wish_to_end(&mut conn, &[order], WishKind::Cancel, testkit::start_of_time())
        .await
        .unwrap();
    assert_eq!(world.order(order).await.shown_status(), OrderStatus::PendingCancel);
    let refused = wire::events::v1::Fact::CancelRefused {
        reason: "in the closing auction".into(),
    };
    world
        .report(&[(order, account, refused.clone()), (order, account, refused)])
        .await;
    world.settle().await;
    let stored = world.order(order).await;
    assert_eq!(
        (stored.shown_status(), stored.cancel_requested_at),
        (OrderStatus::New, None)
    );
    assert_eq!(
        world.told(account).await,
        "accepted:accepted new:new order_cancel_rejected:new"
    );
    world.prove().await;
}

#[tokio::test]
async fn updater_three_ways_one_execution_is_booked_once() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    let fill = filled("a", "4", "5.00");
    // Twice in one batch, then once more in a later one.
    world
        .report(&[(order, account, fill.clone()), (order, account, fill.clone())])
        .await;
    world.settle().await;
    world.report(&[(order, account, fill)]).await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "partially_filled, filled 4, held 30.00, cash 980.00"
    );
    assert_eq!((world.count("fills").await, world.count("ledger_trades").await), (1, 1));
    world.prove().await;
}

#[tokio::test]
async fn a_request_can_be_followed_from_its_answer_to_its_fill() {
    let mut world = World::new().await;
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, account, filled("a", "10", "5.00"))]).await;
    world.settle().await;
    let requests: Vec<String> = sqlx::query_scalar(
        "select request_id from order_events union all select request_id from outbox where topic = 'order-updates'",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    assert!(
        requests.iter().all(|request| *request == format!("r-{order}")),
        "{requests:?}"
    );
}

/// LED-17 in every table: twice corrected, the older correction told once more, then taken back.
#[tokio::test]
async fn an_execution_is_corrected_keeps_its_id_and_is_taken_back_as_it_then_is() {
    let mut world = World::new().await;
    let account = world.account(10_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 100.00").await;
    world
        .report(&[
            (order, account, acknowledged()),
            (order, account, filled("a", "4", "99.90")),
            (order, account, corrected("a", "4", "99.80", 5)),
        ])
        .await;
    world.settle().await;
    world.report(&[(order, account, corrected("a", "3", "99.70", 6))]).await;
    world.report(&[(order, account, corrected("a", "4", "99.80", 5))]).await;
    world.settle().await;
    assert_eq!(
        world.summary(order).await,
        "partially_filled, filled 3, held 700.00, cash 9700.90"
    );
    let told = "accepted:accepted new:new partial_fill:partially_filled trade_correct:partially_filled \
                trade_correct:partially_filled";
    assert_eq!(world.told(account).await, told);
    world.prove().await;
    world.report(&[(order, account, busted("a", "3", "99.70"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "new, filled 0, held 1000.00, cash 10000.00");
    world.prove().await;
}

async fn basis(world: &World, account: AccountId) -> String {
    let shares = world.shares(account, "XYZ").await.unwrap();
    shares.cost_basis.get().normalize().to_string()
}

#[tokio::test]
async fn led_17_a_corrected_buy_changes_the_cost_basis_by_what_it_corrects() {
    let mut world = World::new().await;
    let account = world.account(3_000, 0).await;
    let order = world.place(account, "buy 20 XYZ @ 110.00").await;
    let told = [acknowledged(), filled("a", "10", "50"), filled("b", "10", "100")];
    world.report(&told.map(|fact| (order, account, fact))).await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "1500");
    world.report(&[(order, account, corrected("b", "10", "101", 1))]).await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "1510");
    world.report(&[(order, account, busted("a", "10", "50"))]).await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "1010", "LED-16: what it added is gone");
    world.prove().await;
}

#[tokio::test]
async fn led_17_a_corrected_sale_leaves_the_cost_basis_alone() {
    let mut world = World::new().await;
    let account = world.account(3_000, 0).await;
    let buy = world.place(account, "buy 20 XYZ @ 50.00").await;
    let bought = [acknowledged(), filled("a", "20", "50")];
    world.report(&bought.map(|fact| (buy, account, fact))).await;
    world.settle().await;
    let sale = world.place(account, "sell 10 XYZ @ 90.00").await;
    let sold = [acknowledged(), filled("s", "10", "100")];
    world.report(&sold.map(|fact| (sale, account, fact))).await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "500");
    world
        .report(&[(sale, account, corrected("s", "10", "100.01", 1))])
        .await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "500");
    world.report(&[(sale, account, busted("s", "10", "100.01"))]).await;
    world.settle().await;
    assert_eq!(basis(&world, account).await, "1000", "LED-16: what it took is back");
    world.prove().await;
}

/// What is booked for each execution: the rounding of its order's others is in each correction (LED-I6).
#[tokio::test]
async fn led_17_a_corrected_execution_says_to_the_cent_what_its_transfers_moved() {
    let mut world = World::new().await;
    let account = world.account(100, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 0.01").await;
    let told = [acknowledged(), filled("a", "0.4", "0.01"), filled("b", "0.4", "0.01")];
    world.report(&told.map(|fact| (order, account, fact))).await;
    world.settle().await;
    for (at, qty, booked) in [
        (1, "0.6", "a 0, b 0.01"),
        (2, "0.01", "a -0.01, b 0.01"),
        (3, "4", "a 0.03, b 0.01"),
    ] {
        world.report(&[(order, account, corrected("a", qty, "0.01", at))]).await;
        world.settle().await;
        let fills: String = sqlx::query_scalar(
            "select string_agg(exec_id || ' ' || trim_scale(cash), ', ' order by exec_id) from fills",
        )
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
        assert_eq!(fills, booked);
        world
            .audit("each fill is booked once, each busted one taken back")
            .await;
    }
}
