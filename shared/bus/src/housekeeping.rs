//! The outbox' daily partitions: made ahead, dropped when read. To be called at the start and about once an hour.

use chrono::NaiveDate;
use domain::Timestamp;
use sqlx::PgConnection;

use crate::BusError;

/// Days made ahead, today included: a week without housekeeping before rows land in `outbox_default`.
const DAYS: i32 = 8;

/// Makes the partitions of `today` (UTC, by the database's clock) and the week after; answers how many were missing.
pub async fn ensure_outbox_partitions(conn: &mut PgConnection, today: NaiveDate) -> Result<i32, BusError> {
    let made = sqlx::query_scalar!(r#"select bus_ensure_outbox_partitions($1, $2) as "made!""#, today, DAYS);
    Ok(made.fetch_one(conn).await?)
}

/// Drops the partitions that end before `keep_from` and hold nothing a registered consumer still has to read; answers
/// their names. May fail when the table is busy (the lock is waited for only briefly): then the next call does it.
pub async fn drop_outbox_partitions(conn: &mut PgConnection, keep_from: Timestamp) -> Result<Vec<String>, BusError> {
    let dropped = sqlx::query_scalar!(r#"select bus_drop_outbox_partitions($1) as "name!""#, keep_from);
    Ok(dropped.fetch_all(conn).await?)
}
