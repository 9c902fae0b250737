//! Looks at every open order, page by page, and asks about those that look wrong. A run looks at so many pages at most and
//! the next one goes on from there, so that its cost is bounded however many orders are open.

use std::collections::HashMap;

use bus::{NamedLease, NewEvent, Topic};
use chassis::step::{Progress, Step, StepError};
use chrono::TimeDelta;
use db::{DbError, PgConnection};
use domain::{OrderId, RequestId, Timestamp};
use sqlx::FromRow;
use tracing::{info, warn};
use uuid::Uuid;
use venue::Venue;
use wire::events::v1;

use crate::doubt::{Ask, Doubt, Seen, doubt};
use crate::listing::Listings;
use crate::{Config, Deps};

/// Who asks, in events and logs.
const NAME: &str = "sweep";
/// An order that stays wrong is asked about again after this, then after twice as long each time.
const FIRST_REPEAT: TimeDelta = TimeDelta::seconds(30);
/// At most this apart.
const LONGEST_REPEAT: TimeDelta = TimeDelta::minutes(10);

/// The job, one page a step.
pub struct Sweep<V> {
    config: Config,
    deps: Deps<V>,
    lease: NamedLease,
    listings: Listings<V>,
    /// The last order looked at; `None` at the beginning of a round through all of them.
    after: Option<(Uuid, Uuid)>,
    pages_this_run: usize,
    asked_this_run: usize,
    asked: HashMap<OrderId, Asked>,
}

/// When an order was asked about, so that one that stays wrong is not asked about at every turn.
#[derive(Debug, Clone, Copy)]
struct Asked {
    next: Timestamp,
    pause: TimeDelta,
}

/// An open order with what the executor knows of it.
#[derive(Debug, FromRow)]
struct OpenRow {
    account_id: Uuid,
    order_id: Uuid,
    symbol: String,
    side: String,
    qty: rust_decimal::Decimal,
    limit_price: rust_decimal::Decimal,
    time_in_force: String,
    session_date: chrono::NaiveDate,
    request_id: String,
    trace_context: Option<String>,
    submitted_at: Timestamp,
    submit_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    updated_at: Timestamp,
    status: String,
    end_kind: Option<String>,
    cancel_requested_at: Option<Timestamp>,
    expire_requested_at: Option<Timestamp>,
    replace_requested_at: Option<Timestamp>,
    filed: bool,
    replaces: Option<Uuid>,
    replaces_at_venue: Option<String>,
    now: Timestamp,
}

impl<V: Venue> Sweep<V> {
    /// A job that has not looked at anything yet.
    pub fn new(config: Config, deps: Deps<V>) -> Self {
        let lease = deps.bus.lease("scheduler-sweep");
        let listings = Listings::new(deps.venue.clone());
        Sweep {
            config,
            deps,
            lease,
            listings,
            after: None,
            pages_this_run: 0,
            asked_this_run: 0,
            asked: HashMap::new(),
        }
    }

    /// One page in one transaction: what is asked is appended, or nothing happened. True while there is more to look at
    /// and room for questions.
    async fn page(&mut self) -> Result<bool, StepError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        self.lease.check(&mut tx).await?;
        let rows = page(&mut tx, self.after, self.config.page).await?;
        let mut events = Vec::new();
        let mut asking = Vec::new();
        let mut looked_at = self.after;
        let mut room = true;
        for row in &rows {
            if let Some(doubt) = self.look(row)? {
                room = self.asked_this_run + asking.len() < self.config.asks_max;
                if !room {
                    break;
                }
                events.extend(questions(row, doubt)?);
                asking.push((OrderId::new(row.order_id), doubt, row.now));
            }
            looked_at = Some((row.account_id, row.order_id));
        }
        bus::append(&mut tx, &events).await?;
        tx.commit().await?;
        for (order, doubt, now) in asking {
            self.note(order, doubt, now);
        }
        let full = i64::try_from(rows.len()) == Ok(self.config.page);
        self.after = looked_at.filter(|_| full || !room);
        if !events.is_empty() {
            self.deps.bus.wake(Topic::Orders);
        }
        Ok(full && room)
    }

    /// What looks wrong, unless it was asked about a moment ago.
    fn look(&self, row: &OpenRow) -> Result<Option<Doubt>, DbError> {
        let waits = self
            .asked
            .get(&OrderId::new(row.order_id))
            .is_some_and(|asked| row.now < asked.next);
        if waits {
            return Ok(None);
        }
        let unlisted = self
            .listings
            .lacks(OrderId::new(row.order_id), row.updated_at, self.config.patience.listed);
        let seen = Seen { unlisted, ..seen(row)? };
        Ok(doubt(
            &seen,
            row.now,
            &self.deps.sessions.calendar(),
            &self.config.patience,
        ))
    }

    fn note(&mut self, order: OrderId, doubt: Doubt, now: Timestamp) {
        let known = self.asked.get(&order).copied();
        let pause = known.map_or(FIRST_REPEAT, |asked| (asked.pause * 2).min(LONGEST_REPEAT));
        self.asked.insert(
            order,
            Asked {
                next: now + pause,
                pause,
            },
        );
        self.asked_this_run += 1;
        metrics::counter!("daybook_scheduler_asks_total", "why" => doubt.why).increment(1);
        if known.is_some() {
            warn!(order.id = %order, "still wrong, asked again: {}", doubt.why);
        } else {
            info!(order.id = %order, "asked about order {order}: {}", doubt.why);
        }
    }

    /// Forgets orders that came right meanwhile (their next question would have been due long ago), and has a look at what
    /// the venue lists.
    async fn begin_run(&mut self) -> Result<(), DbError> {
        let mut conn = self.deps.pool.acquire().await?;
        let now = db::database_time(&mut conn).await?;
        drop(conn);
        self.asked_this_run = 0;
        self.asked.retain(|_, asked| now < asked.next + LONGEST_REPEAT);
        self.listings.refresh(now, &self.config).await;
        Ok(())
    }
}

impl<V: Venue> Step for Sweep<V> {
    fn name(&self) -> &'static str {
        "scheduler-sweep"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        if !self.lease.keep().await? {
            self.after = None;
            self.pages_this_run = 0;
            self.listings.forget();
            return Ok(Progress::Idle);
        }
        if self.pages_this_run == 0 {
            self.begin_run().await?;
        }
        let more = self.page().await?;
        self.pages_this_run += 1;
        if more && self.pages_this_run < self.config.pages_max {
            return Ok(Progress::Worked);
        }
        self.pages_this_run = 0;
        Ok(Progress::Idle)
    }
}

async fn page(conn: &mut PgConnection, after: Option<(Uuid, Uuid)>, limit: i64) -> Result<Vec<OpenRow>, DbError> {
    let (account, order) = after.unwrap_or_default();
    let rows = sqlx::query_as!(
        OpenRow,
        r#"select w.account_id, w.order_id, o.symbol, o.side, o.qty, o.limit_price, o.time_in_force, o.session_date,
                  o.request_id, o.trace_context, o.submitted_at, o.submit_at, w.expires_at, o.updated_at, o.status, o.end_kind,
                  o.cancel_requested_at, o.expire_requested_at, o.replace_requested_at, s.order_id is not null as "filed!",
                  o.replaces,
                  (select p.venue_order_id from orders p where p.order_id = o.replaces) as replaces_at_venue,
                  daybook_now() as "now!"
             from (select account_id, order_id, expires_at
                     from open_orders
                    where (account_id, order_id) > ($1, $2)
                    order by account_id, order_id
                    limit $3) w
             join orders o using (order_id)
             left join venue_submissions s using (order_id)
            order by w.account_id, w.order_id"#,
        account,
        order,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

fn seen(row: &OpenRow) -> Result<Seen, DbError> {
    let bad = || DbError::Inconsistent {
        table: "orders",
        what: format!("order {}: its words", row.order_id),
    };
    Ok(Seen {
        status: row.status.parse().map_err(|_| bad())?,
        time_in_force: row.time_in_force.parse().map_err(|_| bad())?,
        session_date: row.session_date,
        submitted_at: row.submitted_at,
        updated_at: row.updated_at,
        end_requested_at: [row.cancel_requested_at, row.expire_requested_at]
            .into_iter()
            .flatten()
            .min(),
        replace_requested_at: row.replace_requested_at,
        end_known: row.end_kind.is_some(),
        filed: row.filed,
        unlisted: false,
    })
}

/// The events that ask. They carry the order's own request id, so that one search shows its whole story.
fn questions(row: &OpenRow, doubt: Doubt) -> Result<Vec<NewEvent>, DbError> {
    let request = RequestId::new(&row.request_id).map_err(|_| DbError::Inconsistent {
        table: "orders",
        what: format!("order {}: its request id", row.order_id),
    })?;
    let request = request.traced_as(row.trace_context.as_deref());
    Ok(match doubt.ask {
        Ask::FileAgain => vec![file_again(row, request)],
        Ask::LookUp => vec![look_up(row, doubt, request)],
        Ask::LookUpAndCancel => {
            let cancel = NewEvent::cancel_requested(&cancel(row), request.clone());
            vec![look_up(row, doubt, request), cancel]
        }
    })
}

/// The order's own event: a replacement is never handed in as an order beside the one whose place it is to take.
fn file_again(row: &OpenRow, request: RequestId) -> NewEvent {
    let order = accepted(row);
    match row.replaces {
        Some(replaces) => {
            let at_venue = row.replaces_at_venue.clone();
            let requested = v1::ReplaceRequested {
                order,
                replaces,
                at_venue,
            };
            NewEvent::replace_requested(&requested, request)
        }
        None => NewEvent::order_accepted(&order, request),
    }
}

fn accepted(row: &OpenRow) -> v1::OrderAccepted {
    v1::OrderAccepted {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        side: row.side.clone(),
        qty: row.qty,
        limit_price: row.limit_price,
        time_in_force: row.time_in_force.clone(),
        session_date: row.session_date,
        submitted_at: row.submitted_at,
        submit_at: row.submit_at,
        expires_at: row.expires_at,
    }
}

fn cancel(row: &OpenRow) -> v1::CancelRequested {
    v1::CancelRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: NAME.to_owned(),
        requested_at: row.now,
    }
}

fn look_up(row: &OpenRow, doubt: Doubt, request_id: RequestId) -> NewEvent {
    let event = v1::LookUpRequested {
        order_id: row.order_id,
        account_id: row.account_id,
        symbol: row.symbol.clone(),
        asked_by: NAME.to_owned(),
        why: doubt.why.to_owned(),
        requested_at: row.now,
    };
    NewEvent::look_up_requested(&event, request_id)
}
