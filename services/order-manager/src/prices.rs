//! Prices in memory: what a symbol last cost, for collars (PX-5, PX-7), and its closing prices, for the day's change.
//!
//! Background tasks keep the copies fresh, so an order asks no database.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chassis::step::{Progress, Step, StepError};
use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection, PgPool};
use domain::calendar::Calendar;
use domain::{Price, Symbol, Timestamp};
use instruments::{Instruments, Quote};
use rust_decimal::Decimal;

/// How old a price may be while the market is open.
const OLDEST: TimeDelta = TimeDelta::minutes(15);

/// What a symbol last cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Dollars a share.
    pub price: Price,
    /// When it was quoted.
    pub at: Timestamp,
}

impl Reference {
    /// Whether a market order may be made by it (PX-7). While the market is open, one that has not moved for a while is one
    /// that nobody keeps fresh; outside the session the last one is all there is.
    pub(crate) fn counts(&self, now: Timestamp, calendar: &Calendar) -> bool {
        !calendar.is_open(now) || now - self.at <= OLDEST
    }
}

/// The reference prices of all symbols; clones share them.
#[derive(Clone, Default)]
pub struct ReferencePrices {
    instruments: Instruments,
    closing: Arc<ArcSwap<HashMap<Symbol, Vec<Closing>>>>,
}

/// The closing price of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closing {
    date: NaiveDate,
    price: Price,
    quoted_at: Timestamp,
}

impl ReferencePrices {
    /// Prices by the quotes of these instruments, which somebody else keeps fresh.
    pub fn new(instruments: Instruments) -> Self {
        Self {
            instruments,
            closing: Arc::default(),
        }
    }

    /// The last price of a symbol: the middle of its quote, or the side that is quoted, or else its last closing price.
    pub fn get(&self, symbol: &Symbol) -> Option<Reference> {
        self.quoted(symbol).or_else(|| self.closed(symbol))
    }

    /// The closing price of the last session before this date.
    pub(crate) fn last_close(&self, symbol: &Symbol, before: NaiveDate) -> Option<Price> {
        let closing = self.closing.load();
        let earlier = closing.get(symbol)?.iter().find(|closing| closing.date < before);
        earlier.map(|closing| closing.price)
    }

    fn quoted(&self, symbol: &Symbol) -> Option<Reference> {
        let quote = self.instruments.quote(symbol)?;
        let price = middle(&quote)?;
        Some(Reference { price, at: quote.at })
    }

    fn closed(&self, symbol: &Symbol) -> Option<Reference> {
        let closing = self.closing.load();
        let last = closing.get(symbol)?.first()?;
        Some(Reference {
            price: last.price,
            at: last.quoted_at,
        })
    }
}

/// Brings the closing prices up to date.
pub(crate) struct FollowClosing {
    pub(crate) pool: PgPool,
    pub(crate) prices: ReferencePrices,
}

impl Step for FollowClosing {
    fn name(&self) -> &'static str {
        "order-manager-closing-prices"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let mut conn = self.pool.acquire().await?;
        self.prices.closing.store(Arc::new(load(&mut conn).await?));
        Ok(Progress::Idle)
    }
}

/// The last two closing prices of each symbol, the last one first: on a day whose session is over, the change of the day
/// is still told from the one before.
async fn load(conn: &mut PgConnection) -> Result<HashMap<Symbol, Vec<Closing>>, DbError> {
    let rows = sqlx::query!(
        "select a.symbol, c.session_date, c.price, c.quoted_at
           from assets a
          cross join lateral (select session_date, price, quoted_at
                                from closing_prices
                               where symbol = a.symbol
                               order by session_date desc
                               limit 2) c
          order by a.symbol, c.session_date desc",
    )
    .fetch_all(conn)
    .await?;
    let mut closing: HashMap<Symbol, Vec<Closing>> = HashMap::new();
    for row in rows {
        if let (Some(symbol), Ok(price)) = (Symbol::parse(&row.symbol), Price::new(row.price)) {
            let (date, quoted_at) = (row.session_date, row.quoted_at);
            closing
                .entry(symbol)
                .or_default()
                .push(Closing { date, price, quoted_at });
        }
    }
    Ok(closing)
}

/// Exact: half of a sum of two ticks has one digit more than they have.
fn middle(quote: &Quote) -> Option<Price> {
    let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else {
        return quote.value();
    };
    let half = Decimal::new(5, 1);
    let sum = bid.get().checked_add(ask.get())?;
    Price::new(sum.checked_mul(half)?).ok()
}

#[cfg(test)]
mod tests {
    //! What a symbol is said to cost.

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Some("9.99"), Some("10.02"), Some("10.005"))]
    #[case(Some("9.99"), None, Some("9.99"))]
    #[case(None, Some("10.02"), Some("10.02"))]
    #[case(None, None, None)]
    fn the_reference_is_the_middle_of_the_quote_or_the_side_there_is(
        #[case] bid: Option<&str>,
        #[case] ask: Option<&str>,
        #[case] reference: Option<&str>,
    ) {
        let price = |text: Option<&str>| text.map(|text| Price::parse(text).expect("a price"));
        let symbol = Symbol::parse("AAPL").expect("a symbol");
        let at = Timestamp::UNIX_EPOCH;
        let instruments = Instruments::new();
        instruments.set_quotes(vec![Quote {
            symbol: symbol.clone(),
            bid: price(bid),
            ask: price(ask),
            at,
        }]);
        let found = ReferencePrices::new(instruments).get(&symbol);
        let expected = price(reference).map(|price| Reference { price, at });
        assert_eq!(found, expected);
    }
}
