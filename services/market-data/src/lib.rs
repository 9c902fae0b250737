//! The venue's assets, last quotes and average volumes, in: what the rest of the product checks orders and values
//! positions with.
//!
//! Its own wire (quotes, bars, streams for clients) is not part of it yet.

mod volumes;

use chassis::clock::SharedClock;
use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step, StepError, Wake, run_loop};
use db::PgPool;
use domain::Symbol;
use instruments::{Asset, Instruments, Quote};
use std::sync::Arc;
use std::time::Duration;
use tracing::info;
use venue::{Venue, VenueAsset, VenueQuote};

pub use volumes::Volumes;

/// How often the venue is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time between two looks at the quotes.
    pub quotes_every: Duration,
    /// Time between two looks at the list of assets.
    pub assets_every: Duration,
    /// Time between two looks at how much trades.
    pub volumes_every: Duration,
    /// Time to the next one after one that failed.
    pub volumes_again: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quotes_every: Duration::from_secs(1),
            assets_every: Duration::from_secs(60),
            volumes_every: Duration::from_secs(3_600),
            volumes_again: Duration::from_secs(60),
        }
    }
}

/// What the service works with.
pub struct Deps<V> {
    /// Where assets and quotes are stored.
    pub pool: PgPool,
    /// Whom to ask.
    pub venue: Arc<V>,
    /// The time.
    pub clock: SharedClock,
    /// The copy in memory of this process, refreshed after each look.
    pub instruments: Instruments,
}

impl<V> Clone for Deps<V> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            venue: self.venue.clone(),
            clock: self.clock.clone(),
            instruments: self.instruments.clone(),
        }
    }
}

impl<V> Deps<V> {
    /// Everything that is listed.
    fn symbols(&self) -> Vec<Symbol> {
        let assets = self.instruments.assets();
        assets.iter().map(|asset| asset.symbol.clone()).collect()
    }
}

/// Runs until the process drains. Volumes are asked for beside the quotes: many pages, or none at all, keep no quote
/// waiting.
pub async fn run<V: Venue>(config: Config, deps: Deps<V>, shutdown: Shutdown) {
    let volumes = Volumes::new(config, deps.clone());
    let quotes = MarketData::new(config, deps);
    tokio::join!(
        run_loop(quotes, Wake::new(), config.quotes_every, shutdown.clone()),
        run_loop(volumes, Wake::new(), config.volumes_again, shutdown),
    );
}

/// Asks for assets now and then, and for the quotes of all of them at each step.
pub struct MarketData<V> {
    config: Config,
    deps: Deps<V>,
    assets_due: Option<domain::Timestamp>,
}

impl<V: Venue> MarketData<V> {
    /// A service that has not asked for anything yet.
    pub const fn new(config: Config, deps: Deps<V>) -> Self {
        Self {
            config,
            deps,
            assets_due: None,
        }
    }

    async fn look_at_assets(&mut self) -> Result<(), StepError> {
        let now = self.deps.clock.now();
        if self.assets_due.is_some_and(|due| now < due) {
            return Ok(());
        }
        let assets: Vec<Asset> = self.deps.venue.assets().await?.into_iter().map(asset).collect();
        if assets.is_empty() {
            return Err(StepError::msg("the venue lists no assets"));
        }
        let mut conn = self.deps.pool.acquire().await?;
        instruments::save_assets(&mut conn, &assets, now).await?;
        info!(assets = assets.len(), "the venue lists {} assets", assets.len());
        self.assets_due = Some(now + self.config.assets_every);
        Ok(())
    }

    async fn look_at_quotes(&self) -> Result<(), StepError> {
        let symbols = self.deps.symbols();
        let quotes: Vec<Quote> = self.deps.venue.quotes(&symbols).await?.into_iter().map(quote).collect();
        let mut conn = self.deps.pool.acquire().await?;
        instruments::save_quotes(&mut conn, &quotes, self.deps.clock.now()).await?;
        Ok(())
    }
}

impl<V: Venue> Step for MarketData<V> {
    fn name(&self) -> &'static str {
        "market-data"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.look_at_assets().await?;
        if !self.deps.instruments.is_loaded() {
            self.deps.instruments.refresh(&self.deps.pool).await?;
        }
        self.look_at_quotes().await?;
        self.deps.instruments.refresh(&self.deps.pool).await?;
        Ok(Progress::Idle)
    }
}

fn asset(listed: VenueAsset) -> Asset {
    Asset {
        asset_id: listed.id,
        symbol: listed.symbol,
        name: listed.name,
        exchange: listed.exchange,
        status: if listed.active { "active" } else { "inactive" }.to_owned(),
        tradable: listed.tradable,
        fractionable: listed.fractionable,
    }
}

fn quote(last: VenueQuote) -> Quote {
    Quote {
        symbol: last.symbol,
        bid: last.bid,
        ask: last.ask,
        at: last.at,
    }
}
