//! Settings, what is passed in, and the loops.

use crate::applier::{Applier, GROUP};
use crate::intake::{Intake, IntakeSettings};
use bus::{Bus, Runner, Topic};
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Wake, run_loop};
use sessions::Sessions;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use venue::Venue;

/// Settings of the service.
#[derive(Debug, Clone)]
pub struct Config {
    /// Loops that apply reports; each takes its share of the partitions.
    pub appliers: usize,
    /// How long to rest when there is nothing and nobody rings.
    pub poll: Duration,
    /// The intake's own settings.
    pub intake: IntakeSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            appliers: 1,
            poll: Duration::from_millis(200),
            intake: IntakeSettings::default(),
        }
    }
}

/// What the service is given.
pub struct Deps<V> {
    /// The database.
    pub pool: PgPool,
    /// The event log.
    pub bus: Bus,
    /// The exchange whose reports are taken in.
    pub venue: Arc<V>,
    /// The time.
    pub clock: SharedClock,
    /// Identifiers and jitter.
    pub ids: SharedIds,
    /// Trade and settlement dates.
    pub sessions: Sessions,
}

impl<V: Venue> Deps<V> {
    /// The step that applies reports.
    pub fn applier(&self) -> Runner<Applier> {
        let consumer = self.bus.consumer(GROUP, Topic::VenueReports);
        let applier = Applier::new(self.bus.clone(), Arc::clone(&self.clock), self.sessions.clone());
        Runner::new("status-updater", consumer, applier)
    }

    /// The step that takes the venue's reports in. With a `wake`, the stream is read by a task of its own that rings it;
    /// without one the step looks for itself, so that a test owns every move.
    pub fn intake(&self, settings: IntakeSettings, wake: Option<Wake>) -> Intake<V> {
        Intake::new(self, settings, wake)
    }
}

/// Runs the service until the process drains.
pub async fn run<V: Venue>(config: Config, deps: Deps<V>, shutdown: Shutdown) {
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..config.appliers.max(1) {
        let wake = deps.bus.waker(Topic::VenueReports);
        loops.spawn(run_loop(deps.applier(), wake, config.poll, shutdown.clone()));
    }
    let wake = Wake::new();
    let intake = deps.intake(config.intake.clone(), Some(wake.clone()));
    loops.spawn(run_loop(intake, wake, config.poll, shutdown));
    while let Some(ended) = loops.join_next().await {
        // Half a process is worse than none: a panic in a loop ends all of it.
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
