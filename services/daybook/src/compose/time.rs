//! The installation's time: the database's clock. Where a rehearsal or a test has moved it, every process moves along, so
//! that a whole trading day can be lived through in minutes.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::OffsetClock;
use chassis::step::{Progress, Step, StepError};
use db::{DbError, PgConnection, PgPool};
use tracing::warn;

/// How soon a process follows.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Reads the offset of the database's clock again and again.
pub(super) struct FollowTime {
    pool: PgPool,
    clock: Arc<OffsetClock>,
}

impl FollowTime {
    pub(super) fn new(pool: PgPool, clock: Arc<OffsetClock>) -> Self {
        FollowTime { pool, clock }
    }
}

impl Step for FollowTime {
    fn name(&self) -> &'static str {
        "time"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let mut conn = self.pool.acquire().await?;
        follow(&mut conn, &self.clock).await?;
        Ok(Progress::Idle)
    }
}

/// Brings a process' clock in line with the database's. In an ordinary installation nothing ever moves.
pub(crate) async fn follow(conn: &mut PgConnection, clock: &OffsetClock) -> Result<(), DbError> {
    let offset = db::database_offset(conn).await?;
    if clock.shift_to(offset) {
        warn!(
            offset_s = offset.num_seconds(),
            "the installation's clock is moved: time runs {} s ahead of this machine",
            offset.num_seconds()
        );
    }
    Ok(())
}
