//! Orders, executions and events by key, number or filter.

use std::collections::HashSet;

use chrono::TimeDelta;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};

use super::rows::{EventExecution, EventRow, ExecutionRow, OrderRecord, OrderRow, word};
use crate::core::{Shares, Ticks};

/// Which orders `GET /v2/orders` wants.
#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    /// Only open ones, only ended ones, or both.
    pub open: Option<bool>,
    /// Submitted later than this.
    pub after: Option<Timestamp>,
    /// Submitted earlier than this.
    pub until: Option<Timestamp>,
    /// Only these tickers; all when empty.
    pub symbols: Vec<String>,
    /// Only this side.
    pub side: Option<String>,
    /// Oldest first.
    pub ascending: bool,
    /// At most this many.
    pub limit: i64,
}

/// Which executions `GET /v2/account/activities` wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExecutionFilter {
    /// The page starts right after this number, in the direction of the page.
    pub cursor: Option<i64>,
    /// Later than this.
    pub after: Option<Timestamp>,
    /// Earlier than this.
    pub until: Option<Timestamp>,
    /// Oldest first.
    pub ascending: bool,
    /// Whether those that were taken back are wanted too.
    pub busted: bool,
    /// At most this many.
    pub limit: i64,
}

/// Those of the client order ids that are used already.
pub async fn taken(db: &mut PgConnection, client_order_ids: &[String]) -> Result<HashSet<String>, DbError> {
    let found = sqlx::query_scalar!(
        "select client_order_id from sim_orders where client_order_id = any($1) and not key_forgotten",
        client_order_ids
    )
    .fetch_all(db)
    .await?;
    Ok(found.into_iter().collect())
}

/// Orders by number.
pub async fn by_numbers(db: &mut PgConnection, numbers: &[i64]) -> Result<Vec<OrderRow>, DbError> {
    let records = sqlx::query_as!(
        OrderRecord,
        "select order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty, filled_amount,
                busted_qty, status, submitted_at, updated_at, ended_at, expires_at, carried_qty, replaces, replaced_by
           from sim_orders
          where order_no = any($1)
          order by order_no",
        numbers
    )
    .fetch_all(db)
    .await?;
    records.into_iter().map(OrderRow::try_from).collect()
}

/// Orders by the names their callers gave them, oldest first.
pub async fn by_client_ids(pool: &PgPool, client_order_ids: &[String]) -> Result<Vec<OrderRow>, DbError> {
    let records = sqlx::query_as!(
        OrderRecord,
        "select order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty, filled_amount,
                busted_qty, status, submitted_at, updated_at, ended_at, expires_at, carried_qty, replaces, replaced_by
           from sim_orders
          where client_order_id = any($1)
            and not key_forgotten
          order by order_no",
        client_order_ids
    )
    .fetch_all(pool)
    .await?;
    records.into_iter().map(OrderRow::try_from).collect()
}

/// Orders by filter.
pub async fn orders(pool: &PgPool, filter: &OrderFilter) -> Result<Vec<OrderRow>, DbError> {
    let mut sql = QueryBuilder::<Postgres>::new(
        "select order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty, filled_amount,
                busted_qty, status, submitted_at, updated_at, ended_at, expires_at, carried_qty, replaces, replaced_by
           from sim_orders ",
    );
    sql.push(match filter.open {
        Some(true) => "join sim_open_orders using (order_no) where true",
        Some(false) => "where status in ('filled', 'canceled', 'expired', 'rejected', 'replaced')",
        None => "where true",
    });
    // Times grow with the numbers by which the list is sorted: a page begins by its number, found in one step, and is
    // not looked for among all orders before it. Both tables are told, since a join passes on no inequality.
    let after = numbered(pool, filter.after.map(|at| at + TimeDelta::microseconds(1))).await?;
    let until = numbered(pool, filter.until).await?;
    bound(&mut sql, " and sim_orders.order_no > ", after);
    bound(&mut sql, " and sim_orders.order_no <= ", until);
    if filter.open == Some(true) {
        bound(&mut sql, " and sim_open_orders.order_no > ", after);
        bound(&mut sql, " and sim_open_orders.order_no <= ", until);
    }
    if !filter.symbols.is_empty() {
        sql.push(" and symbol = any(")
            .push_bind(filter.symbols.clone())
            .push(")");
    }
    bound(&mut sql, " and side = ", filter.side.clone());
    sql.push(if filter.ascending {
        " order by order_no limit "
    } else {
        " order by order_no desc limit "
    });
    sql.push_bind(filter.limit);
    let records: Vec<OrderRecord> = sql.build_query_as().fetch_all(pool).await?;
    records.into_iter().map(OrderRow::try_from).collect()
}

/// The number of the last order before a time; 0 when there is none.
async fn numbered(pool: &PgPool, before: Option<Timestamp>) -> Result<Option<i64>, DbError> {
    let Some(before) = before else { return Ok(None) };
    let last = sqlx::query_scalar!(
        "select order_no
           from sim_orders
          where submitted_at < $1
          order by submitted_at desc
          limit 1",
        before
    )
    .fetch_optional(pool)
    .await?;
    Ok(Some(last.unwrap_or(0)))
}

/// Orders after a number, for the whole truth page by page.
pub async fn orders_after(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<OrderRow>, DbError> {
    let records = sqlx::query_as!(
        OrderRecord,
        "select order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty, filled_amount,
                busted_qty, status, submitted_at, updated_at, ended_at, expires_at, carried_qty, replaces, replaced_by
           from sim_orders
          where order_no > $1
          order by order_no
          limit $2",
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    records.into_iter().map(OrderRow::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct ExecutionRecord {
    execution_no: i64,
    price_ticks: i64,
    execution_qty: i64,
    cum_qty: i64,
    leaves_qty: i64,
    executed_at: Timestamp,
    busted_at: Option<Timestamp>,
    #[sqlx(flatten)]
    order: OrderRecord,
}

/// Executions with their orders, by filter.
pub async fn executions(pool: &PgPool, filter: &ExecutionFilter) -> Result<Vec<(ExecutionRow, OrderRow)>, DbError> {
    // The page is cut before the orders are joined: the other way round, the planner may read all orders for a page.
    let mut sql = QueryBuilder::<Postgres>::new(
        "with e as materialized (
            select execution_no, order_no, price_ticks, qty, cum_qty, leaves_qty, executed_at, busted_at
              from sim_executions
             where true",
    );
    let past_cursor = if filter.ascending {
        " and execution_no > "
    } else {
        " and execution_no < "
    };
    bound(&mut sql, past_cursor, filter.cursor);
    bound(&mut sql, " and executed_at > ", filter.after);
    bound(&mut sql, " and executed_at < ", filter.until);
    if !filter.busted {
        sql.push(" and busted_at is null");
    }
    let order = if filter.ascending {
        " order by execution_no"
    } else {
        " order by execution_no desc"
    };
    sql.push(order).push(" limit ").push_bind(filter.limit);
    sql.push(
        ")
         select e.execution_no, e.price_ticks, e.qty as execution_qty, e.cum_qty, e.leaves_qty, e.executed_at,
                e.busted_at, o.order_no, o.client_order_id, o.symbol, o.side, o.time_in_force, o.limit_ticks, o.qty,
                o.filled_qty, o.filled_amount, o.busted_qty, o.status, o.submitted_at, o.updated_at, o.ended_at,
                o.expires_at, o.carried_qty, o.replaces, o.replaced_by
           from e
           join sim_orders o using (order_no)",
    );
    sql.push(order);
    let records: Vec<ExecutionRecord> = sql.build_query_as().fetch_all(pool).await?;
    records.into_iter().map(both).collect()
}

/// One execution, whether taken back or not.
pub async fn execution(db: &mut PgConnection, no: i64) -> Result<Option<ExecutionRow>, DbError> {
    let row = sqlx::query!(
        "select execution_no, order_no, price_ticks, qty, cum_qty, leaves_qty, executed_at, busted_at
           from sim_executions
          where execution_no = $1",
        no
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|r| ExecutionRow {
        no: r.execution_no,
        order_no: r.order_no,
        price: Ticks(r.price_ticks),
        qty: Shares(r.qty),
        cum_qty: Shares(r.cum_qty),
        leaves_qty: Shares(r.leaves_qty),
        at: r.executed_at,
        busted_at: r.busted_at,
    }))
}

#[derive(sqlx::FromRow)]
struct EventRecord {
    event_no: i64,
    event: String,
    event_status: String,
    event_filled_qty: i64,
    event_filled_amount: Decimal,
    execution_no: Option<i64>,
    price_ticks: Option<i64>,
    event_qty: Option<i64>,
    reason: Option<String>,
    happened_at: Timestamp,
    executed_at: Option<Timestamp>,
    #[sqlx(flatten)]
    order: OrderRecord,
}

/// Events after a number, with their orders as they are now.
pub async fn events_after(pool: &PgPool, after: i64, limit: i64) -> Result<Vec<(EventRow, OrderRow)>, DbError> {
    let records: Vec<EventRecord> = sqlx::query_as(
        "select v.event_no, v.event, v.status as event_status, v.filled_qty as event_filled_qty,
                v.filled_amount as event_filled_amount, v.execution_no, v.price_ticks, v.qty as event_qty, v.reason,
                v.happened_at, v.executed_at, o.order_no, o.client_order_id, o.symbol, o.side, o.time_in_force,
                o.limit_ticks, o.qty, o.filled_qty, o.filled_amount, o.busted_qty, o.status, o.submitted_at, o.updated_at, o.ended_at,
                o.expires_at, o.carried_qty, o.replaces, o.replaced_by
           from sim_events v
           join sim_orders o using (order_no)
          where v.event_no > $1
          order by v.event_no
          limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    records.into_iter().map(event).collect()
}

fn both(r: ExecutionRecord) -> Result<(ExecutionRow, OrderRow), DbError> {
    let order = OrderRow::try_from(r.order)?;
    let execution = ExecutionRow {
        no: r.execution_no,
        order_no: order.no,
        price: Ticks(r.price_ticks),
        qty: Shares(r.execution_qty),
        cum_qty: Shares(r.cum_qty),
        leaves_qty: Shares(r.leaves_qty),
        at: r.executed_at,
        busted_at: r.busted_at,
    };
    Ok((execution, order))
}

fn event(r: EventRecord) -> Result<(EventRow, OrderRow), DbError> {
    let order = OrderRow::try_from(r.order)?;
    let execution = match (r.execution_no, r.price_ticks, r.event_qty) {
        (Some(no), Some(price), Some(qty)) => Some(EventExecution {
            no,
            price: Ticks(price),
            qty: Shares(qty),
            executed_at: r.executed_at,
        }),
        _ => None,
    };
    let event = EventRow {
        no: r.event_no,
        order_no: order.no,
        event: word("sim_events", &r.event)?,
        status: word("sim_events", &r.event_status)?,
        filled_qty: Shares(r.event_filled_qty),
        filled_amount: r.event_filled_amount,
        execution,
        reason: r.reason.map(Into::into),
        at: r.happened_at,
    };
    Ok((event, order))
}

fn bound<'q, T>(sql: &mut QueryBuilder<Postgres>, clause: &str, value: Option<T>)
where
    T: sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres> + 'q,
{
    if let Some(value) = value {
        sql.push(clause).push_bind(value);
    }
}
