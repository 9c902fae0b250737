//! Runs jobs that ask; they never move an order themselves.
//!
//! | module         | what                                                                             |
//! |----------------|----------------------------------------------------------------------------------|
//! | `deadlines`    | asks for the end of orders whose own time has come                               |
//! | `doubt`        | which open order looks wrong, and what to ask about it: pure                     |
//! | `sweep`        | looks at every open order, page by page, and appends what is asked to the log    |
//! | `listing`      | what the venue lists as open, to find the ends that nobody told                  |
//! | `engine`       | schedules, runs and alerts                                                       |
//! | `kill`         | asks for the end of what a kill switch stops                                     |
//! | `expiry`       | asks for the end of orders whose time is over, in batches split by account       |
//! | `schedules`    | the kinds of job and the schedules of the configuration                          |
//! | `jobs`         | the kinds of jobs, a file or folder each; with `release`, the check of orders with a time of their own |
//!
//! One process sweeps at a time, by a named lease; every question about an order goes through the event log to the
//! executor. Of the venue itself only the list of its open orders is read.

pub mod deadlines;
mod doubt;
pub mod engine;
mod expiry;
pub mod jobs;
pub mod kill;
mod listing;
mod schedules;
mod sweep;

pub use deadlines::Deadlines;
pub use doubt::{Ask, Doubt, Patience, Seen, doubt};
pub use jobs::housekeeping::Housekeeping;
pub use jobs::release::SubmitCheck;
pub use kill::KillCancels;
pub use sweep::Sweep;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Wake, run_loop};
use db::PgPool;
use engine::{Planner, Webhook, Worker};
use futures::future::{OptionFuture, join_all};
use secrecy::SecretString;
use sessions::Sessions;
use venue::Venue;

/// How often the jobs run, and how much they do at a time.
#[derive(Debug, Clone)]
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
    /// How long messages are kept after everybody read them.
    pub keep_messages: chrono::TimeDelta,
    /// How the engine works.
    pub engine: engine::Settings,
    /// Where alerts are sent to. It may hold a secret.
    pub webhook: Option<SecretString>,
    /// The times of an end of day.
    pub end_of_day: jobs::end_of_day::Settings,
    /// How far a queued order's limit may be from the last price.
    pub collar: jobs::release::Collar,
    /// How orders' own deadlines are kept.
    pub deadlines: deadlines::Settings,
    /// How kill switches are followed.
    pub kill: kill::Settings,
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
            keep_messages: chrono::TimeDelta::days(3),
            engine: engine::Settings::default(),
            webhook: None,
            end_of_day: jobs::end_of_day::Settings::default(),
            collar: jobs::release::Collar::default(),
            deadlines: deadlines::Settings::default(),
            kill: kill::Settings::default(),
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

impl<V> Clone for Deps<V> {
    fn clone(&self) -> Self {
        Deps {
            pool: self.pool.clone(),
            bus: self.bus.clone(),
            venue: self.venue.clone(),
            sessions: self.sessions.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        }
    }
}

/// Runs the engine with its jobs, and the sweep, until the process drains.
///
/// The sweep is a loop of its own and no job: it runs every few seconds on one process and keeps in memory what it asked about,
/// so a run row, a claim and a history for each round would cost more than they tell.
pub async fn run<V: Venue>(config: Config, deps: Deps<V>, shutdown: Shutdown) {
    engine::describe();
    jobs::describe();
    let sweep = Sweep::new(config.clone(), deps.clone());
    let deps = Arc::new(deps);
    let deadlines = Deadlines::new(config.deadlines, Arc::clone(&deps));
    let watch = jobs::end_of_day::Watch::new(config.end_of_day, Arc::clone(&deps));
    let looks = (
        config.sweep_every,
        config.deadlines.every,
        config.end_of_day.watch_every,
        config.kill.every,
    );
    let kill = KillCancels::new(config.kill.clone(), Arc::clone(&deps));
    let submit_check = SubmitCheck::new(config.collar, Arc::clone(&deps));
    tokio::join!(
        run_loop(sweep, Wake::new(), looks.0, shutdown.clone()),
        run_loop(deadlines, Wake::new(), looks.1, shutdown.clone()),
        run_loop(watch, Wake::new(), looks.2, shutdown.clone()),
        run_loop(kill, Wake::new(), looks.3, shutdown.clone()),
        run_loop(
            submit_check,
            Wake::new(),
            jobs::release::SUBMIT_CHECK_EVERY,
            shutdown.clone()
        ),
        run_engine(config, deps, shutdown),
    );
}

async fn run_engine<V: Venue>(config: Config, deps: Arc<Deps<V>>, shutdown: Shutdown) {
    let (settings, pool, ids) = (config.engine, deps.pool.clone(), deps.ids.clone());
    let jobs = schedules::jobs(&config, &deps);
    let wake = Wake::new();
    let configured = schedules::configured();
    let planner = Planner::new(
        settings,
        pool.clone(),
        ids.clone(),
        deps.sessions.clone(),
        configured,
        wake.clone(),
    );
    let worker = || Worker::new(settings, pool.clone(), ids.clone(), jobs.clone(), shutdown.clone());
    let workers =
        (0..settings.workers).map(|_| run_loop(worker(), wake.clone(), settings.claim_every, shutdown.clone()));
    let webhook = config.webhook.map(|url| Webhook::new(pool.clone(), ids.clone(), url));
    let webhook = webhook.map(|step| run_loop(step, Wake::new(), settings.claim_every, shutdown.clone()));
    tokio::join!(
        run_loop(planner, Wake::new(), settings.plan_every, shutdown.clone()),
        join_all(workers),
        OptionFuture::from(webhook),
    );
}
