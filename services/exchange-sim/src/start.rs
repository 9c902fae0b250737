//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chassis::batch::{BatchSettings, Batcher, Busy};
use chassis::clock::SharedClock;
use chassis::health::{Health, ops_router};
use chassis::http::with_defaults;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use db::{DbError, PgPool};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;

use crate::board::Board;
use crate::config::Config;
use crate::core::{Listing, SymbolIx, listings};
use crate::engine::{Answer, Command, Engine, Parts, Refusal};
use crate::faults::Faults;
use crate::http::{self, App, Shared};
use crate::names::Names;
use crate::settings::Settings;
use crate::store::{MIGRATOR, state};

/// How long a start waits for a predecessor's connection to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long between two looks.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// What the exchange is given.
#[derive(Clone)]
pub struct Deps {
    /// Its own database.
    pub pool: PgPool,
    /// The time.
    pub clock: SharedClock,
    /// Randomness: the salt of its ids, names for orders that come without one.
    pub ids: SharedIds,
}

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error("the exchange's database: {0}")]
    Db(#[from] DbError),
    /// The address.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Where it should listen.
        address: SocketAddr,
        /// Why that failed.
        why: std::io::Error,
    },
}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// A running exchange.
#[derive(Clone)]
pub struct Exchange {
    app: App,
    health: Health,
    address: SocketAddr,
}

/// Runs an exchange until the process drains.
///
/// # Errors
/// [`StartError`]; once it runs, a failed task drains the process by itself.
pub async fn run(config: Config, deps: Deps, shutdown: Shutdown) -> Result<(), StartError> {
    let exchange = Exchange::start(config, deps, &shutdown).await?;
    tracing::info!(address = %exchange.address, "the exchange trades at {}", exchange.url());
    shutdown.wait().await;
    Ok(())
}

impl Exchange {
    /// Migrates, loads the books, listens; gives back where. Its tasks belong to `shutdown`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config, deps: Deps, shutdown: &Shutdown) -> Result<Self, StartError> {
        let why = |why| StartError::Listen {
            address: config.listen,
            why,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(why)?;
        let address = listener.local_addr().map_err(why)?;
        let (app, health) = assemble(config, deps, shutdown).await?;
        let exchange = Self { app, health, address };
        shutdown.spawn(
            "exchange-server",
            http::line::serve(exchange.router(), listener, shutdown.clone()),
        );
        Ok(exchange)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, as clients want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All its routes, with `/livez`, `/readyz` and `/metrics`.
    pub fn router(&self) -> Router {
        with_defaults(
            http::router(&self.app).merge(ops_router(self.health.clone())),
            self.app.ids.clone(),
        )
    }

    /// The rules of misbehaviour, for callers in the same process.
    pub fn faults(&self) -> &Faults {
        &self.app.faults
    }

    /// One tick of the market: what the ticker does.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or closed; a database that is away is told by the next answers.
    pub async fn step(&self) -> Result<(), Busy> {
        while tick(&self.app.engine).await? {}
        Ok(())
    }
}

async fn assemble(config: Config, deps: Deps, shutdown: &Shutdown) -> Result<(App, Health), StartError> {
    db::migrate(&deps.pool, &MIGRATOR).await?;
    let names = Names::new(salt(&deps).await?);
    let listings: Arc<[Listing]> = listings(config.symbols).into();
    let (board, faults) = (Arc::new(Board::default()), Arc::new(Faults::new(config.seed)));
    let settings = Arc::new(Settings::new(deps.clock.clone(), config.calendar.clone()));
    let health = Health::new();
    health.follow(shutdown);
    let mut engine = Engine::new(Parts {
        pool: deps.pool.clone(),
        settings: settings.clone(),
        listings: listings.clone(),
        names,
        seed: config.seed,
        largest_quote: config.largest_quote,
        round_max: config.round_max.max(1),
        board: board.clone(),
        faults: faults.clone(),
        gate: health.gate("exchange-books"),
    });
    load_patiently(&mut engine).await?;
    let batches = BatchSettings {
        max: config.batch_max,
        ..BatchSettings::default()
    };
    let engine = Batcher::start("exchange-engine", batches, engine, shutdown);
    if let Some(every) = config.tick {
        shutdown.spawn("exchange-ticker", ticker(engine.clone(), every, shutdown.clone()));
    }
    let symbols = (0..)
        .zip(listings.iter())
        .map(|(n, listing)| (listing.symbol.clone(), SymbolIx(n)))
        .collect();
    let app = Shared {
        engine,
        pool: deps.pool,
        board,
        faults,
        listings,
        symbols,
        seed: config.seed,
        names,
        settings,
        ids: deps.ids,
        keys: config.keys,
        shutdown: shutdown.clone(),
    };
    Ok((Arc::new(app), health))
}

async fn salt(deps: &Deps) -> Result<u64, StartError> {
    let secret = deps.ids.secret();
    let drawn = i64::from_be_bytes(std::array::from_fn(|n| secret[n]));
    let mut connection = deps.pool.acquire().await?;
    Ok(state::salt(&mut connection, drawn, deps.clock.now())
        .await?
        .cast_unsigned())
}

/// The connection of a predecessor that was killed may hold the engine's lock for a moment.
async fn load_patiently(engine: &mut Engine) -> Result<(), DbError> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match engine.ready().await {
            Err(error) if tokio::time::Instant::now() < until => {
                tracing::debug!(%error, "the books cannot be loaded yet")
            }
            done => return done,
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

async fn ticker(engine: Batcher<Command, crate::engine::Reply>, every: Duration, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = shutdown.wait() => return,
            _ = ticks.tick() => {}
        }
        // A full queue has work enough; the next tick comes soon.
        while let Ok(true) = tick(&engine).await {}
    }
}

/// One round; whether there is more to do at once.
async fn tick(engine: &Batcher<Command, crate::engine::Reply>) -> Result<bool, Busy> {
    match engine.submit(Command::Tick).await? {
        Ok(Answer::Done { more, .. }) => Ok(more),
        Ok(Answer::Order(_)) | Err(Refusal::Storage) => Ok(false),
        Err(refusal) => {
            tracing::warn!(%refusal, "a tick was refused");
            Ok(false)
        }
    }
}
