//! The end of a day on a real Postgres: fees are posted, trades settle, again and again with the same end.

use crate::shop::{Shop, customer, day, evening};
use domain::Side;
use ledger::fees::RateRow;
use ledger::rules::{FeeKind, FeeRate, Payers, Per};

#[tokio::test]
async fn fee_2_a_days_fees_are_posted_once_and_led_14_a_strict_sale_frees_what_they_left() {
    let mut shop = Shop::open(2, 0).await;
    let (date, strict) = (day("2026-09-15"), customer(1));
    shop.trade(strict, Side::Sell, "4", "101.00", date).await;
    let cash = shop.cash(strict).await;
    assert_eq!(
        (cash.unsettled.to_string(), cash.accrued_fees.to_string()),
        ("404.00".into(), "0.0091144".into())
    );
    assert_eq!(shop.withdrawable(strict).await, "0.00");
    assert_eq!(shop.post_fees(date).await, 1);
    let cash = shop.cash(strict).await;
    assert_eq!(
        (cash.unsettled.to_string(), cash.accrued_fees.to_string()),
        ("403.97".into(), "0.00".into())
    );
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.01, fees.sec 0.01, fees.taf 0.01"
    );
    assert_eq!(shop.settle(date).await, 0, "T+1");
    assert_eq!(shop.settle(day("2026-09-16")).await, 1);
    let cash = shop.cash(strict).await;
    assert_eq!(
        (cash.unsettled.to_string(), cash.avail.to_string()),
        ("0.00".into(), "403.97".into())
    );
    assert_eq!(shop.withdrawable(strict).await, "403.97");
    assert_eq!(shop.house("street%").await, "street.cash.settled -404");
    shop.prove().await;
    assert_eq!(
        (shop.post_fees(date).await, shop.settle(day("2026-09-16")).await),
        (0, 0),
        "again"
    );
    shop.prove().await;
}

#[tokio::test]
async fn bp_10_proceeds_can_leave_when_they_have_settled_and_fees_to_come_never() {
    let mut shop = Shop::open(1, 100).await;
    let (date, account) = (day("2026-09-15"), customer(0));
    shop.trade(account, Side::Sell, "100", "150.00", date).await;
    let cash = shop.cash(account).await;
    assert_eq!(
        cash.buying_power().to_string(),
        "15099.6712",
        "BP-11: less 0.309 + 0.0195 + 0.0003"
    );
    assert_eq!(shop.withdrawable(account).await, "100.00");
    shop.post_fees(date).await;
    assert_eq!(shop.cash(account).await.avail.to_string(), "15099.66");
    assert_eq!(shop.withdrawable(account).await, "99.66");
    shop.settle(day("2026-09-16")).await;
    assert_eq!(shop.withdrawable(account).await, "15099.66");
    shop.trade(account, Side::Buy, "1", "99.66", day("2026-09-17")).await;
    assert_eq!(
        shop.withdrawable(account).await,
        "14999.999997",
        "0.000003 for the audit trail is to come"
    );
    shop.prove().await;
}

#[tokio::test]
async fn fee_2_a_late_fill_pays_the_difference_and_its_bust_gets_it_back() {
    let mut shop = Shop::open(1, 1_000).await;
    let (date, account) = (day("2026-09-15"), customer(0));
    let first = shop.trade(account, Side::Sell, "100", "150.00", date).await;
    shop.post_fees(date).await;
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.01, fees.sec 0.31, fees.taf 0.02"
    );
    let late = shop.trade(account, Side::Sell, "100", "150.00", date).await;
    shop.post_fees(day("2026-09-16")).await;
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.01, fees.sec 0.62, fees.taf 0.04",
        "0.618 and 0.039"
    );
    let mut conn = shop.conn().await;
    shop.bust(&mut conn, late).await;
    assert!(shop.cash(account).await.accrued_fees.get().is_zero());
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.01, fees.sec 0.31, fees.taf 0.02"
    );
    assert_eq!(
        shop.post_fees(day("2026-09-16")).await,
        0,
        "the bust gave it back itself"
    );
    shop.prove().await;
    shop.settle(day("2026-09-16")).await;
    shop.bust(&mut conn, first).await;
    shop.prove().await;
    assert_eq!(
        shop.settle(day("2026-09-17")).await,
        1,
        "LED-16 after the settlement: the bust settles at once"
    );
    shop.post_fees(day("2026-09-17")).await;
    assert_eq!(
        (shop.house("fees.%").await, shop.house("street%").await),
        (String::new(), String::new())
    );
    assert_eq!(shop.cash(account).await.avail.to_string(), "1000.00");
    shop.prove().await;
}

#[tokio::test]
async fn fee_5_a_fee_never_takes_a_customer_below_zero() {
    let mut shop = Shop::open(1, 0).await;
    let (date, account) = (day("2026-09-15"), customer(0));
    shop.trade(account, Side::Sell, "1", "0.01", date).await;
    shop.post_fees(date).await;
    assert_eq!(shop.cash(account).await.avail.to_string(), "0.00");
    assert_eq!(
        shop.house("f%").await,
        "fees.cat 0.01, fees.sec 0.01, fees.taf 0.01, firm.rounding -0.02"
    );
    shop.prove().await;
}

#[tokio::test]
async fn cal_6_trades_of_columbus_and_veterans_day_settle_with_those_of_the_day_before() {
    let mut shop = Shop::open(1, 10_000).await;
    let account = customer(0);
    for (before, holiday, settles) in [
        ("2026-10-09", "2026-10-12", "2026-10-13"),
        ("2026-11-10", "2026-11-11", "2026-11-12"),
    ] {
        for date in [before, holiday] {
            shop.trade(account, Side::Buy, "1", "10.00", day(date)).await;
        }
        assert_eq!(shop.settle(day(holiday)).await, 0, "banks are closed on {holiday}");
        assert_eq!(shop.settle(day(settles)).await, 2);
    }
    shop.prove().await;
}

#[tokio::test]
async fn fee_4_a_trade_of_a_date_without_rates_is_booked_and_waits_for_them() {
    let mut shop = Shop::open(1, 10_000).await;
    let (date, account) = (day("2027-01-04"), customer(0));
    shop.trade(account, Side::Sell, "100", "150.00", date).await;
    assert_eq!(shop.cash(account).await.accrued_fees.to_string(), "0.00");
    let mut conn = shop.conn().await;
    assert_eq!(ledger::fees::unrated(&mut conn, date).await.expect("read"), [date]);
    let refused = ledger::fees::post_due(&mut conn, &shop.rates, date, None, 10, evening(date)).await;
    let refused = refused.expect_err("nothing is free").to_string();
    assert!(refused.contains("no fee rate for 2027-01-04"), "{refused}");
    for kind in [FeeKind::Taf, FeeKind::Cat] {
        let new = new_rate(kind, "2027-01-01", "0.000195");
        ledger::fees::add_rate(&mut conn, &new, day("2027-01-04"), evening(date))
            .await
            .expect("added");
    }
    shop.rates = ledger::fees::rates(&mut conn).await.expect("read");
    shop.post_fees(date).await;
    assert_eq!(
        shop.house("fees.%").await,
        "fees.cat 0.02, fees.sec 0.31, fees.taf 0.02"
    );
    shop.prove().await;
}

fn new_rate(kind: FeeKind, from: &str, rate: &str) -> RateRow {
    RateRow {
        rate: FeeRate {
            kind,
            valid_from: day(from),
            valid_to: None,
            rate: rate.parse().expect("a number"),
            per: Per::Share,
            side: Payers::Sell,
            cap: None,
            waived_dollars: None,
            waived_shares: None,
        },
        source: "a notice".into(),
        added_by: "ops".into(),
    }
}

#[tokio::test]
async fn no_two_rates_of_a_kind_are_in_force_on_one_day() {
    let shop = Shop::open(0, 0).await;
    let mut conn = shop.conn().await;
    let now = evening(day("2026-11-23"));
    let today = day("2026-11-23");
    let overlaps = [
        (new_rate(FeeKind::Taf, "2026-12-31", "0.1"), "fee_rates_taf_overlap"),
        // Today's trades have accrued by the rate in force.
        (new_rate(FeeKind::Sec, "2026-11-23", "0.1"), "fee_rates_sec_overlap"),
    ];
    for (new, constraint) in overlaps {
        let refused = ledger::fees::add_rate(&mut conn, &new, today, now)
            .await
            .expect_err("overlaps");
        assert_eq!(refused.constraint(), Some(constraint));
    }
    let tomorrow = new_rate(FeeKind::Sec, "2026-11-24", "0.1");
    ledger::fees::add_rate(&mut conn, &tomorrow, today, now)
        .await
        .expect("added");
    let rates = ledger::fees::rate_rows(&mut conn).await.expect("read");
    let ended = rates
        .iter()
        .find(|row| row.rate.kind == FeeKind::Sec && row.rate.valid_from == day("2026-04-04"));
    assert_eq!(ended.and_then(|row| row.rate.valid_to), Some(day("2026-11-23")));
}

#[tokio::test]
async fn led_i3_a_debit_is_allowed_no_longer_than_there_is_one() {
    let shop = Shop::open(1, 10).await;
    let mut conn = shop.conn().await;
    let mut late = crate::world::Life::of(Side::Buy, "3", "100.00");
    late.order.account = customer(0);
    late.cancel();
    let fill = late.fill("3", "100.00").expect("a fill");
    ledger::post(&mut conn, &[fill]).await.expect("posted");
    assert!(shop.cash(customer(0)).await.debit_allowed);
    let id = uuid::Uuid::from_u128(99);
    let paid = [
        ledger::rules::deposit_started(customer(0), id, crate::world::usd("290"), evening(day("2026-11-23"))),
        ledger::rules::deposit_collected(customer(0), id, crate::world::usd("290"), evening(day("2026-11-23"))),
    ];
    ledger::post(&mut conn, &paid.map(|step| step.expect("balanced")))
        .await
        .expect("posted");
    let cash = shop.cash(customer(0)).await;
    assert_eq!((cash.avail.to_string(), cash.debit_allowed), ("0.00".into(), false));
}
