//! At the bell: orders whose day was over go on.

use std::sync::Arc;

use bus::{NewEvent, Topic};
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::{RequestId, Timestamp};
use futures::future::BoxFuture;
use uuid::Uuid;
use venue::Venue;
use wire::events::v1;

use super::PAGE;
use crate::Deps;
use crate::engine::{Done, Job, JobError, Run};
use crate::jobs::end_of_day::{VENUE, report_of_day};

/// The name of the job that lets orders go on, and its schedule's.
pub const RESUME: &str = "resume-orders";
/// What was told at the last minute of the break may be heard after the bell.
const STRAGGLERS: TimeDelta = TimeDelta::seconds(60);
/// Between two looks at the bell. What was told is in the log, however long it takes to be read; it is told again only for
/// those that were put to rest in the last moment.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(20);

/// Lets orders whose day was over go on when the session opens.
pub struct Resume<V> {
    deps: Arc<Deps<V>>,
}

impl<V> Resume<V> {
    /// The job.
    pub const fn new(deps: Arc<Deps<V>>) -> Self {
        Resume { deps }
    }
}

impl<V: Venue> Job for Resume<V> {
    fn name(&self) -> &'static str {
        RESUME
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        Box::pin(self.work(run))
    }
}

/// An order whose day was over.
struct Resting {
    account_id: Uuid,
    order_id: Uuid,
    request_id: String,
    trace_context: Option<String>,
    status: String,
}

impl<V: Venue> Resume<V> {
    async fn work(&self, run: &Run) -> Result<Done, JobError> {
        let (mut after, mut told) = (None, 0);
        let now = db::database_time(&mut *self.deps.pool.acquire().await?).await?;
        if !self.deps.sessions.calendar().is_open(now) {
            return Ok(Done::Finished(
                "the session is over: its close has put the orders to rest".to_owned(),
            ));
        }
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let page = resting(&mut tx, after).await?;
            let events: Vec<NewEvent> = page
                .iter()
                .filter(|order| order.status == "done_for_day")
                .filter_map(|order| self.resumed(order, now))
                .collect();
            bus::append(&mut tx, &events).await?;
            tx.commit().await?;
            told += events.len();
            after = page.last().map(|order| (order.account_id, order.order_id));
            if after.is_none() {
                break;
            }
        }
        if told > 0 {
            self.deps.bus.wake(Topic::VenueReports);
            run.log(format!("{told} orders go on")).await;
        }
        if now < run.tick() + STRAGGLERS {
            let why = "orders that are still told that their day is over".to_owned();
            return Ok(Done::Again {
                at: now + LOOK_AGAIN,
                why,
            });
        }
        Ok(Done::Finished(match told {
            0 => "every order of the exchange goes on".to_owned(),
            n => format!("{n} orders were told again to go on; the status-updater has yet to read it"),
        }))
    }

    fn resumed(&self, order: &Resting, now: Timestamp) -> Option<NewEvent> {
        let request = RequestId::new(&order.request_id).ok()?;
        let request = request.traced_as(order.trace_context.as_deref());
        let venue = self.deps.venue.as_ref().map_or(VENUE, |venue| venue.name());
        Some(report_of_day(
            order.order_id,
            order.account_id,
            v1::Fact::Resumed,
            venue,
            request,
            now,
        ))
    }
}

/// A page of the open good-till-canceled orders, by key: only those outlive a day.
async fn resting(conn: &mut PgConnection, after: Option<(Uuid, Uuid)>) -> Result<Vec<Resting>, DbError> {
    let (account, order) = after.unwrap_or_default();
    let rows = sqlx::query_as!(
        Resting,
        "select w.account_id, w.order_id, o.request_id, o.trace_context, o.status
           from (select account_id, order_id
                   from open_orders
                  where time_in_force = 'gtc'
                    and (account_id, order_id) > ($1, $2)
                  order by account_id, order_id
                  limit $3) w
           join orders o using (order_id)
          order by w.account_id, w.order_id",
        account,
        order,
        PAGE,
    );
    Ok(rows.fetch_all(conn).await?)
}
