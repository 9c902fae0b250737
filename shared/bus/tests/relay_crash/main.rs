//! A relay that dies at a named line. Failpoints belong to the whole process, so these tests have one of their own.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../kafka/cell.rs"]
#[expect(dead_code, reason = "shared with the tests of the engine")]
mod cell;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the crate")]
mod support;

use chassis::step::Step;
use fail::FailScenario;

use cell::{Cell, check_once_and_in_order, read};
use support::event;

/// Kills the relay at `point` in the middle of its batch, and has another one go on.
async fn check(point: &str) {
    let cell = Cell::new().await;
    let sent: Vec<_> = (0..100).map(|n| event(["AAPL", "F"][n as usize % 2], n, "a")).collect();
    cell.world.publish(&sent[..50]).await;
    cell.ship().await;
    cell.world.publish(&sent[50..]).await;

    let mut dying = cell.relay();
    fail::cfg(point, "panic").unwrap();
    let died = tokio::spawn(async move { while dying.step().await.is_ok() {} });
    assert!(died.await.unwrap_err().is_panic(), "{point}");
    fail::remove(point);
    cell.bus_released().await;

    cell.ship().await;
    let mut consumer = cell.member().await;
    check_once_and_in_order(&read(&mut consumer, &cell.bus, 100).await, 0..100);
}

#[tokio::test]
async fn a_relay_that_dies_in_the_middle_of_a_batch_repeats_it_and_loses_nothing() {
    let scenario = FailScenario::setup();
    for point in ["relay::batch_read", "relay::published_not_marked"] {
        check(point).await;
    }
    scenario.teardown();
}
