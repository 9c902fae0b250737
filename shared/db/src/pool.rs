//! The pool of a role. Its timeouts are the database's own, so that they hold for a paused process too.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::{DbError, Tx};

/// A connection that rested this long is asked whether it still lives before it is handed out.
const CHECK_AFTER_IDLE: Duration = Duration::from_secs(1);

/// How one role uses the database.
///
/// The default suits a hot role: one long writing transaction would hold every consumer of the
/// event log back, so the server ends it after 2 s.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Most connections at a time.
    pub max_connections: u32,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Longest single statement; 0 is no limit.
    pub statement_timeout_ms: u64,
    /// Longest wait for a row somebody else holds; 0 is as long as the statement may take.
    pub lock_timeout_ms: u64,
    /// Longest pause within a transaction; 0 is no limit.
    pub idle_in_transaction_timeout_ms: u64,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        PoolSettings {
            max_connections: 10,
            application_name: "daybook".to_owned(),
            statement_timeout_ms: 2_000,
            lock_timeout_ms: 0,
            idle_in_transaction_timeout_ms: 2_000,
            acquire_timeout: Duration::from_secs(2),
        }
    }
}

/// Opens a pool, with one connection made at once: a wrong URL is told at the start.
pub async fn connect(url: &str, settings: PoolSettings) -> Result<PgPool, DbError> {
    let options = connect_options(url, &settings)?;
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        // A ping per use would be a round trip per batch; a busy connection proves itself.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > CHECK_AFTER_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// Begins a transaction on a connection of the pool.
pub async fn begin(pool: &PgPool) -> Result<Tx, DbError> {
    Ok(pool.begin().await?)
}

fn connect_options(url: &str, settings: &PoolSettings) -> Result<PgConnectOptions, DbError> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.application_name(&settings.application_name).options([
        ("statement_timeout", settings.statement_timeout_ms.to_string()),
        ("lock_timeout", settings.lock_timeout_ms.to_string()),
        (
            "idle_in_transaction_session_timeout",
            settings.idle_in_transaction_timeout_ms.to_string(),
        ),
        ("timezone", "UTC".to_owned()),
        // A plan that was made while a table was small would be kept for the life of the connection, and read all of the
        // table, batch after batch, until the next analyze. Planning anew costs a tenth of a millisecond a statement.
        ("plan_cache_mode", "force_custom_plan".to_owned()),
    ]))
}
