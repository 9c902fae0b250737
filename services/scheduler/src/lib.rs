//! Runs jobs that ask; they never move an order themselves.
//!
//! | module         | what                                                                             |
//! |----------------|----------------------------------------------------------------------------------|
//! | `doubt`        | which open order looks wrong, and what to ask about it: pure                     |
//! | `sweep`        | looks at every open order, page by page, and appends what is asked to the log    |
//! | `listing`      | what the venue lists as open, to find the ends that nobody told                  |
//! | `engine`       | schedules, runs and alerts                                                       |
//! | `housekeeping` | daily partitions of the event log, made ahead and dropped when read              |
//! | `jobs`         | the kinds of jobs, a file or folder each                                         |
//!
//! One process sweeps at a time, by a named lease; every question about an order goes through the event log to the
//! executor. Of the venue itself only the list of its open orders is read.

mod doubt;
pub mod engine;
mod housekeeping;
pub mod jobs;
mod listing;
mod sweep;

pub use doubt::{Ask, Doubt, Patience, Seen, doubt};
pub use housekeeping::Housekeeping;
pub use sweep::Sweep;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Wake, run_loop};
use db::PgPool;
use sessions::Sessions;
use venue::Venue;

/// How often the jobs run, and how much they do at a time.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// From one run to the next. A run goes on where the last one stopped.
    pub sweep_every: Duration,
    /// Open orders of one look.
    pub page: i64,
    /// Most looks of one run: very many open orders take several runs, and no run costs more.
    pub pages_max: usize,
    /// Most questions of one run: a venue that was away for long is not asked about everything at once.
    pub asks_max: usize,
    /// From one list of the venue's open orders to the next.
    pub listing_every: Duration,
    /// The longest such a list may take, all its pages.
    pub listing_within: Duration,
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
            pages_max: 20,
            asks_max: 200,
            listing_every: Duration::from_secs(60),
            listing_within: Duration::from_secs(60),
            patience: Patience::default(),
            housekeeping_every: Duration::from_secs(3_600),
            keep_messages: chrono::TimeDelta::days(3),
        }
    }
}

/// What the service works with.
pub struct Deps<V> {
    /// The database.
    pub pool: PgPool,
    /// The event log.
    pub bus: Bus,
    /// The exchange whose open orders are compared with ours, where it can be reached from here.
    pub venue: Option<Arc<V>>,
    /// When sessions end.
    pub sessions: Sessions,
    /// The process' time; deadlines and leases go by the database's.
    pub clock: SharedClock,
    /// Ids and jitter.
    pub ids: SharedIds,
}

/// Runs the jobs until the process drains.
pub async fn run<V: Venue>(config: Config, deps: Deps<V>, shutdown: Shutdown) {
    let housekeeping = Housekeeping::new(config, deps.pool.clone());
    let sweep = Sweep::new(config, deps);
    tokio::join!(
        run_loop(sweep, Wake::new(), config.sweep_every, shutdown.clone()),
        run_loop(housekeeping, Wake::new(), config.housekeeping_every, shutdown),
    );
}
