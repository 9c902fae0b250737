//! What a start needs: the salt, the last numbers, the open orders, the walks, what was set.

use db::{DbError, PgConnection};
use domain::Timestamp;

use super::rows::{OrderRecord, OrderRow};
use crate::settings::{Closure, Halt, StoredSettings};

/// Any number, the same in all versions: whoever holds this lock is the exchange.
const ENGINE_LOCK: i64 = 0x6578_6368_616e_6765;

/// The last numbers given out, and the latest time stored.
#[derive(Debug, Clone, Copy)]
pub struct Last {
    /// Of an order.
    pub order: i64,
    /// Of an execution.
    pub execution: i64,
    /// Of an event.
    pub event: i64,
    /// No later row may be earlier than this.
    pub at: Option<Timestamp>,
}

/// A saved walk.
#[derive(Debug, Clone)]
pub struct WalkRow {
    /// The ticker.
    pub symbol: String,
    /// The mid price.
    pub mid_ticks: i64,
    /// The generator's state.
    pub generator: i64,
}

/// Takes the lock of the one engine for this connection's life; false when another has it.
pub async fn lock_engine(db: &mut PgConnection) -> Result<bool, DbError> {
    let got = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "got!""#, ENGINE_LOCK)
        .fetch_one(db)
        .await?;
    Ok(got)
}

/// The salt of this database, drawn at its first start.
pub async fn salt(db: &mut PgConnection, drawn: i64, now: Timestamp) -> Result<i64, DbError> {
    sqlx::query!(
        "insert into sim_state (salt, created_at) values ($1, $2) on conflict do nothing",
        drawn,
        now
    )
    .execute(&mut *db)
    .await?;
    Ok(sqlx::query_scalar!("select salt from sim_state").fetch_one(db).await?)
}

/// The last numbers given out.
pub async fn last(db: &mut PgConnection) -> Result<Last, DbError> {
    let row = sqlx::query!(
        r#"select coalesce((select max(order_no) from sim_orders), 0) as "order!",
                  coalesce((select max(execution_no) from sim_executions), 0) as "execution!",
                  coalesce((select max(event_no) from sim_events), 0) as "event!",
                  (select happened_at from sim_events order by event_no desc limit 1) as at"#
    )
    .fetch_one(db)
    .await?;
    Ok(Last {
        order: row.order,
        execution: row.execution,
        event: row.event,
        at: row.at,
    })
}

/// An open order and its place in the queue.
#[derive(Debug, sqlx::FromRow)]
pub struct OpenRecord {
    /// Lower comes first.
    pub priority: i64,
    #[sqlx(flatten)]
    order: OrderRecord,
}

impl OpenRecord {
    /// The order.
    ///
    /// # Errors
    /// A word that is none.
    pub fn order(self) -> Result<OrderRow, DbError> {
        self.order.try_into()
    }
}

/// Open orders after a priority, in the order of their priority.
pub async fn open_orders(db: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<OpenRecord>, DbError> {
    let records = sqlx::query_as(
        "select w.priority, o.order_no, o.client_order_id, o.symbol, o.side, o.time_in_force, o.limit_ticks, o.qty,
                o.filled_qty, o.filled_amount, o.busted_qty, o.status, o.submitted_at, o.updated_at, o.ended_at,
                o.expires_at, o.carried_qty, o.replaces, o.replaced_by
           from (select order_no, priority
                   from sim_open_orders
                  where priority > $1
                  order by priority
                  limit $2) w
           join sim_orders o using (order_no)
          order by w.priority",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(records)
}

/// What was set by hand.
pub async fn settings(db: &mut PgConnection) -> Result<StoredSettings, DbError> {
    let row = sqlx::query!("select clock_offset_ms, outage from sim_settings")
        .fetch_one(&mut *db)
        .await?;
    let closures = sqlx::query_as!(Closure, "select day, closes_at from sim_closures order by day")
        .fetch_all(&mut *db)
        .await?;
    let halts = sqlx::query_as!(
        Halt,
        r#"select nullif(symbol, '') as "symbol", ends_at from sim_halts order by symbol"#
    )
    .fetch_all(db)
    .await?;
    Ok(StoredSettings {
        clock_offset_ms: row.clock_offset_ms,
        outage: row.outage,
        closures,
        halts,
    })
}

/// The saved walks.
pub async fn walks(db: &mut PgConnection) -> Result<Vec<WalkRow>, DbError> {
    Ok(
        sqlx::query_as!(WalkRow, "select symbol, mid_ticks, generator from sim_walks")
            .fetch_all(db)
            .await?,
    )
}
