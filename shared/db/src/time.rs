//! The database's clock: what leases and deadlines go by, since it is one for all processes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::DbError;

/// The time by `daybook_now()`, the one SQL function whose offset tests can move.
pub async fn database_time(connection: &mut PgConnection) -> Result<DateTime<Utc>, DbError> {
    Ok(sqlx::query_scalar("select daybook_now()").fetch_one(connection).await?)
}
