//! Reference prices: what a symbol last cost, for collars (PX-5, PX-7).
//!
//! Read from memory alone: a background task keeps the copy fresh, so an order asks no database.

use domain::{Price, Symbol, Timestamp};
use instruments::{Instruments, Quote};
use rust_decimal::Decimal;

/// What a symbol last cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Dollars a share.
    pub price: Price,
    /// When it was quoted.
    pub at: Timestamp,
}

/// The reference prices of all symbols; clones share them.
#[derive(Clone, Default)]
pub struct ReferencePrices {
    instruments: Instruments,
}

impl ReferencePrices {
    /// Prices by the quotes of these instruments, which somebody else keeps fresh.
    pub const fn new(instruments: Instruments) -> Self {
        Self { instruments }
    }

    /// The last price of a symbol: the middle of its quote, or the side that is quoted.
    pub fn get(&self, symbol: &Symbol) -> Option<Reference> {
        let quote = self.instruments.quote(symbol)?;
        let price = middle(&quote)?;
        Some(Reference { price, at: quote.at })
    }
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
