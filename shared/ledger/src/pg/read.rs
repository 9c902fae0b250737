//! Reading balances and a customer's ledger without a lock.

use super::{CashBalance, CashRow, ShareBalance, ShareRow};
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

/// A customer's cash as committed; `None` for an account that was never opened.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn cash(conn: &mut PgConnection, account: AccountId) -> Result<Option<CashBalance>, DbError> {
    let row = sqlx::query_as!(
        CashRow,
        "select account_id, strict, avail, held, unsettled, dep_pending, wd_pending, debit_allowed,
                accrued_fees
           from ledger_cash
          where account_id = $1",
        account.get(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(CashBalance::from))
}

/// Everything a customer owns, by symbol; closed positions are left out.
///
/// # Errors
/// What the database says.
pub async fn positions(conn: &mut PgConnection, account: AccountId) -> Result<Vec<ShareBalance>, DbError> {
    let rows = sqlx::query_as!(
        ShareRow,
        "select account_id, symbol, avail, held, cost_basis
           from ledger_shares
          where account_id = $1
            and avail + held > 0
          order by symbol",
        account.get(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(ShareRow::read).collect()
}

/// Dollars that can leave the account (BP-9, BP-10): free cash less sale proceeds that have not settled, or less fees
/// to come where those are more, since they are paid from the proceeds first. Call it under the account's lock to
/// decide on a withdrawal.
///
/// # Errors
/// What the database says.
pub async fn withdrawable(conn: &mut PgConnection, account: AccountId) -> Result<Money, DbError> {
    // In `cash_strict` the proceeds are not in avail to begin with. A bust frees what it took back, and nothing where its
    // sale had settled.
    let amount = sqlx::query_scalar!(
        r#"select c.avail - case when c.strict then greatest(c.accrued_fees - c.unsettled, 0)
                                 else greatest(c.accrued_fees, d.unsettled, 0) end as "amount!"
             from ledger_cash c
            cross join lateral (select sum(greatest(t.cash + coalesce(back.cash, 0), 0)) as unsettled
                                  from ledger_trades t
                                  left join ledger_trades back on back.reverses = t.transfer_id
                                 where t.account_id = c.account_id
                                   and t.side = 'sell'
                                   and t.settled_at is null
                                   and t.reverses is null) d
            where c.account_id = $1"#,
        account.get(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(Money::from_decimal(amount.unwrap_or_default()).or_zero())
}

/// One line of a customer's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The transfer.
    pub transfer_id: Uuid,
    /// When it was posted.
    pub posted_at: Timestamp,
    /// What it is for.
    pub kind: String,
    /// Why it exists.
    pub cause: String,
    /// Which account of the customer.
    pub book: String,
    /// `USD` or a symbol.
    pub asset: String,
    /// Dollars or shares; above zero is owed to the customer.
    pub amount: Decimal,
}

/// A customer's ledger, newest first, `limit` transfers after the one given.
///
/// # Errors
/// What the database says.
pub async fn history(
    conn: &mut PgConnection,
    account: AccountId,
    kinds: &[String],
    before: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<HistoryRow>, DbError> {
    let (time, id) = before.unzip();
    let rows = sqlx::query_as!(
        HistoryRow,
        "select t.transfer_id, t.posted_at, t.kind, t.cause, e.book, e.asset, e.amount
           from (select transfer_id, posted_at, kind, cause
                   from ledger_transfers
                  where account_id = $1
                    and (cardinality($2::text[]) = 0 or kind = any($2))
                    and ($3::timestamptz is null or (posted_at, transfer_id) < ($3, $4))
                  order by posted_at desc, transfer_id desc
                  limit $5) t
           join ledger_entries e using (transfer_id)
          where e.account_id = $1
          order by t.posted_at desc, t.transfer_id desc, e.line",
        account.get(),
        kinds,
        time,
        id,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
