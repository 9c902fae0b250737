//! What an operator asks a process: each part by itself answers, and an order on its way is counted.

use std::time::Duration;

use daybook::compose::{self, Part};
use daybook::config::Settings;
use testkit::{TestDb, wait_until};

use crate::harness::customer::http;
use crate::house::House;

const PARTS: [Part; 7] = [
    Part::ExchangeSim,
    Part::OrderManager,
    Part::Executor,
    Part::StatusUpdater,
    Part::Scheduler,
    Part::Notifier,
    Part::MarketData,
];

/// The settings of a further process beside a brokerage that runs. Of exchanges there is one a database.
fn beside(house: &House, exchange_db: &TestDb) -> Settings {
    let mut settings = house.settings().clone();
    settings.exchange_url = Some(house.market.url().to_owned());
    settings.exchange_database_url = Some(exchange_db.url.clone().into());
    (settings.port, settings.exchange_port) = (0, 0);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_by_itself_tells_whether_it_lives_is_ready_and_what_it_counts() {
    let house = House::open().await;
    let exchange_db = TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange").await;
    for part in PARTS {
        let running = compose::start(part, &beside(&house, &exchange_db)).await.unwrap();
        let url = running.url();
        let ask = async |path: &str| http().get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(ask("/livez").await.status(), 200, "{part:?}");
        wait_until(&format!("{part:?} is ready"), Duration::from_secs(60), || async {
            ask("/readyz").await.status() == 200
        })
        .await;
        let told = ask("/metrics").await;
        assert_eq!(told.status(), 200, "{part:?}");
        assert!(told.text().await.unwrap().contains("daybook_steps_total"), "{part:?}");
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_order_on_its_way_is_counted() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    let text = async || {
        let told = http().get(format!("{}/metrics", house.url())).send().await.unwrap();
        told.text().await.unwrap()
    };
    for series in [
        "daybook_status_updater_state_age_seconds_count{status=\"accepted\"}",
        "daybook_status_updater_state_age_seconds_bucket{status=\"accepted\",le=\"86400\"}",
        "daybook_ledger_postings_total{kind=\"fill\"}",
        "daybook_ledger_postings_total{kind=\"deposit_collected\"}",
        "daybook_executor_call_seconds_count{venue=\"exchange\",call=\"submit\"}",
        "daybook_executor_breaker_state{venue=\"exchange\"}",
    ] {
        // Some are counted after the commit that customers see.
        wait_until(series, Duration::from_secs(60), || async {
            text().await.contains(series)
        })
        .await;
    }
}
