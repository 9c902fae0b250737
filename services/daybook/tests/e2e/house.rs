//! A brokerage with its exchange, composed as the executable composes it, on databases of its own.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{Clock, OffsetClock, SystemClock};
use chassis::ids::SystemIds;
use chrono::{DateTime, TimeDelta, Utc};
use daybook::admin::Desk;
use daybook::compose::{self, Part, Running};
use daybook::config::Settings;
use testkit::{TestDb, wait_until};

use crate::harness::{Customer, Market, clocks::in_the_morning, customer::http, truth};

/// What an operator shows.
pub const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Brokerage and operators have the rights that they have in an installation, and no more.
const AS_THE_APPLICATION: &str = "&options=-c%20role%3Ddaybook_app";

/// Where a broker listens: then the same scenarios run on the Kafka engine.
pub const BROKERS: &str = "DAYBOOK_TEST_KAFKA_BROKERS";

/// How long after the bell, and the last step of the end of day that is done by then (docs/trading-day.md).
const AFTER_THE_BELL: [(TimeDelta, i16); 5] = [
    (TimeDelta::seconds(10), 2),
    (TimeDelta::seconds(10 * 60 + 10), 6),
    (TimeDelta::seconds(30 * 60 + 10), 7),
    (TimeDelta::seconds(45 * 60 + 10), 9),
    (TimeDelta::seconds(105 * 60 + 10), 12),
];

/// Longer than the pauses of an end of day: between two questions about an order, and after an attempt that failed.
const STEP_WITHIN: Duration = Duration::from_secs(400);

/// The brokerage.
pub struct House {
    /// Before its databases: what still runs when a test ends is told to stop before they go.
    running: Option<Running>,
    pub db: TestDb,
    _exchange_db: TestDb,
    settings: Settings,
    pub market: Market,
    pub desk: Desk,
    clock: Arc<OffsetClock>,
    /// Reads the time over HTTP.
    observer: Option<Customer>,
}

impl House {
    /// A fresh one, always open; its market stands still until it is told to step.
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// As [`House::open`], with further settings.
    pub async fn open_with(more: &[(&str, &str)]) -> Self {
        let house = Self::with("always-open", in_the_morning() - SystemClock.now(), more).await;
        house.market.shift_clock(house.offset()).await;
        house.market.step().await;
        house
    }

    /// A fresh one on the exchange's own calendar, at this time.
    pub async fn on_nyse(time: &str) -> Self {
        let mut house = Self::with("nyse", offset_to(time), &[]).await;
        house.observer = Some(house.customer(1).await);
        house.to(time).await;
        house
    }

    async fn with(calendar: &str, offset: TimeDelta, more: &[(&str, &str)]) -> Self {
        let (db, exchange_db) = tokio::join!(
            TestDb::new(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        let as_the_application = format!("{}{AS_THE_APPLICATION}", db.url);
        let mut pairs = vec![
            ("DAYBOOK_DATABASE_URL", as_the_application.as_str()),
            ("DAYBOOK_EXCHANGE_DATABASE_URL", &exchange_db.url),
            ("DAYBOOK_PORT", "0"),
            ("DAYBOOK_CALENDAR", calendar),
            ("DAYBOOK_SYMBOLS", "3"),
            ("DAYBOOK_EXCHANGE_TICK_MS", "0"),
            ("DAYBOOK_ADMIN_PORT", "0"),
            ("DAYBOOK_ADMIN_TOKEN", ADMIN_TOKEN),
            // Tests pin prices and trade at once; the reference price follows a moment later.
            ("DAYBOOK_COLLAR", "100"),
        ];
        pairs.extend(more);
        // Topics of its own, as it has a database of its own.
        let (brokers, prefix) = (std::env::var(BROKERS).ok(), format!("{}.", db.name()));
        if let Some(brokers) = &brokers {
            pairs.push(("DAYBOOK_ENGINE", "kafka"));
            pairs.push(("DAYBOOK_KAFKA_BROKERS", brokers));
            pairs.push(("DAYBOOK_KAFKA_TOPIC_PREFIX", &prefix));
        }
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        let settings = Settings::from_pairs(pairs.collect()).unwrap();
        let clock = Arc::new(OffsetClock::new(offset));
        let ids = Arc::new(SystemIds::new(clock.clone()));
        let few = db::PoolSettings {
            max_connections: 4,
            ..db::PoolSettings::default()
        };
        let desk_pool = db::connect(&as_the_application, few).await.unwrap();
        let desk = Desk::new(desk_pool, ids, clock.clone(), "test");
        let market = Market::at("");
        let mut house = House {
            db,
            _exchange_db: exchange_db,
            settings,
            running: None,
            market,
            desk,
            clock,
            observer: None,
        };
        house.shift_database().await;
        house.start().await;
        house
    }

    /// Puts every clock to this time; from there on they run.
    pub async fn to(&self, time: &str) {
        self.to_time(time.parse().unwrap()).await;
    }

    async fn to_time(&self, time: DateTime<Utc>) {
        self.clock.shift_to(time - SystemClock.now());
        self.shift_database().await;
        self.market.shift_clock(time - SystemClock.now()).await;
        let observer = self.observer.as_ref().unwrap();
        wait_until("the process has followed", Duration::from_secs(30), || async {
            let clock = observer.get("/v2/clock").await;
            let shown: DateTime<Utc> = clock["timestamp"].as_str().unwrap().parse().unwrap();
            shown >= time
        })
        .await;
        self.market.step().await;
    }

    /// The exchange alone is a day ahead: its session is over, and its trade file is written.
    pub async fn exchange_is_a_day_ahead(&self) {
        self.market.shift_clock(self.offset() + TimeDelta::days(1)).await;
    }

    fn offset(&self) -> TimeDelta {
        self.clock.now() - SystemClock.now()
    }

    async fn shift_database(&self) {
        let offset = self.offset();
        let mut conn = self.db.pool.acquire().await.unwrap();
        db::shift_database_time(&mut conn, offset).await.unwrap();
    }

    /// Lives through the end of a business date, from its bell to its last step.
    pub async fn end_of_day(&self, date: &str, close: &str) {
        let close: DateTime<Utc> = close.parse().unwrap();
        for (after, step) in AFTER_THE_BELL {
            self.to_time(close + after).await;
            let what = format!("step {step} of {date}");
            wait_until(&what, STEP_WITHIN, || self.is_done(date, step)).await;
        }
        assert!(self.is_closed(date).await, "{date}");
    }

    async fn is_done(&self, date: &str, step: i16) -> bool {
        let done = "select exists (select from eod_steps
                                    where business_date = $1::date and step = $2 and done_at is not null)";
        sqlx::query_scalar(done)
            .bind(date)
            .bind(step)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    pub async fn is_closed(&self, date: &str) -> bool {
        sqlx::query_scalar("select exists (select from eod_dates where business_date = $1::date and state = 'closed')")
            .bind(date.parse::<chrono::NaiveDate>().unwrap())
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
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
            .env("DAYBOOK_DATABASE_URL", self.settings.database_url())
            .args(arguments)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        // A build with failpoints says so; what the command says is the rest.
        let told = told.lines().filter(|line| !line.contains("failpoints are armed"));
        let said = String::from_utf8(output.stdout).unwrap() + &told.collect::<Vec<_>>().join("\n");
        (output.status.code().unwrap(), said)
    }

    /// Drains and stops everything.
    pub async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    /// Whether a broker carries its events.
    pub fn is_on_kafka(&self) -> bool {
        self.settings.kafka_brokers.is_some()
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
        truth::at_rest(&self.db.url, &self.market, Duration::from_secs(120)).await;
    }
}

fn offset_to(time: &str) -> TimeDelta {
    time.parse::<DateTime<Utc>>().unwrap() - SystemClock.now()
}
