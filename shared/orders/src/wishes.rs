//! What was asked of an order and is not settled: columns of their own, beside what the venue said.

use crate::write::uuids;
use db::{DbError, PgConnection};
use domain::{AccountId, OrderId, RequestId, Symbol, Timestamp};

/// Who wishes an order to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishKind {
    /// The customer, by a request: shown as `pending_cancel`, and counted as churn (RSK-8).
    Cancel,
    /// Somebody else: an operator's kill switch, or the customer's cancel of an order that this one replaced. Shown alike,
    /// and not counted.
    Withdraw,
    /// A job, because the order's time is over: not shown.
    Expire,
}

/// Records the wish on the orders that do not carry it yet. The caller locked them, and their accounts, and knows they
/// are open.
///
/// # Errors
/// What the database says.
pub async fn wish_to_end(
    conn: &mut PgConnection,
    orders: &[OrderId],
    kind: WishKind,
    now: Timestamp,
) -> Result<(), DbError> {
    let ids = uuids(orders, |o| o.get());
    let statement = match kind {
        // In one statement with its count: a round trip more would cost as much as the rest of a cancel.
        WishKind::Cancel => sqlx::query!(
            "with wished as (
                 update orders
                    set cancel_requested_at = coalesce(cancel_requested_at, $2),
                        updated_at = $2
                  where order_id = any($1)
              returning account_id, symbol)
             insert into order_cancels (account_id, symbol, slot, cancels)
             select account_id, symbol, date_bin('10 seconds', $2, 'epoch'), count(*)
               from wished
              group by account_id, symbol
             on conflict on constraint order_cancels_key
                 do update set cancels = order_cancels.cancels + excluded.cancels",
            &ids,
            now,
        ),
        WishKind::Withdraw => sqlx::query!(
            "update orders
                set cancel_requested_at = coalesce(cancel_requested_at, $2),
                    updated_at = $2
              where order_id = any($1)",
            &ids,
            now,
        ),
        WishKind::Expire => sqlx::query!(
            "update orders
                set expire_requested_at = coalesce(expire_requested_at, $2),
                    updated_at = $2
              where order_id = any($1)",
            &ids,
            now,
        ),
    };
    statement.execute(conn).await?;
    Ok(())
}

/// Records which order is to take the place of each. The caller locked the old ones, and knows that they can be replaced
/// and that nobody asked for that already.
///
/// # Errors
/// What the database says.
pub async fn wish_to_replace(
    conn: &mut PgConnection,
    replaced: &[(OrderId, OrderId)],
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "update orders o
            set replacement_id = n.replacement_id,
                replace_requested_at = $3,
                refused_qty = null,
                refused_at = null,
                updated_at = $3
           from unnest($1::uuid[], $2::uuid[]) as n (order_id, replacement_id)
          where o.order_id = n.order_id",
        &uuids(replaced, |(old, _)| old.get()),
        &uuids(replaced, |(_, new)| new.get()),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the customer's wish back after the venue refused the cancel: the order shows its former status again.
///
/// # Errors
/// What the database says.
pub async fn clear_cancel_wishes(conn: &mut PgConnection, orders: &[OrderId], now: Timestamp) -> Result<(), DbError> {
    if orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update orders
            set cancel_requested_at = null,
                updated_at = $2
          where order_id = any($1)",
        &uuids(orders, |o| o.get()),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An order that carries the wish to expire now and did not before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Which.
    pub order_id: OrderId,
    /// Whose.
    pub account_id: AccountId,
    /// Its ticker.
    pub symbol: Symbol,
    /// The request that placed it.
    pub request_id: RequestId,
}

/// Locks the orders by id and records the wish to expire on those that are open and do not carry it yet: one statement,
/// however many. Nothing of an order's state is read, so that a million of them cost little.
///
/// # Errors
/// What the database says.
pub async fn wish_to_expire(
    conn: &mut PgConnection,
    orders: &[OrderId],
    now: Timestamp,
) -> Result<Vec<Expiring>, DbError> {
    let rows = sqlx::query!(
        "update orders o
            set expire_requested_at = $2,
                updated_at = $2
           from (select order_id
                   from orders
                  where order_id = any($1)
                    and expire_requested_at is null
                    and status not in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
                  order by order_id
                    for update) due
          where o.order_id = due.order_id
      returning o.order_id, o.account_id, o.symbol, o.request_id, o.trace_context",
        &uuids(orders, |o| o.get()),
        now,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = || DbError::Inconsistent {
                table: "orders",
                what: format!("order {}: its words", row.order_id),
            };
            Ok(Expiring {
                order_id: OrderId::new(row.order_id),
                account_id: AccountId::new(row.account_id),
                symbol: Symbol::parse(&row.symbol).ok_or_else(bad)?,
                request_id: RequestId::new(&row.request_id)
                    .map_err(|_| bad())?
                    .traced_as(row.trace_context.as_deref()),
            })
        })
        .collect()
}
