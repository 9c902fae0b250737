//! Settlement of what is due, in batches of accounts.

use crate::LedgerError;
use crate::rules::{DueTrade, Proceeds, settlement};
use crate::transfer::{Transfer, TransferId};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{AccountId, Side, Symbol, Timestamp};
use rust_decimal::Decimal;
use std::collections::HashMap;
use thiserror::Error;
use uuid::Uuid;

/// Why a batch of the end of the day could not be done.
#[derive(Debug, Error)]
pub enum BatchError {
    /// The numbers do not make a transfer: a defect.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// What a batch settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Trades.
    pub trades: usize,
    /// The next batch begins with this account: it may have more.
    pub last: AccountId,
}

/// Settles up to `limit` trades that are due on `until` or before, of accounts from `from` on: each by a transfer of its
/// own, marked in the caller's transaction. `None` when there is nothing to do.
///
/// # Errors
/// A row that cannot be, or what the database says.
pub async fn settle_due(
    conn: &mut PgConnection,
    until: NaiveDate,
    from: AccountId,
    limit: i64,
    now: Timestamp,
) -> Result<Option<Settled>, BatchError> {
    let accounts = accounts_due(conn, until, from, limit).await?;
    let cash = super::lock(conn, &accounts).await?;
    // Only now: a bust that was booked meanwhile is settled with its trade.
    let trades = due(conn, until, &accounts, limit).await?;
    let strict: Vec<AccountId> = cash.values().filter(|c| c.strict).map(|c| c.account).collect();
    let outstanding = outstanding(conn, &strict).await?;
    let mut proceeds: HashMap<AccountId, Proceeds> = HashMap::new();
    for account in strict {
        let outstanding = outstanding.get(&account).copied().unwrap_or_default();
        let unsettled = cash[&account].unsettled;
        proceeds.insert(account, Proceeds { unsettled, outstanding });
    }
    let transfers = trades
        .iter()
        .map(|trade| settlement(trade, proceeds.get_mut(&trade.account), now))
        .collect::<Result<Vec<Transfer>, _>>()?;
    super::post(conn, &transfers).await?;
    fail::fail_point!("settle::posted_not_marked");
    mark(conn, &trades, now).await?;
    Ok(trades.last().map(|trade| Settled {
        trades: trades.len(),
        last: trade.account,
    }))
}

async fn accounts_due(
    conn: &mut PgConnection,
    until: NaiveDate,
    from: AccountId,
    limit: i64,
) -> Result<Vec<AccountId>, DbError> {
    let rows = sqlx::query_scalar!(
        "select distinct account_id
           from (select account_id
                   from ledger_trades
                  where settled_at is null
                    and settle_date <= $1
                    and account_id >= $2
                  order by account_id, settle_date
                  limit $3) due",
        until,
        from.get(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(AccountId::new).collect())
}

/// The trades that are due, each with what waits for it: what a bust takes back does not, whichever of the two settles first.
async fn due(
    conn: &mut PgConnection,
    until: NaiveDate,
    accounts: &[AccountId],
    limit: i64,
) -> Result<Vec<DueTrade>, DbError> {
    let rows = sqlx::query!(
        r#"select t.transfer_id, t.account_id, t.symbol, t.side, t.qty, t.cash,
                  case when t.reverses is null then greatest(t.cash + coalesce(back.cash, 0), 0)
                       else 0 end as "waiting!"
             from ledger_trades t
             left join ledger_trades back on back.reverses = t.transfer_id
            where t.account_id = any($1)
              and t.settled_at is null
              and t.settle_date <= $2
            order by t.account_id, t.settle_date, t.transfer_id
            limit $3"#,
        &ids(accounts),
        until,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().map(|row| {
        let bad = |what| DbError::Inconsistent {
            table: "ledger_trades",
            what: format!("{}: {what}", row.transfer_id),
        };
        Ok(DueTrade {
            trade: TransferId::new(row.transfer_id),
            account: AccountId::new(row.account_id),
            symbol: Symbol::parse(&row.symbol).ok_or_else(|| bad("symbol"))?,
            side: row.side.parse::<Side>().map_err(|_| bad("side"))?,
            qty: row.qty,
            cash: row.cash,
            waiting: row.waiting,
        })
    });
    read.collect()
}

/// What the sales that have not settled came to, due or not, less what was taken back of each. What was taken back of sales
/// that have settled is another matter: it came from free cash.
pub(super) async fn outstanding(
    conn: &mut PgConnection,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Decimal>, DbError> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"select t.account_id, sum(greatest(t.cash + coalesce(back.cash, 0), 0)) as "cash!"
             from ledger_trades t
             left join ledger_trades back on back.reverses = t.transfer_id
            where t.account_id = any($1)
              and t.settled_at is null
              and t.side = 'sell'
              and t.reverses is null
            group by t.account_id"#,
        &ids(accounts),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (AccountId::new(row.account_id), row.cash))
        .collect())
}

async fn mark(conn: &mut PgConnection, trades: &[DueTrade], now: Timestamp) -> Result<(), DbError> {
    let ids: Vec<Uuid> = trades.iter().map(|trade| trade.trade.get()).collect();
    sqlx::query!(
        "update ledger_trades
            set settled_at = $2
          where transfer_id = any($1)
            and settled_at is null",
        &ids,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn ids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| account.get()).collect()
}

/// The trades of one trade date and side that settle on a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementRow {
    /// The day of the trades.
    pub trade_date: NaiveDate,
    /// Bought or sold.
    pub side: String,
    /// How many, busts included.
    pub trades: i64,
    /// Their dollars, less busts.
    pub cash: Decimal,
    /// How many have settled.
    pub settled: i64,
    /// When the last of them did.
    pub last_at: Option<Timestamp>,
}

/// What settles on a date and what has.
///
/// # Errors
/// What the database says.
pub async fn of_date(conn: &mut PgConnection, date: NaiveDate) -> Result<Vec<SettlementRow>, DbError> {
    let rows = sqlx::query_as!(
        SettlementRow,
        r#"select trade_date, side, count(*) as "trades!", sum(cash) as "cash!", count(settled_at) as "settled!",
                  max(settled_at) as last_at
             from ledger_trades
            where settle_date = $1
            group by trade_date, side
            order by trade_date, side"#,
        date,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Trades due before a date that have not settled: how many, and the oldest day.
///
/// # Errors
/// What the database says.
pub async fn overdue(conn: &mut PgConnection, before: NaiveDate) -> Result<(i64, Option<NaiveDate>), DbError> {
    let row = sqlx::query!(
        r#"select count(*) as "trades!", min(settle_date) as oldest
             from ledger_trades
            where settled_at is null
              and settle_date < $1"#,
        before,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.trades, row.oldest))
}
