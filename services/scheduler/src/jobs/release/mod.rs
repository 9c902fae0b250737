//! Before the bell and at it: queued orders are checked once more (TIF-7), and orders whose day was over go on.
//!
//! Both ask or report, page by page; run again, they find what is still so. Sending is the executor's, by its calendar.

mod rule;

pub use rule::{Allowed, Collar, Queued, Verdict, check};

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{NewEvent, Topic};
use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection};
use domain::{Price, RequestId, Timestamp};
use futures::future::BoxFuture;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;
use venue::Venue;
use wire::events::v1;

use super::end_of_day::{VENUE, report_of_day};
use crate::Deps;
use crate::engine::{Done, Job, JobError, Run};

/// The re-check's name, and its schedule's.
pub const RECHECK: &str = "release-check";
/// The name of the job that lets orders go on, and its schedule's.
pub const RESUME: &str = "resume-orders";
/// Orders looked at in one transaction.
const PAGE: i64 = 2_000;
/// What was told at the last minute of the break may be heard after the bell.
const STRAGGLERS: TimeDelta = TimeDelta::seconds(60);
/// Between two looks at the bell. What was told is in the log, however long it takes to be read; it is told again only for
/// those that were put to rest in the last moment.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(20);

/// Checks queued orders shortly before their session opens.
pub struct Recheck<V> {
    collar: Collar,
    deps: Arc<Deps<V>>,
}

impl<V> Recheck<V> {
    /// A job with this collar.
    pub const fn new(collar: Collar, deps: Arc<Deps<V>>) -> Self {
        Recheck { collar, deps }
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

/// A queued order with all that its check looks at, in one row.
#[derive(Debug, FromRow)]
struct Row {
    session_date: NaiveDate,
    account_id: Uuid,
    order_id: Uuid,
    symbol: String,
    status: String,
    wished: bool,
    side: String,
    order_type: String,
    limit_price: Decimal,
    request_id: String,
    tradable: bool,
    has_account: bool,
    active: bool,
    account_blocked: bool,
    trading_blocked: bool,
    trade_suspended_by_user: bool,
    closing_only: bool,
    reference: Option<Decimal>,
}

/// What came of a check of all queued orders.
#[derive(Default)]
struct Tally {
    checked: usize,
    without_reference: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
}

impl<V: Venue> Recheck<V> {
    async fn work(&self, run: &Run) -> Result<Done, JobError> {
        let date = run.date()?;
        let mut tally = Tally::default();
        let mut after = None;
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let now = db::database_time(&mut tx).await?;
            let page = page(&mut tx, date, after).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.session_date, last.account_id, last.order_id));
            let queued = page.iter().filter(|row| row.status == "accepted" && !row.wished);
            let mut events = Vec::new();
            for row in queued {
                events.extend(self.judge(row, now, &mut tally)?);
            }
            bus::append(&mut tx, &events).await?;
            tx.commit().await?;
            if !events.is_empty() {
                self.deps.bus.wake(Topic::Orders);
            }
        }
        for (symbol, orders) in &tally.without_reference {
            run.log(format!(
                "{symbol} was never quoted: {orders} orders go without the collar"
            ))
            .await;
        }
        for (why, orders) in &tally.refused {
            run.log(format!("{orders} orders are rejected: {why}")).await;
        }
        let refused: usize = tally.refused.values().sum();
        Ok(Done::Finished(format!(
            "{} queued orders checked, {refused} rejected",
            tally.checked
        )))
    }

    /// The wish to reject it, if it may not be sent.
    fn judge(&self, row: &Row, now: Timestamp, tally: &mut Tally) -> Result<Option<NewEvent>, DbError> {
        tally.checked += 1;
        match check(&queued(row)?, &self.collar) {
            Verdict::Fine => Ok(None),
            Verdict::NoReference => {
                *tally.without_reference.entry(row.symbol.clone()).or_default() += 1;
                Ok(None)
            }
            Verdict::Refused(reason) => {
                metrics::counter!("daybook_scheduler_release_rejected_total").increment(1);
                *tally.refused.entry(reason.clone()).or_default() += 1;
                let event = v1::RejectRequested {
                    order_id: row.order_id,
                    account_id: row.account_id,
                    symbol: row.symbol.clone(),
                    asked_by: RECHECK.to_owned(),
                    reason,
                    requested_at: now,
                };
                let request = RequestId::new(&row.request_id).map_err(|_| inconsistent(row, "its request id"))?;
                Ok(Some(NewEvent::reject_requested(&event, request)))
            }
        }
    }
}

fn inconsistent(row: &Row, what: &str) -> DbError {
    DbError::Inconsistent {
        table: "orders",
        what: format!("order {}: {what}", row.order_id),
    }
}

fn queued(row: &Row) -> Result<Queued, DbError> {
    Ok(Queued {
        symbol: row.symbol.clone(),
        side: row.side.parse().map_err(|_| inconsistent(row, "its side"))?,
        order_type: row.order_type.parse().map_err(|_| inconsistent(row, "its type"))?,
        limit_price: Price::new(row.limit_price).map_err(|_| inconsistent(row, "its limit"))?,
        account: row.has_account.then_some(Allowed {
            active: row.active,
            blocked: row.account_blocked,
            trading_blocked: row.trading_blocked,
            suspended_by_user: row.trade_suspended_by_user,
            closing_only: row.closing_only,
        }),
        tradable: row.tradable,
        reference: row.reference,
    })
}

/// Open orders of sessions up to this one, with what their check looks at. A debit restricts an account like its flag
/// (LED-15); the reference is the midpoint of the last quote, or the side there is.
async fn page(
    conn: &mut PgConnection,
    date: NaiveDate,
    after: Option<(NaiveDate, Uuid, Uuid)>,
) -> Result<Vec<Row>, DbError> {
    let (session, account, order) = after.unwrap_or_default();
    let rows = sqlx::query_as!(
        Row,
        r#"select w.session_date as "session_date!", w.account_id, w.order_id, w.symbol, o.status, o.side, o.order_type,
                  o.limit_price, o.request_id,
                  o.cancel_requested_at is not null or o.expire_requested_at is not null as "wished!",
                  coalesce(a.tradable and a.status = 'active', false) as "tradable!",
                  c.account_id is not null as "has_account!",
                  coalesce(c.status = 'ACTIVE', false) as "active!",
                  coalesce(c.account_blocked, false) as "account_blocked!",
                  coalesce(c.trading_blocked, false) as "trading_blocked!",
                  coalesce(c.trade_suspended_by_user, false) as "trade_suspended_by_user!",
                  coalesce(c.closing_only, false) or coalesce(m.avail < 0, false) as "closing_only!",
                  coalesce((q.bid + q.ask) * 0.5, q.bid, q.ask) as reference
             from (select session_date, account_id, order_id, symbol
                     from open_orders
                    where session_date <= $1
                      and (session_date, account_id, order_id) > ($2, $3, $4)
                    order by session_date, account_id, order_id
                    limit $5) w
             join orders o using (order_id)
             left join assets a on a.symbol = w.symbol
             left join last_quotes q on q.symbol = w.symbol
             left join accounts c on c.account_id = w.account_id
             left join ledger_cash m on m.account_id = w.account_id
            order by w.session_date, w.account_id, w.order_id"#,
        date,
        session,
        account,
        order,
        PAGE,
    );
    Ok(rows.fetch_all(conn).await?)
}

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
        "select w.account_id, w.order_id, o.request_id, o.status
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
