//! The scale-out form: what `deploy/kafka` starts, without the proxy, on a durable Postgres and a broker of its own.

use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use testkit::{TestDb, wait_until};

use super::broker::Broker;
use super::hearing::Hearing;
use super::probe::{self, Recovery};
use crate::cluster::Cluster;
use crate::harness::{Customer, Market, truth};
use crate::load::{self, Load};
use crate::process::{Process, Program};
use crate::rounds::{begin_in_the_morning, brokerage_settings, customers, exchange_program};

const PATIENCE: Duration = Duration::from_secs(180);
const TRADERS: usize = 4;
const LANES: usize = 2;

/// One process of each part, two of those that share the work. The relay first: readers wait for the topics.
const MEMBERS: [(&str, &str); 11] = [
    ("relay", "relay"),
    ("market-data", "market-data"),
    ("status-updater-1", "status-updater"),
    ("status-updater-2", "status-updater"),
    ("executor-1", "executor"),
    ("executor-2", "executor"),
    ("notifier", "notifier"),
    ("scheduler-1", "scheduler"),
    ("scheduler-2", "scheduler"),
    ("order-manager-1", "order-manager"),
    ("order-manager-2", "order-manager"),
];

pub const SYMBOLS: [&str; 20] = [
    "AAPL", "MSFT", "AMZN", "NVDA", "GOOGL", "META", "TSLA", "BRK.B", "JPM", "V", "UNH", "XOM", "LLY", "JNJ", "WMT",
    "MA", "PG", "HD", "KO", "F",
];

/// A process of the installation, under the name that it keeps.
struct Member {
    name: &'static str,
    program: Program,
    process: Option<Process>,
}

impl Member {
    async fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        process.terminate().await;
        let ended = process.ended_within(Duration::from_secs(60)).await;
        let words = || self.program.last_words();
        let ended = ended.unwrap_or_else(|| panic!("{} does not drain\n{}", self.name, words()));
        assert!(ended.success(), "{}: {ended}\n{}", self.name, words());
    }
}

/// An exchange, the parts of a brokerage, customers with money.
pub struct Town {
    pub cluster: Cluster,
    pub broker: Broker,
    pub url: String,
    members: Vec<Member>,
    engine: String,
    market: Market,
    doors: Vec<String>,
    traders: Vec<Customer>,
    probers: Vec<Customer>,
    /// It goes on trading all the time.
    _exchange: (TestDb, Program, Process),
}

impl Town {
    /// Everything is ready, and each part has its share of the work.
    pub async fn open() -> Self {
        let (cluster, broker, exchange_db) = tokio::join!(
            Cluster::start(),
            Broker::start(),
            TestDb::with_migrator(&exchange_sim::MIGRATOR, "exchange")
        );
        cluster.create("daybook").await;
        let url = cluster.url("daybook");
        let mut exchange = exchange_program(&url, &exchange_db.url);
        exchange.set("DAYBOOK_SYMBOLS", &SYMBOLS.len().to_string());
        let trading = exchange.up().await;
        let market = Market::at(&exchange.url());
        let members = members(&url, &exchange.url(), broker.address());
        let (code, text) = members[0].program.run(&["migrate"]).await;
        assert_eq!(code, 0, "{text}");
        begin_in_the_morning(&url, &market).await;
        for symbol in SYMBOLS {
            market.pin(symbol, "99.00", "100.00", 500).await;
        }
        watch_positions(&url).await;
        let is_door = |member: &&Member| member.name.starts_with("order-manager");
        let doors: Vec<String> = members.iter().filter(is_door).map(|door| door.program.url()).collect();
        let mut traders = customers(&url, &doors[0], TRADERS).await;
        for trader in traders.iter_mut().skip(TRADERS / 2) {
            trader.base_url.clone_from(&doors[1]);
        }
        let probers = customers(&url, &doors[0], SYMBOLS.len()).await;
        let mut town = Town {
            cluster,
            broker,
            url,
            members,
            engine: "kafka".to_owned(),
            market,
            doors,
            traders,
            probers,
            _exchange: (exchange_db, exchange, trading),
        };
        town.start_all().await;
        town.recovery(Instant::now()).await;
        town
    }

    /// Customers at work, and listening.
    pub fn trade(&self) -> (Load, Vec<Hearing>) {
        let load = Load::start(&self.traders, LANES, &SYMBOLS);
        (load, self.traders.iter().map(Hearing::start).collect())
    }

    fn member(&mut self, name: &str) -> &mut Member {
        let found = self.members.iter_mut().find(|member| member.name == name);
        found.unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub async fn kill(&mut self, name: &str) {
        self.member(name).process.take().expect("it runs").kill().await;
    }

    pub async fn signal(&mut self, name: &str, signal: &str) {
        self.member(name)
            .process
            .as_ref()
            .expect("it runs")
            .signal(signal)
            .await;
    }

    /// Starts it; whether it is ready is asked later.
    pub fn start(&mut self, name: &str) {
        let member = self.member(name);
        member.process = Some(member.program.start(None));
    }

    /// Starts it anew such that it has nearly always read events that it has not handled: whenever it is stopped, it
    /// believes to own something that it is about to write.
    pub async fn start_slow(&mut self, name: &str) {
        self.stop(&[name]).await;
        let member = self.member(name);
        member.process = Some(member.program.start(Some(SLOW)));
        self.all_ready().await;
    }

    /// The member's program for a second process that believes to be the same.
    pub fn twin(&self, name: &str, part: &'static str) -> Program {
        let settings = settings(&self.url, self.market.url(), self.broker.address());
        let mut twin = Program::new(part, "DAYBOOK_PORT", &settings);
        twin.set("DAYBOOK_INSTANCE", name);
        twin
    }

    /// Changes the setting of all, for the next start.
    pub fn set_engine(&mut self, engine: &str) {
        for member in &mut self.members {
            member.program.set("DAYBOOK_ENGINE", engine);
        }
        self.engine = engine.to_owned();
    }

    /// Starts whoever has something to do on the engine that is set.
    pub async fn start_all(&mut self) {
        let relays = self.engine == "kafka";
        for member in self
            .members
            .iter_mut()
            .filter(|member| relays || member.name != "relay")
        {
            member.process = Some(member.program.start(None));
        }
        self.all_ready().await;
    }

    /// Waits until every process that was started says that it is ready.
    pub async fn all_ready(&mut self) {
        let ready = self.members.iter_mut().map(async |member| {
            if let Some(process) = &mut member.process {
                let ready = process.ready().await;
                assert!(ready, "{} ended:\n{}", member.name, member.program.last_words());
            }
        });
        join_all(ready).await;
    }

    /// Stops everything, cleanly.
    pub async fn stop_all(&mut self) {
        self.stop(&MEMBERS.map(|(name, _)| name)).await;
    }

    /// Stops these, cleanly.
    pub async fn stop(&mut self, names: &[&str]) {
        let named = self.members.iter_mut().filter(|member| names.contains(&member.name));
        join_all(named.map(Member::stop)).await;
    }

    /// How long it takes until customers see nothing of a fault any more.
    pub async fn recovery(&self, since: Instant) -> Recovery {
        probe::recovery(&self.probers, &self.doors, &SYMBOLS, since).await
    }

    /// One number from the database.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut conn).await.unwrap()
    }

    /// The load ends; then everything that was promised is there and has ended, once, here as at the exchange, and was
    /// told once; and all processes stop cleanly.
    pub async fn comes_to_rest(mut self, (load, hearings): (Load, Vec<Hearing>)) {
        self.all_ready().await;
        let acknowledged = load.stop().await;
        load::cancel_all(&self.traders).await;
        truth::at_rest(&self.url, &self.market, PATIENCE).await;
        wait_until("every order has ended", PATIENCE, || async {
            self.number(OPEN).await == 0
        })
        .await;
        truth::at_rest(&self.url, &self.market, PATIENCE).await;
        load::all_are_there(&self.url, &acknowledged).await;
        for hearing in hearings {
            hearing.ends(&self.url).await;
        }
        let (code, report) = self.members[0].program.run(&["audit", "--at-rest"]).await;
        assert_eq!(code, 0, "{report}");
        assert_eq!(
            self.number(WENT_BACK).await,
            0,
            "an owner that was fenced has written (V10)"
        );
        self.stop_all().await;
        eprintln!("  {} orders were acknowledged, each ended once", acknowledged.len());
    }
}

const OPEN: &str = "select count(*) from orders
                     where status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')";

/// A batch that was read waits so long before it is handled.
const SLOW: &str = "consumer::fetched=sleep(800)";

/// A group's position goes on, whoever moves it. One that goes back is the writing of somebody who lost the partition, and
/// its events would be handled twice, even where keys hide that.
async fn watch_positions(url: &str) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(
        "create table went_back (consumer_group text, partition smallint);
         create function position_went_back() returns trigger language plpgsql as $$
         begin
             insert into went_back values (new.consumer_group, new.partition);
             return new;
         end $$;
         create trigger position_went_back before update on bus_positions
            for each row when ((new.xid, new.id) < (old.xid, old.id))
            execute function position_went_back()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
}

const WENT_BACK: &str = "select count(*) from went_back";

/// What a failure leaves to read.
impl Drop for Town {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for member in &self.members {
                eprintln!("--- {}\n{}", member.name, member.program.last_words());
            }
        }
    }
}

fn settings<'a>(url: &'a str, exchange_url: &'a str, broker: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut settings = brokerage_settings(url, exchange_url);
    settings.extend([("DAYBOOK_ENGINE", "kafka"), ("DAYBOOK_KAFKA_BROKERS", broker)]);
    settings
}

fn members(url: &str, exchange_url: &str, broker: &str) -> Vec<Member> {
    let settings = settings(url, exchange_url, broker);
    let member = |(name, part)| {
        let mut program = Program::new(part, "DAYBOOK_PORT", &settings);
        program.set("DAYBOOK_INSTANCE", name);
        Member {
            name,
            program,
            process: None,
        }
    };
    MEMBERS.into_iter().map(member).collect()
}
