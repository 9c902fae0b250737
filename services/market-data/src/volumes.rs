//! How much trades: the venue is asked when the process starts and every hour from then on (RSK-3). An average of many
//! sessions changes slowly, so one that comes late costs nothing, and what is stored goes on counting meanwhile.

use chassis::step::{Progress, Step, StepError};
use domain::Timestamp;
use domain::calendar::to_new_york;
use instruments::AverageVolume;
use std::time::Duration;
use tracing::{debug, info, warn};
use venue::{Venue, VenueVolume};

use crate::{Config, Deps};

/// Assets are there within a moment of the first start.
const SOON: Duration = Duration::from_millis(250);

/// Asks for the average volumes of all assets when it is time.
pub struct Volumes<V> {
    config: Config,
    deps: Deps<V>,
    due: Option<Timestamp>,
    /// Whether the last look was in vain.
    failed: bool,
}

impl<V: Venue> Volumes<V> {
    /// Nobody was asked yet.
    pub const fn new(config: Config, deps: Deps<V>) -> Self {
        Self {
            config,
            deps,
            due: None,
            failed: false,
        }
    }

    async fn look(&self, now: Timestamp) -> Result<(), StepError> {
        let (symbols, today) = (self.deps.symbols(), to_new_york(now).date_naive());
        let told = self.deps.venue.daily_volumes(&symbols, today).await?;
        let volumes: Vec<AverageVolume> = told.into_iter().map(volume).collect();
        let mut conn = self.deps.pool.acquire().await?;
        instruments::save_volumes(&mut conn, &volumes, now).await?;
        info!(
            volumes = volumes.len(),
            "the venue tells how much trades of {} of {} symbols",
            volumes.len(),
            symbols.len()
        );
        Ok(())
    }
}

impl<V: Venue> Step for Volumes<V> {
    fn name(&self) -> &'static str {
        "market-data-volumes"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.deps.instruments.is_loaded() {
            return Ok(Progress::Soon(SOON));
        }
        let now = self.deps.clock.now();
        if self.due.is_some_and(|due| now < due) {
            return Ok(Progress::Idle);
        }
        let outcome = self.look(now).await;
        self.due = Some(now + self.next(outcome));
        Ok(Progress::Idle)
    }
}

impl<V> Volumes<V> {
    /// When the next look is due. A venue that has none of this is not asked for it all the time, and said so once.
    fn next(&mut self, outcome: Result<(), StepError>) -> Duration {
        let failed = outcome.is_err();
        let is_new = failed != std::mem::replace(&mut self.failed, failed);
        match outcome {
            Ok(()) => return self.config.volumes_every,
            Err(error) if is_new => warn!("nobody tells how much trades, trying again: {error}"),
            Err(error) => debug!("still nobody tells how much trades: {error}"),
        }
        self.config.volumes_again
    }
}

fn volume(told: VenueVolume) -> AverageVolume {
    AverageVolume {
        symbol: told.symbol,
        average: told.average,
        sessions: u32::try_from(told.sessions).unwrap_or(u32::MAX),
        through: told.through,
    }
}
