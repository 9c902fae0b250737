//! Building the parts and handing them what they need.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use bus::{Bus, BusSettings};
use chassis::batch::BatchSettings;
use chassis::clock::{OffsetClock, SharedClock, SystemClock};
use chassis::health::{Health, ops_router};
use chassis::http::{observed, traced, with_defaults};
use chassis::ids::{SharedIds, SystemIds};
use chassis::step::{Wake, run_loop};
use db::{DbError, PgPool, PoolSettings};
use exchange_sim::{Exchange, KeyPair};
use instruments::Instruments;
use order_manager::StreamSettings;
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use sessions::Sessions;
use tokio::net::TcpListener;
use venue::alpaca::{AlpacaSettings, AlpacaVenue};

use super::calendar::{self, FollowCalendar};
use super::observe::{Observe, Refresh};
use super::ready::Readiness;
use super::time::{self, FOLLOW_EVERY, FollowTime};
use super::{Layers, Part, Running};
use crate::admin::Desk;
use crate::config::Settings;
use crate::operator;

/// The bundled exchange's key where none is set: it listens on this machine only and plays with play money.
const BUNDLED_KEY: (&str, &str) = ("exchange-key", "exchange-secret");
/// A database that starts up, or recovers after a crash, is waited for this long.
const DATABASE_PATIENCE: u32 = 60;
/// Connections of the customers' door: a batcher each, and readers.
const FRONT_CONNECTIONS: u32 = 16;
/// An account whose row somebody holds keeps its neighbours in a batch waiting for no longer.
const FRONT_LOCK_TIMEOUT_MS: u64 = 300;
/// Connections of everything behind it.
const MIDDLE_CONNECTIONS: u32 = 16;
const EXCHANGE_CONNECTIONS: u32 = 8;
/// For what several processes do at their start, one after the other.
const PREPARE_TRIES: u32 = 20;
const PREPARE_PAUSE: Duration = Duration::from_millis(200);
const READY_EVERY: Duration = Duration::from_millis(200);
const REFRESH_EVERY: Duration = Duration::from_secs(1);
const OBSERVE_EVERY: Duration = Duration::from_secs(5);
/// Other processes append, and nothing rings here: an event waits half of it on average.
#[cfg(feature = "kafka")]
const RELAY_EVERY: Duration = Duration::from_millis(10);

/// What every part is built from.
struct Deps {
    front: PgPool,
    middle: PgPool,
    clock: SharedClock,
    ids: SharedIds,
    bus: Bus,
    instruments: Instruments,
    sessions: Sessions,
    venue: Option<Arc<AlpacaVenue>>,
}

/// Builds and starts a process.
pub(super) async fn assemble(part: Part, settings: &Settings, layers: &Layers) -> anyhow::Result<Running> {
    if part == Part::ExchangeSim {
        let exchange = start_exchange(settings, layers).await?;
        let address = exchange.address();
        return Ok(Running {
            address,
            exchange: Some(exchange),
            admin_address: None,
            layers: layers.clone(),
            bus: None,
        });
    }
    let listener = bind(settings).await?;
    let address = listener.local_addr()?;
    let bundled = part == Part::All && settings.exchange_url.is_none();
    let exchange = if bundled {
        Some(start_exchange(settings, layers).await?)
    } else {
        None
    };
    let venue = part
        .needs_venue()
        .then(|| venue(settings, exchange.as_ref()))
        .transpose()?;
    let clock = Arc::new(OffsetClock::default());
    let deps = deps(part, settings, clock.clone(), venue).await?;
    prepare(part, &deps, &clock).await?;
    let follow = FollowTime::new(deps.front.clone(), clock);
    layers.middle.spawn(
        "time",
        run_loop(follow, Wake::new(), FOLLOW_EVERY, layers.middle.clone()),
    );
    let calendar = FollowCalendar::new(deps.middle.clone(), deps.sessions.clone(), deps.clock.clone());
    layers.middle.spawn(
        "calendar",
        run_loop(calendar, Wake::new(), calendar::FOLLOW_EVERY, layers.middle.clone()),
    );
    let health = Health::new();
    health.follow(&layers.front);
    start_relay(part, &deps, layers)?;
    start_middle(part, settings, &deps, layers);
    let admin_address = start_operator(part, settings, &deps, layers).await?;
    let router = start_front(part, settings, &deps, &health, layers)?;
    layers
        .front
        .spawn("http", chassis::http::serve(router, listener, layers.front.clone()));
    Ok(Running {
        address,
        exchange,
        admin_address,
        layers: layers.clone(),
        bus: Some(deps.bus),
    })
}

async fn bind(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(settings.host, settings.port);
    TcpListener::bind(address)
        .await
        .with_context(|| format!("DAYBOOK_PORT: cannot listen on {address}"))
}

async fn deps(part: Part, settings: &Settings, clock: SharedClock, venue: Option<AlpacaVenue>) -> anyhow::Result<Deps> {
    let ids: SharedIds = Arc::new(SystemIds::new(clock.clone()));
    let url = settings.database_url();
    let front = PoolSettings {
        max_connections: FRONT_CONNECTIONS,
        application_name: "daybook-front".to_owned(),
        lock_timeout_ms: FRONT_LOCK_TIMEOUT_MS,
        ..PoolSettings::default()
    };
    let front = pool_with(url, front).await.context("DAYBOOK_DATABASE_URL")?;
    let middle = pool(url, "daybook", MIDDLE_CONNECTIONS)
        .await
        .context("DAYBOOK_DATABASE_URL")?;
    let bus_settings = BusSettings {
        lease: Duration::from_millis(settings.lease_ms),
        ..BusSettings::default()
    };
    let engine = crate::engine::of(settings)?;
    let bus = Bus::with_engine(middle.clone(), ids.clone(), bus_settings, engine).context("DAYBOOK_ENGINE")?;
    let tracer = crate::traces::of(settings, part, &ids).context("DAYBOOK_OTLP_ENDPOINT")?;
    Ok(Deps {
        bus: bus.traced(tracer),
        sessions: Sessions::fixed(settings.sessions()?),
        instruments: Instruments::new(),
        venue: venue.map(Arc::new),
        front,
        middle,
        clock,
        ids,
    })
}

async fn pool(url: &str, name: &str, connections: u32) -> Result<PgPool, DbError> {
    let settings = PoolSettings {
        max_connections: connections,
        application_name: name.to_owned(),
        ..PoolSettings::default()
    };
    pool_with(url, settings).await
}

async fn pool_with(url: &str, settings: PoolSettings) -> Result<PgPool, DbError> {
    db::with_retry(
        DATABASE_PATIENCE,
        |_| Duration::from_secs(1),
        || db::connect(url, settings.clone()),
    )
    .await
}

/// What has to be there before the first order: the time, a place for its message, the instruments as last known, and
/// the calendar in force.
async fn prepare(part: Part, deps: &Deps, clock: &OffsetClock) -> anyhow::Result<()> {
    let mut conn = deps.middle.acquire().await?;
    let today = db::database_time(&mut conn)
        .await
        .context("the database is not migrated: run `daybook migrate`")?;
    time::follow(&mut conn, clock).await?;
    let off = db::forgetful_settings(&mut conn).await?;
    if !off.is_empty() {
        let off = off.join(", ");
        tracing::warn!(settings = %off, "PostgreSQL may forget what it has committed, since {off} is off: not for an installation with money in it");
    }
    drop(conn);
    // Others may start at the same moment.
    let days = || async {
        let mut conn = deps.middle.acquire().await?;
        bus::ensure_outbox_partitions(&mut conn, today.date_naive()).await
    };
    db::with_retry(PREPARE_TRIES, |_| PREPARE_PAUSE, days).await?;
    crate::engine::adopt(&deps.bus).await?;
    if part == Part::All {
        // All of the installation is this process: after a kill it carries on at once.
        deps.bus.take_over().await?;
    }
    deps.instruments.refresh(&deps.middle).await?;
    calendar::prepare(&deps.middle, &deps.sessions).await?;
    Ok(())
}

/// A third party keeps its own time, whatever ours is.
async fn start_exchange(settings: &Settings, layers: &Layers) -> anyhow::Result<Exchange> {
    let clock: SharedClock = Arc::new(SystemClock);
    let ids: SharedIds = Arc::new(SystemIds::new(clock.clone()));
    let pool = pool(settings.exchange_database()?, "exchange", EXCHANGE_CONNECTIONS)
        .await
        .context("DAYBOOK_EXCHANGE_DATABASE_URL")?;
    let (id, secret) = exchange_key(settings);
    let config = exchange_sim::Config {
        listen: SocketAddr::new(settings.exchange_host, settings.exchange_port),
        keys: KeyPair::new(id, secret.expose_secret()),
        symbols: settings.symbols,
        tick: (settings.exchange_tick_ms > 0).then(|| Duration::from_millis(settings.exchange_tick_ms)),
        calendar: settings.sessions()?,
        ..exchange_sim::Config::default()
    };
    let deps = exchange_sim::Deps { pool, clock, ids };
    let exchange = Exchange::start(config, deps, &layers.exchange)
        .await
        .context("the bundled exchange cannot start")?;
    tracing::info!(address = %exchange.address(), "the exchange trades at {}", exchange.url());
    Ok(exchange)
}

fn exchange_key(settings: &Settings) -> (String, SecretString) {
    let id = settings
        .exchange_key_id
        .clone()
        .unwrap_or_else(|| BUNDLED_KEY.0.to_owned());
    let secret = settings
        .exchange_secret
        .clone()
        .unwrap_or_else(|| BUNDLED_KEY.1.to_owned().into());
    (id, secret)
}

/// The exchange as the brokerage sees it: over the wire, the bundled one too.
fn venue(settings: &Settings, bundled: Option<&Exchange>) -> anyhow::Result<AlpacaVenue> {
    let (url, is_bundled) = match (&settings.exchange_url, bundled) {
        (Some(url), _) => (url.clone(), false),
        (None, Some(exchange)) => (exchange.url(), true),
        // Another process of this machine runs it.
        (None, None) if settings.exchange_port != 0 => (format!("http://127.0.0.1:{}", settings.exchange_port), true),
        (None, None) => bail!("DAYBOOK_EXCHANGE_URL: is needed by a part that runs without the bundled exchange"),
    };
    let (key_id, secret) = exchange_key(settings);
    let mut alpaca = AlpacaSettings::new(&settings.exchange_name, &url, &key_id, secret);
    alpaca.bulk_lookup = is_bundled || settings.exchange_bulk_lookup;
    alpaca.trade_files = is_bundled || settings.exchange_trade_files;
    AlpacaVenue::new(alpaca).map_err(|fault| anyhow::anyhow!("DAYBOOK_EXCHANGE_URL: {fault}"))
}

/// One relay a topic, where there is a broker to ship to.
#[cfg(feature = "kafka")]
fn start_relay(part: Part, deps: &Deps, layers: &Layers) -> anyhow::Result<()> {
    use strum::VariantArray;
    if !relays(part, deps)? {
        return Ok(());
    }
    for topic in bus::Topic::VARIANTS {
        let relay = bus::Relay::new(&deps.bus, *topic)?;
        let wake = deps.bus.waker(*topic);
        layers
            .middle
            .spawn("relay", run_loop(relay, wake, RELAY_EVERY, layers.middle.clone()));
    }
    Ok(())
}

/// A build without Kafka relays nothing, and has said so before if it was asked to.
#[cfg(not(feature = "kafka"))]
fn start_relay(part: Part, deps: &Deps, _layers: &Layers) -> anyhow::Result<()> {
    relays(part, deps).map(drop)
}

fn relays(part: Part, deps: &Deps) -> anyhow::Result<bool> {
    match (part, deps.bus.kafka()) {
        (Part::Relay, None) => bail!("DAYBOOK_ENGINE: is postgres, so there is nothing to relay"),
        (_, None) => Ok(false),
        (part, Some(_)) => Ok(part.does(Part::Relay)),
    }
}

/// Everything behind the door, the later ones in need of the earlier.
fn start_middle(part: Part, settings: &Settings, deps: &Deps, layers: &Layers) {
    let middle = &layers.middle;
    if let Some(venue) = &deps.venue {
        start_with_venue(part, settings, deps, venue, layers);
    }
    if part.does(Part::Notifier) {
        let notices = notifier::Deps {
            bus: deps.bus.clone(),
            clock: deps.clock.clone(),
        };
        middle.spawn(
            "notifier",
            notifier::run(notifier::Config::default(), notices, middle.clone()),
        );
    }
    if part.does(Part::Scheduler) {
        let jobs = scheduler::Deps {
            pool: deps.middle.clone(),
            bus: deps.bus.clone(),
            venue: deps.venue.clone(),
            sessions: deps.sessions.clone(),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
        };
        middle.spawn(
            "scheduler",
            scheduler::run(scheduler_config(settings), jobs, middle.clone()),
        );
        let observe = Observe::new(deps.middle.clone());
        middle.spawn("observe", run_loop(observe, Wake::new(), OBSERVE_EVERY, middle.clone()));
    }
}

fn scheduler_config(settings: &Settings) -> scheduler::Config {
    let usual = scheduler::Config::default();
    scheduler::Config {
        engine: scheduler::engine::Settings {
            lease: Duration::from_millis(settings.lease_ms),
            workers: settings.job_workers.unwrap_or(usual.engine.workers),
            keep_history: settings
                .job_history_days
                .map_or(usual.engine.keep_history, |days| Duration::from_secs(days * 24 * 3_600)),
            ..usual.engine
        },
        webhook: settings.operator_webhook_url.clone(),
        kill: scheduler::kill::Settings {
            venue: settings.exchange_name.clone(),
            ..usual.kill.clone()
        },
        ..usual
    }
}

/// The operator's listener: where the scheduler runs and a token is set, on a port of its own.
async fn start_operator(
    part: Part,
    settings: &Settings,
    deps: &Deps,
    layers: &Layers,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(token) = settings.admin_token.as_ref().filter(|_| part.does(Part::Scheduler)) else {
        return Ok(None);
    };
    let address = SocketAddr::new(settings.admin_host, settings.admin_port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("DAYBOOK_ADMIN_PORT: cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let desk = Desk::new(deps.middle.clone(), deps.ids.clone(), deps.clock.clone(), "http");
    let router = operator::router(desk, token, deps.ids.clone());
    layers.front.spawn(
        "admin-http",
        chassis::http::serve(router, listener, layers.front.clone()),
    );
    tracing::info!(%address, "operators are served at http://{address}");
    Ok(Some(address))
}

fn start_with_venue(part: Part, settings: &Settings, deps: &Deps, venue: &Arc<AlpacaVenue>, layers: &Layers) {
    let middle = &layers.middle;
    if part.does(Part::MarketData) {
        let config = market_data::Config::default();
        let market = market_data::Deps {
            pool: deps.middle.clone(),
            venue: venue.clone(),
            clock: deps.clock.clone(),
            instruments: deps.instruments.clone(),
        };
        middle.spawn("market-data", market_data::run(config, market, middle.clone()));
    }
    if part.does(Part::StatusUpdater) {
        let updater = status_updater::Deps {
            pool: deps.middle.clone(),
            bus: deps.bus.clone(),
            venue: venue.clone(),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            sessions: deps.sessions.clone(),
        };
        let config = status_updater::Config {
            appliers: settings.appliers,
            ..status_updater::Config::default()
        };
        middle.spawn("status-updater", status_updater::run(config, updater, middle.clone()));
    }
    if part.does(Part::Executor) {
        let executor = executor::Deps {
            pool: deps.middle.clone(),
            bus: deps.bus.clone(),
            venue: venue.clone(),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            sessions: deps.sessions.clone(),
        };
        middle.spawn(
            "executor",
            executor::run(executor::Config::default(), executor, middle.clone()),
        );
    }
}

/// What customers and operators reach.
fn start_front(
    part: Part,
    settings: &Settings,
    deps: &Deps,
    health: &Health,
    layers: &Layers,
) -> anyhow::Result<Router> {
    let front = &layers.front;
    let readiness = Readiness::new(part, &deps.bus, deps.instruments.clone(), deps.venue.clone(), health);
    front.spawn(
        "readiness",
        run_loop(readiness, Wake::new(), READY_EVERY, front.clone()),
    );
    let router = ops_router(health.clone());
    if part.does(Part::OrderManager) {
        // Where market-data runs in the same process it keeps the copy fresh, too; reading twice does no harm.
        let refresh = Refresh::new(deps.front.clone(), deps.instruments.clone());
        front.spawn(
            "instruments",
            run_loop(refresh, Wake::new(), REFRESH_EVERY, front.clone()),
        );
        let door = order_manager::Deps {
            pool: deps.front.clone(),
            clock: deps.clock.clone(),
            ids: deps.ids.clone(),
            bus: deps.bus.clone(),
            instruments: deps.instruments.clone(),
            sessions: deps.sessions.clone(),
        };
        let app = order_manager::App::start(&order_manager_config(settings)?, door, front);
        // What operators ask for is measured by nobody.
        let router = observed(router.merge(order_manager::router(&app)), deps.ids.clone());
        return Ok(traced(router, deps.bus.tracer().clone()));
    }
    Ok(with_defaults(router, deps.ids.clone()))
}

fn order_manager_config(settings: &Settings) -> anyhow::Result<order_manager::Config> {
    let usual = order_manager::Config::default();
    let max = settings.batch_max.unwrap_or(usual.batch.max);
    Ok(order_manager::Config {
        limits: crate::limits::of(settings)?,
        batch: BatchSettings { max, ..usual.batch },
        market_collar: settings
            .market_collar_percent
            .map_or(usual.market_collar, |percent| Decimal::new(percent.into(), 2)),
        streams: StreamSettings {
            connections: settings.stream_connections.unwrap_or(usual.streams.connections),
            connections_per_account: settings
                .stream_connections_per_account
                .unwrap_or(usual.streams.connections_per_account),
            strangers_per_address: settings
                .stream_strangers_per_address
                .unwrap_or(usual.streams.strangers_per_address),
            ..usual.streams
        },
        risk: settings.risk()?,
        venue: settings.exchange_name.clone(),
        ..usual
    })
}
