//! What became of the orders, read from the database when the load is over.
//!
//! An order is booked when the transaction of its last fill committed: order, fill, ledger and position in one. Postgres
//! keeps the time of each commit, so nobody has to ask for it while it matters. It is taken when the commit begins; the
//! flush that follows, a millisecond or so, is not in it.

use std::time::Duration;

use db::{DbError, PgPool};
use domain::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::Scenario;
use crate::latency::{Fixed, Latencies, Percentiles};
use crate::schedule::Pace;

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long fills took, from the intended start of their order.
#[derive(Debug, Clone, Serialize)]
pub struct Bookings {
    /// Measured orders that are filled and booked.
    pub orders: u64,
    /// Accept to booked, from the intended start.
    #[serde(flatten)]
    pub from_intended_start: Percentiles,
    /// Its parts.
    pub stages: Stages,
}

/// The way of an order, commit to commit but for the executor, whose decision counts.
#[derive(Debug, Clone, Serialize)]
pub struct Stages {
    /// Intended start to the commit that accepted the order.
    pub accept: Percentiles,
    /// From there to the executor's decision to send it, which it writes and commits afterwards.
    pub dispatch: Percentiles,
    /// From there to the commit of the fill's report in the event log: the exchange, and the intake.
    pub exchange: Percentiles,
    /// From there to the commit that booked it.
    pub book: Percentiles,
}

/// When the n-th order of an open loop began.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// By the machine's clock.
    pub at: Timestamp,
    /// The loop.
    pub pace: Pace,
    /// Orders that were meant earlier than this are not counted.
    pub warm_up: Duration,
}

struct Row {
    number: i64,
    accepted_at: Timestamp,
    sent_at: Timestamp,
    reported_at: Timestamp,
    booked_at: Timestamp,
}

/// Reads the bookings of a run.
///
/// # Errors
/// What the database says.
pub async fn read(pool: &PgPool, start: Start) -> Result<Option<Bookings>, DbError> {
    let rows = rows(pool).await?;
    let mut columns: [Latencies; 5] = Default::default();
    for row in &rows {
        let Some(after) = start.pace.intended(row.number.unsigned_abs()) else {
            return Ok(None);
        };
        if after < start.warm_up {
            continue;
        }
        let intended = start.at + after;
        let steps = [intended, row.accepted_at, row.sent_at, row.reported_at, row.booked_at];
        columns[0].record_micros(micros(intended, row.booked_at));
        for (step, column) in steps.windows(2).zip(&mut columns[1..]) {
            column.record_micros(micros(step[0], step[1]));
        }
    }
    let [all, accept, dispatch, exchange, book] = columns.each_ref().map(Latencies::percentiles);
    let stages = Stages {
        accept,
        dispatch,
        exchange,
        book,
    };
    Ok(Some(Bookings {
        orders: columns[0].count(),
        from_intended_start: all,
        stages,
    }))
}

fn micros(from: Timestamp, to: Timestamp) -> u64 {
    (to - from)
        .num_microseconds()
        .and_then(|micros| u64::try_from(micros).ok())
        .unwrap_or(0)
}

/// One row an order that is filled and booked.
async fn rows(pool: &PgPool) -> Result<Vec<Row>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        r#"with booked as (
               select f.order_id, max(pg_xact_commit_timestamp(f.xmin)) as booked_at
                 from fills f
                group by f.order_id),
           reported as (
               select b.order_id, max(pg_xact_commit_timestamp(b.xmin)) as reported_at
                 from outbox b
                where b.topic = 'venue-reports'
                  and b.payload like '%"fact":"filled"%'
                group by b.order_id)
           select substr(c.client_order_id, 5)::bigint as "number!",
                  pg_xact_commit_timestamp(c.xmin) as "accepted_at!",
                  v.first_sent_at as "sent_at!", r.reported_at as "reported_at!", b.booked_at as "booked_at!"
             from order_client_ids c
             join orders o using (order_id)
             join venue_submissions v using (order_id)
             join reported r using (order_id)
             join booked b using (order_id)
            where c.client_order_id like 'run-%'
              and o.status = 'filled'
              and v.first_sent_at is not null"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// How far the rest was behind.
#[derive(Debug, Clone, Serialize)]
pub struct Backlog {
    /// Orders on their way when the measuring began.
    pub at_start: u64,
    /// And when the last one was sent.
    pub at_end: u64,
    /// The most of them at any second.
    pub most: u64,
    /// From then until nothing was left.
    pub drain_seconds: Fixed,
    /// Whether nothing is left.
    pub drained: bool,
}

/// Orders that are on their way: not filled yet, or not known to rest at the exchange yet.
///
/// # Errors
/// What the database says.
pub async fn on_their_way(pool: &PgPool, scenario: &Scenario) -> Result<u64, DbError> {
    let count = match scenario {
        Scenario::Fill { .. } => {
            sqlx::query_scalar!(r#"select count(*) as "count!" from open_orders"#)
                .fetch_one(pool)
                .await?
        }
        Scenario::Place { .. }
        | Scenario::Open { .. }
        | Scenario::Streams { .. }
        | Scenario::Expire { .. }
        | Scenario::Relay { .. }
        | Scenario::Churn { .. } => {
            sqlx::query_scalar!(r#"select count(*) as "count!" from orders where acknowledged_at is null"#)
                .fetch_one(pool)
                .await?
        }
    };
    Ok(count.unsigned_abs())
}

/// Waits until nothing is on its way; how long that took, and whether it came to that.
///
/// # Errors
/// What the database says.
pub async fn drain(pool: &PgPool, scenario: &Scenario, most: Duration) -> Result<(Duration, bool), DbError> {
    let begun = Instant::now();
    loop {
        let left = on_their_way(pool, scenario).await?;
        let waited = begun.elapsed();
        if left == 0 || waited > most {
            return Ok((waited, left == 0));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until every consumer has read everything; whether it came to that.
///
/// # Errors
/// What the database says.
pub async fn read_by_all(pool: &PgPool, most: Duration) -> Result<bool, DbError> {
    let begun = Instant::now();
    loop {
        let unread = sqlx::query_scalar!(
            r#"select exists (
                   select from bus_positions p
                    cross join lateral (
                          select from outbox o
                           where o.topic = p.topic
                             and o.partition = p.partition
                             and (o.xid, o.id) > (p.xid, p.id)
                           limit 1) o) as "unread!""#
        );
        let unread = unread.fetch_one(pool).await?;
        if !unread || begun.elapsed() > most {
            return Ok(!unread);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Watches the backlog once a second until it is told to stop; the most it saw.
pub async fn watch(pool: PgPool, scenario: Scenario, mut stop: tokio::sync::oneshot::Receiver<()>) -> u64 {
    let mut most = 0;
    while let Err(tokio::sync::oneshot::error::TryRecvError::Empty) = stop.try_recv() {
        most = on_their_way(&pool, &scenario).await.unwrap_or(0).max(most);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    most
}
