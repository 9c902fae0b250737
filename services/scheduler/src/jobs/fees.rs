//! Posts what a day's trades accrued in fees (FEE-2, LED-12), in batches of accounts.
//!
//! What is posted is a difference, so the job may run any number of times, and a later run posts what came late. A date
//! without a rate is never free (FEE-4): nothing is posted, an alert says which rate is missing, and the job comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use db::PgConnection;
use domain::{Money, Timestamp};
use futures::FutureExt;
use futures::future::BoxFuture;
use ledger::rules::{FeeRates, Fees};
use rust_decimal::Decimal;

use super::{StepOutcome, not_in_the_future};
use crate::Deps;
use crate::engine::alerts::{self, NewAlert};
use crate::engine::{Done, Job, JobError, Run};

/// The alert about a date without a rate.
pub const NO_RATE: &str = "no_fee_rate";
/// The alert about fees that the firm bears.
pub const FIRM_ROUNDING: &str = "firm_rounding";
/// Up to this nobody has to look.
const FIRM_BEARS: Decimal = Decimal::ONE;
/// Accounts of one transaction.
const BATCH: i64 = 200;
/// How often it is looked whether the rate is there.
const PATIENCE: TimeDelta = TimeDelta::minutes(5);

/// The job `fees`: an operator runs it for a date, beside the end of the day.
pub struct PostFees<V>(pub Arc<Deps<V>>);

impl<V: Send + Sync + 'static> Job for PostFees<V> {
    fn name(&self) -> &'static str {
        "fees"
    }

    fn run<'a>(&'a self, run: &'a Run) -> BoxFuture<'a, Result<Done, JobError>> {
        async move { Ok(post_fees(&self.0, run, run.date()?).await?.into()) }.boxed()
    }
}

/// Posts the fees of trades of `date` and before that are not posted.
///
/// # Errors
/// [`JobError::Lost`] when another worker has the run, [`JobError::Fatal`] for a date to come, else what the database says.
pub async fn post_fees<V>(deps: &Deps<V>, run: &Run, date: NaiveDate) -> Result<StepOutcome, JobError> {
    let mut tx = db::begin(&deps.pool).await?;
    run.check(&mut tx).await?;
    let now = not_in_the_future(&mut tx, date).await?;
    let rates = ledger::fees::rates(&mut tx).await?;
    let missing = missing_rates(&mut tx, &rates, date, now).await?;
    tx.commit().await?;
    if !missing.is_empty() {
        let why = missing.into_values().collect::<Vec<_>>().join("; ");
        run.log(why.clone()).await;
        return Ok(StepOutcome::Wait {
            until: now + PATIENCE,
            why,
        });
    }
    let posted = post_batches(deps, run, &rates, date).await?;
    let total = Money::from_decimal(posted.fees.total());
    watch_firm(deps, date).await?;
    Ok(StepOutcome::Done(format!(
        "fees of {} accounts to {date}: {total} posted (SEC {}, TAF {}, CAT {}), {} of it borne by the firm",
        posted.accounts, posted.fees.sec, posted.fees.taf, posted.fees.cat, posted.from_firm
    )))
}

struct Posted {
    accounts: usize,
    fees: Fees,
    from_firm: Money,
}

async fn post_batches<V>(deps: &Deps<V>, run: &Run, rates: &FeeRates, date: NaiveDate) -> Result<Posted, JobError> {
    let mut posted = Posted {
        accounts: 0,
        fees: Fees::default(),
        from_firm: Money::ZERO,
    };
    let mut after = None;
    loop {
        let mut tx = db::begin(&deps.pool).await?;
        run.check(&mut tx).await?;
        let now = db::database_time(&mut tx).await?;
        let batch = ledger::fees::post_due(&mut tx, rates, date, after, BATCH, now).await?;
        tx.commit().await?;
        let Some(batch) = batch else { return Ok(posted) };
        after = Some(batch.last);
        posted.accounts += batch.accounts;
        posted.fees = posted.fees.plus(&batch.posted);
        posted.from_firm = Money::from_decimal(posted.from_firm.get() + batch.from_firm.get());
    }
}

/// What is missing, by date, each with its alert; the alerts of dates that have their rates are over. The date itself has
/// to have rates even if nobody traded.
async fn missing_rates(
    conn: &mut PgConnection,
    rates: &FeeRates,
    date: NaiveDate,
    now: Timestamp,
) -> Result<BTreeMap<NaiveDate, String>, JobError> {
    let mut dates = ledger::fees::unrated(conn, date).await?;
    dates.push(date);
    let mut missing = BTreeMap::new();
    for date in dates {
        let kinds: Vec<String> = rates.missing(date).iter().map(ToString::to_string).collect();
        if kinds.is_empty() {
            alerts::clear(conn, NO_RATE, &date.to_string(), now).await?;
            continue;
        }
        let message = format!("no fee rate for {date}: {}", kinds.join(", "));
        let alert = NewAlert {
            kind: NO_RATE,
            subject: date.to_string(),
            message: format!("{message}; no fees are posted until `daybook admin fees rates add` knows it"),
        };
        alerts::raise(conn, &alert, now).await?;
        missing.insert(date, message);
    }
    Ok(missing)
}

/// LED-I6: what the firm bears is watched, of all runs for the date together: late trades add to it, and a run that was
/// stopped before it came here has posted.
async fn watch_firm<V>(deps: &Deps<V>, date: NaiveDate) -> Result<(), JobError> {
    let mut conn = deps.pool.acquire().await?;
    let from_firm = ledger::fees::of_date(&mut conn, date).await?.from_firm;
    if from_firm.get() <= FIRM_BEARS {
        return Ok(());
    }
    let now = db::database_time(&mut conn).await?;
    let alert = NewAlert {
        kind: FIRM_ROUNDING,
        subject: date.to_string(),
        message: format!(
            "the firm bears {from_firm} of fees that customers could not pay; `daybook admin fees show {date}`"
        ),
    };
    alerts::raise(&mut conn, &alert, now).await?;
    Ok(())
}
