//! Kill -9 of the brokerage and of Postgres under load, while the exchange goes on trading as a process of its own.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{SharedClock, SystemClock};
use chassis::ids::SystemIds;
use daybook::admin::Desk;
use sqlx::PgPool;
use testkit::TestDb;

use crate::cluster::Cluster;
use crate::harness::clocks::{in_the_morning, set_clocks};
use crate::harness::{Customer, Market, truth};
use crate::load::{self, Load};
use crate::process::Program;

const PATIENCE: Duration = Duration::from_secs(180);

/// An exchange, a brokerage on a durable cluster, customers with money.
struct Town {
    cluster: Cluster,
    url: String,
    brokerage: Program,
    market: Market,
    customers: Vec<Customer>,
    /// It goes on trading all the time.
    _exchange: (TestDb, Program, crate::process::Process),
}

impl Town {
    async fn open() -> Self {
        let (cluster, exchange_db) = tokio::join!(
            Cluster::start(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        cluster.create("daybook").await;
        let url = cluster.url("daybook");
        let exchange = exchange_program(&url, &exchange_db.url);
        let trading = exchange.up().await;
        let brokerage = brokerage_program(&url, &exchange.url());
        let (code, text) = brokerage.run(&["migrate"]).await;
        assert_eq!(code, 0, "{text}");
        let market = Market::at(&exchange.url());
        begin_in_the_morning(&url, &market).await;
        market.pin("AAPL", "99.00", "100.00", 500).await;
        let customers = customers(&url, &brokerage.url(), 4).await;
        Town {
            cluster,
            url,
            brokerage,
            market,
            customers,
            _exchange: (exchange_db, exchange, trading),
        }
    }

    /// Kills the brokerage under load, then Postgres under load, so many times; then both at once.
    async fn survives(mut self, rounds: usize) {
        let mut running = self.brokerage.up().await;
        let load = Load::start(&self.customers, 4, &["AAPL"]);
        for _ in 0..rounds {
            load.until_more(200).await;
            running.kill().await;
            running = self.brokerage.up().await;
            load.until_more(200).await;
            // The brokerage is not started again: it has to come back by itself.
            self.cluster.kill().await;
            self.cluster.up().await;
            assert!(
                running.ready().await,
                "a dead database must not end the process\n{}",
                self.brokerage.last_words()
            );
        }
        load.until_more(200).await;
        tokio::join!(running.kill(), self.cluster.kill());
        self.cluster.up().await;
        let mut running = self.brokerage.up().await;
        load.until_more(20).await;
        let acknowledged = load.stop().await;
        load::cancel_all(&self.customers).await;
        truth::at_rest(&self.url, &self.market, PATIENCE).await;
        load::all_are_there(&self.url, &acknowledged).await;
        let (code, report) = self.brokerage.run(&["audit", "--at-rest"]).await;
        assert_eq!(code, 0, "{report}");
        running.terminate().await;
        let ended = running.ended_within(Duration::from_secs(30)).await.expect("it drains");
        assert!(ended.success(), "{ended}");
    }
}

/// The exchange alone. A database URL of the brokerage is a setting of every part; the exchange never opens it.
pub fn exchange_program(url: &str, exchange_url: &str) -> Program {
    let settings = [
        ("DAYBOOK_DATABASE_URL", url),
        ("DAYBOOK_EXCHANGE_DATABASE_URL", exchange_url),
        ("DAYBOOK_CALENDAR", "always-open"),
        ("DAYBOOK_SYMBOLS", "3"),
        ("DAYBOOK_EXCHANGE_TICK_MS", "50"),
        ("DAYBOOK_LOG", "warn"),
    ];
    Program::new("exchange-sim", "DAYBOOK_EXCHANGE_PORT", &settings)
}

/// The brokerage without the bundled exchange, with short leases: a dead predecessor is waited for.
pub fn brokerage_program(url: &str, exchange_url: &str) -> Program {
    Program::new("all", "DAYBOOK_PORT", &brokerage_settings(url, exchange_url))
}

/// What each process of it is told.
pub fn brokerage_settings<'a>(url: &'a str, exchange_url: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("DAYBOOK_DATABASE_URL", url),
        ("DAYBOOK_EXCHANGE_URL", exchange_url),
        ("DAYBOOK_EXCHANGE_KEY_ID", "exchange-key"),
        ("DAYBOOK_EXCHANGE_SECRET", "exchange-secret"),
        ("DAYBOOK_EXCHANGE_BULK_LOOKUP", "true"),
        ("DAYBOOK_CALENDAR", "always-open"),
        ("DAYBOOK_LEASE_MS", "1500"),
        ("DAYBOOK_MAX_OPEN_ORDERS", "100000"),
        ("DAYBOOK_MAX_OPEN_ORDERS_PER_SYMBOL", "100000"),
        // Customers of a round buy and sell what they like.
        ("DAYBOOK_REFUSE_SELF_CROSS", "false"),
        ("DAYBOOK_COLLAR", "10"),
        ("DAYBOOK_LOG", "warn"),
    ]
}

/// Puts the clocks of a brokerage, whose database is migrated, and of its exchange to a time at which no day ends.
pub async fn begin_in_the_morning(url: &str, market: &Market) {
    let pool = small_pool(url).await;
    set_clocks(&pool, in_the_morning(), market, in_the_morning()).await;
    pool.close().await;
}

async fn small_pool(url: &str) -> PgPool {
    let settings = db::PoolSettings {
        max_connections: 2,
        ..db::PoolSettings::default()
    };
    db::connect(url, settings).await.unwrap()
}

/// Customers with money and keys.
pub async fn customers(url: &str, brokerage: &str, count: usize) -> Vec<Customer> {
    let pool = small_pool(url).await;
    let clock: SharedClock = Arc::new(SystemClock);
    let desk = Desk::new(pool.clone(), Arc::new(SystemIds::new(clock.clone())), clock, "test");
    let mut customers = Vec::new();
    for _ in 0..count {
        customers.push(Customer::open(&desk, brokerage, 100_000_000).await);
    }
    pool.close().await;
    customers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_kill_9_loses_nothing() {
    Town::open().await.survives(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: ten rounds"]
async fn ten_rounds_of_kill_9_lose_nothing() {
    Town::open().await.survives(10).await;
}
