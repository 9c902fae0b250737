//! The ledger's tables: balances under their account's lock, transfers posted set-based.

pub mod fees;
mod post;
mod read;
pub mod settlement;
mod trades;

pub use post::post;
pub use read::{HistoryRow, cash, history, positions, withdrawable};
pub use trades::{BookedTrade, booked_trades};

use crate::transfer::Book;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Qty, Symbol};
use rust_decimal::Decimal;
use std::collections::HashMap;

/// A customer's cash, in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CashBalance {
    /// Whose.
    pub account: AccountId,
    /// Whether sale proceeds wait for settlement (`cash_strict`).
    pub strict: bool,
    /// Free to spend.
    pub avail: Money,
    /// Set aside for open buys.
    pub held: Money,
    /// Sale proceeds that have not settled (`cash_strict` only).
    pub unsettled: Money,
    /// Deposits on their way in.
    pub dep_pending: Money,
    /// Withdrawals on their way out.
    pub wd_pending: Money,
    /// Whether a late fill, bust or returned deposit left `avail` below zero.
    pub debit_allowed: bool,
    /// Exact fees that are not posted yet.
    pub accrued_fees: Money,
}

impl CashBalance {
    /// Trade-date cash: free, held and unsettled together (BP-11).
    pub fn cash(&self) -> Money {
        Money::from_decimal(self.avail.get() + self.held.get() + self.unsettled.get())
    }

    /// What new buys may cost: free cash less fees to come, never below zero (BP-11). A fee to be given back counts
    /// when it is.
    pub fn buying_power(&self) -> Money {
        Money::from_decimal(self.avail.get() - self.accrued_fees.or_zero().get()).or_zero()
    }
}

impl CashBalance {
    /// The balance after this transfer, for deciding on the next one before either is posted.
    pub(crate) fn take(&mut self, transfer: &crate::Transfer) {
        for entry in transfer.entries().iter().filter(|e| e.account == Some(self.account)) {
            let balance = match entry.book {
                Book::CashAvail => &mut self.avail,
                Book::CashUnsettled => &mut self.unsettled,
                _ => continue,
            };
            *balance = Money::from_decimal(balance.get() + entry.amount);
        }
    }
}

/// A customer's shares of one symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareBalance {
    /// Whose.
    pub account: AccountId,
    /// Ticker.
    pub symbol: Symbol,
    /// Free to sell.
    pub avail: Qty,
    /// Set aside for open sells.
    pub held: Qty,
    /// Dollars the shares still there cost.
    pub cost_basis: Money,
}

impl ShareBalance {
    /// Shares owned, in orders or not.
    pub fn total(&self) -> Decimal {
        self.avail.get() + self.held.get()
    }
}

/// Makes the account's cash row, which everything else locks. A second call changes nothing.
///
/// # Errors
/// What the database says.
pub async fn open_account(conn: &mut PgConnection, account: AccountId, strict: bool) -> Result<(), DbError> {
    sqlx::query!(
        "insert into ledger_cash (account_id, strict)
         values ($1, $2)
         on conflict (account_id) do nothing",
        account.get(),
        strict,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks the accounts in id order, until the transaction ends, and reads their cash as it is under the lock.
/// Whatever else depends on the lock (shares, counters, flags) is read by a later statement.
///
/// # Errors
/// What the database says; an account without a row is simply not in the answer.
pub async fn lock(conn: &mut PgConnection, accounts: &[AccountId]) -> Result<HashMap<AccountId, CashBalance>, DbError> {
    let ids: Vec<uuid::Uuid> = accounts.iter().map(|a| a.get()).collect();
    let rows = sqlx::query_as!(
        CashRow,
        "select account_id, strict, avail, held, unsettled, dep_pending, wd_pending, debit_allowed,
                accrued_fees
           from ledger_cash
          where account_id = any($1)
          order by account_id
            for update",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (AccountId::new(row.account_id), row.into()))
        .collect())
}

/// The share balances of the given pairs; read it after [`lock`]. A pair without shares is not in the answer.
///
/// # Errors
/// What the database says.
pub async fn shares(
    conn: &mut PgConnection,
    pairs: &[(AccountId, Symbol)],
) -> Result<HashMap<(AccountId, Symbol), ShareBalance>, DbError> {
    if pairs.is_empty() {
        return Ok(HashMap::new());
    }
    let accounts: Vec<uuid::Uuid> = pairs.iter().map(|(a, _)| a.get()).collect();
    let symbols: Vec<String> = pairs.iter().map(|(_, s)| s.as_str().to_owned()).collect();
    let rows = sqlx::query_as!(
        ShareRow,
        "select s.account_id, s.symbol, s.avail, s.held, s.cost_basis
           from (select distinct * from unnest($1::uuid[], $2::text[])) as wanted (account_id, symbol)
           join ledger_shares s using (account_id, symbol)",
        &accounts,
        &symbols,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| row.read().map(|s| ((s.account, s.symbol.clone()), s)))
        .collect()
}

struct CashRow {
    account_id: uuid::Uuid,
    strict: bool,
    avail: Decimal,
    held: Decimal,
    unsettled: Decimal,
    dep_pending: Decimal,
    wd_pending: Decimal,
    debit_allowed: bool,
    accrued_fees: Decimal,
}

impl From<CashRow> for CashBalance {
    fn from(row: CashRow) -> Self {
        Self {
            account: AccountId::new(row.account_id),
            strict: row.strict,
            avail: Money::from_decimal(row.avail),
            held: Money::from_decimal(row.held),
            unsettled: Money::from_decimal(row.unsettled),
            dep_pending: Money::from_decimal(row.dep_pending),
            wd_pending: Money::from_decimal(row.wd_pending),
            debit_allowed: row.debit_allowed,
            accrued_fees: Money::from_decimal(row.accrued_fees),
        }
    }
}

struct ShareRow {
    account_id: uuid::Uuid,
    symbol: String,
    avail: Decimal,
    held: Decimal,
    cost_basis: Decimal,
}

impl ShareRow {
    fn read(self) -> Result<ShareBalance, DbError> {
        let bad = |what: &str| DbError::Inconsistent {
            table: "ledger_shares",
            what: format!("{} {}: {what}", self.account_id, self.symbol),
        };
        Ok(ShareBalance {
            account: AccountId::new(self.account_id),
            symbol: Symbol::parse(&self.symbol).ok_or_else(|| bad("symbol"))?,
            avail: Qty::new(self.avail).map_err(|_| bad("avail"))?,
            held: Qty::new(self.held).map_err(|_| bad("held"))?,
            cost_basis: Money::from_decimal(self.cost_basis),
        })
    }
}
