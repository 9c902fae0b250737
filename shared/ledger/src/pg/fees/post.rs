//! Posts the fees of a day (FEE-2, FEE-5, LED-12), in batches of accounts.
//!
//! What is posted is the difference between the whole date's accruals, rounded up once, and what was posted for it
//! before. So a late fill, a bust or a second run posts what is left to post, and mostly nothing.

use crate::CashBalance;
use crate::pg::settlement::{BatchError, outstanding};
use crate::pg::trades::fees_of;
use crate::rules::{FeeDay, FeeRates, Fees, Purse, fee_posting};
use crate::transfer::Transfer;
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Timestamp};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

/// What a batch posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeBatch {
    /// Accounts looked at.
    pub accounts: usize,
    /// The last of them: the next batch begins after it.
    pub last: AccountId,
    /// Whole cents posted, by kind.
    pub posted: Fees,
    /// What of it the firm bears.
    pub from_firm: Money,
}

/// Posts the fees of up to `limit` accounts after `after` for trades of `until` and before. `None` when there is nothing
/// to do.
///
/// # Errors
/// [`DbError::Inconsistent`] where a date has no rates: ask [`super::unrated`] first. Else what the database says.
pub async fn post_due(
    conn: &mut PgConnection,
    rates: &FeeRates,
    until: NaiveDate,
    after: Option<AccountId>,
    limit: i64,
    now: Timestamp,
) -> Result<Option<FeeBatch>, BatchError> {
    let accounts = accounts_due(conn, until, after, limit).await?;
    let Some(&last) = accounts.last() else {
        return Ok(None);
    };
    let mut purses = Purses::lock(conn, &accounts).await?;
    // Only now: fills and busts of these accounts wait for the lock.
    super::late::rate(conn, rates, &accounts, until).await?;
    let days = days_due(conn, &accounts, Days::Until(until)).await?;
    let posted = post_days(conn, days, &mut purses, now).await?;
    Ok(Some(FeeBatch {
        accounts: accounts.len(),
        last,
        posted: posted.iter().fold(Fees::default(), |sum, day| sum.plus(&day.due)),
        from_firm: Money::from_decimal(posted.iter().map(|day| day.from_firm.get()).sum()),
    }))
}

/// Brings the days of these accounts up to date whose fees are posted already, after trades of theirs were taken back
/// (LED-16, LED-17): in the same transaction, so that nobody is in debit for a fee that is given back anyway (FEE-5).
///
/// # Errors
/// What the database says.
pub async fn give_back(conn: &mut PgConnection, accounts: &[AccountId], now: Timestamp) -> Result<(), BatchError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let mut purses = Purses::lock(conn, accounts).await?;
    let days = days_due(conn, accounts, Days::Posted).await?;
    post_days(conn, days, &mut purses, now).await?;
    Ok(())
}

async fn post_days(
    conn: &mut PgConnection,
    days: Vec<DayDue>,
    purses: &mut Purses,
    now: Timestamp,
) -> Result<Vec<DayPosted>, BatchError> {
    let mut transfers = Vec::new();
    let mut posted = Vec::with_capacity(days.len());
    for day in days {
        let (after, transfer) = day.post(purses, now)?;
        transfers.extend(transfer);
        posted.push(after);
    }
    crate::pg::post(conn, &transfers).await?;
    fail::fail_point!("fees::posted");
    store_days(conn, &posted, now).await?;
    cover(conn, &posted, now).await?;
    Ok(posted)
}

/// What fees are taken from and given back to.
struct Purses {
    cash: HashMap<AccountId, CashBalance>,
    /// What the unsettled sales of `cash_strict` accounts came to.
    outstanding: HashMap<AccountId, Decimal>,
}

impl Purses {
    async fn lock(conn: &mut PgConnection, accounts: &[AccountId]) -> Result<Self, DbError> {
        let cash = crate::pg::lock(conn, accounts).await?;
        let strict: Vec<AccountId> = cash.values().filter(|c| c.strict).map(|c| c.account).collect();
        let outstanding = outstanding(conn, &strict).await?;
        Ok(Self { cash, outstanding })
    }
}

/// Which days are looked at.
#[derive(Clone, Copy)]
enum Days {
    /// Up to this one.
    Until(NaiveDate),
    /// Those that something was posted for before.
    Posted,
}

async fn accounts_due(
    conn: &mut PgConnection,
    until: NaiveDate,
    after: Option<AccountId>,
    limit: i64,
) -> Result<Vec<AccountId>, DbError> {
    let rows = sqlx::query_scalar!(
        "select account_id
           from ledger_fee_accruals
          where posted_at is null
            and trade_date <= $1
            and account_id > $2
          group by account_id
          order by account_id
          limit $3",
        until,
        after.map_or(Uuid::nil(), AccountId::get),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(AccountId::new).collect())
}

/// An account's trades of one date whose fees are not posted, and what was posted for that date before.
struct DayDue {
    account: AccountId,
    date: NaiveDate,
    accrued: Fees,
    exact_before: Fees,
    posted_before: Fees,
    from_firm_before: Money,
    postings: i32,
}

/// What a day comes to by a posting.
struct DayPosted {
    account: AccountId,
    date: NaiveDate,
    exact: Fees,
    /// Cents posted for the date in all.
    posted: Fees,
    /// Cents posted now.
    due: Fees,
    from_firm: Money,
    postings: i32,
}

async fn days_due(conn: &mut PgConnection, accounts: &[AccountId], which: Days) -> Result<Vec<DayDue>, DbError> {
    let until = match which {
        Days::Until(date) => Some(date),
        Days::Posted => None,
    };
    let rows = sqlx::query!(
        r#"select a.account_id, a.trade_date, a.sec as "sec!", a.taf as "taf!", a.cat as "cat!",
                  d.sec_exact as "sec_exact?", d.taf_exact as "taf_exact?", d.cat_exact as "cat_exact?",
                  d.sec as "sec_posted?", d.taf as "taf_posted?", d.cat as "cat_posted?",
                  coalesce(d.from_firm, 0) as "from_firm!", coalesce(d.postings, 0) as "postings!"
             from (select account_id, trade_date, sum(sec) as sec, sum(taf) as taf, sum(cat) as cat
                     from ledger_fee_accruals
                    where account_id = any($1)
                      and ($2::date is null or trade_date <= $2)
                      and posted_at is null
                      and sec is not null
                    group by account_id, trade_date) a
             left join ledger_fee_days d using (account_id, trade_date)
            where $2 is not null
               or d.account_id is not null
            order by a.account_id, a.trade_date"#,
        &ids(accounts),
        until as Option<NaiveDate>,
    )
    .fetch_all(conn)
    .await?;
    let day = rows.into_iter().map(|row| DayDue {
        account: AccountId::new(row.account_id),
        date: row.trade_date,
        accrued: Fees {
            sec: row.sec,
            taf: row.taf,
            cat: row.cat,
        },
        exact_before: fees_of(row.sec_exact, row.taf_exact, row.cat_exact).unwrap_or_default(),
        posted_before: fees_of(row.sec_posted, row.taf_posted, row.cat_posted).unwrap_or_default(),
        from_firm_before: Money::from_decimal(row.from_firm),
        postings: row.postings,
    });
    Ok(day.collect())
}

impl DayDue {
    /// Takes what is due out of the account's cash.
    fn post(self, purses: &mut Purses, now: Timestamp) -> Result<(DayPosted, Option<Transfer>), BatchError> {
        let missing = || DbError::Inconsistent {
            table: "ledger_cash",
            what: format!("{} has accruals and no row", self.account),
        };
        let balance = purses.cash.get_mut(&self.account).ok_or_else(missing)?;
        let exact = self.exact_before.plus(&self.accrued);
        let posted = exact.ceil_to_cent();
        let due = posted.plus(&self.posted_before.negated());
        let outstanding = purses.outstanding.get(&self.account).copied().unwrap_or_default();
        let purse = Purse {
            unsettled: balance.unsettled,
            missing: Money::from_decimal(outstanding - balance.unsettled.get()),
            avail: balance.avail,
            from_firm: self.from_firm_before,
        };
        let day = FeeDay {
            account: self.account,
            date: self.date,
            posting: self.postings + 1,
        };
        let posting = fee_posting(day, &due, &purse, now)?;
        if let Some(transfer) = &posting.transfer {
            balance.take(transfer);
        }
        let after = DayPosted {
            account: self.account,
            date: self.date,
            exact,
            posted,
            due,
            from_firm: posting.from_firm,
            postings: self.postings + i32::from(posting.transfer.is_some()),
        };
        Ok((after, posting.transfer))
    }
}

async fn store_days(conn: &mut PgConnection, days: &[DayPosted], now: Timestamp) -> Result<(), DbError> {
    let column = |pick: fn(&DayPosted) -> Decimal| days.iter().map(pick).collect::<Vec<Decimal>>();
    sqlx::query!(
        "insert into ledger_fee_days as d (account_id, trade_date, sec_exact, taf_exact, cat_exact, sec, taf, cat, from_firm,
                                           postings, posted_at)
         select n.account_id, n.trade_date, n.sec_exact, n.taf_exact, n.cat_exact, n.sec, n.taf, n.cat, n.from_firm,
                n.postings, $11
           from unnest($1::uuid[], $2::date[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[],
                       $8::numeric[], $9::numeric[], $10::int[])
             as n (account_id, trade_date, sec_exact, taf_exact, cat_exact, sec, taf, cat, from_firm, postings)
         on conflict (account_id, trade_date) do update
            set sec_exact = excluded.sec_exact,
                taf_exact = excluded.taf_exact,
                cat_exact = excluded.cat_exact,
                sec = excluded.sec,
                taf = excluded.taf,
                cat = excluded.cat,
                from_firm = d.from_firm + excluded.from_firm,
                postings = excluded.postings,
                posted_at = excluded.posted_at",
        &days.iter().map(|d| d.account.get()).collect::<Vec<_>>(),
        &days.iter().map(|d| d.date).collect::<Vec<_>>(),
        &column(|d| d.exact.sec),
        &column(|d| d.exact.taf),
        &column(|d| d.exact.cat),
        &column(|d| d.posted.sec),
        &column(|d| d.posted.taf),
        &column(|d| d.posted.cat),
        &column(|d| d.from_firm.get()),
        &days.iter().map(|d| d.postings).collect::<Vec<_>>(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks the accruals as posted and takes them out of the running sums.
async fn cover(conn: &mut PgConnection, days: &[DayPosted], now: Timestamp) -> Result<(), DbError> {
    sqlx::query!(
        "with covered as (
             update ledger_fee_accruals a
                set posted_at = $3
               from unnest($1::uuid[], $2::date[]) as d (account_id, trade_date)
              where a.account_id = d.account_id
                and a.trade_date = d.trade_date
                and a.posted_at is null
                and a.sec is not null
             returning a.account_id, a.sec + a.taf + a.cat as fees)
         update ledger_cash c
            set accrued_fees = c.accrued_fees - s.fees
           from (select account_id, sum(fees) as fees
                   from covered
                  group by account_id) s
          where c.account_id = s.account_id",
        &days.iter().map(|d| d.account.get()).collect::<Vec<_>>(),
        &days.iter().map(|d| d.date).collect::<Vec<_>>(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) fn ids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| account.get()).collect()
}
