//! The end of a business date: one run of the engine, twelve steps, each restartable (domain rules 10).
//!
//! | module       | what                                                                     |
//! |--------------|--------------------------------------------------------------------------|
//! | `steps`      | what the steps are called and from when on each is due: pure             |
//! | `store`      | dates and steps as they are stored                                       |
//! | `open`       | open orders as the close looks at them                                   |
//! | `orders`     | steps 1 to 3, 5 and 6: routing, cancels, prints, ends, holds             |
//! | `asking`     | step 4: questions about what is still open                               |
//! | `equity`     | step 9: what settles, and what each account is worth                     |
//! | `prices`     | closing prices                                                           |
//! | `unresolved` | orders whose end nobody told                                             |
//! | `overrides`  | what an operator's override lets pass; step 8                            |
//! | `proof`      | step 10: the audit, chained                                              |
//! | `finish`     | steps 11 and 12                                                          |
//! | `watch`      | what is late, and dates whose end has not begun                          |
//!
//! A step is done once its row says so; until then it is tried again from what the tables show, by whichever worker has the
//! run. Nothing here moves an order, and nothing is ended on a guess.

mod asking;
mod equity;
mod finish;
mod open;
mod orders;
mod overrides;
mod prices;
pub mod proof;
mod steps;
pub mod store;
pub mod unresolved;
mod watch;

pub(crate) use open::{VENUE, report_of_day};
pub use steps::{EodStep, Settings};
pub use watch::{LATE, MISSED, PAUSED, Watch};

use std::sync::Arc;

use chrono::NaiveDate;
use domain::Timestamp;
use domain::calendar::SessionDate;
use futures::future::BoxFuture;
use venue::Venue;

use self::store::Day;
use super::{StepOutcome, fees};
use crate::Deps;
use crate::engine::{Done, Job, JobError, Run};

/// The job's name, and its schedule's.
pub const NAME: &str = "end-of-day";

/// The job.
pub struct EndOfDay<V> {
    settings: Settings,
    deps: Arc<Deps<V>>,
}

impl<V> EndOfDay<V> {
    /// A job with these settings.
    pub const fn new(settings: Settings, deps: Arc<Deps<V>>) -> Self {
        EndOfDay { settings, deps }
    }
}

impl<V: Venue> Job for EndOfDay<V> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        Box::pin(self.work(run))
    }
}

impl<V: Venue> EndOfDay<V> {
    /// Goes on with the run's date as far as it goes now.
    async fn work(&self, run: &Run) -> Result<Done, JobError> {
        let date = run.date()?;
        if let Some(later) = self.begin(run, date).await? {
            return Ok(later);
        }
        loop {
            let mut conn = self.deps.pool.acquire().await?;
            let now = db::database_time(&mut conn).await?;
            let day = store::day(&mut conn, date).await?;
            let day = day.ok_or_else(|| JobError::Fatal(format!("{date} is not among the dates")))?;
            drop(conn);
            let Some(step) = day.next_step() else {
                return Ok(Done::Finished(format!("{date} is closed")));
            };
            match self.step(run, &day, step, now).await? {
                StepOutcome::Done(summary) => self.done(run, &day, step, &summary).await?,
                StepOutcome::Wait { until, why } => {
                    self.waits(run, &day, step, &why).await?;
                    let why = format!("step {}, {}: {why}", step.number(), step.title());
                    return Ok(Done::Again { at: until, why });
                }
            }
        }
    }

    /// Writes the date down. Gives an end where there is nothing to do, or not yet.
    async fn begin(&self, run: &Run, date: NaiveDate) -> Result<Option<Done>, JobError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        if store::day(&mut tx, date).await?.is_some() {
            return Ok(None);
        }
        let calendar = self.deps.sessions.calendar();
        let now = db::database_time(&mut tx).await?;
        let Some(close) = calendar.ends_at(SessionDate::new(date)) else {
            return Err(JobError::Fatal(format!("the trading calendar does not know {date}")));
        };
        // Exceptions only take sessions away, so a session of now is a usual one.
        let usual = calendar.usual().session_bounds(SessionDate::new(date));
        if usual.is_none() && !store::has_trading(&mut tx, date).await? {
            let why = format!("{date} has no session, no open orders and no executions: there is no day to end");
            return Err(JobError::Fatal(why));
        }
        if now < close {
            let why = format!("the close of {date}");
            return Ok(Some(Done::Again { at: close, why }));
        }
        store::begin_date(&mut tx, date, &calendar.to_string(), close, now).await?;
        tx.commit().await?;
        Ok(None)
    }

    /// One try at a step, when its time has come.
    async fn step(&self, run: &Run, day: &Day, step: EodStep, now: Timestamp) -> Result<StepOutcome, JobError> {
        let due = step.due(day.close_at, &self.settings);
        if now < due {
            let why = "its time".to_owned();
            return Ok(StepOutcome::Wait { until: due, why });
        }
        if let Some(wait) = self.comes_after(day, step, now).await? {
            return Ok(wait);
        }
        self.begin_step(run, day, step, now).await?;
        match step {
            EodStep::CloseRouting => self.close_routing(run, day).await,
            EodStep::Cancel => self.cancel(run, day).await,
            EodStep::TakePrints => self.take_prints(day, now).await,
            EodStep::LookUp => self.look_up(run, day, now).await,
            EodStep::End => self.end(run, day, now).await,
            EodStep::Release => self.release(run).await,
            EodStep::Fees => fees::post_fees(&self.deps, run, day.date).await,
            EodStep::Reconcile => self.reconcile(run, day).await,
            EodStep::Settle => self.settle(run, day).await,
            EodStep::Prove => self.prove(run, day, now).await,
            EodStep::Notify => self.notify(day, now).await,
            EodStep::CloseDate => self.close(run, day, now).await,
        }
    }

    /// Money and proofs go by the order of the dates: each waits until the date before has told everybody. Orders do not wait.
    async fn comes_after(&self, day: &Day, step: EodStep, now: Timestamp) -> Result<Option<StepOutcome>, JobError> {
        if step < EodStep::Fees {
            return Ok(None);
        }
        let before = store::unfinished_before(&mut *self.deps.pool.acquire().await?, day.date).await?;
        Ok(before
            .filter(|(_, done)| *done < i64::from(EodStep::Notify.number()))
            .map(|(date, _)| StepOutcome::Wait {
                until: now + steps::span(self.settings.poll),
                why: format!("{date}, which comes first"),
            }))
    }

    async fn begin_step(&self, run: &Run, day: &Day, step: EodStep, now: Timestamp) -> Result<(), JobError> {
        if day.row(step).is_some() {
            return Ok(());
        }
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        store::begin_step(&mut tx, day.date, step, now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn waits(&self, run: &Run, day: &Day, step: EodStep, why: &str) -> Result<(), JobError> {
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        store::note(&mut tx, day.date, step, None, Some(why)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn done(&self, run: &Run, day: &Day, step: EodStep, summary: &str) -> Result<(), JobError> {
        passed(step);
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        store::end_step(&mut tx, day.date, step, summary, now).await?;
        tx.commit().await?;
        let (date, number, title) = (day.date, step.number(), step.title());
        run.log(format!("{date}, step {number}, {title}: {summary}")).await;
        let late = (now - day.close_at).to_std().unwrap_or_default();
        metrics::histogram!("daybook_scheduler_eod_step_seconds", "step" => number.to_string()).record(late);
        Ok(())
    }
}

/// A step has had its effect and is not marked as done: whoever stops here does it again.
fn passed(step: EodStep) {
    match step {
        EodStep::CloseRouting => fail::fail_point!("eod::routing_closed"),
        EodStep::Cancel => fail::fail_point!("eod::canceled"),
        EodStep::TakePrints => fail::fail_point!("eod::prints_taken"),
        EodStep::LookUp => fail::fail_point!("eod::looked_up"),
        EodStep::End => fail::fail_point!("eod::ended"),
        EodStep::Release => fail::fail_point!("eod::released"),
        EodStep::Fees => fail::fail_point!("eod::fees_posted"),
        EodStep::Reconcile => fail::fail_point!("eod::reconciled"),
        EodStep::Settle => fail::fail_point!("eod::settled"),
        EodStep::Prove => fail::fail_point!("eod::proven"),
        EodStep::Notify => fail::fail_point!("eod::notified"),
        EodStep::CloseDate => fail::fail_point!("eod::date_closed"),
    }
}
