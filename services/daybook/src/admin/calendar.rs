//! Days that are not as the calendar's rule says (CAL-4): closed, closed early, open again; and what is in force.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use domain::calendar::{Calendar, Exception, to_new_york};
use serde_json::{Value, json};
use sessions::{Change, Effect, ExceptionRow, SessionRow};

use super::Desk;
use super::reason;
use super::show::print;
use super::table::table;
use crate::cli;

/// What `show` shows without a last day.
const SHOWN_DAYS: Days = Days::new(30);

/// Does what the command says, and tells what came of it.
pub async fn run(desk: &Desk, rule: &Calendar, command: cli::Calendar) -> anyhow::Result<()> {
    let (change, reason) = match command {
        cli::Calendar::Close { day, reason } => (closed(day), reason),
        cli::Calendar::EarlyClose { day, time, reason } => {
            let to = Some(Exception::ClosesAt(time));
            (Change { day, to }, reason)
        }
        cli::Calendar::Reopen { day } => (Change { day, to: None }, String::new()),
        cli::Calendar::Show { from, to, json } => return desk.show_calendar(rule, from, to, json).await,
    };
    println!("{}", desk.change_calendar(rule, change, &reason).await?);
    Ok(())
}

/// The wish to close a day.
pub fn closed(day: NaiveDate) -> Change {
    Change {
        day,
        to: Some(Exception::Closed),
    }
}

impl Desk {
    /// Changes one day for every process of the installation, or says why not. A repeat changes nothing.
    ///
    /// # Errors
    /// A change that makes no sense now, or what the database says.
    pub async fn change_calendar(&self, rule: &Calendar, change: Change, reason: &str) -> anyhow::Result<Effect> {
        // Unlike with other acts the change itself may be reason enough.
        let reason = if reason.trim().is_empty() {
            ""
        } else {
            reason::said(reason)?
        };
        let mut tx = self.begin().await?;
        sessions::lock(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        let in_force = sessions::in_force(&mut tx, rule).await?;
        let effect = sessions::judge(&in_force, change, now)?;
        if !effect.is_new {
            return Ok(effect);
        }
        match change.to {
            Some(exception) => {
                let row = ExceptionRow {
                    day: change.day,
                    exception,
                    reason: reason.to_owned(),
                    added_by: self.actor.clone(),
                    added_at: now,
                };
                sessions::put(&mut tx, &row).await?;
            }
            None => sessions::remove(&mut tx, change.day).await?,
        }
        sessions::sync(&mut tx).await?;
        let (act, detail) = act(change, reason);
        self.write_down(&mut tx, act, change.day.to_string(), detail).await?;
        tx.commit().await?;
        Ok(effect)
    }

    async fn show_calendar(
        &self,
        rule: &Calendar,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
        as_json: bool,
    ) -> anyhow::Result<()> {
        let mut conn = self.pool().acquire().await?;
        let today = to_new_york(db::database_time(&mut conn).await?).date_naive();
        let from = from.unwrap_or(today);
        let to = to.or_else(|| from.checked_add_days(SHOWN_DAYS)).unwrap_or(from);
        let rows = sessions::list(&mut conn, rule, from, to).await?;
        let exceptions = sessions::load(&mut conn).await?;
        let exceptions = exceptions.into_iter().filter(|row| (from..=to).contains(&row.day));
        let days = days(rows, exceptions.collect());
        print(as_json, &json!(days.iter().map(Day::json).collect::<Vec<_>>()), || {
            let cells: Vec<Vec<String>> = days.iter().map(Day::cells).collect();
            table(&["date", "day", "open", "close", "settles", "exception"], &cells)
        });
        Ok(())
    }
}

/// What is written down about it.
fn act(change: Change, reason: &str) -> (&'static str, String) {
    match change.to {
        Some(Exception::Closed) => ("close_day", reason.to_owned()),
        Some(Exception::ClosesAt(time)) => ("close_day_early", format!("{} {reason}", time.format("%H:%M"))),
        None => ("reopen_day", String::new()),
    }
}

/// One line of `show`: a day with a session, or one that an operator closed.
struct Day {
    date: NaiveDate,
    session: Option<SessionRow>,
    exception: Option<ExceptionRow>,
}

fn days(rows: Vec<SessionRow>, exceptions: Vec<ExceptionRow>) -> Vec<Day> {
    let mut sessions: BTreeMap<NaiveDate, SessionRow> = rows.into_iter().map(|row| (row.session_date, row)).collect();
    let mut exceptions: BTreeMap<NaiveDate, ExceptionRow> = exceptions.into_iter().map(|row| (row.day, row)).collect();
    let dates: BTreeSet<NaiveDate> = sessions.keys().chain(exceptions.keys()).copied().collect();
    let day = |date| Day {
        date,
        session: sessions.remove(&date),
        exception: exceptions.remove(&date),
    };
    dates.into_iter().map(day).collect()
}

impl Day {
    fn bounds(&self) -> Option<(String, String)> {
        let time = |moment| to_new_york(moment).format("%H:%M").to_string();
        self.session
            .as_ref()
            .map(|row| (time(row.opens_at), time(row.closes_at)))
    }

    fn settles(&self) -> Option<NaiveDate> {
        self.session.as_ref().map(|row| row.settle_date)
    }

    fn cells(&self) -> Vec<String> {
        let (open, close) = self.bounds().unwrap_or_default();
        let note = self.exception.as_ref().map(note).unwrap_or_default();
        let settles = self.settles().map(|day| day.to_string()).unwrap_or_default();
        let day = self.date.format("%a").to_string();
        vec![self.date.to_string(), day, open, close, settles, note]
    }

    fn json(&self) -> Value {
        let (open, close) = self.bounds().unzip();
        let exception = self.exception.as_ref().map(|row| {
            json!({"kind": kind(row.exception), "reason": row.reason, "added_by": row.added_by, "added_at": row.added_at})
        });
        json!({
            "date": self.date, "open": open, "close": close, "settlement_date": self.settles(), "exception": exception,
        })
    }
}

fn kind(exception: Exception) -> &'static str {
    match exception {
        Exception::Closed => "closed",
        Exception::ClosesAt(_) => "early close",
    }
}

/// `closed: a day of mourning (by ada)`.
fn note(row: &ExceptionRow) -> String {
    let reason = match row.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    format!("{}{reason} (by {})", kind(row.exception), row.added_by)
}
