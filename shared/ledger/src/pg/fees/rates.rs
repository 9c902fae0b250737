//! The effective-dated rates.

use crate::rules::{FeeRate, FeeRates};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use rust_decimal::Decimal;

/// A rate with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateRow {
    /// The rate.
    pub rate: FeeRate,
    /// The document that sets it.
    pub source: String,
    /// Who added it.
    pub added_by: String,
}

struct Row {
    kind: String,
    valid_from: NaiveDate,
    valid_to: Option<NaiveDate>,
    rate: Decimal,
    per: String,
    side: String,
    cap: Option<Decimal>,
    waived_dollars: Option<Decimal>,
    waived_shares: Option<Decimal>,
    source: String,
    added_by: String,
}

impl Row {
    fn read(self) -> Result<RateRow, DbError> {
        let bad = |what: &str| DbError::Inconsistent {
            table: "fee_rates",
            what: format!("{} from {}: {what}", self.kind, self.valid_from),
        };
        let rate = FeeRate {
            kind: self.kind.parse().map_err(|_| bad("kind"))?,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            rate: self.rate,
            per: self.per.parse().map_err(|_| bad("per"))?,
            side: self.side.parse().map_err(|_| bad("side"))?,
            cap: self.cap,
            waived_dollars: self.waived_dollars,
            waived_shares: self.waived_shares,
        };
        Ok(RateRow {
            rate,
            source: self.source,
            added_by: self.added_by,
        })
    }
}

/// All rates, by kind and date.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn rate_rows(conn: &mut PgConnection) -> Result<Vec<RateRow>, DbError> {
    let rows = sqlx::query_as!(
        Row,
        "select kind, valid_from, valid_to, rate, per, side, cap, waived_dollars, waived_shares, source, added_by
           from fee_rates
          order by kind, valid_from",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// All rates, to compute with.
///
/// # Errors
/// What the database says.
pub async fn rates(conn: &mut PgConnection) -> Result<FeeRates, DbError> {
    let rows = rate_rows(conn).await?;
    Ok(FeeRates::new(rows.into_iter().map(|row| row.rate).collect()))
}

/// Adds a rate. One of its kind that is in force until further notice ends the day before, if `today` is earlier than
/// that: the accruals of past days and of today stand as they are.
///
/// # Errors
/// A violated `fee_rates_…_overlap` where another rate covers one of the days.
pub async fn add_rate(conn: &mut PgConnection, new: &RateRow, today: NaiveDate, now: Timestamp) -> Result<(), DbError> {
    let rate = &new.rate;
    let kind = rate.kind.to_string();
    if rate.valid_from > today {
        sqlx::query!(
            "update fee_rates
                set valid_to = $2::date - 1
              where kind = $1
                and valid_to is null
                and valid_from < $2",
            &kind,
            rate.valid_from,
        )
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query!(
        "insert into fee_rates (kind, valid_from, valid_to, rate, per, side, cap, waived_dollars, waived_shares, source,
                                added_by, added_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &kind,
        rate.valid_from,
        rate.valid_to,
        rate.rate,
        rate.per.to_string(),
        rate.side.to_string(),
        rate.cap,
        rate.waived_dollars,
        rate.waived_shares,
        &new.source,
        &new.added_by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
