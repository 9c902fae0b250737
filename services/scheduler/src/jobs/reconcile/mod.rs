//! Reconciliation (REC-1 to REC-5): our fills against the exchange's end-of-day trade file, our open orders against its
//! list. What differs becomes a break, and a break is worked on until it is gone, explained or decided.
//!
//! | module        | what                                                                             |
//! |---------------|----------------------------------------------------------------------------------|
//! | `file`        | fetches the trade file, refuses it whole or keeps its lines                       |
//! | `compare`     | the differences, one read-only statement                                          |
//! | `open_orders` | the same for open orders                                                          |
//! | `breaks`      | the table of breaks                                                               |
//! | `act`         | what is done about a break: pure                                                  |
//! | `pass`        | one pass: open, ask, act, close                                                   |
//! | `desk`        | what operators do: own, explain, close, propose and approve                       |
//! | `report`      | a day's report, suspense and its age                                              |
//!
//! The job moves no order. It reports what the venue's record says, and the status-updater books it; a later pass finds the
//! difference gone and closes the break. What the street has and nobody owns, or a customer has and the street denies, is
//! in suspense (LED-20, LED-21) until somebody decides, and a second person approves.

mod act;
pub mod breaks;
mod compare;
pub mod desk;
mod file;
mod open_orders;
mod pass;
pub mod report;

use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection, Tx};
use domain::Timestamp;
use domain::calendar::SessionDate;
use futures::future::BoxFuture;
use std::sync::Arc;
use venue::Venue;

use self::file::Fetched;
use super::StepOutcome;
use crate::Deps;
use crate::engine::alerts::{self, NewAlert};
use crate::engine::{Done, Job, JobError, Run};

/// The kind of job, as schedules name it.
pub const NAME: &str = "reconcile";
/// From one pass to the next while something is on its way.
const AGAIN_IN: TimeDelta = TimeDelta::seconds(15);
/// From one request for a file that is missing or refused to the next.
const FILE_AGAIN_IN: TimeDelta = TimeDelta::seconds(60);
/// A file may be this late before somebody is told.
const FILE_LATE: TimeDelta = TimeDelta::minutes(30);
/// A break that its program has not brought to an end by then waits for an operator.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);
/// The alert that a day has breaks that want somebody.
const BREAKS: &str = "reconcile_breaks";
/// REC-5: of ten thousand executions at most one may differ.
const MATCH_RATE: (i64, i64) = (9_999, 10_000);

/// The session that is reconciled, at which venue.
pub(crate) struct Day {
    pub(crate) venue: String,
    pub(crate) date: NaiveDate,
}

/// Reconciliation as a job of its own: `daybook admin jobs run reconcile --date 2026-11-23`.
pub struct Reconcile<V>(Arc<Deps<V>>);

impl<V> Reconcile<V> {
    /// A job with what it works with.
    pub const fn new(deps: Arc<Deps<V>>) -> Self {
        Self(deps)
    }
}

impl<V: Venue> Job for Reconcile<V> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        Box::pin(async move { Ok(reconcile(&self.0, run, run.date()?).await?.into()) })
    }
}

/// What one pass came to.
pub(crate) enum Pass {
    /// Both sides were compared, or it is too early, or there is nothing to compare.
    Over(StepOutcome),
    /// The file should be here and is not, or cannot be read: waits for the next try.
    NoFile(StepOutcome),
}

/// One pass over the session of `date`. May be repeated at any time: what is found again changes nothing.
///
/// # Errors
/// The run belongs to somebody else, or what the database says.
pub async fn reconcile<V: Venue>(deps: &Deps<V>, run: &Run, date: NaiveDate) -> Result<StepOutcome, JobError> {
    match attempt(deps, run, date).await? {
        Pass::Over(outcome) | Pass::NoFile(outcome) => Ok(outcome),
    }
}

/// The same, and says whether it is the file that is missing.
pub(crate) async fn attempt<V: Venue>(deps: &Deps<V>, run: &Run, date: NaiveDate) -> Result<Pass, JobError> {
    let done = |summary: &str| Ok(Pass::Over(StepOutcome::Done(summary.to_owned())));
    let Some(venue) = deps.venue.as_deref() else {
        return done("there is no exchange to compare with");
    };
    let day = Day {
        venue: venue.name().to_owned(),
        date,
    };
    let now = time(deps).await?;
    match file::fetch(deps, venue, run, &day).await? {
        Fetched::NotOffered => done("this exchange writes no trade files: nothing is compared"),
        Fetched::Missing { early: true, .. } if is_empty(deps, run, &day, now).await? => {
            done("no session and no executions: nothing to compare")
        }
        Fetched::Missing { why, early } => missing(deps, run, &day, now, why, early).await,
        Fetched::Loaded { version, is_new } => {
            if is_new {
                run.log(format!("file {version} of {date} is here")).await;
            }
            let mut tx = begin(deps, run).await?;
            alerts::clear(&mut tx, "reconcile_file", &day.subject(), now).await?;
            tx.commit().await?;
            let found = pass::pass(deps, venue, run, &day, version).await?;
            Ok(Pass::Over(conclude(deps, run, &day, found).await?))
        }
    }
}

impl Day {
    fn subject(&self) -> String {
        format!("{} {}", self.venue, self.date)
    }
}

/// A transaction of the run: whoever lost it writes nothing.
async fn begin<V>(deps: &Deps<V>, run: &Run) -> Result<Tx, JobError> {
    let mut tx = db::begin(&deps.pool).await?;
    run.check(&mut tx).await?;
    Ok(tx)
}

async fn time<V>(deps: &Deps<V>) -> Result<Timestamp, JobError> {
    let mut conn = deps.pool.acquire().await?;
    Ok(db::database_time(&mut conn).await?)
}

/// Whether neither side can have traded: no session by the calendar in force, no file there, no execution here. What was told
/// about the file is over with that.
async fn is_empty<V>(deps: &Deps<V>, run: &Run, day: &Day, now: Timestamp) -> Result<bool, JobError> {
    let session = deps.sessions.calendar().session_bounds(SessionDate::new(day.date));
    let mut tx = begin(deps, run).await?;
    if session.is_some() || has_executions(&mut tx, day.date).await? {
        return Ok(false);
    }
    alerts::clear(&mut tx, "reconcile_file", &day.subject(), now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whether we have executions of this trade date, whatever became of them.
pub(crate) async fn has_executions(conn: &mut PgConnection, date: NaiveDate) -> Result<bool, DbError> {
    let found = sqlx::query_scalar(
        "select exists (select from fills
                         where venue_at >= ($1::date)::timestamp at time zone 'America/New_York'
                           and venue_at < ($1::date + 1)::timestamp at time zone 'America/New_York')",
    );
    Ok(found.bind(date).fetch_one(conn).await?)
}

async fn missing<V>(
    deps: &Deps<V>,
    run: &Run,
    day: &Day,
    now: Timestamp,
    why: String,
    early: bool,
) -> Result<Pass, JobError> {
    let close = deps.sessions.calendar().session_bounds(SessionDate::new(day.date));
    let late = close.is_none_or(|(_, close)| now > close + FILE_LATE);
    let wait = StepOutcome::Wait {
        until: now + FILE_AGAIN_IN,
        why: why.clone(),
    };
    if early && !late {
        return Ok(Pass::Over(wait));
    }
    let alert = NewAlert {
        kind: "reconcile_file",
        subject: day.subject(),
        message: format!("the trade file of {} is not here: {why}", day.date),
    };
    let mut tx = begin(deps, run).await?;
    alerts::raise(&mut tx, &alert, now).await?;
    tx.commit().await?;
    Ok(Pass::NoFile(wait))
}

async fn conclude<V>(deps: &Deps<V>, run: &Run, day: &Day, found: pass::Found) -> Result<StepOutcome, JobError> {
    let now = time(deps).await?;
    let mut tx = begin(deps, run).await?;
    tell(&mut tx, day, &found, now).await?;
    report::tell_age(&mut tx, &deps.sessions.calendar(), now).await?;
    tx.commit().await?;
    found.measure();
    let summary = found.summary();
    if found.under_way > 0 {
        let why = format!("{} of its breaks are on their way; {summary}", found.under_way);
        return Ok(StepOutcome::Wait {
            until: now + AGAIN_IN,
            why,
        });
    }
    Ok(StepOutcome::Done(summary))
}

/// REC-5: alerts for what wants somebody, and for a day on which too little met by itself.
async fn tell(conn: &mut PgConnection, day: &Day, found: &pass::Found, now: Timestamp) -> Result<(), JobError> {
    let subject = day.subject();
    if found.under_way == 0 && found.waiting > 0 {
        let message = format!(
            "{}: `daybook admin reconcile show {}` lists what wants somebody",
            found.summary(),
            day.date
        );
        raise(conn, BREAKS, &subject, message, now).await?;
    } else if found.waiting == 0 {
        alerts::clear(conn, BREAKS, &subject, now).await?;
    }
    let (good, of) = MATCH_RATE;
    if found.matched * of >= found.executions * good {
        alerts::clear(conn, "reconcile_match_rate", &subject, now).await?;
    } else if found.under_way == 0 {
        let message = format!("only {} of {} executions match", found.matched, found.executions);
        raise(conn, "reconcile_match_rate", &subject, message, now).await?;
    }
    Ok(())
}

async fn raise(
    conn: &mut PgConnection,
    kind: &'static str,
    subject: &str,
    message: String,
    now: Timestamp,
) -> Result<(), JobError> {
    let alert = NewAlert {
        kind,
        subject: subject.to_owned(),
        message,
    };
    alerts::raise(conn, &alert, now).await?;
    Ok(())
}
