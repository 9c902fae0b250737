//! Ends of days: where they are, what could not be resolved, and an operator's word to close a date all the same.

use anyhow::{Context, bail};
use chrono::NaiveDate;
use domain::Timestamp;
use scheduler::jobs::end_of_day::{EodStep, proof, store, unresolved};
use serde_json::json;

use super::Desk;
use super::show::print;
use super::table::table;
use crate::cli::Eod;

/// Unresolved orders that are shown.
const SHOWN: i64 = 10_000;

impl Desk {
    /// Lets a date close with what is unresolved, or has failed by now. False when it is closed. Once more replaces who, when
    /// and why; each is an act.
    ///
    /// # Errors
    /// No such date, or what the database says.
    pub async fn override_eod(&self, date: NaiveDate, reason: &str) -> anyhow::Result<bool> {
        let mut tx = self.begin().await?;
        let known = store::day(&mut tx, date).await?;
        known.with_context(|| format!("no end of day of {date}: `daybook admin eod list` shows all"))?;
        let now = db::database_time(&mut tx).await?;
        let changed = store::override_date(&mut tx, date, &self.actor, reason, now).await?;
        if changed {
            self.write_down(&mut tx, "override_eod", date.to_string(), reason.to_owned())
                .await?;
        }
        tx.commit().await?;
        Ok(changed)
    }
}

/// Does what a command about ends of days says.
pub(super) async fn eod(desk: &Desk, command: Eod) -> anyhow::Result<()> {
    match command {
        Eod::List { limit, json } => list(desk, limit, json).await,
        Eod::Show { date, json } => show(desk, date, json).await,
        Eod::Override { date, reason } => {
            if reason.trim().is_empty() {
                bail!("say why: --reason \"...\"");
            }
            if !desk.override_eod(date, &reason).await? {
                bail!("{date} is closed: `daybook admin eod show {date}`");
            }
            println!(
                "{date} may close with what is unresolved; those orders keep their holds. A missing trade file or an unclean \
                 proof is let pass only if it had failed before now: what fails later needs another override"
            );
            Ok(())
        }
    }
}

async fn list(desk: &Desk, limit: i64, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let dates = store::list(&mut conn, limit).await?;
    print(as_json, &json!(dates), || {
        let heads = [
            "date",
            "close",
            "state",
            "steps",
            "unresolved",
            "closed",
            "overridden by",
        ];
        let rows: Vec<Vec<String>> = dates
            .iter()
            .map(|date| {
                vec![
                    date.business_date.to_string(),
                    time(Some(date.close_at)),
                    date.state.clone(),
                    format!("{} of {}", date.steps, EodStep::ALL.len()),
                    date.unresolved.to_string(),
                    time(date.closed_at),
                    date.overridden_by.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(&heads, &rows)
    });
    Ok(())
}

async fn show(desk: &Desk, date: NaiveDate, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let day = store::day(&mut conn, date)
        .await?
        .with_context(|| format!("no end of day of {date}: `daybook admin eod list` shows all"))?;
    let open = unresolved::of_date(&mut conn, date, SHOWN).await?;
    let proven = proof::of_date(&mut conn, date).await?;
    print(
        as_json,
        &json!({"date": day, "unresolved": open, "proof": proven}),
        || {
            let mut parts = vec![format!("{date}, close {}", time(Some(day.close_at))), steps(&day)];
            if let Some(proof) = &proven {
                let verdict = if proof.clean { "clean" } else { "NOT clean" };
                parts.push(format!("proof {}: {verdict}, {}", proof.number, proof.digest));
            }
            if !open.is_empty() {
                parts.push(orders(&open));
            }
            parts.join("\n\n")
        },
    );
    Ok(())
}

fn steps(day: &store::Day) -> String {
    let rows: Vec<Vec<String>> = EodStep::ALL
        .iter()
        .map(|step| {
            let row = day.row(*step);
            vec![
                step.number().to_string(),
                step.title().to_owned(),
                time(row.map(|row| row.begun_at)),
                time(row.and_then(|row| row.done_at)),
                row.and_then(|row| row.summary.clone()).unwrap_or_default(),
            ]
        })
        .collect();
    table(&["step", "what", "began", "done", "outcome"], &rows)
}

fn orders(unresolved: &[unresolved::Unresolved]) -> String {
    let rows: Vec<Vec<String>> = unresolved
        .iter()
        .map(|order| {
            vec![
                order.order_id.to_string(),
                order.account_id.to_string(),
                order.symbol.clone(),
                time(Some(order.since)),
                order.resolved_at.map_or_else(|| "no".to_owned(), |at| time(Some(at))),
                order.why.clone(),
            ]
        })
        .collect();
    table(&["order", "account", "symbol", "listed", "resolved", "why"], &rows)
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
