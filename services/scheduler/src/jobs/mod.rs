//! The kinds of jobs, a file or folder each.

pub mod end_of_day;
pub mod fees;
pub mod housekeeping;
pub mod reconcile;
pub mod release;
pub mod settlement;

use chrono::NaiveDate;
use db::PgConnection;
use domain::Timestamp;
use domain::calendar::to_new_york;

use crate::engine::{Done, JobError};

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
