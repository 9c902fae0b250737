//! Proves in SQL what a database can show of V1 to V17, over a system at rest or at work.
//!
//! One read-only snapshot for all checks, so a running system cannot be caught between two of its commits; it takes no
//! lock and holds no consumer back. Each check is a set-based statement of its own in `checks/`.

mod checks;
mod report;

pub use checks::{CHECKS, Check, NOT_HERE};
pub use report::{Finding, Offence, Report};

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

/// How many violations of one check are told.
const TOLD: i64 = 5;

/// An audit that could not be made. What it finds is no error.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database could not be reached, or no snapshot taken.
    #[error("the database cannot be read")]
    Database(#[from] sqlx::Error),
    /// One check could not be run.
    #[error("{invariant}, {title}")]
    Check {
        /// Of which invariant.
        invariant: &'static str,
        /// Which one.
        title: &'static str,
        /// What the database says.
        source: sqlx::Error,
    },
}

/// Audits the database these options lead to, on a connection of its own.
///
/// # Errors
/// It cannot be reached or read.
pub async fn audit_at(options: PgConnectOptions, at_rest: bool) -> Result<Report, AuditError> {
    audit_some(options, at_rest, |_| true).await
}

/// As [`audit_at`], with the checks that are wanted.
///
/// # Errors
/// It cannot be reached or read.
pub async fn audit_some(
    options: PgConnectOptions,
    at_rest: bool,
    wanted: impl Fn(&Check) -> bool,
) -> Result<Report, AuditError> {
    let mut conn = connect(options).await?;
    begin(&mut conn).await?;
    let report = look_at(&mut conn, at_rest, wanted).await?;
    let _ = conn.close().await;
    Ok(report)
}

/// A connection on which an audit may take as long as it takes: a read-only snapshot is in nobody's way.
///
/// # Errors
/// The database cannot be reached.
pub async fn connect(options: PgConnectOptions) -> Result<PgConnection, AuditError> {
    let options = options.application_name("daybook-audit").options([
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("timezone", "UTC"),
    ]);
    Ok(options.connect().await?)
}

/// Begins the one snapshot of an audit.
///
/// # Errors
/// What the database says.
pub async fn begin(conn: &mut PgConnection) -> Result<(), AuditError> {
    sqlx::query("begin transaction isolation level repeatable read, read only")
        .execute(conn)
        .await?;
    Ok(())
}

/// Runs every check in one snapshot.
///
/// # Errors
/// What the database says.
pub async fn audit(conn: &mut PgConnection, at_rest: bool) -> Result<Report, AuditError> {
    begin(conn).await?;
    let report = look_at_all(conn, at_rest).await?;
    sqlx::query("commit").execute(conn).await?;
    Ok(report)
}

/// Runs every check in the caller's own transaction.
///
/// # Errors
/// What the database says.
pub async fn look_at_all(conn: &mut PgConnection, at_rest: bool) -> Result<Report, AuditError> {
    look_at(conn, at_rest, |_| true).await
}

async fn look_at(
    conn: &mut PgConnection,
    at_rest: bool,
    wanted: impl Fn(&Check) -> bool,
) -> Result<Report, AuditError> {
    let mut findings = Vec::with_capacity(CHECKS.len());
    for check in CHECKS.iter().filter(|check| wanted(check)) {
        let finding = look(conn, check).await.map_err(|source| AuditError::Check {
            invariant: check.invariant,
            title: check.title,
            source,
        })?;
        findings.push(finding);
    }
    Ok(Report { at_rest, findings })
}

/// Proves the chain of sealed acts alone, in the caller's own transaction (V16).
///
/// # Errors
/// What the database says.
pub async fn chain(conn: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    look(conn, &checks::CHAIN).await
}

/// Runs one check in the caller's own transaction.
///
/// # Errors
/// What the database says.
pub async fn look(conn: &mut PgConnection, check: &'static Check) -> Result<Finding, sqlx::Error> {
    let rows: i64 = sqlx::query_scalar(check.rows_sql()).fetch_one(&mut *conn).await?;
    let statement = format!(
        "select subject, problem, count(*) over () as total from ({}) v limit {TOLD}",
        check.violations_sql()
    );
    // Made of constants of this crate alone.
    let found = sqlx::query(AssertSqlSafe(statement)).fetch_all(conn).await?;
    let violations = found.first().map(|row| row.try_get("total")).transpose()?.unwrap_or(0);
    let first = found.iter().map(offence).collect::<Result<_, _>>()?;
    Ok(Finding {
        check,
        rows,
        violations,
        first,
    })
}

fn offence(row: &PgRow) -> Result<Offence, sqlx::Error> {
    Ok(Offence {
        subject: row.try_get("subject")?,
        problem: row.try_get("problem")?,
    })
}
