//! A whole Daybook of its own: a durable PostgreSQL, the exchange and Daybook as processes, in a temporary folder.
//!
//! The exchange is a process of its own, so that its processor time can be told from Daybook's. PostgreSQL comes from
//! `deploy/postgres`, with `fsync` and `synchronous_commit` on; added are only the times of commits
//! (`track_commit_timestamp`), by which the bookings are measured without asking for them while they happen.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use db::{PgPool, PoolSettings};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use crate::binary::project;
use crate::cli::{Common, Engine};
use crate::http::{Connection, request};
use crate::process::{Helper, Server};
use crate::usage::Pids;

/// The setting with which Daybook runs on Kafka.
pub const ON_KAFKA: (&str, &str) = ("DAYBOOK_ENGINE", "kafka");
/// How long Daybook may take until it takes orders.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the broker may take, which is fetched the first time.
const BROKER_WITHIN: Duration = Duration::from_secs(600);
/// Daybook's parts, in the order in which they are started; the customers' door is the last one.
const PARTS: [&str; 6] = [
    "market-data",
    "status-updater",
    "executor",
    "notifier",
    "scheduler",
    "order-manager",
];
/// The part that the Kafka engine has beside them.
const RELAY: &str = "relay";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The limits of customers, raised: the load stands for many more people than it has accounts.
const NO_LIMIT: &str = "1000000000";
/// The same in dollars.
const NO_LIMIT_DOLLARS: &str = "1000000000000";

/// What runs, or did.
#[derive(Debug)]
pub struct Installation {
    folder: TempDir,
    binary: PathBuf,
    settings: Vec<(String, String)>,
    ports: [u16; 2],
    helper: Helper,
    postgres: bool,
    on_kafka: bool,
    separate: bool,
    broker: Option<Server>,
    exchange: Option<Server>,
    daybook: Vec<Server>,
}

impl Installation {
    /// A folder for it; nothing runs yet. `extra` are more settings of Daybook's; [`ON_KAFKA`] is in force from when the
    /// broker runs.
    ///
    /// # Errors
    /// No folder, no ports.
    pub fn new(options: &Common, binary: &Path, extra: &[(&str, &str)]) -> anyhow::Result<Self> {
        let place = options.folder.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new().prefix("daybook-load.").tempdir_in(place)?;
        let ports = [free_port()?, free_port()?];
        let own = [
            ("DAYBOOK_DATA_DIR", folder.path().to_string_lossy().into_owned()),
            ("DAYBOOK_HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("DAYBOOK_PORT", ports[0].to_string()),
            ("DAYBOOK_EXCHANGE_PORT", ports[1].to_string()),
            ("DAYBOOK_CALENDAR", "always-open".to_owned()),
            ("DAYBOOK_SYMBOLS", options.symbols.to_string()),
            ("DAYBOOK_MAX_OPEN_ORDERS", NO_LIMIT.to_owned()),
            ("DAYBOOK_MAX_OPEN_ORDERS_PER_SYMBOL", NO_LIMIT.to_owned()),
            ("DAYBOOK_MAX_ORDER_VALUE", NO_LIMIT_DOLLARS.to_owned()),
            ("DAYBOOK_MAX_VOLUME_SHARE", "100".to_owned()),
            ("DAYBOOK_MAX_OPEN_VALUE", NO_LIMIT_DOLLARS.to_owned()),
            ("DAYBOOK_MAX_FIRM_OPEN_VALUE", NO_LIMIT_DOLLARS.to_owned()),
            ("DAYBOOK_REQUESTS_PER_MINUTE", "0".to_owned()),
            ("DAYBOOK_EXCHANGE_KEY_ID", "load".to_owned()),
            ("DAYBOOK_EXCHANGE_SECRET", "load".to_owned()),
            ("DAYBOOK_EXCHANGE_BULK_LOOKUP", "true".to_owned()),
        ];
        let (on_kafka, extra): (Vec<_>, Vec<_>) = extra.iter().partition(|one| **one == ON_KAFKA);
        let own = own
            .into_iter()
            .chain(extra.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let settings = own.map(|(key, value)| (key.to_owned(), value)).collect();
        let (helper, binary) = (Helper::default(), binary.to_owned());
        Ok(Installation {
            folder,
            binary,
            settings,
            ports,
            helper,
            postgres: false,
            on_kafka: options.engine == Engine::Kafka || !on_kafka.is_empty(),
            separate: options.separate,
            broker: None,
            exchange: None,
            daybook: Vec::new(),
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The customers' door.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[0]).into()
    }

    /// The exchange.
    pub fn exchange_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[1]).into()
    }

    /// Starts the database and migrates it.
    ///
    /// # Errors
    /// What the scripts say.
    pub async fn start_database(&mut self, options: &Common) -> anyhow::Result<()> {
        self.postgres = true;
        let url = self.script(&["start", "durable"]).await?;
        let superuser = pool(&url, 1).await?;
        let mut settings = options.postgres.clone();
        settings.push(("track_commit_timestamp".to_owned(), "on".to_owned()));
        if options.statements {
            settings.push(("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned()));
        }
        for (name, value) in settings {
            // A statement that takes no parameters; the command line lets through nothing but plain words.
            let set = format!("alter system set {name} = '{value}'");
            sqlx::query(sqlx::AssertSqlSafe(set)).execute(&superuser).await?;
        }
        superuser.close().await;
        self.script(&["stop"]).await?;
        self.script(&["start", "durable"]).await?;
        for (name, role, database) in [
            ("DAYBOOK_DATABASE_URL", "daybook", "daybook"),
            ("DAYBOOK_OWNER_DATABASE_URL", "daybook_owner", "daybook"),
            ("DAYBOOK_EXCHANGE_DATABASE_URL", "exchange", "exchange"),
        ] {
            let url = self.script(&["url", role, database]).await?;
            self.settings.push((name.to_owned(), url));
        }
        self.command(&["migrate"]).await?;
        Ok(())
    }

    /// A pool on one of the databases: as `postgres`, or as the role of the service.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn pool(&mut self, role: &str, database: &str) -> anyhow::Result<PgPool> {
        let url = self.script(&["url", role, database]).await?;
        pool(&url, 2).await
    }

    /// Starts the exchange and Daybook, and waits until orders can be placed.
    ///
    /// # Errors
    /// One of them does not come up.
    pub async fn start_services(&mut self) -> anyhow::Result<()> {
        let exchange = Server::start("exchange-sim", &self.daybook(&["exchange-sim"]), &self.log("exchange"))?;
        self.exchange = Some(exchange);
        self.wait_for("exchange-sim", self.exchange_address(), "/quotes")
            .await?;
        if self.on_kafka {
            self.start_broker().await?;
        }
        if !self.separate {
            return self.start_daybook("all").await;
        }
        for part in self.on_kafka.then_some(RELAY).into_iter().chain(PARTS) {
            self.start_daybook(part).await?;
        }
        Ok(())
    }

    /// Starts a part of Daybook, and waits until it is ready. Behind the customers' door it has an address of its own.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_daybook(&mut self, part: &'static str) -> anyhow::Result<()> {
        let mut address = self.address();
        if part != "all" && part != "order-manager" {
            address.set_port(free_port()?);
        }
        let mut command = self.daybook(&[part]);
        command
            .env("DAYBOOK_EXCHANGE_URL", format!("http://{}", self.exchange_address()))
            .env("DAYBOOK_PORT", address.port().to_string());
        let name = if part == "all" { "daybook" } else { part };
        self.daybook.push(Server::start(name, &command, &self.log(name))?);
        self.wait_for(name, address, "/readyz").await
    }

    /// Stops Daybook alone, and lets it drain.
    pub async fn stop_daybook(&mut self) {
        while let Some(mut process) = self.daybook.pop() {
            process.stop().await;
        }
    }

    /// Starts a broker with empty topics; Daybook's processes use it from now on.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_broker(&mut self) -> anyhow::Result<()> {
        let folder = self.folder().join("kafka");
        let mut command = Command::new(project().join("deploy/broker"));
        command.arg(&folder);
        self.broker = Some(Server::start("kafka", &command, &self.log("kafka"))?);
        let begun = Instant::now();
        let address = loop {
            if let Ok(address) = std::fs::read_to_string(folder.join("address")) {
                break address.trim().to_owned();
            }
            self.still_runs()?;
            ensure!(begun.elapsed() < BROKER_WITHIN, "the broker does not start");
            tokio::time::sleep(LOOK_EVERY).await;
        };
        for (name, value) in [ON_KAFKA, ("DAYBOOK_KAFKA_BROKERS", &address)] {
            self.settings.push((name.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    /// Runs a command of Daybook's to its end and gives what it printed.
    ///
    /// # Errors
    /// It does not end well.
    pub async fn command(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.folder().join("output");
        let mut command = self.daybook(words);
        command.env("DAYBOOK_LOG", "warn");
        self.helper.run(&mut command, &output).await
    }

    /// Process ids of all that takes part.
    ///
    /// # Errors
    /// One does not run.
    pub async fn pids(&mut self) -> anyhow::Result<Pids> {
        let postgres = self
            .script(&["pid"])
            .await?
            .parse()
            .context("the postmaster's process id")?;
        let of = |server: &Server| server.pid().context("a server does not run");
        let daybook = self.daybook.iter().map(|server| Ok((server.name(), of(server)?)));
        Ok(Pids {
            exchange: of(self.exchange.as_ref().context("the exchange was not started")?)?,
            daybook: daybook.collect::<anyhow::Result<_>>()?,
            postmaster: postgres,
            kafka: self.broker.as_ref().and_then(Server::pid),
        })
    }

    /// Fails when one of the servers ended by itself.
    ///
    /// # Errors
    /// One ended.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        let others = [&mut self.exchange, &mut self.broker].into_iter().flatten();
        self.daybook.iter_mut().chain(others).try_for_each(Server::still_runs)
    }

    /// Stops all that was started, in the order that lets each drain, and keeps the logs if asked to.
    pub async fn stop(&mut self, keep_logs: Option<&Path>) {
        self.helper.finish().await;
        self.stop_daybook().await;
        let servers = [&mut self.exchange, &mut self.broker];
        for server in servers.into_iter().flatten() {
            server.stop().await;
        }
        if self.postgres
            && let Err(error) = self.script(&["stop"]).await
        {
            eprintln!("PostgreSQL in {} did not stop: {error:#}", self.folder().display());
        }
        if let Some(place) = keep_logs
            && let Err(error) = self.copy_logs(place)
        {
            eprintln!("the logs were not kept: {error}");
        }
    }

    fn copy_logs(&self, place: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(place)?;
        for name in ["daybook", "exchange", "kafka", RELAY].into_iter().chain(PARTS) {
            if self.log(name).exists() {
                std::fs::copy(self.log(name), place.join(format!("{name}.log")))?;
            }
        }
        Ok(())
    }

    /// The ends of the logs of Daybook's processes, for a person who wonders why.
    pub fn last_words(&self) -> String {
        self.daybook
            .iter()
            .map(|server| self.last_words_of(server.name()))
            .collect()
    }

    fn last_words_of(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{name}:\n{last}\n")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}.log"))
    }

    fn daybook(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(words)
            .envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    /// `deploy/postgres ACTION FOLDER ..`, its answer without the line's end.
    async fn script(&mut self, words: &[&str]) -> anyhow::Result<String> {
        let cluster = self.folder().join("postgres");
        let output = self.folder().join("output");
        let mut command = Command::new(project().join("deploy/postgres"));
        command.arg(words[0]).arg(cluster).args(&words[1..]);
        Ok(self.helper.run(&mut command, &output).await?.trim().to_owned())
    }

    async fn wait_for(&mut self, name: &str, address: SocketAddr, path: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut answer = None;
        while answer != Some(200) {
            self.still_runs().with_context(|| self.last_words())?;
            ensure!(
                begun.elapsed() < READY_WITHIN,
                "{name} is not ready: {path} answers {answer:?}\n{}",
                self.last_words()
            );
            tokio::time::sleep(LOOK_EVERY).await;
            answer = status_of(address, path).await.ok();
        }
        Ok(())
    }
}

async fn status_of(address: SocketAddr, path: &str) -> std::io::Result<u16> {
    let mut get = Vec::new();
    request(&mut get, "GET", path, "", "");
    Ok(Connection::open(address).await?.call(&get).await?.status)
}

async fn pool(url: &str, max_connections: u32) -> anyhow::Result<PgPool> {
    let settings = PoolSettings {
        max_connections,
        application_name: "load-tests".to_owned(),
        // Reading back a long run takes its time.
        statement_timeout_ms: 120_000,
        lock_timeout_ms: 60_000,
        idle_in_transaction_timeout_ms: 60_000,
        acquire_timeout: Duration::from_secs(30),
    };
    Ok(db::connect(url, settings).await?)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
