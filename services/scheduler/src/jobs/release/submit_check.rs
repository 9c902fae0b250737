//! Before an order's own time: those with a `submit_at` inside a session are checked shortly before it (TIF-7), as the others
//! are before the bell.

use std::sync::Arc;
use std::time::Duration;

use bus::NamedLease;
use chassis::step::{Progress, Step, StepError};
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::Timestamp;
use sqlx::FromRow;
use tracing::info;
use uuid::Uuid;
use venue::Venue;

use super::PAGE;
use super::check::{Checker, Tally};
use super::rule::Collar;
use crate::Deps;

/// Who asks, in messages and logs.
pub(super) const ASKED_BY: &str = "submit-check";
/// From one look to the next.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// Orders are checked this long before their time: long enough that a refusal arrives before they are sent.
const AHEAD: TimeDelta = TimeDelta::seconds(30);

/// The loop. One process at a time; each order is checked once by each holder of the lease.
pub struct SubmitCheck<V> {
    checker: Checker,
    deps: Arc<Deps<V>>,
    lease: NamedLease,
    /// Orders with a time up to this one were checked.
    checked_until: Option<Timestamp>,
}

impl<V> SubmitCheck<V> {
    /// A loop that has checked nothing yet.
    pub fn new(collar: Collar, deps: Arc<Deps<V>>) -> Self {
        SubmitCheck {
            checker: Checker::new(collar, ASKED_BY),
            lease: deps.bus.lease("scheduler-submit-check"),
            deps,
            checked_until: None,
        }
    }
}

/// An order with a time of its own.
#[derive(Debug, Clone, Copy, FromRow)]
struct Timed {
    submit_at: Timestamp,
    order_id: Uuid,
}

impl<V: Venue> Step for SubmitCheck<V> {
    fn name(&self) -> &'static str {
        "scheduler-submit-check"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.lease.keep().await? {
            self.checked_until = None;
            return Ok(Progress::Idle);
        }
        let pool = &self.deps.pool;
        let now = db::database_time(&mut *pool.acquire().await?).await?;
        // A clock that jumped passes nobody over, and one that was put back looks again.
        let from = self.checked_until.map_or(now, |until| until.min(now + AHEAD));
        let mut tally = Tally::default();
        let mut after = Timed {
            submit_at: from,
            order_id: Uuid::max(),
        };
        loop {
            let mut tx = db::begin(pool).await?;
            self.lease.check(&mut tx).await?;
            let page = page(&mut tx, after, now + AHEAD).await?;
            let Some(last) = page.last() else { break };
            after = *last;
            let orders: Vec<Uuid> = page.iter().map(|timed| timed.order_id).collect();
            let refused = self.checker.refuse(&mut tx, &orders, &mut tally).await?;
            tx.commit().await?;
            refused.wake(&self.deps.bus);
        }
        tally.lines().for_each(|line| info!("{line}"));
        self.checked_until = Some(now + AHEAD);
        Ok(Progress::Idle)
    }
}

/// Orders that wait for a time up to this one.
async fn page(conn: &mut PgConnection, after: Timed, until: Timestamp) -> Result<Vec<Timed>, DbError> {
    let rows = sqlx::query_as!(
        Timed,
        r#"select submit_at as "submit_at!", order_id
             from orders
            where submit_at <= $3
              and (submit_at, order_id) > ($1, $2)
              and status = 'accepted'
            order by submit_at, order_id
            limit $4"#,
        after.submit_at,
        after.order_id,
        until,
        PAGE,
    );
    Ok(rows.fetch_all(conn).await?)
}
