//! Fees and settlement as operators and customers see them.

use std::time::Duration;

use daybook::cli::{AddRate, FeeName};
use domain::Money;
use rust_decimal::{Decimal, dec};
use testkit::wait_until;

use crate::harness::customer::number;
use crate::house::House;

fn new_rate(from: &str) -> AddRate {
    AddRate {
        kind: FeeName::Sec,
        from: from.parse().unwrap(),
        to: None,
        rate: dec!(0.00002),
        cap: None,
        waived_dollars: None,
        waived_shares: None,
        source: "a notice".into(),
    }
}

#[tokio::test]
async fn bp_11_fees_accrue_at_once_and_fee_2_are_posted_by_a_job_and_shown_as_activity() {
    let house = House::open().await;
    // Whatever day this runs on, there are rates.
    sqlx::query("update fee_rates set valid_to = null where valid_to = '2026-12-31'")
        .execute(&house.db.pool)
        .await
        .unwrap();
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let bought = ada.buy(10, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    let sold = ada.sell(10, "AAPL", "99.00").await;
    ada.wait_for(sold, "filled").await;
    assert_eq!(
        ada.account_field("accrued_fees").await,
        dec!(0.020454),
        "990 * 0.0000206 + 20 * 0.000003"
    );
    assert_eq!(ada.account_field("buying_power").await, dec!(989.979546));
    let (code, said) = house.command(&["admin", "jobs", "run", "fees"]);
    assert_eq!(code, 0, "{said}");
    wait_until("the fees to be posted", Duration::from_secs(60), || async {
        ada.account_field("accrued_fees").await.is_zero()
    })
    .await;
    assert_eq!(ada.account_field("buying_power").await, dec!(989.96), "0.03 and 0.01");
    let fees = ada.get("/v2/account/activities/FEE").await;
    assert_eq!(number(&fees[0]["net_amount"]), dec!(-0.04), "{fees}");
    let (code, shown) = house.command(&["admin", "fees", "rates", "list"]);
    assert!(code == 0 && shown.contains("0.0000206"), "{shown}");
    house.at_rest().await;
}

#[tokio::test]
async fn fee_4_a_rate_is_added_once_for_a_day_and_written_down() {
    let house = House::open().await;
    house.desk.add_fee_rate(new_rate("2099-01-01")).await.unwrap();
    let again = house.desk.add_fee_rate(new_rate("2099-01-01")).await.unwrap_err();
    assert!(again.to_string().contains("another sec rate"), "{again}");
    let ended: Option<chrono::NaiveDate> =
        sqlx::query_scalar("select valid_to from fee_rates where kind = 'sec' and valid_from = '2026-04-04'")
            .fetch_one(&house.db.pool)
            .await
            .unwrap();
    assert_eq!(ended.map(|day| day.to_string()), Some("2098-12-31".into()));
    let acts: i64 = sqlx::query_scalar("select count(*) from admin_acts where act = 'add_fee_rate'")
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    assert_eq!(acts, 1, "the refused one left nothing");
}

#[tokio::test]
async fn led_15_closing_only_is_lifted_by_an_operator_and_only_once_the_debit_is_paid() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let named = ada.account.to_string();
    // As a late execution leaves it.
    for statement in [
        "update ledger_cash set avail = -50, debit_allowed = true where account_id = $1",
        "update accounts set closing_only = true where account_id = $1",
    ] {
        sqlx::query(statement)
            .bind(ada.account.get())
            .execute(&house.db.pool)
            .await
            .unwrap();
    }
    let refused = house
        .desk
        .lift_closing_only(&named, "asked by the customer")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("still in debit by 50.00"), "{refused}");
    let paid = Money::from_decimal(Decimal::from(150));
    house.desk.deposit(&named, paid, None, false).await.unwrap();
    assert!(
        house.desk.lift_closing_only(&named, " ").await.is_err(),
        "a reason is kept with the act"
    );
    house.desk.lift_closing_only(&named, "paid in").await.unwrap();
    ada.buy(1, "AAPL", "1.00").await;
}
