//! Whole trading days, one after the other, on the New York Stock Exchange's calendar: the clocks are moved, everything else
//! is real. After each day the books are proven and compared with the exchange's own.

use rust_decimal::dec;
use serde_json::json;

use crate::harness::Customer;
use crate::harness::customer::{id_of, limit_order, number};
use crate::house::House;

/// Monday to Monday around Thanksgiving 2026, New York at UTC-5.
#[tokio::test(flavor = "multi_thread")]
async fn a_week_with_an_outage_a_halt_a_holiday_and_a_half_day() {
    let house = House::on_nyse("2026-11-23T13:00:00Z").await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let (ada, bob) = (house.customer(100_000).await, house.customer(50_000).await);
    let patient = monday(&house, &ada, &bob).await;
    tuesday_outage_over_the_close(&house, &ada, patient).await;
    wednesday_halt_to_the_close(&house, &ada, &bob).await;
    thursday_holiday_and_friday_half_day(&house, &bob).await;
    the_monday_after(&house, &ada, patient).await;
}

/// An ordinary day: queued orders go at the bell, one ends at its own time, the rest with the close. Gives a gtc order.
async fn monday(house: &House, ada: &Customer, bob: &Customer) -> uuid::Uuid {
    let early = ada.buy(10, "AAPL", "100.00").await;
    let patient = ada.order("buy", 10, "AAPL", "50.00", "gtc").await;
    assert_eq!(ada.status(early).await, "accepted", "TIF-1: it waits for the bell");
    assert_eq!(
        ada.account_field("buying_power").await,
        dec!(98500),
        "TIF-7: held from the first moment"
    );

    house.to("2026-11-23T14:30:01Z").await;
    ada.wait_for(early, "filled").await;
    ada.wait_for(patient, "new").await;

    let mut timed = limit_order("buy", 1, "AAPL", "60.00", "day");
    timed["expires_at"] = json!("2026-11-23T16:00:00Z");
    let (status, timed) = ada.place(timed).await;
    assert_eq!(status, 200, "{timed}");
    let sold = ada.sell(4, "AAPL", "99.00").await;
    ada.wait_for(sold, "filled").await;
    let resting = bob.buy(5, "AAPL", "90.00").await;
    bob.wait_for(resting, "new").await;
    house.to("2026-11-23T16:00:01Z").await;
    ada.wait_for(id_of(&timed), "expired").await;
    assert_eq!(bob.status(resting).await, "new", "TIF-5: only its own time is over");

    house.end_of_day("2026-11-23", "2026-11-23T21:00:00Z").await;
    bob.wait_for(resting, "expired").await;
    ada.wait_for(patient, "done_for_day").await;
    assert_eq!(bob.account_field("buying_power").await, dec!(50000), "the hold is back");
    house.at_rest().await;
    patient
}

/// Nobody reaches the exchange from five minutes before the close until half an hour after it.
async fn tuesday_outage_over_the_close(house: &House, ada: &Customer, patient: uuid::Uuid) {
    house.to("2026-11-24T14:30:01Z").await;
    ada.wait_for(patient, "new").await;
    let resting = ada.buy(7, "AAPL", "90.00").await;
    ada.wait_for(resting, "new").await;
    house.to("2026-11-24T20:55:00Z").await;
    house.market.outage(true).await;
    house.to("2026-11-24T21:15:00Z").await;
    let held = ada.get(&format!("/v2/orders/{resting}")).await;
    assert_eq!(held["status"], "new", "SAGA-21: nothing is ended on a guess");
    house.market.outage(false).await;
    house.end_of_day("2026-11-24", "2026-11-24T21:20:00Z").await;
    ada.wait_for(resting, "expired").await;
    house.at_rest().await;
}

/// Trading stops at 15:00 and does not come back: orders are taken and wait, and the day ends as any other (PX-6).
async fn wednesday_halt_to_the_close(house: &House, ada: &Customer, bob: &Customer) {
    house.to("2026-11-25T14:30:01Z").await;
    house.to("2026-11-25T20:00:00Z").await;
    house.market.halt(true).await;
    let stuck = bob.buy(5, "AAPL", "100.00").await;
    bob.wait_for(stuck, "new").await;
    let (status, _) = ada.cancel(ada.buy(1, "AAPL", "100.00").await).await;
    assert_eq!(status, 204, "cancels work while trading stands still");
    house.end_of_day("2026-11-25", "2026-11-25T21:00:00Z").await;
    bob.wait_for(stuck, "expired").await;
    house.market.halt(false).await;
    house.at_rest().await;
}

/// Thanksgiving: what is placed waits for Friday, and nothing ends. Friday closes at 13:00.
async fn thursday_holiday_and_friday_half_day(house: &House, bob: &Customer) {
    house.to("2026-11-26T17:00:00Z").await;
    let queued = bob.buy(2, "AAPL", "100.00").await;
    let low = bob.buy(2, "AAPL", "80.00").await;
    house.to("2026-11-26T22:30:00Z").await;
    assert_eq!(
        bob.status(queued).await,
        "accepted",
        "EOD-4: it belongs to Friday's session"
    );
    assert!(!house.is_closed("2026-11-26").await, "a holiday has no end of day");
    house.to("2026-11-27T14:30:01Z").await;
    bob.wait_for(queued, "filled").await;
    bob.wait_for(low, "new").await;
    house.end_of_day("2026-11-27", "2026-11-27T18:00:00Z").await;
    bob.wait_for(low, "expired").await;
    house.at_rest().await;
    let late = bob.buy(2, "AAPL", "70.00").await;
    assert_eq!(
        bob.status(late).await,
        "accepted",
        "after the early close it waits for Monday"
    );
    bob.cancel(late).await;
    bob.wait_for(late, "canceled").await;
}

/// The gtc order still works, and everything of last week has settled but Friday's trades, which settle today.
async fn the_monday_after(house: &House, ada: &Customer, patient: uuid::Uuid) {
    house.to("2026-11-30T14:30:01Z").await;
    ada.wait_for(patient, "new").await;
    house.end_of_day("2026-11-30", "2026-11-30T21:00:00Z").await;
    house.at_rest().await;
    let unsettled: i64 = sqlx::query_scalar("select count(*) from ledger_trades where settled_at is null")
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    assert_eq!(unsettled, 0, "BP-6: a day after the trade");
    let position = ada.get("/v2/positions/AAPL").await;
    assert_eq!(number(&position["qty"]), dec!(6));
    assert_eq!(
        number(&ada.get("/v2/account").await["accrued_fees"]),
        dec!(0),
        "FEE-2: posted at the end of each day"
    );
    // One notice for each end, however often it was told.
    let notices: Vec<(i64, i64)> = sqlx::query_as(
        "select (select count(*) from orders where status in ('filled', 'canceled', 'expired', 'rejected')),
                (select count(*) from notices)",
    )
    .fetch_all(&house.db.pool)
    .await
    .unwrap();
    assert_eq!(notices[0].0, notices[0].1, "EOD-2");
}

/// New York puts its clocks back on 1 November 2026: the bell is an hour later in UTC (CAL-5).
#[tokio::test(flavor = "multi_thread")]
async fn the_weekend_on_which_the_clocks_change() {
    let house = House::on_nyse("2026-10-30T13:30:01Z").await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    let patient = ada.order("buy", 1, "AAPL", "50.00", "gtc").await;
    ada.wait_for(patient, "new").await;
    house.end_of_day("2026-10-30", "2026-10-30T20:00:00Z").await;
    ada.wait_for(patient, "done_for_day").await;
    house.at_rest().await;

    house.to("2026-11-01T12:00:00Z").await;
    let queued = ada.buy(1, "AAPL", "100.00").await;
    house.to("2026-11-02T14:29:00Z").await;
    assert_eq!(
        ada.status(queued).await,
        "accepted",
        "13:30 UTC would have been the bell on Friday"
    );
    house.to("2026-11-02T14:30:01Z").await;
    ada.wait_for(queued, "filled").await;
    ada.wait_for(patient, "new").await;
    house.end_of_day("2026-11-02", "2026-11-02T21:00:00Z").await;
    house.at_rest().await;
}
