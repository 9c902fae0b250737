//! A brokerage with its exchange, composed as the executable composes it, on databases of its own.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{SharedClock, SystemClock};
use chassis::ids::SystemIds;
use daybook::admin::Desk;
use daybook::compose::{self, Part, Running};
use daybook::config::Settings;
use testkit::{TestDb, wait_until};

use crate::harness::{Customer, Market, customer::http, truth};

/// What an operator shows.
pub const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The brokerage.
pub struct House {
    pub db: TestDb,
    _exchange_db: TestDb,
    settings: Settings,
    running: Option<Running>,
    pub market: Market,
    pub desk: Desk,
}

impl House {
    /// A fresh one; its market stands still until it is told to step.
    pub async fn open() -> Self {
        let (db, exchange_db) = tokio::join!(
            TestDb::new(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        let pairs = [
            ("DAYBOOK_DATABASE_URL", db.url.as_str()),
            ("DAYBOOK_EXCHANGE_DATABASE_URL", &exchange_db.url),
            ("DAYBOOK_PORT", "0"),
            ("DAYBOOK_CALENDAR", "always-open"),
            ("DAYBOOK_SYMBOLS", "3"),
            ("DAYBOOK_EXCHANGE_TICK_MS", "0"),
            ("DAYBOOK_ADMIN_PORT", "0"),
            ("DAYBOOK_ADMIN_TOKEN", ADMIN_TOKEN),
        ];
        let settings = Settings::from_pairs(pairs.map(|(key, value)| (key.into(), value.into())).to_vec()).unwrap();
        let clock: SharedClock = Arc::new(SystemClock);
        let desk = Desk::new(db.pool.clone(), Arc::new(SystemIds::new(clock.clone())), clock, "test");
        let market = Market::at("");
        let mut house = House {
            db,
            _exchange_db: exchange_db,
            settings,
            running: None,
            market,
            desk,
        };
        house.start().await;
        house
    }

    /// Starts it, and waits until orders can be placed. Addresses stay the same from start to start.
    pub async fn start(&mut self) {
        let running = compose::start(Part::All, &self.settings).await.unwrap();
        let exchange = running.exchange.as_ref().unwrap();
        self.settings.port = running.address.port();
        self.settings.exchange_port = exchange.address().port();
        self.market = Market::at(&exchange.url());
        self.running = Some(running);
        let (http, url) = (http(), format!("{}/readyz", self.url()));
        wait_until("orders can be placed", Duration::from_secs(60), || async {
            http.get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Runs the executable with these arguments on this brokerage's database; gives its exit code and what it said.
    pub fn command(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = assert_cmd::Command::cargo_bin("daybook").unwrap();
        let output = command
            .env_clear()
            .env("DAYBOOK_DATABASE_URL", &self.db.url)
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    /// Drains and stops everything.
    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn url(&self) -> String {
        self.running.as_ref().unwrap().url()
    }

    /// The operator's listener.
    pub fn admin_url(&self) -> String {
        let running = self.running.as_ref().unwrap();
        format!("http://{}", running.admin_address.unwrap())
    }

    /// A customer with so many dollars.
    pub async fn customer(&self, dollars: u32) -> Customer {
        Customer::open(&self.desk, &self.url(), dollars).await
    }

    /// Lets time pass by the database's clock, which deadlines go by.
    pub async fn pass(&self, time: &str) {
        let statement = format!("update db_clock set clock_offset = clock_offset + interval '{time}'");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Waits until all is told and booked; then both sides agree and the audit finds nothing.
    pub async fn at_rest(&self) {
        truth::at_rest(&self.db.url, &self.market, Duration::from_secs(40)).await;
    }
}
