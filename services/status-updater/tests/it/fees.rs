//! What executions accrue in fees, in their own transaction (FEE-2), and what busts and corrections make of it.

use crate::world::{World, acknowledged, busted, corrected, filled};
use domain::AccountId;
use identity::AccountKind;

/// `2026-11-23 2026-11-24 10 @ 5.00: 0.00103 0 0.00003`, a line a trade in the order of their amounts.
async fn trades(world: &World, account: AccountId) -> Vec<String> {
    sqlx::query_scalar(
        "select t.trade_date || ' ' || t.settle_date || ' ' || trim_scale(t.qty) || ' @ ' || trim_scale(a.price) || ': '
                || coalesce(trim_scale(a.sec) || ' ' || trim_scale(a.taf) || ' ' || trim_scale(a.cat), 'no rates')
           from ledger_trades t
           join ledger_fee_accruals a using (transfer_id)
          where t.account_id = $1
          order by t.qty, a.price",
    )
    .bind(account.get())
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

async fn accrued(world: &World, account: AccountId) -> String {
    world.cash(account).await.accrued_fees.get().normalize().to_string()
}

#[tokio::test]
async fn fee_2_a_fill_accrues_its_fees_exactly_and_a_bust_takes_them_back_on_the_same_days() {
    let mut world = World::new().await;
    let account = world.account(1_000, 100).await;
    let order = world.place(account, "sell 10 XYZ @ 5.00").await;
    world
        .report(&[
            (order, account, acknowledged()),
            (order, account, filled("a", "10", "5.00")),
        ])
        .await;
    world.settle().await;
    assert_eq!(accrued(&world, account).await, "0.00106");
    assert_eq!(
        trades(&world, account).await,
        ["2026-11-23 2026-11-24 10 @ 5: 0.00103 0 0.00003"]
    );
    // Told two days later by a venue whose clock says so, too.
    let mut bust = busted("a", "10", "5.00");
    if let wire::events::v1::Fact::Busted { at, .. } = &mut bust {
        *at += chrono::TimeDelta::days(2);
    }
    world.report(&[(order, account, bust)]).await;
    world.settle().await;
    assert_eq!(accrued(&world, account).await, "0");
    let both = [
        "2026-11-23 2026-11-24 -10 @ 5: -0.00103 0 -0.00003",
        "2026-11-23 2026-11-24 10 @ 5: 0.00103 0 0.00003",
    ];
    assert_eq!(trades(&world, account).await, both);
    world.prove().await;
}

#[tokio::test]
async fn led_17_a_correction_accrues_anew_and_its_bust_takes_that_back_also_within_one_batch() {
    for together in [true, false] {
        let mut world = World::new().await;
        let account = world.account(1_000, 100).await;
        let order = world.place(account, "sell 10 XYZ @ 5.00").await;
        let reports = [
            filled("a", "10", "5.00"),
            corrected("a", "8", "6.00", 2),
            busted("a", "8", "6.00"),
        ];
        let reports = reports.map(|fact| (order, account, fact));
        let batches: Vec<&[_]> = if together {
            vec![&reports]
        } else {
            reports.chunks(1).collect()
        };
        for batch in batches {
            world.report(batch).await;
            world.settle().await;
        }
        assert_eq!(accrued(&world, account).await, "0", "together: {together}");
        let four = trades(&world, account).await;
        let of = |qty: &str| four.iter().filter(|trade| trade.contains(&format!(" {qty} @"))).count();
        assert_eq!((of("10"), of("-10"), of("8"), of("-8")), (1, 1, 1, 1), "{four:?}");
        world.prove().await;
    }
}

#[tokio::test]
async fn fee_4_a_fill_of_a_date_without_rates_is_booked_and_its_fees_wait() {
    let mut world = World::new().await;
    sqlx::query("delete from fee_rates where kind = 'cat'")
        .execute(&world.db.pool)
        .await
        .unwrap();
    let account = world.account(1_000, 0).await;
    let order = world.place(account, "buy 10 XYZ @ 5.00").await;
    world.report(&[(order, account, filled("a", "10", "5.00"))]).await;
    world.settle().await;
    assert_eq!(world.summary(order).await, "filled, filled 10, held 0.00, cash 950.00");
    assert_eq!(accrued(&world, account).await, "0");
    assert_eq!(
        trades(&world, account).await,
        ["2026-11-23 2026-11-24 10 @ 5: no rates"]
    );
}

/// FEE-5: nobody is in debit, or may only close, for a fee that is given back with its trade (LED-16, LED-17).
#[tokio::test]
async fn fee_5_what_is_taken_back_after_its_fees_were_posted_brings_them_back_and_leaves_no_debit() {
    for kind in [AccountKind::CashStrict, AccountKind::LimitedMargin] {
        let mut world = World::new().await;
        let account = world.account_of(kind, 0, 100).await;
        let order = world.place(account, "sell 4 XYZ @ 100.00").await;
        world.report(&[(order, account, filled("a", "4", "101.00"))]).await;
        world.settle().await;
        post_fees(&world).await;
        assert_eq!(world.cash(account).await.cash().to_string(), "403.98");
        world
            .report(&[(order, account, corrected("a", "4", "101.50", 1))])
            .await;
        world.settle().await;
        assert_eq!(world.cash(account).await.cash().to_string(), "405.98", "the same cents");
        world.report(&[(order, account, busted("a", "4", "101.50"))]).await;
        world.settle().await;
        let cash = world.cash(account).await;
        assert_eq!(
            (cash.avail.to_string(), cash.unsettled.to_string()),
            ("0.00".into(), "0.00".into())
        );
        let flags = identity::accounts::flags(&mut *world.conn().await, &[account]).await;
        assert!(!flags.unwrap()[&account].closing_only && !cash.debit_allowed);
        world.prove().await;
    }
}

async fn post_fees(world: &World) {
    let mut tx = world.db.pool.begin().await.unwrap();
    let rates = ledger::fees::rates(&mut tx).await.unwrap();
    let date = "2026-11-23".parse().unwrap();
    let batch = ledger::fees::post_due(&mut tx, &rates, date, None, 9, testkit::start_of_time()).await;
    assert_eq!(batch.unwrap().map(|batch| batch.accounts), Some(1));
    tx.commit().await.unwrap();
}
