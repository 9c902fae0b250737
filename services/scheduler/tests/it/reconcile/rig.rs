//! A day with a scripted exchange: orders that traded there, and what of it is booked here.

use bus::{Bus, BusSettings};
use chrono::NaiveDate;
use domain::calendar::{Calendar, to_new_york};
use domain::{ExecId, OrderId, Price, Qty, Side, Symbol, TimeInForce};
use scheduler::Deps;
use scheduler::engine::Run;
use scheduler::jobs::StepOutcome;
use scheduler::jobs::reconcile;
use serde_json::json;
use sessions::Sessions;
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use testkit::TestDb;
use uuid::Uuid;
use venue::fake::FakeVenue;
use venue::{Venue, VenueOrder};

pub const ACCOUNT: Uuid = Uuid::from_u128(1);

/// One day.
pub struct Rig {
    pub db: TestDb,
    pub deps: Arc<Deps<FakeVenue>>,
    pub venue: FakeVenue,
    runs: AtomicU32,
}

impl Rig {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let venue = FakeVenue::new(testkit::clock(), &[symbol()]);
        let deps = Deps {
            pool: db.pool.clone(),
            bus: Bus::new(db.pool.clone(), testkit::ids(1), BusSettings::default()),
            venue: Some(Arc::new(venue.clone())),
            sessions: Sessions::fixed(Calendar::always_open()),
            clock: testkit::clock(),
            ids: testkit::ids(2),
        };
        Rig {
            db,
            deps: Arc::new(deps),
            venue,
            runs: AtomicU32::new(0),
        }
    }

    pub fn date() -> NaiveDate {
        to_new_york(testkit::start_of_time()).date_naive()
    }

    /// An order of ours for 10 shares, which the exchange has, too.
    pub async fn order(&self, n: u128) -> OrderId {
        let key = OrderId::new(Uuid::from_u128(n));
        let terms = VenueOrder {
            symbol: symbol(),
            side: Side::Buy,
            qty: shares("10"),
            limit_price: dollars("5.00"),
            time_in_force: TimeInForce::Day,
        };
        self.venue.submit(key, &terms).await;
        self.run_sql(&format!(
            "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force, qty,
                                 limit_price, session_date, request_id, created_at, submitted_at, status, updated_at)
             values ('{key}', '{ACCOUNT}', 'c-{n}', '{ACCOUNT}', 'AAPL', 'buy', 'limit', 'day', 10, 5, '{}', 'r-{n}',
                     daybook_now(), daybook_now() + {n} * interval '1 microsecond', 'filled', daybook_now())",
            Self::date(),
        ))
        .await;
        key
    }

    /// The exchange trades all of the order; we hear nothing of it.
    pub fn trade(&self, order: OrderId) -> ExecId {
        self.venue.fill(order, shares("10"), dollars("5.00"));
        self.venue.executions().pop().unwrap()
    }

    /// The execution is booked, as it stands at the exchange.
    pub async fn book(&self, order: OrderId, exec: &ExecId) {
        self.book_at(order, exec, "10", "5.00").await;
    }

    pub async fn book_at(&self, order: OrderId, exec: &ExecId, qty: &str, price: &str) {
        let at = testkit::start_of_time();
        self.run_sql(&format!(
            "insert into fills (venue, exec_id, fill_id, order_id, account_id, symbol, side, qty, price, cash, cum_qty,
                                leaves_qty, order_status, venue_at, received_at)
             values ('fake', '{exec}', gen_random_uuid(), '{order}', '{ACCOUNT}', 'AAPL', 'buy', {qty}, {price},
                     round({qty} * {price}, 2), {qty}, 0, 'filled', '{at}', '{at}')"
        ))
        .await;
    }

    /// Orders that traded at the exchange and are booked here.
    pub async fn booked(&self, numbers: std::ops::Range<u128>) {
        for n in numbers {
            let order = self.order(n).await;
            let exec = self.trade(order);
            self.book(order, &exec).await;
        }
    }

    pub async fn run(&self) -> Run {
        let n = self.runs.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::from_u128(0xabc_0000 + u128::from(n));
        Run::begin(&self.db.pool, id, &format!("reconcile {n}"), json!({}))
            .await
            .unwrap()
    }

    /// One pass. `done: …` or `wait: …`.
    pub async fn pass(&self) -> String {
        self.pass_over(Self::date()).await
    }

    /// The same over another day.
    pub async fn pass_over(&self, date: NaiveDate) -> String {
        let run = self.run().await;
        match reconcile::reconcile(&self.deps, &run, date).await {
            Ok(StepOutcome::Done(summary)) => format!("done: {summary}"),
            Ok(StepOutcome::Wait { why, .. }) => format!("wait: {why}"),
            Err(error) => panic!("{error}"),
        }
    }

    /// `missing_ours exec-1: open`, by number.
    pub async fn breaks(&self) -> Vec<String> {
        self.texts(
            "select kind || ' ' || subject || ': ' || state || coalesce(', ' || suspense, '') from recon_breaks order by break_no",
        )
        .await
    }

    /// What was reported, in order: `filled exec-1`.
    pub async fn told(&self) -> Vec<String> {
        self.texts(
            "select concat_ws(' ', payload::json ->> 'fact', payload::json ->> 'exec_id') from outbox
              where topic = 'venue-reports' and payload::json ->> 'source' = 'recon' order by id",
        )
        .await
    }

    /// Open alerts: `reconcile_file fake 2026-11-23`.
    pub async fn alerts(&self) -> Vec<String> {
        self.texts(
            "select kind || ' ' || subject from operator_alerts where cleared_at is null order by raised_at, kind",
        )
        .await
    }

    /// What firm.suspense has: `AAPL -10`.
    pub async fn suspense(&self) -> Vec<String> {
        self.texts(
            "select asset || ' ' || trim_scale(sum(amount)) from ledger_entries where book = 'firm.suspense' group by asset
             having sum(amount) <> 0 order by asset",
        )
        .await
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    pub async fn run_sql(&self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Time passes by the database's clock.
    pub async fn later(&self, time: &str) {
        self.run_sql(&format!(
            "update db_clock set clock_offset = clock_offset + interval '{time}'"
        ))
        .await;
    }

    /// Everything that a pass may write, to see that another one wrote nothing.
    pub async fn written(&self) -> Vec<String> {
        self.texts(
            "select b::text from recon_breaks b union all select t::text from recon_trades t
              union all select e::text from ledger_entries e union all select o.payload from outbox o order by 1",
        )
        .await
    }
}

pub fn symbol() -> Symbol {
    Symbol::parse("AAPL").unwrap()
}

pub fn shares(text: &str) -> Qty {
    Qty::parse(text).unwrap()
}

pub fn dollars(text: &str) -> Price {
    Price::parse(text).unwrap()
}
