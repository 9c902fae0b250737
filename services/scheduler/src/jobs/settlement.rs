//! Settles the trades that are due (LED-13, LED-14), in batches.
//!
//! Each trade by a transfer named after it, marked in the same transaction: the job may run any number of times.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::AccountId;
use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{StepOutcome, not_in_the_future};
use crate::Deps;
use crate::engine::{Done, Job, JobError, Run};

/// Trades of one transaction.
const BATCH: i64 = 500;

/// The job `settlement`: an operator runs it for a date, beside the end of the day.
pub struct Settle<V>(pub Arc<Deps<V>>);

impl<V: Send + Sync + 'static> Job for Settle<V> {
    fn name(&self) -> &'static str {
        "settlement"
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        async move { Ok(settle(&self.0, run, run.date()?).await?.into()) }.boxed()
    }
}

/// Settles the trades that are due on `date` or before.
///
/// # Errors
/// [`JobError::Lost`] when another worker has the run, [`JobError::Fatal`] for a date to come, else what the database says.
pub async fn settle<V>(deps: &Deps<V>, run: &Run, date: NaiveDate) -> Result<StepOutcome, JobError> {
    let mut from = AccountId::new(Uuid::nil());
    let mut trades = 0;
    loop {
        let mut tx = db::begin(&deps.pool).await?;
        run.check(&mut tx).await?;
        let now = not_in_the_future(&mut tx, date).await?;
        let batch = ledger::settlement::settle_due(&mut tx, date, from, BATCH, now).await?;
        tx.commit().await?;
        let Some(batch) = batch else { break };
        from = batch.last;
        trades += batch.trades;
        metrics::counter!("daybook_scheduler_settled_trades_total").increment(batch.trades as u64);
    }
    Ok(StepOutcome::Done(format!("{trades} trades due to {date} settled")))
}
