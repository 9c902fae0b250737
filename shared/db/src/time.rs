//! The database's clock: what leases and deadlines go by, since it is one for all processes.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::DbError;

/// The time by `daybook_now()`, the one SQL function whose offset tests can move.
pub async fn database_time(connection: &mut PgConnection) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar("select daybook_now()").fetch_one(connection).await?)
}

/// How far `daybook_now()` is ahead of the server's clock: zero, unless a test or a rehearsal moved it.
pub async fn database_offset(connection: &mut PgConnection) -> Result<TimeDelta, DbError> {
    let offset: i64 = sqlx::query_scalar("select (extract(epoch from clock_offset) * 1000000)::bigint from db_clock")
        .fetch_one(connection)
        .await?;
    Ok(TimeDelta::microseconds(offset))
}

/// Puts the database's clock so far ahead of the server's, or behind it below zero: for tests and rehearsals.
pub async fn shift_database_time(connection: &mut PgConnection, offset: TimeDelta) -> Result<(), DbError> {
    sqlx::query("update db_clock set clock_offset = $1 * interval '1 microsecond'")
        .bind(offset.num_microseconds().unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves the database's clock, for tests: every `daybook_now()` from here on is `by` later.
pub async fn advance_database_time(connection: &mut PgConnection, by: TimeDelta) -> Result<(), DbError> {
    let by = PgInterval {
        months: 0,
        days: 0,
        microseconds: by.num_microseconds().unwrap_or(i64::MAX),
    };
    sqlx::query("update db_clock set clock_offset = clock_offset + $1")
        .bind(by)
        .execute(connection)
        .await?;
    Ok(())
}
