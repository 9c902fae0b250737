//! `daybook audit`: proves in SQL what a database can show of V1 to V17.

use std::process::ExitCode;

use anyhow::{Context, bail};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use crate::cli::AuditOptions;
use crate::config::Settings;

/// Audits the installation's database and prints what it found; the exit code says whether all is well.
pub async fn run(options: AuditOptions, settings: &Settings) -> anyhow::Result<ExitCode> {
    let database: PgConnectOptions = settings.database_url().parse().context("DAYBOOK_DATABASE_URL")?;
    if options.chain {
        let mut conn = audit::connect(database).await?;
        let told = chain(&mut conn, options.head.as_deref()).await?;
        println!("{}", told.text);
        return Ok(exit_code(told.holds));
    }
    let report = audit::audit_at(database, options.at_rest).await?;
    if options.json {
        println!("{:#}", report.to_json());
    } else {
        println!("{report}");
    }
    Ok(exit_code(report.is_clean()))
}

fn exit_code(is_clean: bool) -> ExitCode {
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What `daybook audit --chain` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainTold {
    /// Whether the chain holds.
    pub holds: bool,
    /// The rest, for a person.
    pub text: String,
}

/// Proves the chain of sealed acts, and that it still holds where somebody noted its end.
///
/// # Errors
/// The note cannot be read, or the database cannot.
pub async fn chain(conn: &mut PgConnection, noted: Option<&str>) -> anyhow::Result<ChainTold> {
    audit::begin(conn).await?;
    let found = audit::chain(conn).await?;
    let head = identity::chain::head(conn).await?;
    let kept = match noted {
        Some(noted) => holds_at(conn, noted).await?,
        None => true,
    };
    let text = match found.first.first() {
        Some(offence) => format!(
            "the chain is broken in {} places; the first: {} {}",
            found.violations, offence.subject, offence.problem
        ),
        None if !kept => format!(
            "the chain is not the one that was noted: {} is not in it",
            noted.unwrap_or_default()
        ),
        None => format!("the chain of {} acts holds, it ends at {head}", head.seq),
    };
    Ok(ChainTold {
        holds: found.violations == 0 && kept,
        text,
    })
}

async fn holds_at(conn: &mut PgConnection, noted: &str) -> anyhow::Result<bool> {
    let Some((seq, hash)) = noted.split_once(':') else {
        bail!("--head is a number and a hash, as `daybook audit --chain` tells them: 12:ab…");
    };
    let seq: i64 = seq.parse().context("--head begins with a number")?;
    let there = identity::chain::at(conn, seq).await?.unwrap_or_default();
    let there: String = there.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(there == hash.to_lowercase())
}
