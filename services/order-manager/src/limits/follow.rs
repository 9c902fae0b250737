//! Keeps the limits as the operators set them, and the meter small.

use std::sync::Arc;

use chassis::clock::SharedClock;
use chassis::metrics::{count, describe_counter, describe_gauge};
use chassis::step::{Progress, Step, StepError};
use chrono::TimeDelta;
use db::{PgConnection, PgPool};
use domain::Timestamp;
use identity::limits::Limits;

use super::Meter;

/// Counts of cancels that no window reaches any more are forgotten this often.
const PRUNE_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Most of them at once: a transaction has only so much time.
const PRUNE_MOST: i64 = 10_000;

/// Reads the rows; forgets who is gone.
pub(crate) struct Follow {
    pool: PgPool,
    limits: Limits,
    meter: Arc<Meter>,
    clock: SharedClock,
    pruned_at: Option<Timestamp>,
}

impl Follow {
    /// One for this process.
    pub(crate) fn new(pool: PgPool, limits: Limits, meter: Arc<Meter>, clock: SharedClock) -> Self {
        describe_counter(
            "daybook_order_manager_limited_total",
            "Requests answered 429, by class of endpoint and by whose bucket was empty: key, address or stranger.",
        );
        describe_counter(
            "daybook_order_manager_cancels_slowed_total",
            "Cancels beyond their bucket: done one at a time for each account, never refused.",
        );
        describe_counter(
            "daybook_order_manager_churn_refused_total",
            "New orders refused because their account cancels too much in the symbol.",
        );
        describe_gauge(
            "daybook_order_manager_limiter_places",
            "Buckets remembered, of keys and of addresses.",
        );
        describe_gauge(
            "daybook_order_manager_limiter_bytes",
            "Memory of the buckets remembered.",
        );
        Follow {
            pool,
            limits,
            meter,
            clock,
            pruned_at: None,
        }
    }

    async fn prune(&mut self, conn: &mut PgConnection) -> Result<(), StepError> {
        let now = self.clock.now();
        if self.pruned_at.is_some_and(|at| (now - at).abs() < PRUNE_EVERY) {
            return Ok(());
        }
        orders::churn::prune(conn, now, PRUNE_MOST).await?;
        self.pruned_at = Some(now);
        Ok(())
    }
}

impl Step for Follow {
    fn name(&self) -> &'static str {
        "limits"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.meter.tidy();
        let [keys, addresses] = self.meter.sizes();
        metrics::gauge!("daybook_order_manager_limiter_places", "of" => "keys").set(count(keys));
        metrics::gauge!("daybook_order_manager_limiter_places", "of" => "addresses").set(count(addresses));
        metrics::gauge!("daybook_order_manager_limiter_bytes").set(count(self.meter.bytes()));
        let mut conn = self.pool.acquire().await?;
        self.limits.refresh(&mut conn).await?;
        self.prune(&mut conn).await?;
        Ok(Progress::Idle)
    }
}
