//! What each account is worth at the end of the date: cash, and shares at the closing prices.
//!
//! Kept after fees and settlement, so that it is what the customer finds on the next morning. Where it is kept already it
//! stands: the step may run any number of times.

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use uuid::Uuid;
use venue::Venue;

use super::EndOfDay;
use super::store::Day;
use crate::engine::{JobError, Run};
use crate::jobs::{StepOutcome, settlement};

/// Accounts of one transaction.
const BATCH: i64 = 2_000;

impl<V: Venue> EndOfDay<V> {
    /// Step 9: what is due settles, and then everybody's equity is kept.
    pub(super) async fn settle(&self, run: &Run, day: &Day) -> Result<StepOutcome, JobError> {
        let settled = match settlement::settle(&self.deps, run, day.date).await? {
            StepOutcome::Done(summary) => summary,
            waits @ StepOutcome::Wait { .. } => return Ok(waits),
        };
        let mut after = Uuid::nil();
        let mut accounts = 0;
        loop {
            let mut tx = db::begin(&self.deps.pool).await?;
            run.check(&mut tx).await?;
            let now = db::database_time(&mut tx).await?;
            let page = keep(&mut tx, day.date, after, now).await?;
            tx.commit().await?;
            accounts += page.kept;
            match page.last {
                Some(last) => after = last,
                None => break,
            }
        }
        Ok(StepOutcome::Done(format!(
            "{settled}, equity of {accounts} accounts kept"
        )))
    }
}

struct Page {
    /// The last account looked at; none: there are no more.
    last: Option<Uuid>,
    kept: i64,
}

/// A share without a closing price of this or an earlier date counts at what it cost, as in the account.
async fn keep(conn: &mut PgConnection, date: NaiveDate, after: Uuid, now: Timestamp) -> Result<Page, DbError> {
    let page = sqlx::query_as!(
        Page,
        r#"with page as materialized
               (select account_id, avail + held + unsettled as cash
                  from ledger_cash
                 where account_id > $2
                 order by account_id
                 limit $3),
             kept as
               (insert into daily_equity (account_id, business_date, cash, long_market_value, kept_at)
                select p.account_id, $1, p.cash, coalesce(v.value, 0), $4
                  from page p
                  left join lateral (select sum(coalesce(c.price * (s.avail + s.held), s.cost_basis)) as value
                                       from ledger_shares s
                                       left join lateral (select price
                                                            from closing_prices
                                                           where symbol = s.symbol
                                                             and session_date <= $1
                                                           order by session_date desc
                                                           limit 1) c on true
                                      where s.account_id = p.account_id
                                        and s.avail + s.held > 0) v on true
                    on conflict (account_id, business_date) do nothing
             returning account_id)
           select (select account_id from page order by account_id desc limit 1) as last,
                  (select count(*) from kept) as "kept!""#,
        date,
        after,
        BATCH,
        now,
    );
    Ok(page.fetch_one(conn).await?)
}
