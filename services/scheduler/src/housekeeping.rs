//! Daily partitions of the outbox: made a week ahead, dropped once everybody has read them.

use chassis::step::{Progress, Step, StepError};
use db::{PgPool, database_time};
use tracing::info;

use crate::Config;

/// The job. Several processes may run it at once: a partition is made or dropped by whoever is first.
pub struct Housekeeping {
    config: Config,
    pool: PgPool,
}

impl Housekeeping {
    /// A job on this database.
    pub const fn new(config: Config, pool: PgPool) -> Self {
        Housekeeping { config, pool }
    }
}

impl Step for Housekeeping {
    fn name(&self) -> &'static str {
        "scheduler-housekeeping"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let mut conn = self.pool.acquire().await?;
        let now = database_time(&mut conn).await?;
        let made = bus::ensure_outbox_partitions(&mut conn, now.date_naive()).await?;
        if made > 0 {
            info!(made, "made {made} partitions of the outbox");
        }
        let dropped = bus::drop_outbox_partitions(&mut conn, now - self.config.keep_messages).await?;
        if !dropped.is_empty() {
            info!(
                ?dropped,
                "dropped {} partitions of the outbox, read by everybody",
                dropped.len()
            );
        }
        Ok(Progress::Idle)
    }
}
