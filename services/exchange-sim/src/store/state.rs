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

/// Open orders after a number, in the order of their numbers: that is their priority.
pub async fn open_orders(db: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<OrderRow>, DbError> {
    let records = sqlx::query_as!(
        OrderRecord,
        "select order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty, filled_ticks,
                busted_qty, status, submitted_at, updated_at, ended_at, expires_at
           from sim_open_orders
           join sim_orders using (order_no)
          where order_no > $1
            and sim_orders.order_no > $1
          order by order_no
          limit $2",
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    records.into_iter().map(OrderRow::try_from).collect()
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
