//! Executions, each known by its venue and the venue's id for it (ORD-6).

use crate::write::{texts, uuids};
use db::{DbError, PgConnection};
use domain::{AccountId, ExecId, Money, OrderId, OrderStatus, Price, Qty, Side, Symbol, Timestamp};
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What identifies an execution.
pub type VenueExec = (String, ExecId);

/// An execution about to be stored. One that was busted before its fill arrived is stored busted at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFill {
    /// Where it happened.
    pub venue: String,
    /// Its name there.
    pub exec_id: ExecId,
    /// Our id, for activity lists.
    pub fill_id: Uuid,
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub account_id: AccountId,
    /// Ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
    /// Dollars booked for it.
    pub cash: Money,
    /// Shares of the order filled after it.
    pub cum_qty: Qty,
    /// Shares of the order still working after it.
    pub leaves_qty: Qty,
    /// The order's status after it.
    pub order_status: OrderStatus,
    /// When it happened at the venue.
    pub venue_at: Timestamp,
    /// When we heard of it.
    pub received_at: Timestamp,
    /// When the venue took it back.
    pub busted_at: Option<Timestamp>,
}

/// What is stored of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFill {
    /// Which order.
    pub order_id: OrderId,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
    /// Whether the venue took it back.
    pub busted: bool,
    /// How often it was corrected.
    pub corrections: i32,
    /// When it was last.
    pub corrected_at: Option<Timestamp>,
}

/// A stored execution that was for another quantity or price. What it was told to be stands in the order's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectedFill {
    /// Which.
    pub key: VenueExec,
    /// Shares, as they really were.
    pub qty: Decimal,
    /// Dollars a share, as they really were.
    pub price: Decimal,
    /// Dollars booked for it on top of what was; below zero where it was less.
    pub added: Money,
    /// When the venue corrected it.
    pub at: Timestamp,
}

/// Stores the executions that are new and tells which those were.
///
/// # Errors
/// What the database says.
pub async fn insert_fills(conn: &mut PgConnection, fills: &[NewFill]) -> Result<HashSet<VenueExec>, DbError> {
    if fills.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query!(
        "insert into fills (venue, exec_id, fill_id, order_id, account_id, symbol, side, qty, price, cash, cum_qty,
                            leaves_qty, order_status, venue_at, received_at, busted_at)
         select *
           from unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::numeric[],
                       $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::text[], $14::timestamptz[],
                       $15::timestamptz[], $16::timestamptz[])
         on conflict (venue, exec_id) do nothing
         returning venue, exec_id",
        &texts(fills, |f| f.venue.as_str()),
        &texts(fills, |f| f.exec_id.as_str()),
        &uuids(fills, |f| f.fill_id),
        &uuids(fills, |f| f.order_id.get()),
        &uuids(fills, |f| f.account_id.get()),
        &texts(fills, |f| f.symbol.as_str()),
        &texts(fills, |f| f.side.as_str()),
        &amounts(fills, |f| f.qty.get()),
        &amounts(fills, |f| f.price.get()),
        &amounts(fills, |f| f.cash.get()),
        &amounts(fills, |f| f.cum_qty.get()),
        &amounts(fills, |f| f.leaves_qty.get()),
        &texts(fills, |f| f.order_status.as_str()),
        &fills.iter().map(|f| f.venue_at).collect::<Vec<_>>(),
        &fills.iter().map(|f| f.received_at).collect::<Vec<_>>(),
        &fills.iter().map(|f| f.busted_at).collect::<Vec<_>>() as &[Option<Timestamp>],
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| exec(&row.exec_id).map(|id| (row.venue, id)))
        .collect()
}

/// What is stored of the given executions; unknown ones are not in the answer.
///
/// # Errors
/// What the database says.
pub async fn known_fills(
    conn: &mut PgConnection,
    asked: &[VenueExec],
) -> Result<HashMap<VenueExec, KnownFill>, DbError> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select f.venue, f.exec_id, f.order_id, f.qty, f.price, f.busted_at is not null as "busted!", f.corrections,
                  f.corrected_at
             from (select distinct * from unnest($1::text[], $2::text[])) as asked (venue, exec_id)
             join fills f using (venue, exec_id)"#,
        &texts(asked, |(venue, _)| venue.as_str()),
        &texts(asked, |(_, id)| id.as_str()),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let known = KnownFill {
                order_id: OrderId::new(row.order_id),
                qty: row.qty,
                price: row.price,
                busted: row.busted,
                corrections: row.corrections,
                corrected_at: row.corrected_at,
            };
            Ok(((row.venue, exec(&row.exec_id)?), known))
        })
        .collect()
}

/// Marks executions as taken back by their venue.
///
/// # Errors
/// What the database says.
pub async fn mark_busted(conn: &mut PgConnection, busted: &[(VenueExec, Timestamp)]) -> Result<(), DbError> {
    if busted.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update fills f
            set busted_at = coalesce(f.busted_at, b.at)
           from unnest($1::text[], $2::text[], $3::timestamptz[]) as b (venue, exec_id, at)
          where f.venue = b.venue
            and f.exec_id = b.exec_id",
        &texts(busted, |((venue, _), _)| venue.as_str()),
        &texts(busted, |((_, id), _)| id.as_str()),
        &busted.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores executions as they really were.
///
/// # Errors
/// What the database says.
pub async fn correct_fills(conn: &mut PgConnection, corrected: &[CorrectedFill]) -> Result<(), DbError> {
    // One row of each, with the last one's terms: an update from two rows for one takes either.
    let mut last: HashMap<&VenueExec, (i32, Decimal, &CorrectedFill)> = HashMap::new();
    for fill in corrected {
        let (times, added, _) = last.get(&fill.key).copied().unwrap_or((0, Decimal::ZERO, fill));
        last.insert(&fill.key, (times + 1, added + fill.added.get(), fill));
    }
    if last.is_empty() {
        return Ok(());
    }
    let last: Vec<(i32, Decimal, &CorrectedFill)> = last.into_values().collect();
    sqlx::query!(
        "update fills f
            set qty = c.qty,
                price = c.price,
                cash = f.cash + c.added,
                corrections = f.corrections + c.times,
                corrected_at = c.at
           from unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::int4[], $7::timestamptz[])
             as c (venue, exec_id, qty, price, added, times, at)
          where f.venue = c.venue
            and f.exec_id = c.exec_id",
        &last.iter().map(|(_, _, c)| c.key.0.clone()).collect::<Vec<_>>(),
        &last.iter().map(|(_, _, c)| c.key.1.as_str().to_owned()).collect::<Vec<_>>(),
        &last.iter().map(|(_, _, c)| c.qty).collect::<Vec<_>>(),
        &last.iter().map(|(_, _, c)| c.price).collect::<Vec<_>>(),
        &last.iter().map(|(_, added, _)| *added).collect::<Vec<_>>(),
        &last.iter().map(|(times, ..)| *times).collect::<Vec<_>>(),
        &last.iter().map(|(_, _, c)| c.at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn exec(text: &str) -> Result<ExecId, DbError> {
    ExecId::new(text).map_err(|_| DbError::Inconsistent {
        table: "fills",
        what: format!("execution {text:?}"),
    })
}

fn amounts(fills: &[NewFill], pick: impl Fn(&NewFill) -> Decimal) -> Vec<Decimal> {
    fills.iter().map(pick).collect()
}
