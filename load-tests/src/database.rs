//! What PostgreSQL counted: commits, bytes of log, and statements where that was asked for.

use std::time::Duration;

use db::{DbError, PgPool};

use crate::latency::Fixed;
use crate::report::{Database, Statement};

/// How many statements are told.
const STATEMENTS: i64 = 25;

/// Counters of the whole cluster.
#[derive(Debug, Clone, Copy)]
pub struct Counters {
    commits: i64,
    wal_bytes: i64,
}

/// Reads them.
///
/// # Errors
/// What the database says.
pub async fn counters(superuser: &PgPool) -> Result<Counters, DbError> {
    let row = sqlx::query!(
        r#"select sum(xact_commit)::bigint as "commits!", pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as "wal_bytes!"
             from pg_stat_database"#,
    )
    .fetch_one(superuser)
    .await?;
    Ok(Counters {
        commits: row.commits,
        wal_bytes: row.wal_bytes,
    })
}

impl Counters {
    /// What happened since.
    pub fn since(&self, before: &Counters, orders: u64, time: Duration) -> Database {
        let commits = (self.commits - before.commits).unsigned_abs();
        let wal_bytes = (self.wal_bytes - before.wal_bytes).unsigned_abs();
        Database {
            commits_per_second: Fixed::per_second(commits, time),
            wal_bytes_per_order: wal_bytes.checked_div(orders).unwrap_or(0),
        }
    }
}

/// Begins to count statements anew.
///
/// # Errors
/// What the database says.
pub async fn forget_statements(superuser: &PgPool, wanted: bool) -> Result<(), DbError> {
    if wanted {
        // The extension's functions are unknown to a database that is only asked to check the queries.
        sqlx::query("create extension if not exists pg_stat_statements")
            .execute(superuser)
            .await?;
        sqlx::query("select pg_stat_statements_reset()")
            .execute(superuser)
            .await?;
    }
    Ok(())
}

/// The dearest statements since then.
///
/// # Errors
/// What the database says.
pub async fn statements(superuser: &PgPool, wanted: bool) -> Result<Vec<Statement>, DbError> {
    if !wanted {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "select calls, total_exec_time::bigint, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 160)
           from pg_stat_statements
          order by total_exec_time desc
          limit $1",
    )
    .bind(STATEMENTS)
    .fetch_all(superuser)
    .await?;
    let statement = |(calls, total_ms, rows, query)| Statement {
        calls,
        total_ms,
        rows,
        query,
    };
    Ok(rows.into_iter().map(statement).collect())
}
