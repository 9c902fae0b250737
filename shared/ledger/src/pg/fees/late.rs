//! Accruals of trades that were booked before their date had rates.

use super::post::ids;
use crate::rules::{Executed, FeeRates, Fees};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::{AccountId, AmountError, Price, Qty};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The trade dates up to `until` whose trades wait for a rate.
///
/// # Errors
/// What the database says.
pub async fn unrated(conn: &mut PgConnection, until: NaiveDate) -> Result<Vec<NaiveDate>, DbError> {
    let rows = sqlx::query_scalar!(
        "select distinct trade_date
           from ledger_fee_accruals
          where posted_at is null
            and sec is null
            and trade_date <= $1
          order by trade_date",
        until,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Computes the accruals of trades that were booked before their date had rates.
pub(super) async fn rate(
    conn: &mut PgConnection,
    rates: &FeeRates,
    accounts: &[AccountId],
    until: NaiveDate,
) -> Result<(), DbError> {
    let rows = sqlx::query!(
        "select a.transfer_id, a.account_id, a.trade_date, a.price, t.side, t.qty
           from ledger_fee_accruals a
           join ledger_trades t using (transfer_id)
          where a.account_id = any($1)
            and a.trade_date <= $2
            and a.posted_at is null
            and a.sec is null",
        &ids(accounts),
        until,
    )
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut rated: Vec<(Uuid, Fees)> = Vec::with_capacity(rows.len());
    let mut sums: BTreeMap<Uuid, Decimal> = BTreeMap::new();
    for row in rows {
        let bad = |what: String| DbError::Inconsistent {
            table: "ledger_fee_accruals",
            what: format!("{}: {what}", row.transfer_id),
        };
        let side = row.side.parse().map_err(|_| bad("side".into()))?;
        let fees = executed_fees(rates, row.trade_date, side, row.qty, row.price)
            .map_err(|error| bad(error.to_string()))?
            .ok_or_else(|| bad(format!("no fee rate for {}", row.trade_date)))?;
        *sums.entry(row.account_id).or_default() += fees.total();
        rated.push((row.transfer_id, fees));
    }
    store_rated(conn, &rated).await?;
    accrue(conn, &sums).await
}

/// The fees of an execution, or of its bust where the quantity is below zero.
fn executed_fees(
    rates: &FeeRates,
    date: NaiveDate,
    side: domain::Side,
    qty: Decimal,
    price: Decimal,
) -> Result<Option<Fees>, AmountError> {
    let executed = Executed {
        side,
        qty: Qty::new(qty.abs())?,
        price: Price::new(price)?,
    };
    let fees = rates.accrue(date, &executed)?;
    Ok(fees.map(|fees| if qty.is_sign_negative() { fees.negated() } else { fees }))
}

async fn store_rated(conn: &mut PgConnection, rated: &[(Uuid, Fees)]) -> Result<(), DbError> {
    sqlx::query!(
        "update ledger_fee_accruals a
            set sec = r.sec,
                taf = r.taf,
                cat = r.cat
           from unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::numeric[]) as r (transfer_id, sec, taf, cat)
          where a.transfer_id = r.transfer_id",
        &rated.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &rated.iter().map(|(_, fees)| fees.sec).collect::<Vec<_>>(),
        &rated.iter().map(|(_, fees)| fees.taf).collect::<Vec<_>>(),
        &rated.iter().map(|(_, fees)| fees.cat).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the running sums of what is not posted.
async fn accrue(conn: &mut PgConnection, sums: &BTreeMap<Uuid, Decimal>) -> Result<(), DbError> {
    sqlx::query!(
        "update ledger_cash c
            set accrued_fees = c.accrued_fees + d.fees
           from unnest($1::uuid[], $2::numeric[]) as d (account_id, fees)
          where c.account_id = d.account_id",
        &sums.keys().copied().collect::<Vec<_>>(),
        &sums.values().copied().collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
