//! The rows behind the limits, and how an operator changes them.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use db::{DbError, PgConnection};
use domain::AccountId;

use super::{ChurnRule, Class, LimitTable, Own, Rate, Usual};

/// A row of a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierLimit {
    /// Which tier.
    pub tier: String,
    /// For which requests.
    pub class: Class,
    /// How many; `None` is no limit.
    pub rate: Option<Rate>,
}

/// A row of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimit {
    /// Which account.
    pub account: AccountId,
    /// For which requests.
    pub class: Class,
    /// How many; `None` is no limit.
    pub rate: Option<Rate>,
}

/// A tier's churn rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChurnLimit {
    /// Which tier.
    pub tier: String,
    /// `None` turns the rule off.
    pub rule: Option<ChurnRule>,
}

/// Everything at once.
///
/// # Errors
/// What the database says, or a row that no code writes.
pub async fn load(conn: &mut PgConnection, usual: Usual) -> Result<LimitTable, DbError> {
    let tiers = tier_limits(conn).await?.into_iter();
    let accounts = account_limits(conn, None).await?.into_iter();
    let churn = churn_limits(conn).await?.into_iter();
    Ok(LimitTable {
        usual,
        tiers: grouped(tiers.map(|row| (row.tier, row.class, row.rate))),
        accounts: grouped(accounts.map(|row| (row.account, row.class, row.rate))),
        churn: churn.map(|row| (row.tier, row.rule)).collect(),
    })
}

fn grouped<K: Eq + Hash>(rows: impl Iterator<Item = (K, Class, Option<Rate>)>) -> HashMap<K, Own> {
    rows.fold(HashMap::new(), |mut all, (of, class, rate)| {
        all.entry(of).or_default()[class as usize] = Some(rate);
        all
    })
}

/// Rows of tiers, by name.
///
/// # Errors
/// What the database says, or a row that no code writes.
pub async fn tier_limits(conn: &mut PgConnection) -> Result<Vec<TierLimit>, DbError> {
    let rows = sqlx::query!("select tier, class, per_minute, burst from tier_limits order by tier, class")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(TierLimit {
                class: class("tier_limits", &row.class)?,
                rate: rate("tier_limits", row.per_minute, row.burst)?,
                tier: row.tier,
            })
        })
        .collect()
}

/// Rows of one account, or of all.
///
/// # Errors
/// What the database says, or a row that no code writes.
pub async fn account_limits(conn: &mut PgConnection, only: Option<AccountId>) -> Result<Vec<AccountLimit>, DbError> {
    let rows = sqlx::query!(
        "select account_id, class, per_minute, burst
           from account_limits
          where $1::uuid is null
             or account_id = $1
          order by account_id, class",
        only.map(|account| account.get()),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(AccountLimit {
                account: AccountId::new(row.account_id),
                class: class("account_limits", &row.class)?,
                rate: rate("account_limits", row.per_minute, row.burst)?,
            })
        })
        .collect()
}

/// Churn rules of tiers, by name.
///
/// # Errors
/// What the database says, or a row that no code writes.
pub async fn churn_limits(conn: &mut PgConnection) -> Result<Vec<ChurnLimit>, DbError> {
    let rows = sqlx::query!(
        "select tier, cancels_per_minute, cancels_per_fill, cool_off_seconds, cool_off_most_seconds
           from churn_limits
          order by tier",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let numbers = [
                row.cancels_per_minute,
                row.cancels_per_fill,
                row.cool_off_seconds,
                row.cool_off_most_seconds,
            ];
            let [
                Some(cancels_per_minute),
                Some(cancels_per_fill),
                Some(first),
                Some(most),
            ] = numbers
            else {
                return Ok(ChurnLimit {
                    tier: row.tier,
                    rule: None,
                });
            };
            let seconds = |n| positive("churn_limits", n).map(|n| Duration::from_secs(n.into()));
            Ok(ChurnLimit {
                tier: row.tier,
                rule: Some(ChurnRule {
                    cancels_per_minute: positive("churn_limits", cancels_per_minute)?,
                    cancels_per_fill: positive("churn_limits", cancels_per_fill)?,
                    cool_off: seconds(first)?,
                    cool_off_most: seconds(most)?,
                }),
            })
        })
        .collect()
}

/// Sets a tier's limit of a class.
///
/// # Errors
/// What the database says.
pub async fn set_tier_limit(conn: &mut PgConnection, limit: &TierLimit) -> Result<(), DbError> {
    let (per_minute, burst) = numbers(limit.rate);
    sqlx::query!(
        "insert into tier_limits (tier, class, per_minute, burst)
         values ($1, $2, $3, $4)
         on conflict on constraint tier_limits_key
             do update set per_minute = excluded.per_minute,
                           burst = excluded.burst",
        limit.tier,
        limit.class.as_str(),
        per_minute,
        burst,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets an account's own limit of a class.
///
/// # Errors
/// What the database says.
pub async fn set_account_limit(conn: &mut PgConnection, limit: AccountLimit) -> Result<(), DbError> {
    let (per_minute, burst) = numbers(limit.rate);
    sqlx::query!(
        "insert into account_limits (account_id, class, per_minute, burst)
         values ($1, $2, $3, $4)
         on conflict on constraint account_limits_key
             do update set per_minute = excluded.per_minute,
                           burst = excluded.burst",
        limit.account.get(),
        limit.class.as_str(),
        per_minute,
        burst,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets an account follow its tier again in a class; false when it did.
///
/// # Errors
/// What the database says.
pub async fn clear_account_limit(conn: &mut PgConnection, account: AccountId, class: Class) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "delete from account_limits
          where account_id = $1
            and class = $2",
        account.get(),
        class.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets a tier's churn rule, or turns it off for the tier.
///
/// # Errors
/// What the database says.
pub async fn set_churn_limit(conn: &mut PgConnection, limit: &ChurnLimit) -> Result<(), DbError> {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    sqlx::query!(
        "insert into churn_limits (tier, cancels_per_minute, cancels_per_fill, cool_off_seconds, cool_off_most_seconds)
         values ($1, $2, $3, $4, $5)
         on conflict (tier)
             do update set cancels_per_minute = excluded.cancels_per_minute,
                           cancels_per_fill = excluded.cancels_per_fill,
                           cool_off_seconds = excluded.cool_off_seconds,
                           cool_off_most_seconds = excluded.cool_off_most_seconds",
        limit.tier,
        limit.rule.map(|rule| number(rule.cancels_per_minute)),
        limit.rule.map(|rule| number(rule.cancels_per_fill)),
        limit.rule.map(|rule| number(seconds(rule.cool_off))),
        limit.rule.map(|rule| number(seconds(rule.cool_off_most))),
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn class(table: &'static str, word: &str) -> Result<Class, DbError> {
    word.parse().map_err(|_| DbError::Inconsistent {
        table,
        what: format!("class {word}"),
    })
}

fn rate(table: &'static str, per_minute: Option<i32>, burst: Option<i32>) -> Result<Option<Rate>, DbError> {
    let (Some(per_minute), Some(burst)) = (per_minute, burst) else {
        return Ok(None);
    };
    Ok(Some(Rate {
        per_minute: positive(table, per_minute)?,
        burst: positive(table, burst)?,
    }))
}

fn positive(table: &'static str, n: i32) -> Result<u32, DbError> {
    u32::try_from(n)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| DbError::Inconsistent {
            table,
            what: format!("{n} is not above zero"),
        })
}

fn numbers(rate: Option<Rate>) -> (Option<i32>, Option<i32>) {
    (
        rate.map(|rate| number(rate.per_minute)),
        rate.map(|rate| number(rate.burst)),
    )
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
