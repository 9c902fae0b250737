//! What was asked of an order and is not settled: columns of their own, beside what the venue said.

use crate::write::uuids;
use db::{DbError, PgConnection};
use domain::{OrderId, Timestamp};

/// Who wishes an order to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishKind {
    /// The customer: shown as `pending_cancel`.
    Cancel,
    /// A job, because the order's time is over: not shown.
    Expire,
}

/// Records the wish on the orders that do not carry it yet. The caller locked them and knows they are open.
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
        WishKind::Cancel => sqlx::query!(
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
