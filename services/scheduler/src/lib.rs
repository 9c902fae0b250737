//! Runs jobs that ask; they never move an order themselves.
//!
//! | module         | what                                                                             |
//! |----------------|----------------------------------------------------------------------------------|
//! | `doubt`        | which open order looks wrong, and what to ask about it: pure                     |
//! | `sweep`        | looks at every open order, page by page, and appends what is asked to the log    |
//! | `housekeeping` | daily partitions of the event log, made ahead and dropped when read              |
//!
//! One process sweeps at a time, by a named lease; every question goes through the event log to the executor, which
//! alone talks to the venue.

mod doubt;
mod housekeeping;
mod sweep;

pub use doubt::{Ask, Doubt, Patience, Seen, doubt};
pub use housekeeping::Housekeeping;
pub use sweep::Sweep;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use chassis::shutdown::Shutdown;
use chassis::step::{Wake, run_loop};
use db::PgPool;
use domain::calendar::Calendar;

/// How often the jobs run, and how much they do at a time.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// From one look at all open orders to the next.
    pub sweep_every: Duration,
    /// Open orders of one look.
    pub page: i64,
    /// Most questions of one sweep: a venue that was away for long is not asked about everything at once.
    pub asks_max: usize,
    /// How long things may take before they look wrong.
    pub patience: Patience,
    /// From one look at the outbox' partitions to the next.
    pub housekeeping_every: Duration,
    /// How long messages are kept after everybody read them.
    pub keep_messages: chrono::TimeDelta,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            sweep_every: Duration::from_secs(10),
            page: 500,
            asks_max: 200,
            patience: Patience::default(),
            housekeeping_every: Duration::from_secs(3_600),
            keep_messages: chrono::TimeDelta::days(3),
        }
    }
}

/// What the service works with.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: PgPool,
    /// The event log.
    pub bus: Bus,
    /// When sessions end.
    pub calendar: Arc<Calendar>,
}

/// Runs the jobs until the process drains.
pub async fn run(config: Config, deps: Deps, shutdown: Shutdown) {
    let sweep = Sweep::new(config, deps.clone());
    let housekeeping = Housekeeping::new(config, deps.pool);
    tokio::join!(
        run_loop(sweep, Wake::new(), config.sweep_every, shutdown.clone()),
        run_loop(housekeeping, Wake::new(), config.housekeeping_every, shutdown),
    );
}
