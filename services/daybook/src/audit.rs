//! `daybook audit`: proves in SQL what a database can show of V1 to V17.

use std::process::ExitCode;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;

use crate::cli::AuditOptions;
use crate::config::Settings;

/// Audits the installation's database and prints what it found; the exit code says whether all is well.
pub async fn run(options: AuditOptions, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database: PgConnectOptions = settings.database_url().parse().context("DAYBOOK_DATABASE_URL")?;
    let report = audit::audit_at(database, options.at_rest).await?;
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
