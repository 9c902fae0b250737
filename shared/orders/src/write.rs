//! Making orders and moving them on.

use crate::stored::{OrderRow, StoredOrder};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderStatus, OrderType, Price, Qty, RequestId, Side, Symbol,
    TimeInForce, Timestamp, VenueOrderId,
};
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// An order that passed every check and is about to be stored with its hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Our id, also its key at the venue.
    pub order_id: OrderId,
    /// Whose.
    pub account_id: AccountId,
    /// The customer's own name for it.
    pub client_order_id: ClientOrderId,
    /// The instrument.
    pub asset_id: AssetId,
    /// Its ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// What was written about the price.
    pub order_type: OrderType,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share, the worst it may trade at.
    pub limit_price: Price,
    /// Dollars asked for, of an order that was written in dollars (QTY-3).
    pub notional: Option<Money>,
    /// The session a day order belongs to.
    pub session_date: NaiveDate,
    /// When it goes to the exchange at the earliest; none: in its session.
    pub submit_at: Option<Timestamp>,
    /// When its life ends by itself.
    pub expires_at: Timestamp,
    /// Whether that was asked for (TIF-5).
    pub explicit_expiry: bool,
    /// The request that places it.
    pub request_id: RequestId,
    /// When it is accepted; unique and growing per account.
    pub submitted_at: Timestamp,
    /// The order whose place it is to take; none for most orders.
    pub replaces: Option<Replaces>,
}

/// Whose place a new order is to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaces {
    /// That order.
    pub order: OrderId,
    /// The first order of its chain.
    pub root: OrderId,
}

impl NewOrder {
    /// A replacement says nothing of itself until the order that it replaces has given way (ORD-8).
    fn status(&self) -> OrderStatus {
        match self.replaces {
            Some(_) => OrderStatus::PendingNew,
            None => OrderStatus::Accepted,
        }
    }

    /// When it ends apart from its session: `gtc` by age, any order where that was asked for.
    pub fn deadline(&self) -> Option<Timestamp> {
        deadline(self.time_in_force, self.explicit_expiry, self.expires_at)
    }
}

/// Stores the orders whose client order id is free and tells which those were. An id that is taken (only possible
/// when somebody wrote without the account's lock) leaves its order out, with nothing else of it stored.
///
/// # Errors
/// What the database says.
pub async fn insert(conn: &mut PgConnection, orders: &[NewOrder]) -> Result<HashSet<OrderId>, DbError> {
    let claimed = claim_client_ids(conn, orders).await?;
    let fresh: Vec<&NewOrder> = orders.iter().filter(|o| claimed.contains(&o.order_id)).collect();
    insert_rows(conn, &fresh).await?;
    insert_open(conn, &fresh).await?;
    Ok(claimed)
}

async fn claim_client_ids(conn: &mut PgConnection, orders: &[NewOrder]) -> Result<HashSet<OrderId>, DbError> {
    let rows = sqlx::query_scalar!(
        "insert into order_client_ids (account_id, client_order_id, order_id)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[])
         on conflict (account_id, client_order_id) do nothing
         returning order_id",
        &uuids(orders, |o| o.account_id.get()),
        &texts(orders, |o| o.client_order_id.as_str()),
        &uuids(orders, |o| o.order_id.get()),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OrderId::new).collect())
}

async fn insert_rows(conn: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), DbError> {
    sqlx::query!(
        "insert into orders (order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force,
                             qty, limit_price, session_date, request_id, created_at, submitted_at, status, updated_at,
                             submit_at, expires_at, explicit_expiry, notional, replaces, chain_id, trace_context)
         select o.order_id, o.account_id, o.client_order_id, o.asset_id, o.symbol, o.side, o.order_type, o.time_in_force,
                o.qty, o.limit_price, o.session_date, o.request_id, o.at, o.at, o.status, o.at, o.submit_at,
                o.expires_at, o.explicit_expiry, o.notional, o.replaces, o.chain_id, o.trace_context
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                       $8::numeric[], $9::numeric[], $10::date[], $11::text[], $12::text[], $13::timestamptz[],
                       $14::timestamptz[], $15::timestamptz[], $16::boolean[], $17::text[], $18::numeric[],
                       $19::uuid[], $20::uuid[], $21::text[])
             as o (order_id, account_id, client_order_id, asset_id, symbol, side, time_in_force, qty, limit_price,
                   session_date, request_id, status, at, submit_at, expires_at, explicit_expiry, order_type, notional,
                   replaces, chain_id, trace_context)",
        &uuids(orders, |o| o.order_id.get()),
        &uuids(orders, |o| o.account_id.get()),
        &texts(orders, |o| o.client_order_id.as_str()),
        &uuids(orders, |o| o.asset_id.get()),
        &texts(orders, |o| o.symbol.as_str()),
        &texts(orders, |o| o.side.as_str()),
        &texts(orders, |o| o.time_in_force.as_str()),
        &orders.iter().map(|o| o.qty.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.limit_price.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.session_date).collect::<Vec<_>>(),
        &texts(orders, |o| o.request_id.as_str()),
        &texts(orders, |o| o.status().as_str()),
        &orders.iter().map(|o| o.submitted_at).collect::<Vec<_>>(),
        &optional_times(orders, |o| o.submit_at) as &[Option<Timestamp>],
        &orders.iter().map(|o| o.expires_at).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.explicit_expiry).collect::<Vec<_>>(),
        &texts(orders, |o| o.order_type.as_str()),
        &orders.iter().map(|o| o.notional.map(Money::get)).collect::<Vec<_>>() as &[Option<Decimal>],
        &optional_ids(orders, |o| o.replaces.map(|old| old.order)) as &[Option<Uuid>],
        &optional_ids(orders, |o| o.replaces.map(|old| old.root)) as &[Option<Uuid>],
        &orders.iter().map(|o| o.request_id.trace_text()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_open(conn: &mut PgConnection, orders: &[&NewOrder]) -> Result<(), DbError> {
    sqlx::query!(
        "insert into open_orders (account_id, order_id, symbol, side, session_date, time_in_force, expires_at,
                                  limit_price)
         select *
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::text[], $7::timestamptz[],
                       $8::numeric[])",
        &uuids(orders, |o| o.account_id.get()),
        &uuids(orders, |o| o.order_id.get()),
        &texts(orders, |o| o.symbol.as_str()),
        &texts(orders, |o| o.side.as_str()),
        &orders.iter().map(|o| o.session_date).collect::<Vec<_>>(),
        &texts(orders, |o| o.time_in_force.as_str()),
        &optional_times(orders, |o| o.deadline()) as &[Option<Timestamp>],
        &orders.iter().map(|o| o.limit_price.get()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of these client order ids are taken, and by which order. Read under the account's lock.
///
/// # Errors
/// What the database says.
pub async fn taken_client_ids(
    conn: &mut PgConnection,
    pairs: &[(AccountId, ClientOrderId)],
) -> Result<HashMap<(AccountId, ClientOrderId), OrderId>, DbError> {
    let rows = sqlx::query!(
        "select t.account_id, t.client_order_id, t.order_id
           from (select distinct * from unnest($1::uuid[], $2::text[])) as asked (account_id, client_order_id)
           join order_client_ids t using (account_id, client_order_id)",
        &uuids(pairs, |(account, _)| account.get()),
        &texts(pairs, |(_, id)| id.as_str()),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = ClientOrderId::new(&row.client_order_id).map_err(|_| DbError::Inconsistent {
                table: "order_client_ids",
                what: format!("order {}", row.order_id),
            })?;
            Ok(((AccountId::new(row.account_id), id), OrderId::new(row.order_id)))
        })
        .collect()
}

/// Locks the orders in id order, until the transaction ends, and reads them as they are under the lock. Comes
/// before the lock of any account. Unknown ids are not in the answer.
///
/// # Errors
/// What the database says, or a row this program cannot have written.
pub async fn lock(conn: &mut PgConnection, orders: &[OrderId]) -> Result<HashMap<OrderId, StoredOrder>, DbError> {
    let rows = sqlx::query_as!(
        OrderRow,
        r#"select order_id, account_id, client_order_id, asset_id, symbol, side, order_type, time_in_force, qty,
                limit_price, session_date, request_id, created_at, submitted_at, status, filled_qty, busted_qty,
                filled_notional, posted_cash, end_kind, end_filled_qty, end_reason, acknowledged_at, venue_order_id,
                filled_at, canceled_at, expired_at, failed_at, cancel_requested_at, expire_requested_at, updated_at,
                submit_at, explicit_expiry, notional, chain_id, replaces, replacement_id, replace_requested_at,
                replaced_by, replaced_at, overtaken, refused_qty, refused_at, carried_qty, trace_context,
                coalesce(expires_at, usual_expiry(time_in_force, session_date, created_at)) as "expires_at!"
           from orders
          where order_id = any($1)
          order by order_id
            for update"#,
        &uuids(orders, |o| o.get()),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| StoredOrder::try_from(row).map(|order| (order.order_id, order)))
        .collect()
}

/// Locks the orders like [`lock`], and with each the order it replaces and the one asked for in its place: what is held
/// for them is held together (BP-4). `named` are orders with the venue's name for one that took their place: if that is an
/// earlier replacement of theirs, it comes along.
///
/// # Errors
/// What the database says, or a row this program cannot have written.
pub async fn lock_chains(
    conn: &mut PgConnection,
    orders: &[OrderId],
    named: &[(OrderId, VenueOrderId)],
) -> Result<HashMap<OrderId, StoredOrder>, DbError> {
    let rows = sqlx::query_scalar!(
        // Few orders ever replace or are replaced: those have an index of their own, orders_linked.
        r#"select unnest(array[replaces, replacement_id]) as "order_id"
             from orders
            where order_id = any($1)
              and (replaces is not null or replacement_id is not null)
            union
           select o.order_id
             from unnest($2::uuid[], $3::text[]) as n (replaces, venue_order_id)
             join orders o using (replaces, venue_order_id)"#,
        &uuids(orders, |o| o.get()),
        &uuids(named, |(order, _)| order.get()),
        &texts(named, |(_, name)| name.as_str()),
    )
    .fetch_all(&mut *conn)
    .await?;
    let others = rows.into_iter().flatten().map(OrderId::new);
    let linked: BTreeSet<OrderId> = orders.iter().copied().chain(others).collect();
    let mut locked = lock(conn, &Vec::from_iter(linked)).await?;
    // A replace that was asked for between the two statements: its order is the youngest of all, so it comes last.
    let asked_since: BTreeSet<OrderId> = orders
        .iter()
        .filter_map(|id| locked.get(id)?.chain.replacement)
        .filter(|id| !locked.contains_key(id))
        .collect();
    if !asked_since.is_empty() {
        locked.extend(lock(conn, &Vec::from_iter(asked_since)).await?);
    }
    Ok(locked)
}

/// Stores the orders as they now are; those that ended leave `open_orders`, those that a bust opened again come
/// back. The caller locked them.
///
/// # Errors
/// What the database says; [`DbError::Stale`] when an order is not there.
pub async fn advance(conn: &mut PgConnection, orders: &[StoredOrder]) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    update_rows(conn, orders).await?;
    let (open, ended): (Vec<_>, Vec<_>) = orders.iter().partition(|o| o.state.status.is_open());
    close(conn, &ended).await?;
    let reopened: Vec<_> = open.into_iter().filter(|o| !o.state.busted.is_zero()).collect();
    reopen(conn, &reopened).await
}

async fn update_rows(conn: &mut PgConnection, orders: &[StoredOrder]) -> Result<(), DbError> {
    let moved = sqlx::query!(
        "update orders o
            set status = n.status, filled_qty = n.filled_qty, busted_qty = n.busted_qty,
                filled_notional = n.filled_notional, posted_cash = n.posted_cash, end_kind = n.end_kind,
                end_filled_qty = n.end_filled_qty, end_reason = n.end_reason, acknowledged_at = n.acknowledged_at,
                venue_order_id = n.venue_order_id, filled_at = n.filled_at, canceled_at = n.canceled_at,
                expired_at = n.expired_at, failed_at = n.failed_at, updated_at = n.updated_at, qty = n.qty,
                carried_qty = n.carried_qty, replaced_by = n.replaced_by, replaced_at = n.replaced_at, replace_requested_at = n.replace_requested_at, overtaken = n.overtaken,
                refused_qty = n.refused_qty, refused_at = n.refused_at
           from unnest($1::uuid[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::text[],
                       $8::numeric[], $9::text[], $10::timestamptz[], $11::text[], $12::timestamptz[],
                       $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::numeric[],
                       $18::numeric[], $19::uuid[], $20::timestamptz[], $21::timestamptz[], $22::boolean[],
                       $23::numeric[], $24::timestamptz[])
             as n (order_id, status, filled_qty, busted_qty, filled_notional, posted_cash, end_kind, end_filled_qty,
                   end_reason, acknowledged_at, venue_order_id, filled_at, canceled_at, expired_at, failed_at,
                   updated_at, qty, carried_qty, replaced_by, replaced_at, replace_requested_at, overtaken,
                   refused_qty, refused_at)
          where o.order_id = n.order_id",
        &uuids(orders, |o| o.order_id.get()),
        &texts(orders, |o| o.state.status.as_str()),
        &orders.iter().map(|o| o.state.filled.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.state.busted.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.state.notional.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.posted_cash.get()).collect::<Vec<_>>(),
        &orders
            .iter()
            .map(|o| o.state.end.map(|(kind, _)| kind.to_string()))
            .collect::<Vec<_>>() as &[Option<String>],
        &orders
            .iter()
            .map(|o| o.state.end.map(|(_, count)| count.get()))
            .collect::<Vec<_>>() as &[Option<_>],
        &orders.iter().map(|o| o.end_reason.clone()).collect::<Vec<_>>() as &[Option<String>],
        &optional_times(orders, |o| o.acknowledged_at) as &[Option<Timestamp>],
        &orders
            .iter()
            .map(|o| o.venue_order_id.as_ref().map(ToString::to_string))
            .collect::<Vec<_>>() as &[Option<String>],
        &optional_times(orders, |o| o.filled_at) as &[Option<Timestamp>],
        &optional_times(orders, |o| o.canceled_at) as &[Option<Timestamp>],
        &optional_times(orders, |o| o.expired_at) as &[Option<Timestamp>],
        &optional_times(orders, |o| o.failed_at) as &[Option<Timestamp>],
        &orders.iter().map(|o| o.updated_at).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.state.ordered.get()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.state.carried.get()).collect::<Vec<_>>(),
        &optional_ids(orders, |o| o.chain.replaced_by) as &[Option<Uuid>],
        &optional_times(orders, |o| o.chain.replaced_at) as &[Option<Timestamp>],
        &optional_times(orders, |o| o.chain.requested_at) as &[Option<Timestamp>],
        &orders.iter().map(|o| o.chain.overtaken).collect::<Vec<_>>(),
        &orders
            .iter()
            .map(|o| o.chain.refused.map(|refused| refused.total.get()))
            .collect::<Vec<_>>() as &[Option<_>],
        &optional_times(orders, |o| o.chain.refused.map(|refused| refused.at)) as &[Option<Timestamp>],
    )
    .execute(conn)
    .await?;
    if moved.rows_affected() == orders.len() as u64 {
        Ok(())
    } else {
        Err(DbError::Stale)
    }
}

async fn close(conn: &mut PgConnection, ended: &[&StoredOrder]) -> Result<(), DbError> {
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "delete from open_orders o
          using unnest($1::uuid[], $2::uuid[]) as e (account_id, order_id)
          where o.account_id = e.account_id
            and o.order_id = e.order_id",
        &uuids(ended, |o| o.account_id.get()),
        &uuids(ended, |o| o.order_id.get()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn reopen(conn: &mut PgConnection, open: &[&StoredOrder]) -> Result<(), DbError> {
    if open.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into open_orders (account_id, order_id, symbol, side, session_date, time_in_force, expires_at,
                                  limit_price)
         select *
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::text[], $7::timestamptz[],
                       $8::numeric[])
         on conflict (account_id, order_id) do nothing",
        &uuids(open, |o| o.account_id.get()),
        &uuids(open, |o| o.order_id.get()),
        &texts(open, |o| o.symbol.as_str()),
        &texts(open, |o| o.side.as_str()),
        &open.iter().map(|o| o.session_date).collect::<Vec<_>>(),
        &texts(open, |o| o.time_in_force.as_str()),
        &optional_times(open, |o| o.deadline()) as &[Option<Timestamp>],
        &open.iter().map(|o| o.limit_price.get()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// One column of a set-based statement.
pub(crate) fn uuids<T>(rows: &[T], pick: impl Fn(&T) -> Uuid) -> Vec<Uuid> {
    rows.iter().map(pick).collect()
}

/// One column of a set-based statement.
pub(crate) fn texts<'a, T>(rows: &'a [T], pick: impl Fn(&'a T) -> &'a str) -> Vec<String> {
    rows.iter().map(|row| pick(row).to_owned()).collect()
}

fn optional_times<T>(rows: &[T], pick: impl Fn(&T) -> Option<Timestamp>) -> Vec<Option<Timestamp>> {
    rows.iter().map(pick).collect()
}

fn optional_ids<T>(rows: &[T], pick: impl Fn(&T) -> Option<OrderId>) -> Vec<Option<Uuid>> {
    rows.iter().map(|row| pick(row).map(OrderId::get)).collect()
}

/// When an order ends apart from its session.
pub(crate) fn deadline(time_in_force: TimeInForce, explicit: bool, expires_at: Timestamp) -> Option<Timestamp> {
    (explicit || time_in_force == TimeInForce::Gtc).then_some(expires_at)
}
