//! Exchanges that are left alone: what the executors share about each, and what an operator does to it. Each act is one
//! transaction with its row in `admin_acts` (V16).

use chrono::SecondsFormat;
use db::{DbError, PgConnection};
use executor::BreakerWord;
use executor::breakers::{self, BreakerRow};
use serde_json::{Value, json};

use super::Desk;
use super::reason::{NoReason, said};
use super::show::print;
use super::table::table;
use crate::cli::Venue;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum VenueError {
    /// There is no such exchange.
    #[error("no executor has called an exchange {0}: `daybook admin venue show` shows all")]
    Unknown(String),
    /// Changed without a word.
    #[error(transparent)]
    Reason(#[from] NoReason),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Desk {
    /// Has all executors leave an exchange alone until [`Desk::close_venue`], or else has it called again at once.
    async fn set_venue(&self, venue: &str, open: bool, reason: &str) -> Result<(), VenueError> {
        let reason = said(reason)?;
        let mut tx = db::begin(&self.pool).await?;
        let is_known = if open {
            breakers::open(&mut tx, venue, &self.actor, reason).await?
        } else {
            breakers::close(&mut tx, venue, &self.actor, reason).await?
        };
        if !is_known {
            return Err(VenueError::Unknown(venue.to_owned()));
        }
        let act = if open { "open_venue" } else { "close_venue" };
        self.write_down(&mut tx, act, venue.to_owned(), reason.to_owned())
            .await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(())
    }

    /// Has all executors leave an exchange alone until [`Desk::close_venue`].
    ///
    /// # Errors
    /// No such exchange, no reason, or what the database says.
    pub async fn open_venue(&self, venue: &str, reason: &str) -> Result<(), VenueError> {
        self.set_venue(venue, true, reason).await
    }

    /// Has an exchange called again at once.
    ///
    /// # Errors
    /// No such exchange, no reason, or what the database says.
    pub async fn close_venue(&self, venue: &str, reason: &str) -> Result<(), VenueError> {
        self.set_venue(venue, false, reason).await
    }
}

/// Does what a command about exchanges says.
pub(super) async fn run(desk: &Desk, command: Venue) -> anyhow::Result<()> {
    match command {
        Venue::Show { json } => show(desk, json).await?,
        Venue::Open { venue, reason } => {
            desk.open_venue(&venue, &reason).await?;
            println!("{venue} is left alone within a second, until `daybook admin venue close`; cancels keep trying");
        }
        Venue::Close { venue, reason } => {
            desk.close_venue(&venue, &reason).await?;
            println!("{venue} is called again within a second");
        }
    }
    Ok(())
}

async fn show(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let rows = breakers::list(&mut *desk.pool().acquire().await?).await?;
    let objects: Vec<Value> = rows.iter().map(object).collect();
    print(as_json, &json!(objects), || {
        let heads = [
            "venue",
            "state",
            "since",
            "by",
            "next",
            "paused until",
            "retries",
            "cause",
        ];
        table(&heads, &rows.iter().map(cells).collect::<Vec<_>>())
    });
    Ok(())
}

/// All exchanges that executors have called, as JSON.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Value>, DbError> {
    Ok(breakers::list(conn).await?.iter().map(object).collect())
}

fn object(row: &BreakerRow) -> Value {
    json!({
        "venue": row.venue, "state": row.state.to_string(), "version": row.version, "outages": row.outages,
        "opened_at": row.opened_at, "until": row.until, "paused_until": row.paused_until, "cause": row.cause,
        "changed_by": row.changed_by, "changed_at": row.changed_at, "retries": row.credit.retries(row.now),
    })
}

fn cells(row: &BreakerRow) -> Vec<String> {
    let time = |at: domain::Timestamp| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let next = match (row.state, row.until) {
        (BreakerWord::Closed, _) => String::new(),
        (BreakerWord::Open, None) => "when an operator closes it".to_owned(),
        (BreakerWord::Open, Some(until)) => format!("a probe from {}", time(until)),
        (BreakerWord::HalfOpen, _) => "probes are out".to_owned(),
    };
    vec![
        row.venue.clone(),
        row.state.to_string(),
        time(row.changed_at),
        row.changed_by.clone(),
        next,
        row.paused_until
            .filter(|until| *until > row.now)
            .map(time)
            .unwrap_or_default(),
        row.credit.retries(row.now).to_string(),
        row.cause.clone(),
    ]
}
