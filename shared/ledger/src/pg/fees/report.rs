//! What a date's fees came to.

use crate::rules::Fees;
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Money;

/// The fees of a trade date, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeDayTotals {
    /// Accounts with posted fees.
    pub accounts: i64,
    /// Exact accruals that are posted.
    pub exact: Fees,
    /// Cents posted.
    pub posted: Fees,
    /// What of it the firm bears.
    pub from_firm: Money,
    /// Trades whose accruals are not posted.
    pub waiting: i64,
    /// Those of them that wait for a rate.
    pub unrated: i64,
}

/// What was accrued and posted for a trade date.
///
/// # Errors
/// What the database says.
pub async fn of_date(conn: &mut PgConnection, date: NaiveDate) -> Result<FeeDayTotals, DbError> {
    let row = sqlx::query!(
        r#"select count(*) as "accounts!", coalesce(sum(sec_exact), 0) as "sec_exact!",
                  coalesce(sum(taf_exact), 0) as "taf_exact!", coalesce(sum(cat_exact), 0) as "cat_exact!",
                  coalesce(sum(sec), 0) as "sec!", coalesce(sum(taf), 0) as "taf!", coalesce(sum(cat), 0) as "cat!",
                  coalesce(sum(from_firm), 0) as "from_firm!",
                  (select count(*) from ledger_fee_accruals
                    where posted_at is null and trade_date = $1) as "waiting!",
                  (select count(*) from ledger_fee_accruals
                    where posted_at is null and sec is null and trade_date = $1) as "unrated!"
             from ledger_fee_days
            where trade_date = $1"#,
        date,
    )
    .fetch_one(conn)
    .await?;
    Ok(FeeDayTotals {
        accounts: row.accounts,
        exact: Fees {
            sec: row.sec_exact,
            taf: row.taf_exact,
            cat: row.cat_exact,
        },
        posted: Fees {
            sec: row.sec,
            taf: row.taf,
            cat: row.cat,
        },
        from_firm: Money::from_decimal(row.from_firm),
        waiting: row.waiting,
        unrated: row.unrated,
    })
}
