//! Migrations, carried by the binary so that it cannot meet the wrong folder.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::DbError;

/// The product's own list, `migrations/` at the root. The exchange has another one of its own.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// Applies what is missing; several processes may call it at once, one works and the others wait.
pub async fn migrate(pool: &PgPool, migrator: &Migrator) -> Result<(), DbError> {
    // A connection taken out of the pool: a migration may outlast the timeouts of a hot role,
    // and the changed settings must not come back into the pool.
    let mut connection = pool.acquire().await?.detach();
    sqlx::query("set statement_timeout = 0")
        .execute(&mut connection)
        .await?;
    sqlx::query("set idle_in_transaction_session_timeout = 0")
        .execute(&mut connection)
        .await?;
    migrator.run(&mut connection).await.map_err(sqlx::Error::from)?;
    sqlx::Connection::close(connection).await?;
    Ok(())
}
