//! What an operator's override lets pass before the last step: a trade file that is not there (step 8), books that are wrong
//! (step 10). Only what had failed when it was given: an override for unresolved orders must not swallow what nobody has seen.

use db::PgConnection;
use serde_json::{Value, json};
use venue::Venue;

use super::EndOfDay;
use super::steps::EodStep;
use super::store::{self, Day, FAILED_AT};
use crate::engine::{JobError, Run};
use crate::jobs::StepOutcome;
use crate::jobs::reconcile::{self, Pass};

impl<V: Venue> EndOfDay<V> {
    /// Step 8: the comparison with the trade file, unless there is none and an operator lets the date go on. Its alert stays:
    /// nothing was compared.
    pub(super) async fn reconcile(&self, run: &Run, day: &Day) -> Result<StepOutcome, JobError> {
        let step = EodStep::Reconcile;
        let outcome = match reconcile::attempt(&self.deps, run, day.date).await? {
            Pass::Over(outcome) => outcome,
            Pass::NoFile(outcome) => {
                if let Some(by) = day.let_pass(step) {
                    return Ok(StepOutcome::Done(format!("not compared, overridden by {by}")));
                }
                let mut tx = db::begin(&self.deps.pool).await?;
                run.check(&mut tx).await?;
                failed(&mut tx, day, step).await?;
                tx.commit().await?;
                return Ok(outcome);
            }
        };
        if day.failed_at(step).is_some() {
            // The file is here after all: if it fails again, that is another failure.
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            store::note(&mut tx, day.date, step, Some(&json!({})), None).await?;
            tx.commit().await?;
        }
        Ok(outcome)
    }
}

/// Notes since when a step has failed, once.
pub(super) async fn failed(conn: &mut PgConnection, day: &Day, step: EodStep) -> Result<(), JobError> {
    if day.failed_at(step).is_some() {
        return Ok(());
    }
    let now = db::database_time(conn).await?;
    let mut figures = day.row(step).map_or_else(|| json!({}), |row| row.figures.clone());
    if let Value::Object(figures) = &mut figures {
        figures.insert(FAILED_AT.to_owned(), json!(now));
    }
    store::note(conn, day.date, step, Some(&figures), None).await?;
    Ok(())
}
