//! Stopping everything and starting it again loses nothing.

use std::time::Duration;

use rust_decimal::dec;

use crate::harness::customer::number;
use crate::house::House;

#[tokio::test]
async fn customers_orders_and_positions_are_there_after_a_restart_of_everything() {
    let mut house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 5).await;
    let ada = house.customer(10_000).await;
    let bought = ada.buy(5, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    let resting = ada.buy(5, "AAPL", "90.00").await;
    ada.wait_for(resting, "new").await;
    house.stop().await;

    house.start().await;
    assert_eq!(ada.status(bought).await, "filled");
    assert_eq!(ada.status(resting).await, "new");
    assert_eq!(number(&ada.get("/v2/positions/AAPL").await["qty"]), dec!(5));
    assert_eq!(ada.spendable().await, dec!(9050));
    // The exchange kept the order as well: it trades when the price comes down.
    house.market.pin("AAPL", "88.00", "89.00", 50).await;
    let filled = ada.wait_for(resting, "filled").await;
    let price = number(&filled["filled_avg_price"]);
    assert!(price <= dec!(90), "at its limit or better: {price}");
    house.at_rest().await;
}

#[tokio::test]
async fn orders_placed_in_the_last_moment_before_a_stop_go_out_after_the_start() {
    let mut house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(100_000).await;
    let mut placed = vec![];
    for _ in 0..20 {
        placed.push(ada.buy(1, "AAPL", "100.00").await);
    }
    house.stop().await;
    house.start().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    for order in placed {
        ada.wait_for(order, "filled").await;
    }
    assert_eq!(number(&ada.get("/v2/positions/AAPL").await["qty"]), dec!(20));
    house.at_rest().await;
}

#[tokio::test]
async fn a_door_that_is_taken_is_named_and_nothing_is_left_running() {
    let house = House::open().await;
    let refused = daybook::compose::start(daybook::compose::Part::Executor, house.settings()).await;
    let refused = refused.err().unwrap();
    assert!(format!("{refused:#}").contains("DAYBOOK_PORT"), "{refused:#}");
    house.at_rest().await;
}

#[tokio::test]
async fn a_process_keeps_the_time_of_its_installation() {
    let mut house = House::open().await;
    let ada = house.customer(10_000).await;
    let shown = async |ada: &crate::harness::Customer| -> chrono::DateTime<chrono::Utc> {
        let clock = ada.get("/v2/clock").await;
        clock["timestamp"].as_str().unwrap().parse().unwrap()
    };
    let before = shown(&ada).await;
    house.pass("30 days").await;
    let moved = before + chrono::TimeDelta::days(30);
    testkit::wait_until("the process has followed", Duration::from_secs(30), || async {
        shown(&ada).await >= moved
    })
    .await;
    house.stop().await;
    house.start().await;
    assert!(shown(&ada).await >= moved, "it knows from its first answer on");
}
