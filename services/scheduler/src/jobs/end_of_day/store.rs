//! Dates and steps as they are stored: what makes each step restartable.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::steps::EodStep;
use crate::jobs::reconcile;

/// Where the figures of a step say since when it has failed.
pub(super) const FAILED_AT: &str = "failed_at";

/// A business date at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Which.
    pub date: NaiveDate,
    /// The session's close, from which every time limit counts.
    pub close_at: Timestamp,
    /// Since when its end is under way.
    pub begun_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When an operator let it close with what is unresolved; the last time, if there were several.
    pub overridden_at: Option<Timestamp>,
    /// Who that was.
    pub overridden_by: Option<String>,
    /// Its steps so far, by number.
    pub steps: BTreeMap<i16, StepRow>,
}

/// One step of a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// 1 to 12.
    pub step: i16,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
    /// What came of it, or what it waits for.
    pub summary: Option<String>,
    /// Counts, and how far a long step is.
    pub figures: Value,
}

impl Day {
    /// The first step that is not done; `None` once the date is closed.
    pub fn next_step(&self) -> Option<EodStep> {
        EodStep::ALL.into_iter().find(|step| !self.is_done(*step))
    }

    /// Whether this step is done.
    pub fn is_done(&self, step: EodStep) -> bool {
        self.row(step).is_some_and(|row| row.done_at.is_some())
    }

    /// What is stored of a step.
    pub fn row(&self, step: EodStep) -> Option<&StepRow> {
        self.steps.get(&step.number())
    }

    /// Since when a step that is not done has failed, and only an operator can let the date go on without it.
    pub fn failed_at(&self, step: EodStep) -> Option<Timestamp> {
        let failed = self.row(step)?.figures.get(FAILED_AT)?;
        serde_json::from_value(failed.clone()).ok()
    }

    /// Who lets the date go on although this step fails. An override that was given before it failed was given for
    /// something else: nobody had seen this.
    pub fn let_pass(&self, step: EodStep) -> Option<&str> {
        let (failed, overridden) = (self.failed_at(step)?, self.overridden_at?);
        self.overridden_by.as_deref().filter(|_| overridden > failed)
    }
}

/// Writes the date down unless it is there; the close it was begun with stands.
pub(crate) async fn begin_date(
    conn: &mut PgConnection,
    date: NaiveDate,
    calendar: &str,
    close_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into eod_dates (business_date, calendar, close_at, begun_at)
         values ($1, $2, $3, $4)
             on conflict (business_date) do nothing",
        date,
        calendar,
        close_at,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A date with its steps.
///
/// # Errors
/// What the database says.
pub async fn day(conn: &mut PgConnection, date: NaiveDate) -> Result<Option<Day>, DbError> {
    let found = sqlx::query!(
        "select business_date, close_at, begun_at, closed_at, overridden_at, overridden_by
           from eod_dates
          where business_date = $1",
        date,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let steps = sqlx::query_as!(
        StepRow,
        "select step, begun_at, done_at, summary, figures from eod_steps where business_date = $1 order by step",
        date,
    );
    let steps = steps.fetch_all(conn).await?;
    Ok(Some(Day {
        date: row.business_date,
        close_at: row.close_at,
        begun_at: row.begun_at,
        closed_at: row.closed_at,
        overridden_at: row.overridden_at,
        overridden_by: row.overridden_by,
        steps: steps.into_iter().map(|step| (step.step, step)).collect(),
    }))
}

/// Whether open orders belong to this date, or executions of ours were on it.
pub(crate) async fn has_trading(conn: &mut PgConnection, date: NaiveDate) -> Result<bool, DbError> {
    let found: bool = sqlx::query_scalar("select exists (select from open_orders where session_date = $1)")
        .bind(date)
        .fetch_one(&mut *conn)
        .await?;
    Ok(found || reconcile::has_executions(conn, date).await?)
}

/// A date in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateView {
    /// Which.
    pub business_date: NaiveDate,
    /// The session's close.
    pub close_at: Timestamp,
    /// `running` or `closed`.
    pub state: String,
    /// Steps that are done.
    pub steps: i64,
    /// Orders that are unresolved now.
    pub unresolved: i64,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Who let it close with what is unresolved.
    pub overridden_by: Option<String>,
}

/// The latest dates, newest first.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection, limit: i64) -> Result<Vec<DateView>, DbError> {
    let dates = sqlx::query_as!(
        DateView,
        r#"select d.business_date, d.close_at, d.state, d.closed_at, d.overridden_by,
                  (select count(*) from eod_steps s where s.business_date = d.business_date and s.done_at is not null)
                    as "steps!",
                  (select count(*) from eod_unresolved u where u.business_date = d.business_date and u.resolved_at is null)
                    as "unresolved!"
             from eod_dates d
            order by d.business_date desc
            limit $1"#,
        limit,
    );
    Ok(dates.fetch_all(conn).await?)
}

/// The dates that are not closed, oldest first.
///
/// # Errors
/// What the database says.
pub async fn running(conn: &mut PgConnection) -> Result<Vec<NaiveDate>, DbError> {
    let dates =
        sqlx::query_scalar!("select business_date from eod_dates where state = 'running' order by business_date");
    Ok(dates.fetch_all(conn).await?)
}

/// The date before this one that is not closed, if there is one, and how many of its steps are done.
pub(crate) async fn unfinished_before(
    conn: &mut PgConnection,
    date: NaiveDate,
) -> Result<Option<(NaiveDate, i64)>, DbError> {
    let row = sqlx::query!(
        r#"select d.business_date,
                  (select count(*) from eod_steps s where s.business_date = d.business_date and s.done_at is not null)
                    as "done!"
             from eod_dates d
            where d.state = 'running'
              and d.business_date < $1
            order by d.business_date desc
            limit 1"#,
        date,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.business_date, row.done)))
}

/// The step begins, unless it has.
pub(crate) async fn begin_step(
    conn: &mut PgConnection,
    date: NaiveDate,
    step: EodStep,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into eod_steps (business_date, step, begun_at)
         values ($1, $2, $3)
             on conflict (business_date, step) do nothing",
        date,
        step.number(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How far a step is, for whoever goes on with it, and what it waits for.
pub(crate) async fn note(
    conn: &mut PgConnection,
    date: NaiveDate,
    step: EodStep,
    figures: Option<&Value>,
    waits_for: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query!(
        "update eod_steps
            set figures = coalesce($3, figures),
                summary = coalesce($4, summary)
          where business_date = $1
            and step = $2
            and done_at is null",
        date,
        step.number(),
        figures,
        waits_for,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The step is done.
pub(crate) async fn end_step(
    conn: &mut PgConnection,
    date: NaiveDate,
    step: EodStep,
    summary: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "update eod_steps
            set done_at = $4, summary = $3
          where business_date = $1
            and step = $2
            and done_at is null",
        date,
        step.number(),
        summary,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The date is closed.
pub(crate) async fn close_date(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<(), DbError> {
    sqlx::query!(
        "update eod_dates
            set state = 'closed', closed_at = $2
          where business_date = $1
            and state = 'running'",
        date,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An operator lets the date close with what is unresolved or has failed by now. False when it is not there, or closed. Once
/// more replaces who, when and why, so that it counts for what failed in between too.
///
/// # Errors
/// What the database says.
pub async fn override_date(
    conn: &mut PgConnection,
    date: NaiveDate,
    by: &str,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let set = sqlx::query!(
        "update eod_dates
            set overridden_at = $4, overridden_by = $2, override_reason = $3
          where business_date = $1
            and state = 'running'",
        date,
        by,
        reason,
        now,
    )
    .execute(&mut *conn)
    .await?;
    if set.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "update eod_unresolved
            set overridden_by = $2
          where business_date = $1
            and resolved_at is null",
        date,
        by,
    )
    .execute(conn)
    .await?;
    Ok(true)
}
