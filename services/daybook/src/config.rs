//! The settings. Nothing else in the workspace reads the environment.
//!
//! A variable wins over the line of the same name in `$DAYBOOK_DATA_DIR/daybook.env`, which `deploy/run` writes: so
//! `daybook admin` and `daybook audit` need nothing but the folder.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use chassis::config::{ConfigError, load_from};
use chassis::telemetry::{LogFormat, TelemetryConfig};
use domain::calendar::Calendar;
use ipnet::IpNet;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::cli::Command;

/// More than a machine answers: who wants no limits takes the tier for it.
const REQUESTS_MAX: u32 = 10_000_000;
const PREFIX: &str = "DAYBOOK_";
/// Where the settings of an installation are, within its folder.
pub const FILE: &str = "daybook.env";
/// A token that nobody guesses.
const ADMIN_TOKEN_MIN: usize = 16;
/// Each may hold a connection of the pool that the rest of the process shares.
const JOB_WORKERS_MAX: usize = 8;
const JOB_HISTORY_DAYS_MAX: u64 = 3_650;
/// The most symbols that the bundled exchange lists.
const SYMBOLS_MAX: usize = 1_000;
/// More loops than this take more connections than the pool has to give.
const APPLIERS_MAX: usize = 8;

/// Everything that can be set, as `DAYBOOK_` and the field's name in capitals.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// The database as the running service sees it.
    pub database_url: SecretString,
    /// The same database as its owner, who migrates it; without one the service's own role does.
    #[serde(default)]
    pub owner_database_url: Option<SecretString>,
    /// The bundled exchange's own database.
    #[serde(default)]
    pub exchange_database_url: Option<SecretString>,
    /// The installation's folder.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// The customers' door, on 127.0.0.1 unless `host` says otherwise.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The address to listen on.
    #[serde(default = "default_host")]
    pub host: std::net::IpAddr,
    /// The operator's listener, on 127.0.0.1 unless `admin_host` says otherwise; it is there where a token is set and the
    /// scheduler runs.
    #[serde(default = "default_admin_port")]
    pub admin_port: u16,
    /// The address of the operator's listener.
    #[serde(default = "default_host")]
    pub admin_host: std::net::IpAddr,
    /// What an operator shows there.
    #[serde(default)]
    pub admin_token: Option<SecretString>,
    /// Jobs that a process with the scheduler runs at a time.
    #[serde(default)]
    pub job_workers: Option<usize>,
    /// How long ended runs, their logs and settled alerts are kept.
    #[serde(default)]
    pub job_history_days: Option<u64>,
    /// Where alerts are sent to.
    #[serde(default)]
    pub operator_webhook_url: Option<SecretString>,
    /// `nyse` or `always-open`.
    #[serde(default = "default_calendar")]
    pub calendar: String,
    /// How many symbols the bundled exchange lists.
    #[serde(default = "default_symbols")]
    pub symbols: usize,
    /// Most orders of one commit; 1 turns batching off.
    #[serde(default)]
    pub batch_max: Option<usize>,
    /// Loops that apply the venue's reports, each to its share of the accounts.
    #[serde(default = "default_appliers")]
    pub appliers: usize,
    /// Requests a minute that a key may make of each class, and as many at once, where no row says otherwise; thirty
    /// times as many cancels. 0 is no limit.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Requests a minute of one address that are nobody's: without a key, or with a wrong one.
    #[serde(default)]
    pub stranger_requests_per_minute: Option<u32>,
    /// All requests a minute of one address, but for cancels and for keys without limits.
    #[serde(default)]
    pub address_requests_per_minute: Option<u32>,
    /// Cancels a minute in one symbol beyond which an account's fills are looked at; 0 turns the churn rule off.
    #[serde(default)]
    pub churn_cancels_per_minute: Option<u32>,
    /// Addresses or nets, with commas, whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub trusted_proxies: Option<String>,
    /// Most open orders of one account.
    #[serde(default)]
    pub max_open_orders: Option<i32>,
    /// Most open orders of one account in one symbol.
    #[serde(default)]
    pub max_open_orders_per_symbol: Option<i32>,
    /// How far from the reference price a market order may reach.
    #[serde(default)]
    pub market_collar_percent: Option<u8>,
    /// Most stream connections of one process.
    #[serde(default)]
    pub stream_connections: Option<usize>,
    /// Most stream connections of one account in one process.
    #[serde(default)]
    pub stream_connections_per_account: Option<usize>,
    /// Most WebSockets of one address that have not said who they are.
    #[serde(default)]
    pub stream_strangers_per_address: Option<usize>,
    /// Most dollars that one order may be worth.
    #[serde(default)]
    pub max_order_value: Option<Decimal>,
    /// The largest part of a symbol's average daily volume that one order may ask for, of 1.
    #[serde(default)]
    pub max_volume_share: Option<Decimal>,
    /// Most dollars that all open orders of one account may be worth.
    #[serde(default)]
    pub max_open_value: Option<Decimal>,
    /// Most dollars that all open orders of the firm may be worth.
    #[serde(default)]
    pub max_firm_open_value: Option<Decimal>,
    /// How far beyond the last price a limit may reach, of 1.
    #[serde(default)]
    pub collar: Option<Decimal>,
    /// Whether an order that could trade against the account's own is refused.
    #[serde(default)]
    pub refuse_self_cross: Option<bool>,
    /// How long a process that went silent keeps its share of the work from the others.
    #[serde(default = "default_lease_ms")]
    pub lease_ms: u64,
    /// What carries events to their consumers: `postgres` or `kafka`.
    #[serde(default = "default_engine")]
    pub engine: String,
    /// Where Kafka is: `host:port`, with commas.
    #[serde(default)]
    pub kafka_brokers: Option<String>,
    /// Before the names of Daybook's topics and groups at the broker.
    #[serde(default = "default_kafka_topic_prefix")]
    pub kafka_topic_prefix: String,
    /// The name that this process keeps over a restart, so that its share of the work waits for it at the broker.
    #[serde(default)]
    pub instance: Option<String>,
    /// Another exchange of the same dialect; the bundled one is not started then.
    #[serde(default)]
    pub exchange_url: Option<String>,
    /// Daybook's key there.
    #[serde(default)]
    pub exchange_key_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub exchange_secret: Option<SecretString>,
    /// Its name in fills; it must not change once there are any.
    #[serde(default = "default_exchange_name")]
    pub exchange_name: String,
    /// Whether it answers `GET /v2/orders?client_order_ids=a,b`, as the bundled exchange does.
    #[serde(default)]
    pub exchange_bulk_lookup: bool,
    /// Whether it has `GET /trade-files/{date}` and `GET /executions/{id}`, as the bundled exchange does.
    #[serde(default)]
    pub exchange_trade_files: bool,
    /// The address that the bundled exchange listens on: 127.0.0.1, unless it runs where others reach it, in a container of its own.
    #[serde(default = "default_host")]
    pub exchange_host: std::net::IpAddr,
    /// The bundled exchange's port; any free one by default.
    #[serde(default)]
    pub exchange_port: u16,
    /// How often the bundled exchange's market maker quotes; 0 leaves it to `POST /sim/step`.
    #[serde(default = "default_exchange_tick_ms")]
    pub exchange_tick_ms: u64,
    /// How log lines look: `readable` or `json`.
    #[serde(default)]
    pub log_format: LogFormat,
    /// What is logged, such as `info,executor=debug`.
    #[serde(default)]
    pub log: Option<String>,
    /// The collector that spans are sent to, by OTLP over HTTP; without one nothing is traced.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
    /// Of the requests that bring no decision with them, the part that is traced, of 1.
    #[serde(default = "default_trace_sampling")]
    pub trace_sampling: Decimal,
}

fn default_port() -> u16 {
    8080
}

fn default_admin_port() -> u16 {
    8070
}

fn default_host() -> std::net::IpAddr {
    std::net::Ipv4Addr::LOCALHOST.into()
}

/// A broker that forgets to set it must not trade on a Sunday.
fn default_calendar() -> String {
    "nyse".to_owned()
}

fn default_symbols() -> usize {
    20
}

fn default_appliers() -> usize {
    1
}

fn default_lease_ms() -> u64 {
    10_000
}

fn default_engine() -> String {
    "postgres".to_owned()
}

fn default_kafka_topic_prefix() -> String {
    "daybook.".to_owned()
}

fn default_exchange_tick_ms() -> u64 {
    250
}

/// Whoever looks for the first trace finds it.
fn default_trace_sampling() -> Decimal {
    Decimal::ONE
}

fn default_exchange_name() -> String {
    "exchange".to_owned()
}

impl Settings {
    /// Reads the environment and the installation's file, and checks everything.
    ///
    /// # Errors
    /// The bad setting by its name, and what is wrong with it.
    pub fn load() -> Result<Self, ConfigError> {
        Self::from_pairs(std::env::vars_os().collect())
    }

    /// As [`Settings::load`], from given variables.
    ///
    /// # Errors
    /// The bad setting by its name.
    pub fn from_pairs(environment: Vec<(OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut pairs = file_pairs(&environment)?;
        // A variable that is set but empty counts as not set, so it does not hide the file's line.
        pairs.extend(environment.into_iter().filter(|(_, value)| !value.is_empty()));
        let settings: Self = load_from(PREFIX, pairs).map_err(with_hint)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_database_url("DATABASE_URL", Some(&self.database_url))?;
        check_database_url("OWNER_DATABASE_URL", self.owner_database_url.as_ref())?;
        check_database_url("EXCHANGE_DATABASE_URL", self.exchange_database_url.as_ref())?;
        self.sessions()?;
        if !(1..=SYMBOLS_MAX).contains(&self.symbols) {
            return Err(bad(
                "SYMBOLS",
                format!("{} is not between 1 and {SYMBOLS_MAX}", self.symbols),
            ));
        }
        if self.batch_max == Some(0) {
            return Err(bad("BATCH_MAX", "must be at least 1 (1 turns batching off)"));
        }
        if !(1..=APPLIERS_MAX).contains(&self.appliers) {
            return Err(bad("APPLIERS", format!("is not between 1 and {APPLIERS_MAX}")));
        }
        if self.market_collar_percent.is_some_and(|most| !(1..=50).contains(&most)) {
            return Err(bad("MARKET_COLLAR_PERCENT", "is not between 1 and 50"));
        }
        if self.stream_connections == Some(0) {
            return Err(bad("STREAM_CONNECTIONS", "must be at least 1"));
        }
        if self.stream_connections_per_account == Some(0) {
            return Err(bad("STREAM_CONNECTIONS_PER_ACCOUNT", "must be at least 1"));
        }
        if self.stream_strangers_per_address == Some(0) {
            return Err(bad("STREAM_STRANGERS_PER_ADDRESS", "must be at least 1"));
        }
        self.risk()?;
        if !(500..=600_000).contains(&self.lease_ms) {
            return Err(bad("LEASE_MS", "is not between 500 and 600000"));
        }
        if self.exchange_port != 0 && self.exchange_port == self.port {
            return Err(bad("EXCHANGE_PORT", "is the same as DAYBOOK_PORT"));
        }
        crate::engine::of(self)?;
        crate::traces::check(self)?;
        self.check_limits()?;
        self.check_operator()?;
        self.check_exchange()
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let rates = [
            ("REQUESTS_PER_MINUTE", self.requests_per_minute.filter(|rate| *rate > 0)),
            ("STRANGER_REQUESTS_PER_MINUTE", self.stranger_requests_per_minute),
            ("ADDRESS_REQUESTS_PER_MINUTE", self.address_requests_per_minute),
        ];
        for (name, rate) in rates {
            if rate.is_some_and(|rate| !(1..=REQUESTS_MAX).contains(&rate)) {
                return Err(bad(name, format!("is not between 1 and {REQUESTS_MAX}")));
            }
        }
        self.proxies().map(drop)
    }

    /// Whose `X-Forwarded-For` is believed.
    ///
    /// # Errors
    /// What is neither an address nor a net.
    pub fn proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let named = self.trusted_proxies.as_deref().unwrap_or("").split(',').map(str::trim);
        let read = |text: &str| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or_else(|_| address())
        };
        named
            .filter(|text| !text.is_empty())
            .map(|text| {
                read(text).map_err(|_| {
                    bad(
                        "TRUSTED_PROXIES",
                        format!("{text:?} is no address, such as 10.0.0.7, and no net, such as 10.0.0.0/8"),
                    )
                })
            })
            .collect()
    }

    /// The limits of every account, where the firm, its tier and its own settings say nothing else.
    ///
    /// # Errors
    /// The bad setting by its name.
    pub fn risk(&self) -> Result<risk::Settings, ConfigError> {
        let number = |most: Option<i32>| most.map(|most| most.to_string());
        let text = |most: Option<Decimal>| most.map(|most| most.to_string());
        let said = [
            ("max-open-orders", number(self.max_open_orders)),
            ("max-open-orders-per-symbol", number(self.max_open_orders_per_symbol)),
            ("max-order-value", text(self.max_order_value)),
            ("max-volume-share", text(self.max_volume_share)),
            ("max-open-value", text(self.max_open_value)),
            ("max-firm-open-value", text(self.max_firm_open_value)),
            ("collar", text(self.collar)),
            (
                "refuse-self-cross",
                self.refuse_self_cross.map(|refuse| refuse.to_string()),
            ),
        ];
        let mut all = risk::Overrides::default();
        for (name, value) in said {
            let Some(value) = value else { continue };
            let key = name.to_uppercase().replace('-', "_");
            all.set(name, &value).map_err(|error| bad(&key, error.to_string()))?;
        }
        Ok(risk::Settings::default().with(&all))
    }

    fn check_operator(&self) -> Result<(), ConfigError> {
        let token = self.admin_token.as_ref().map(ExposeSecret::expose_secret);
        if token
            .is_some_and(|token| token.len() < ADMIN_TOKEN_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            let wrong = format!("must have at least {ADMIN_TOKEN_MIN} printable characters without blanks");
            return Err(bad("ADMIN_TOKEN", wrong));
        }
        if token.is_some() && self.admin_port != 0 && self.admin_port == self.port {
            return Err(bad(
                "ADMIN_PORT",
                "is the same as DAYBOOK_PORT: customers would reach it",
            ));
        }
        if self
            .job_workers
            .is_some_and(|workers| !(1..=JOB_WORKERS_MAX).contains(&workers))
        {
            return Err(bad("JOB_WORKERS", format!("is not between 1 and {JOB_WORKERS_MAX}")));
        }
        if self
            .job_history_days
            .is_some_and(|days| !(1..=JOB_HISTORY_DAYS_MAX).contains(&days))
        {
            return Err(bad(
                "JOB_HISTORY_DAYS",
                format!("is not between 1 and {JOB_HISTORY_DAYS_MAX}"),
            ));
        }
        let url = self.operator_webhook_url.as_ref().map(ExposeSecret::expose_secret);
        if url.is_some_and(|url| !(url.starts_with("http://") || url.starts_with("https://"))) {
            return Err(bad("OPERATOR_WEBHOOK_URL", "must begin with http:// or https://"));
        }
        Ok(())
    }

    fn check_exchange(&self) -> Result<(), ConfigError> {
        let Some(url) = &self.exchange_url else { return Ok(()) };
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(bad("EXCHANGE_URL", "must begin with http:// or https://"));
        }
        let needed_by = "is needed with DAYBOOK_EXCHANGE_URL: the exchange wants to know who calls";
        if self.exchange_key_id.is_none() {
            return Err(bad("EXCHANGE_KEY_ID", needed_by));
        }
        if self.exchange_secret.is_none() {
            return Err(bad("EXCHANGE_SECRET", needed_by));
        }
        Ok(())
    }

    /// The sessions that orders live by.
    ///
    /// # Errors
    /// A calendar nobody knows.
    pub fn sessions(&self) -> Result<Calendar, ConfigError> {
        self.calendar.parse().map_err(|_| {
            bad(
                "CALENDAR",
                format!("{:?} is neither nyse nor always-open", self.calendar),
            )
        })
    }

    /// The database's URL, for a connection.
    pub fn database_url(&self) -> &str {
        self.database_url.expose_secret()
    }

    /// The exchange's database.
    ///
    /// # Errors
    /// Not set.
    pub fn exchange_database(&self) -> Result<&str, ConfigError> {
        let url = self.exchange_database_url.as_ref();
        url.map(ExposeSecret::expose_secret).ok_or_else(|| {
            bad(
                "EXCHANGE_DATABASE_URL",
                "is needed for the bundled exchange (or set DAYBOOK_EXCHANGE_URL to another one)",
            )
        })
    }

    /// The installation's folder, for commands that write into it.
    ///
    /// # Errors
    /// Not set.
    pub fn folder(&self) -> Result<&Path, ConfigError> {
        self.data_dir
            .as_deref()
            .ok_or_else(|| bad("DATA_DIR", "is not set: name the folder of the installation"))
    }

    /// The log as this command wants it: a person at a terminal asked `admin` for an answer, not for a log.
    pub fn telemetry(&self, command: &Command) -> TelemetryConfig {
        let quiet = !matches!(command, Command::Run(_) | Command::Migrate);
        let default = if quiet { "warn" } else { "info" };
        TelemetryConfig {
            format: self.log_format,
            filter: self.log.clone().unwrap_or_else(|| default.to_owned()),
        }
    }
}

/// The lines of the installation's file, if the environment names a folder that has one.
fn file_pairs(environment: &[(OsString, OsString)]) -> Result<Vec<(OsString, OsString)>, ConfigError> {
    let folder = environment
        .iter()
        .find(|(key, value)| key == "DAYBOOK_DATA_DIR" && !value.is_empty());
    let Some((_, folder)) = folder else {
        return Ok(Vec::new());
    };
    let file = Path::new(folder).join(FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => parse_file(&text, &file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(bad("DATA_DIR", format!("{} cannot be read: {error}", file.display()))),
    }
}

/// `KEY=VALUE` a line; `#` begins a comment line. No quoting: what a shell would source is the same text.
fn parse_file(text: &str, file: &Path) -> Result<Vec<(OsString, OsString)>, ConfigError> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match line.split_once('=') {
            Some((key, value)) if key.starts_with(PREFIX) => Ok((key.into(), value.into())),
            _ => Err(bad(
                "DATA_DIR",
                format!("{} line {}: not {PREFIX}NAME=VALUE", file.display(), number + 1),
            )),
        })
        .collect()
}

fn check_database_url(name: &str, url: Option<&SecretString>) -> Result<(), ConfigError> {
    let Some(url) = url else { return Ok(()) };
    let text = url.expose_secret();
    let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    // The driver's own message may quote the password.
    if is_postgres && text.parse::<sqlx::postgres::PgConnectOptions>().is_ok() {
        return Ok(());
    }
    Err(bad(
        name,
        "is no URL such as postgres://user:password@host:port/database",
    ))
}

fn with_hint(error: ConfigError) -> ConfigError {
    let missing = error.key == "DAYBOOK_DATABASE_URL" && error.why.contains("missing");
    if !missing {
        return error;
    }
    bad(
        "DATABASE_URL",
        "is not set; set it, or DAYBOOK_DATA_DIR to the folder of an installation that deploy/run made",
    )
}

pub(crate) fn bad(name: &str, why: impl Into<String>) -> ConfigError {
    ConfigError {
        key: format!("{PREFIX}{name}"),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    //! Which settings are taken, from where, and how a bad one is told.
    use super::*;

    const URL: &str = "postgres://daybook:secret@127.0.0.1:5432/daybook";

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::from_pairs(pairs.iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    fn complaint(pairs: &[(&str, &str)]) -> String {
        read(pairs).expect_err("one of them is wrong").to_string()
    }

    #[test]
    fn a_database_url_alone_is_enough() {
        let settings = read(&[("DAYBOOK_DATABASE_URL", URL)]).expect("nothing else is required");
        assert_eq!((settings.port, settings.symbols), (8080, 20));
        assert_eq!(
            settings.calendar, "nyse",
            "a broker that forgets to set it must not trade on a Sunday"
        );
    }

    #[test]
    fn the_bad_setting_is_named() {
        let url = ("DAYBOOK_DATABASE_URL", URL);
        for (key, value) in [
            ("DAYBOOK_DATABASE_URL", "mysql:/nowhere"),
            ("DAYBOOK_OWNER_DATABASE_URL", "nowhere"),
            ("DAYBOOK_CALENDAR", "lunar"),
            ("DAYBOOK_SYMBOLS", "0"),
            ("DAYBOOK_SYMBOLS", "1001"),
            ("DAYBOOK_PORT", "http"),
            ("DAYBOOK_HOST", "somewhere"),
            ("DAYBOOK_BATCH_MAX", "0"),
            ("DAYBOOK_APPLIERS", "0"),
            ("DAYBOOK_APPLIERS", "9"),
            ("DAYBOOK_REQUESTS_PER_MINUTE", "10000001"),
            ("DAYBOOK_STRANGER_REQUESTS_PER_MINUTE", "0"),
            ("DAYBOOK_ADDRESS_REQUESTS_PER_MINUTE", "10000001"),
            ("DAYBOOK_TRUSTED_PROXIES", "10.0.0.1, haproxy"),
            ("DAYBOOK_MAX_OPEN_ORDERS", "0"),
            ("DAYBOOK_MAX_OPEN_ORDERS_PER_SYMBOL", "0"),
            ("DAYBOOK_MARKET_COLLAR_PERCENT", "0"),
            ("DAYBOOK_MARKET_COLLAR_PERCENT", "51"),
            ("DAYBOOK_STREAM_CONNECTIONS", "0"),
            ("DAYBOOK_STREAM_CONNECTIONS_PER_ACCOUNT", "0"),
            ("DAYBOOK_STREAM_STRANGERS_PER_ADDRESS", "0"),
            ("DAYBOOK_MAX_ORDER_VALUE", "much"),
            ("DAYBOOK_MAX_VOLUME_SHARE", "5%"),
            ("DAYBOOK_MAX_VOLUME_SHARE", "0"),
            ("DAYBOOK_MAX_OPEN_VALUE", "0"),
            ("DAYBOOK_MAX_FIRM_OPEN_VALUE", "-1"),
            ("DAYBOOK_COLLAR", "10%"),
            ("DAYBOOK_LEASE_MS", "10"),
            ("DAYBOOK_ENGINE", "rabbit"),
            ("DAYBOOK_KAFKA_TOPIC_PREFIX", "day book"),
            ("DAYBOOK_INSTANCE", "the first"),
            ("DAYBOOK_EXCHANGE_PORT", "8080"),
            ("DAYBOOK_EXCHANGE_HOST", "exchange"),
            ("DAYBOOK_EXCHANGE_URL", "ftp://exchange"),
            ("DAYBOOK_LOG_FORMAT", "xml"),
            ("DAYBOOK_ADMIN_TOKEN", "short"),
            ("DAYBOOK_ADMIN_TOKEN", "long enough but with blanks"),
            ("DAYBOOK_OPERATOR_WEBHOOK_URL", "mailto:me"),
            ("DAYBOOK_JOB_WORKERS", "0"),
            ("DAYBOOK_JOB_HISTORY_DAYS", "0"),
            ("DAYBOOK_OTLP_ENDPOINT", "collector:4318"),
            ("DAYBOOK_TRACE_SAMPLING", "1.5"),
            ("DAYBOOK_TRACE_SAMPLING", "-0.1"),
            ("DAYBOOK_TRACE_SAMPLING", "most"),
        ] {
            let complaint = complaint(&[url, (key, value)]);
            assert!(complaint.starts_with(&format!("{key}: ")), "{key}={value}: {complaint}");
        }
    }

    #[test]
    fn proxies_are_addresses_and_nets() {
        let url = ("DAYBOOK_DATABASE_URL", URL);
        let proxies = |text| read(&[url, ("DAYBOOK_TRUSTED_PROXIES", text)]).and_then(|settings| settings.proxies());
        let expected = ["127.0.0.1/32", "10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a net"));
        assert_eq!(proxies("127.0.0.1, 10.0.0.0/8,::1").expect("they are right"), expected);
        assert_eq!(proxies("").expect("none"), []);
    }

    #[test]
    fn another_exchange_needs_a_key() {
        let complaint = complaint(&[
            ("DAYBOOK_DATABASE_URL", URL),
            ("DAYBOOK_EXCHANGE_URL", "http://127.0.0.1:1"),
        ]);
        assert!(complaint.starts_with("DAYBOOK_EXCHANGE_KEY_ID: "), "{complaint}");
    }

    #[test]
    fn a_password_is_never_in_a_complaint() {
        let complaint = complaint(&[("DAYBOOK_DATABASE_URL", "postgres://daybook:hunter2@[/x")]);
        assert!(!complaint.contains("hunter2"), "{complaint}");
        let settings = read(&[("DAYBOOK_DATABASE_URL", URL)]).expect("it is right");
        assert!(!format!("{settings:?}").contains("secret@"), "{settings:?}");
    }

    #[test]
    fn the_folder_of_an_installation_is_enough_and_the_environment_wins_over_its_file() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let text =
            format!("# written at each start\nDAYBOOK_DATABASE_URL={URL}\nDAYBOOK_PORT=8123\nDAYBOOK_SYMBOLS=7\n");
        std::fs::write(folder.path().join(FILE), text).expect("the folder is the test's own");
        let dir = folder.path().to_str().expect("a temporary folder has a plain name");
        let settings = read(&[
            ("DAYBOOK_DATA_DIR", dir),
            ("DAYBOOK_SYMBOLS", "9"),
            ("DAYBOOK_PORT", ""),
        ]);
        let settings = settings.expect("the file names the database");
        assert_eq!((settings.port, settings.symbols), (8123, 9));
        std::fs::write(folder.path().join(FILE), "PORT 80\n").expect("the folder is the test's own");
        let complaint = complaint(&[("DAYBOOK_DATA_DIR", dir)]);
        assert!(complaint.contains("daybook.env line 1"), "{complaint}");
    }

    #[test]
    fn without_anything_the_complaint_says_what_to_do() {
        assert!(complaint(&[]).contains("DAYBOOK_DATA_DIR"));
    }
}
