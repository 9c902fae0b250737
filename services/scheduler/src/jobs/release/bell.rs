//! Before the bell: orders that wait for their session are checked once more (TIF-7).

use std::sync::Arc;

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use futures::future::BoxFuture;
use sqlx::FromRow;
use uuid::Uuid;
use venue::Venue;

use super::PAGE;
use super::check::{Checker, Tally};
use super::rule::Collar;
use crate::Deps;
use crate::engine::{Done, Job, JobError, Run};

/// The re-check's name, and its schedule's.
pub const RECHECK: &str = "release-check";

/// Checks queued orders shortly before their session opens.
pub struct Recheck<V> {
    checker: Checker,
    deps: Arc<Deps<V>>,
}

impl<V> Recheck<V> {
    /// A job with this collar.
    pub fn new(collar: Collar, deps: Arc<Deps<V>>) -> Self {
        let checker = Checker::new(collar, RECHECK);
        Recheck { checker, deps }
    }
}

impl<V: Venue> Job for Recheck<V> {
    fn name(&self) -> &'static str {
        RECHECK
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        Box::pin(self.work(run))
    }
}

/// An open order of a session.
#[derive(Debug, Clone, Copy, FromRow)]
struct Place {
    session_date: NaiveDate,
    account_id: Uuid,
    order_id: Uuid,
}

impl<V: Venue> Recheck<V> {
    async fn work(&self, run: &Run) -> Result<Done, JobError> {
        let date = run.date()?;
        let mut tally = Tally::default();
        let mut after = None;
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let page = page(&mut tx, date, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(*last);
            let orders: Vec<Uuid> = page.iter().map(|place| place.order_id).collect();
            let refused = self.checker.refuse(&mut tx, &orders, &mut tally).await?;
            tx.commit().await?;
            refused.wake(&self.deps.bus);
        }
        for line in tally.lines() {
            run.log(line).await;
        }
        Ok(Done::Finished(tally.summary()))
    }
}

/// Open orders of sessions up to this one, by key.
async fn page(conn: &mut PgConnection, date: NaiveDate, after: Option<Place>) -> Result<Vec<Place>, DbError> {
    let (session, account, order) = after
        .map(|place| (place.session_date, place.account_id, place.order_id))
        .unwrap_or_default();
    let rows = sqlx::query_as!(
        Place,
        r#"select session_date as "session_date!", account_id, order_id
             from open_orders
            where session_date <= $1
              and (session_date, account_id, order_id) > ($2, $3, $4)
            order by session_date, account_id, order_id
            limit $5"#,
        date,
        session,
        account,
        order,
        PAGE,
    );
    Ok(rows.fetch_all(conn).await?)
}
