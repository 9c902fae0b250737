//! One batch of the engine, set-based: the same few statements for one order and for hundreds.

use std::collections::HashSet;

use db::{DbError, PgConnection};
use domain::Timestamp;

use super::rows::{EventRow, ExecutionRow, OrderRow};
use super::state::WalkRow;
use crate::settings::{Closure, Halt, Setting};

/// Inserts new orders; the names of some are forgotten at once.
pub async fn insert_orders(
    db: &mut PgConnection,
    orders: &[&OrderRow],
    forgotten: &HashSet<i64>,
) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into sim_orders (order_no, client_order_id, symbol, side, time_in_force, limit_ticks, qty, filled_qty,
                                 filled_amount, busted_qty, status, submitted_at, updated_at, ended_at, expires_at,
                                 carried_qty, replaces, replaced_by, key_forgotten)
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                              $8::bigint[], $9::numeric[], $10::bigint[], $11::text[], $12::timestamptz[],
                              $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::bigint[],
                              $17::bigint[], $18::bigint[], $19::boolean[])",
        &each(orders, |o| o.no),
        &each(orders, |o| o.client_order_id.to_string()),
        &each(orders, |o| o.symbol.to_string()),
        &each(orders, |o| o.side.as_str().to_owned()),
        &each(orders, |o| o.time_in_force.as_str().to_owned()),
        &each(orders, |o| o.limit.0),
        &each(orders, |o| o.qty.0),
        &each(orders, |o| o.filled_qty.0),
        &each(orders, |o| o.filled_amount),
        &each(orders, |o| o.busted_qty.0),
        &each(orders, |o| o.status.as_str().to_owned()),
        &each(orders, |o| o.submitted_at),
        &each(orders, |o| o.updated_at),
        &each(orders, |o| o.ended_at) as &[Option<Timestamp>],
        &each(orders, |o| o.expires_at) as &[Option<Timestamp>],
        &each(orders, |o| o.carried_qty.0),
        &each(orders, |o| o.replaces) as &[Option<i64>],
        &each(orders, |o| o.replaced_by) as &[Option<i64>],
        &each(orders, |o| forgotten.contains(&o.no)),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores how orders of earlier batches stand now.
pub async fn update_orders(db: &mut PgConnection, orders: &[&OrderRow]) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update sim_orders o
            set filled_qty = n.filled_qty,
                filled_amount = n.filled_amount,
                busted_qty = n.busted_qty,
                status = n.status,
                updated_at = n.updated_at,
                ended_at = n.ended_at,
                carried_qty = n.carried_qty,
                replaced_by = n.replaced_by
           from unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::bigint[], $5::text[], $6::timestamptz[],
                       $7::timestamptz[], $8::bigint[], $9::bigint[])
                as n (order_no, filled_qty, filled_amount, busted_qty, status, updated_at, ended_at, carried_qty,
                      replaced_by)
          where o.order_no = n.order_no",
        &each(orders, |o| o.no),
        &each(orders, |o| o.filled_qty.0),
        &each(orders, |o| o.filled_amount),
        &each(orders, |o| o.busted_qty.0),
        &each(orders, |o| o.status.as_str().to_owned()),
        &each(orders, |o| o.updated_at),
        &each(orders, |o| o.ended_at) as &[Option<Timestamp>],
        &each(orders, |o| o.carried_qty.0),
        &each(orders, |o| o.replaced_by) as &[Option<i64>],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes orders as open, each with its priority, and others as open no more.
pub async fn open_and_close(db: &mut PgConnection, opened: &[(i64, i64)], closed: &[i64]) -> Result<(), DbError> {
    // First those that are over: a replacement may have the priority of the order whose place it took.
    if !closed.is_empty() {
        sqlx::query!("delete from sim_open_orders where order_no = any($1)", closed)
            .execute(&mut *db)
            .await?;
    }
    if !opened.is_empty() {
        sqlx::query!(
            "insert into sim_open_orders (order_no, priority) select * from unnest($1::bigint[], $2::bigint[])",
            &each(opened, |o| o.0),
            &each(opened, |o| o.1)
        )
        .execute(db)
        .await?;
    }
    Ok(())
}

/// Gives open orders of earlier batches the priority of those whose place they took.
pub async fn reprioritize(db: &mut PgConnection, orders: &[(i64, i64)]) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update sim_open_orders o
            set priority = n.priority
           from unnest($1::bigint[], $2::bigint[]) as n (order_no, priority)
          where o.order_no = n.order_no",
        &each(orders, |o| o.0),
        &each(orders, |o| o.1)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Inserts executions; those of one batch may be busted already.
pub async fn insert_executions(db: &mut PgConnection, executions: &[ExecutionRow]) -> Result<(), DbError> {
    if executions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into sim_executions (execution_no, order_no, price_ticks, qty, cum_qty, leaves_qty, executed_at, busted_at)
         select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                              $7::timestamptz[], $8::timestamptz[])",
        &each(executions, |e| e.no),
        &each(executions, |e| e.order_no),
        &each(executions, |e| e.price.0),
        &each(executions, |e| e.qty.0),
        &each(executions, |e| e.cum_qty.0),
        &each(executions, |e| e.leaves_qty.0),
        &each(executions, |e| e.at),
        &each(executions, |e| e.busted_at) as &[Option<Timestamp>],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Marks executions of earlier batches as taken back.
pub async fn bust(db: &mut PgConnection, executions: &[(i64, Timestamp)]) -> Result<(), DbError> {
    if executions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update sim_executions e
            set busted_at = n.busted_at
           from unnest($1::bigint[], $2::timestamptz[]) as n (execution_no, busted_at)
          where e.execution_no = n.execution_no",
        &each(executions, |e| e.0),
        &each(executions, |e| e.1),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Appends to the report stream.
pub async fn insert_events(db: &mut PgConnection, events: &[EventRow]) -> Result<(), DbError> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into sim_events (event_no, order_no, event, status, filled_qty, filled_amount, execution_no, price_ticks,
                                 qty, reason, happened_at, executed_at)
         select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::numeric[],
                              $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::timestamptz[],
                              $12::timestamptz[])",
        &each(events, |e| e.no),
        &each(events, |e| e.order_no),
        &each(events, |e| e.event.to_string()),
        &each(events, |e| e.status.as_str().to_owned()),
        &each(events, |e| e.filled_qty.0),
        &each(events, |e| e.filled_amount),
        &each(events, |e| e.execution.map(|x| x.no)) as &[Option<i64>],
        &each(events, |e| e.execution.map(|x| x.price.0)) as &[Option<i64>],
        &each(events, |e| e.execution.map(|x| x.qty.0)) as &[Option<i64>],
        &each(events, |e| e.reason.as_deref().map(str::to_owned)) as &[Option<String>],
        &each(events, |e| e.at),
        &each(events, |e| e.execution.and_then(|x| x.executed_at)) as &[Option<Timestamp>],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves where the walks stand.
pub async fn save_walks(db: &mut PgConnection, walks: &[WalkRow]) -> Result<(), DbError> {
    sqlx::query!(
        "insert into sim_walks (symbol, mid_ticks, generator)
         select * from unnest($1::text[], $2::bigint[], $3::bigint[])
             on conflict (symbol) do update set mid_ticks = excluded.mid_ticks, generator = excluded.generator",
        &each(walks, |w| w.symbol.clone()),
        &each(walks, |w| w.mid_ticks),
        &each(walks, |w| w.generator),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps what was set by hand.
pub async fn set(db: &mut PgConnection, setting: &Setting) -> Result<(), DbError> {
    match setting {
        Setting::ClockOffset(offset_ms) => {
            sqlx::query!("update sim_settings set clock_offset_ms = $1", offset_ms)
                .execute(db)
                .await?;
        }
        Setting::Outage(on) => {
            sqlx::query!("update sim_settings set outage = $1", on)
                .execute(db)
                .await?;
        }
        Setting::Closure(closure) => return close_day(db, closure).await,
        Setting::NoClosure(day) => {
            sqlx::query!("delete from sim_closures where day = $1", day)
                .execute(db)
                .await?;
        }
        Setting::Halt(halt) => return self::halt(db, halt).await,
        Setting::NoHalt(symbol) => {
            let symbol = symbol.as_deref();
            sqlx::query!("delete from sim_halts where $1::text is null or symbol = $1", symbol)
                .execute(db)
                .await?;
        }
    };
    Ok(())
}

async fn close_day(db: &mut PgConnection, closure: &Closure) -> Result<(), DbError> {
    sqlx::query!(
        "insert into sim_closures (day, closes_at)
         values ($1, $2)
             on conflict (day) do update set closes_at = excluded.closes_at",
        closure.day,
        closure.closes_at
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn halt(db: &mut PgConnection, halt: &Halt) -> Result<(), DbError> {
    sqlx::query!(
        "insert into sim_halts (symbol, ends_at)
         values ($1, $2)
             on conflict (symbol) do update set ends_at = excluded.ends_at",
        halt.symbol.as_deref().unwrap_or_default(),
        halt.ends_at
    )
    .execute(db)
    .await?;
    Ok(())
}

fn each<R, T>(rows: &[R], column: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}
