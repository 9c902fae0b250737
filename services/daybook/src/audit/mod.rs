//! `daybook audit`: proves in SQL what a database can show of V1 to V17, over a system at rest or at work.
//!
//! One read-only snapshot for all checks, so a running system cannot be caught between two of its commits; it takes no
//! lock and holds no consumer back. Each check is a set-based statement of its own in `checks/`.

mod checks;
mod report;

pub use checks::{CHECKS, Check, NOT_HERE};
pub use report::{Finding, Offence, Report};

use std::process::ExitCode;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

use crate::cli::AuditOptions;
use crate::config::Settings;

/// How many violations of one check are told.
const TOLD: i64 = 5;

/// Audits the installation's database and prints what it found; the exit code says whether all is well.
pub async fn run(options: AuditOptions, settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = audit_url(settings.database_url(), options.at_rest).await?;
    if options.json {
        println!("{:#}", report.to_json());
    } else {
        println!("{report}");
    }
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Audits the database at `url`.
///
/// # Errors
/// It cannot be reached or read.
pub async fn audit_url(url: &str, at_rest: bool) -> anyhow::Result<Report> {
    let options: PgConnectOptions = url.parse().context("DAYBOOK_DATABASE_URL")?;
    // However long it takes: a read-only snapshot is in nobody's way.
    let options = options
        .application_name("daybook-audit")
        .options([("statement_timeout", "0"), ("timezone", "UTC")]);
    let mut conn = options.connect().await.context("the database cannot be reached")?;
    let report = audit(&mut conn, at_rest).await?;
    let _ = conn.close().await;
    Ok(report)
}

/// Runs every check in one snapshot.
///
/// # Errors
/// What the database says.
pub async fn audit(conn: &mut PgConnection, at_rest: bool) -> anyhow::Result<Report> {
    sqlx::query("begin transaction isolation level repeatable read, read only")
        .execute(&mut *conn)
        .await?;
    let report = look_at_all(conn, at_rest).await?;
    sqlx::query("commit").execute(conn).await?;
    Ok(report)
}

/// Runs every check in the caller's own transaction.
///
/// # Errors
/// What the database says.
pub async fn look_at_all(conn: &mut PgConnection, at_rest: bool) -> anyhow::Result<Report> {
    let mut findings = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        findings.push(
            look(conn, check)
                .await
                .with_context(|| format!("{}: {}", check.invariant, check.title))?,
        );
    }
    Ok(Report { at_rest, findings })
}

async fn look(conn: &mut PgConnection, check: &'static Check) -> anyhow::Result<Finding> {
    let rows: i64 = sqlx::query_scalar(check.rows_sql()).fetch_one(&mut *conn).await?;
    let statement = format!(
        "select subject, problem, count(*) over () as total from ({}) v limit {TOLD}",
        check.violations_sql()
    );
    // Made of constants of this crate alone.
    let found = sqlx::query(AssertSqlSafe(statement)).fetch_all(conn).await?;
    let violations = found.first().map(|row| row.try_get("total")).transpose()?.unwrap_or(0);
    let offence = |row: &sqlx::postgres::PgRow| -> Result<Offence, sqlx::Error> {
        Ok(Offence {
            subject: row.try_get("subject")?,
            problem: row.try_get("problem")?,
        })
    };
    let first = found.iter().map(offence).collect::<Result<_, _>>()?;
    Ok(Finding {
        check,
        rows,
        violations,
        first,
    })
}
