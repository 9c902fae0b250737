//! Whether the database keeps what it has committed.

use sqlx::PgConnection;

use crate::DbError;

/// Settings of this connection with which a crash of the machine, or of the server, may lose or tear commits that were
/// confirmed. None in a database that money is kept in.
pub async fn forgetful_settings(connection: &mut PgConnection) -> Result<Vec<String>, DbError> {
    let off = "select name from pg_settings
                where name in ('fsync', 'full_page_writes', 'synchronous_commit')
                  and setting = 'off'
                order by name";
    Ok(sqlx::query_scalar(off).fetch_all(connection).await?)
}
