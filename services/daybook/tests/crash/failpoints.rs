//! The process is stopped at each point of docs/crash-matrix.md that it can be stopped at, under load, started again, and
//! everything is as it should be.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::TestDb;

use crate::harness::clocks::{in_the_morning, set_clocks};
use crate::harness::{Customer, Market, truth};
use crate::load::{self, Acknowledged, Load};
use crate::process::{Process, Program};
use crate::rounds::{brokerage_program, customers, exchange_program};

const PATIENCE: Duration = Duration::from_secs(180);

/// How a process ends that panicked.
const SIGABRT: i32 = 6;

/// A point, how often it is passed before the process dies there, and what the exchange does so that it is reached.
struct Stop {
    point: &'static str,
    passes: u32,
    rule: Option<Value>,
}

fn at(point: &'static str, passes: u32) -> Stop {
    Stop {
        point,
        passes,
        rule: None,
    }
}

fn with(point: &'static str, passes: u32, rule: Value) -> Stop {
    Stop {
        point,
        passes,
        rule: Some(rule),
    }
}

/// A brokerage and an exchange as processes.
struct Town {
    db: TestDb,
    _exchange_db: TestDb,
    brokerage: Program,
    market: Market,
    customers: Vec<Customer>,
    acknowledged: Vec<Acknowledged>,
    _exchange: (Program, Process),
}

impl Town {
    async fn open() -> Self {
        let (db, exchange_db) = tokio::join!(
            TestDb::new(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        let exchange = exchange_program(&db.url, &exchange_db.url);
        let trading = exchange.up().await;
        let brokerage = brokerage_program(&db.url, &exchange.url());
        let market = Market::at(&exchange.url());
        set_clocks(&db.pool, in_the_morning(), &market, in_the_morning()).await;
        market.pin("AAPL", "99.00", "100.00", 20).await;
        let customers = customers(&db.url, &brokerage.url(), 2).await;
        let _exchange = (exchange, trading);
        Town {
            db,
            _exchange_db: exchange_db,
            brokerage,
            market,
            customers,
            acknowledged: vec![],
            _exchange,
        }
    }

    /// Stops the process there under load, starts it again, and compares everything.
    async fn survives(&mut self, stop: Stop) {
        let point = stop.point;
        if let Some(rule) = stop.rule {
            self.market.misbehave(rule).await;
        }
        let armed = match stop.passes {
            0 => format!("{point}=panic"),
            passes => format!("{point}={passes}*off->panic"),
        };
        let mut process = self.brokerage.start(Some(&armed));
        let load = Load::start(&self.customers, 2, &["AAPL"]);
        self.died_at(point, &mut process).await;
        self.market.behave().await;
        let process = self.brokerage.up().await;
        load.until_more(10).await;
        self.acknowledged.extend(load.stop().await);
        self.all_is_well(point, process).await;
    }

    /// It died there and of nothing else.
    async fn died_at(&self, point: &str, process: &mut Process) {
        let ended = process.ended_within(PATIENCE).await;
        let ended = ended.unwrap_or_else(|| panic!("{point} was not reached\n{}", self.brokerage.last_words()));
        let words = self.brokerage.last_words();
        assert_eq!(ended.signal(), Some(SIGABRT), "{point}: {ended}\n{words}");
        assert!(words.contains(&format!("failpoint {point} panic")), "{point}: {words}");
    }

    /// Everything comes to rest, both sides agree, the process ends well.
    async fn all_is_well(&self, point: &str, mut process: Process) {
        load::cancel_all(&self.customers).await;
        truth::at_rest(&self.db.url, &self.market, PATIENCE).await;
        load::all_are_there(&self.db.url, &self.acknowledged).await;
        process.terminate().await;
        let ended = process.ended_within(PATIENCE).await.expect("it drains");
        assert!(
            ended.success(),
            "after {point}: {ended}\n{}",
            self.brokerage.last_words()
        );
        eprintln!("survived {point}");
    }
}

async fn each_is_survived(stops: Vec<Stop>) {
    let mut town = Town::open().await;
    for stop in stops {
        town.survives(stop).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_orders_are_placed_loses_nothing() {
    each_is_survived(vec![
        at("api::before_tx", 20),
        at("api::tx_account_locked", 15),
        at("api::tx_hold_made", 10),
        at("api::tx_order_made", 20),
        at("api::tx_before_commit", 15),
        at("api::commit_unknown", 10),
        at("api::committed_not_woken", 20),
        at("api::committed_not_answered", 15),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_orders_go_out_makes_no_second_order() {
    each_is_survived(vec![
        at("executor::dequeued", 15),
        at("executor::intent_committed", 10),
        at("executor::sent_no_answer", 10),
        at("executor::acked_not_recorded", 10),
        with(
            "executor::answer_5xx",
            1,
            json!({"kind": "500", "next": 6, "applied": true}),
        ),
        with("executor::answer_garbage", 1, json!({"kind": "broken_json", "next": 6})),
        with("executor::answer_429", 1, json!({"kind": "429", "next": 6})),
        with("executor::answer_reject", 1, json!({"kind": "reject", "next": 6})),
    ])
    .await;
}

/// Some of the orders wait for a time of their own; the process dies when it has come.
#[tokio::test(flavor = "multi_thread")]
async fn dying_when_the_time_of_orders_has_come_sends_each_once() {
    each_is_survived(vec![at("api::deferred_release", 1), at("api::deferred_release", 4)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_cancels_go_out_ends_each_order_once() {
    each_is_survived(vec![
        at("cancel::tx_before_commit", 3),
        at("cancel::committed_not_answered", 3),
        at("cancel::sent_no_answer", 2),
        at("cancel::done_not_recorded", 2),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_orders_are_replaced_replaces_each_once() {
    each_is_survived(vec![
        at("replace::tx_delta_held", 2),
        at("replace::sent_no_answer", 2),
        at("replace::done_not_recorded", 2),
        with(
            "replace::refused_or_filled",
            1,
            json!({"kind": "reject", "on": "replace", "next": 6}),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_reports_are_booked_books_each_once() {
    each_is_survived(vec![
        at("consumer::fetched", 40),
        at("consumer::tx_seen_marked", 10),
        at("consumer::committed_not_acked", 10),
        at("updater::tx_fill_made", 5),
        at("updater::tx_ledger_made", 5),
        at("updater::tx_position_made", 5),
        at("updater::commit_unknown", 5),
        at("poll::page_done", 3),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_notices_are_written_tells_each_end_once() {
    each_is_survived(vec![at("notify::read_not_sent", 20), at("notify::sent_not_marked", 10)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_with_a_lease_leaves_it_to_the_next() {
    each_is_survived(vec![at("lease::acquired", 1), at("lease::loaded", 1)]).await;
}

/// An order that never arrives and is canceled meanwhile is ended by its key: two denials, a submit, a cancel, its end.
#[tokio::test(flavor = "multi_thread")]
async fn dying_in_a_saga_ends_each_order_on_proof_only() {
    let lost = || json!({"kind": "lost_before_accepting", "next": 40});
    each_is_survived(vec![
        with("executor::attempts_spent", 0, lost()),
        with("saga::step_done_not_logged", 0, lost()),
        with("saga::logged_not_next", 0, lost()),
        with("saga::in_compensation", 0, lost()),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dying_while_it_drains_leaves_its_leases_to_run_out() {
    let mut town = Town::open().await;
    let mut process = town.brokerage.start(Some("lease::release=panic"));
    assert!(process.ready().await);
    let load = Load::start(&town.customers, 2, &["AAPL"]);
    load.until_more(30).await;
    process.terminate().await;
    town.died_at("lease::release", &mut process).await;
    let process = town.brokerage.up().await;
    load.until_more(10).await;
    town.acknowledged = load.stop().await;
    town.all_is_well("lease::release", process).await;
}
