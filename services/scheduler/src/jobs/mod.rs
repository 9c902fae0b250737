//! The kinds of jobs, a file or folder each.

pub mod end_of_day;
pub mod fees;
pub mod housekeeping;
pub mod reconcile;
pub mod release;
pub mod seal_audit;
pub mod settlement;

use chassis::metrics::{describe_counter, describe_gauge, describe_histogram};
use chrono::NaiveDate;
use db::PgConnection;
use domain::Timestamp;
use domain::calendar::to_new_york;

use crate::engine::{Done, JobError};

/// Says what the jobs' metrics mean.
pub(crate) fn describe() {
    describe_counter(
        "daybook_scheduler_expiries_asked_total",
        "Orders whose end was asked for by their time.",
    );
    describe_counter(
        "daybook_scheduler_kill_cancels_asked_total",
        "Orders whose end was asked for by a kill switch.",
    );
    describe_counter(
        "daybook_scheduler_release_rejected_total",
        "Queued orders that the check before the bell rejected.",
    );
    describe_gauge(
        "daybook_scheduler_eod_dates_running",
        "Business dates that are not closed.",
    );
    describe_gauge(
        "daybook_scheduler_eod_unresolved_orders",
        "Orders whose end nobody told, of closed dates too.",
    );
    describe_gauge(
        "daybook_scheduler_eod_late_seconds",
        "How late a part of an end of day is.",
    );
    describe_histogram(
        "daybook_scheduler_eod_step_seconds",
        "From the close to the end of a step.",
    );
    describe_counter(
        "daybook_scheduler_eod_breaches_total",
        "Parts of ends of days that were late.",
    );
}

/// What came of a part of a job that may have to wait for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// It is done; in words an operator can read.
    Done(String),
    /// Nothing failed, but it cannot be done yet.
    Wait {
        /// When to come back.
        until: Timestamp,
        /// What is waited for.
        why: String,
    },
}

impl From<StepOutcome> for Done {
    fn from(outcome: StepOutcome) -> Self {
        match outcome {
            StepOutcome::Done(summary) => Done::Finished(summary),
            StepOutcome::Wait { until, why } => Done::Again { at: until, why },
        }
    }
}

/// The database's time, if the date has begun in New York.
async fn not_in_the_future(conn: &mut PgConnection, date: NaiveDate) -> Result<Timestamp, JobError> {
    let now = db::database_time(conn).await?;
    let today = to_new_york(now).date_naive();
    if date > today {
        return Err(JobError::Fatal(format!("{date} is still to come, today is {today}")));
    }
    Ok(now)
}
