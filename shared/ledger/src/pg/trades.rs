//! Trades as they were booked: what a bust takes back.

use crate::rules::{Fees, TakenBack, TradeDates};
use crate::transfer::{Accrual, TransferId};
use db::{DbError, PgConnection};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

/// What a trade's transfer said of its days and fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedTrade {
    /// The transfer itself.
    pub transfer: TransferId,
    /// Whether the trade has settled.
    pub settled: bool,
    /// The days of the trade.
    pub dates: TradeDates,
    /// What it accrued; `None` for one booked before fees were.
    pub accrual: Option<Accrual>,
}

impl BookedTrade {
    /// What its bust takes back.
    pub const fn taken_back(&self) -> TakenBack {
        TakenBack {
            trade: self.transfer,
            settled: self.settled,
        }
    }

    /// What its bust books: the same days, the fees with the other sign.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let reversed = |accrual: Accrual| Accrual {
            fees: accrual.fees.map(|fees| fees.negated()),
            ..accrual
        };
        Self {
            accrual: self.accrual.map(reversed),
            ..*self
        }
    }
}

/// The trades behind these transfers, where there are any.
///
/// # Errors
/// What the database says.
pub async fn booked_trades(
    conn: &mut PgConnection,
    ids: &[TransferId],
) -> Result<HashMap<TransferId, BookedTrade>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.get()).collect();
    let rows = sqlx::query!(
        r#"select t.transfer_id as "transfer_id!", t.trade_date as "trade_date!", t.settle_date as "settle_date!",
                  t.settled_at is not null as "settled!", a.price as "price?", a.sec as "sec?", a.taf as "taf?", a.cat as "cat?"
             from ledger_trades t
             left join ledger_fee_accruals a using (transfer_id)
            where t.transfer_id = any($1)"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let booked = rows.into_iter().map(|row| {
        let dates = TradeDates {
            trade: row.trade_date,
            settle: row.settle_date,
        };
        let fees = fees_of(row.sec, row.taf, row.cat);
        let accrual = row.price.map(|price| Accrual { price, fees });
        let transfer = TransferId::new(row.transfer_id);
        let booked = BookedTrade {
            transfer,
            settled: row.settled,
            dates,
            accrual,
        };
        (transfer, booked)
    });
    Ok(booked.collect())
}

/// All three or none: a date's rates are known together.
pub(super) fn fees_of(sec: Option<Decimal>, taf: Option<Decimal>, cat: Option<Decimal>) -> Option<Fees> {
    Some(Fees {
        sec: sec?,
        taf: taf?,
        cat: cat?,
    })
}
