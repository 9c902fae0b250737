//! Reconciliation against the bundled exchange: what neither stream nor polls told is found in its trade file (REC-4, V15).

use std::time::Duration;

use domain::calendar::to_new_york;
use rust_decimal::dec;
use serde_json::{Map, json};
use testkit::wait_until;

use crate::harness::customer::http;
use crate::house::House;

const PATIENCE: Duration = Duration::from_secs(90);

impl House {
    /// Lets the job run for this date until it is done; tells how it ended.
    async fn reconcile(&self, date: chrono::NaiveDate) -> String {
        let given = Map::from_iter([("date".to_owned(), json!(date))]);
        let run = self.desk.run_job("reconcile", &given).await.unwrap().run_id;
        let state = || async {
            let state =
                "select state, outcome, state = 'waiting' and due_at > daybook_now() from job_runs where run_id = $1";
            sqlx::query_as::<_, (String, Option<String>, bool)>(state)
                .bind(run)
                .fetch_one(&self.db.pool)
                .await
                .unwrap()
        };
        wait_until("the day is reconciled", PATIENCE, || async {
            let (state, outcome, is_later) = state().await;
            assert_ne!(state, "dead", "{outcome:?}");
            if is_later {
                // It comes back by the database's clock.
                self.pass("16 s").await;
            }
            state == "done"
        })
        .await;
        state().await.1.unwrap_or_default()
    }

    /// Something is done at the exchange by hand.
    async fn by_hand(&self, path: &str, body: serde_json::Value) {
        let url = format!("{}{path}", self.market.url());
        let answer = http().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path} {body}");
    }

    async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.db.pool).await.unwrap()
    }
}

#[tokio::test]
async fn rec_4_fills_that_neither_stream_nor_polls_told_are_found_in_the_trade_file_and_booked_once() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(10_000).await;
    house.market.misbehave(json!({"kind": "no_reports"})).await;
    house.market.misbehave(json!({"kind": "500", "on": "activities"})).await;
    let mut orders = vec![];
    for _ in 0..3 {
        orders.push(ada.buy(2, "AAPL", "101.00").await);
    }
    wait_until("the exchange traded them", PATIENCE, || async {
        house.market.executions().await.len() == 3
    })
    .await;
    assert_eq!(house.texts("select exec_id from fills").await.len(), 0, "nobody told");
    let now = db::database_time(&mut house.db.pool.acquire().await.unwrap())
        .await
        .unwrap();
    let date = to_new_york(now).date_naive();
    house.exchange_is_a_day_ahead().await;

    let outcome = house.reconcile(date).await;
    assert_eq!(outcome, "3 of 3 executions match, 0 breaks wait");
    for order in orders {
        ada.wait_for(order, "filled").await;
    }
    assert_eq!(ada.account_field("cash").await, dec!(9400));
    let breaks = house.texts("select kind || ' ' || state from recon_breaks").await;
    assert_eq!(breaks, ["missing_ours closed"; 3]);
    let told = "select cause from order_events where event = 'fill'";
    assert_eq!(house.texts(told).await.len(), 3, "the customer hears of each, late");

    let written = "select b::text from recon_breaks b union all select f::text from fills f union all \
                   select e::text from ledger_entries e order by 1";
    let before = house.texts(written).await;
    assert_eq!(house.reconcile(date).await, "3 of 3 executions match, 0 breaks wait");
    assert_eq!(house.texts(written).await, before, "V15: a second pass changes nothing");
    house.market.behave().await;
    house.at_rest().await;
}

#[tokio::test]
async fn rec_6_a_bust_that_nobody_told_is_found_in_the_trade_file_and_reversed() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(2, "AAPL", "101.00").await;
    ada.wait_for(order, "filled").await;
    let now = db::database_time(&mut house.db.pool.acquire().await.unwrap())
        .await
        .unwrap();
    let date = to_new_york(now).date_naive();
    house.market.misbehave(json!({"kind": "no_reports"})).await;
    let execution = house.market.executions().await.remove(0).execution_id;
    house.by_hand("/sim/bust", json!({"execution_id": execution})).await;
    house.exchange_is_a_day_ahead().await;
    house.reconcile(date).await;
    assert_eq!(ada.account_field("cash").await, dec!(1000));
    let told = house
        .texts("select event from order_events where event = 'trade_bust'")
        .await;
    assert_eq!(told.len(), 1, "the customer is told");
    // The order that is open again meets an exchange whose day is over: asked about, and agreed upon.
    let breaks = house.texts("select kind || ' ' || state from recon_breaks where kind not like 'open%'");
    assert_eq!(breaks.await, ["busted_theirs closed"]);
}
