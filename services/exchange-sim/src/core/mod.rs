//! The exchange's heart: books, matching and the price walk. Pure: no I/O, no clock, no randomness of its own.
//!
//! | module    | what                                                                        |
//! |-----------|-----------------------------------------------------------------------------|
//! | `shares`  | quantities, in billionths of a share                                        |
//! | `listing` | which symbols trade, where their prices start, how much of them trades      |
//! | `history` | the sessions before today, made up from the seed                            |
//! | `book`    | one symbol's orders by price and time, kept by the crate `matchcore`        |
//! | `walk`    | a seeded random walk of the mid price, in whole ticks                       |
//! | `market`  | all books, the market maker and the session: commands in, [`CoreEvent`]s out |
//! | `replace` | an order in another one's place |
//!
//! Prices are [`Ticks`] (hundredths of a cent), quantities [`Shares`] (in billionths). The same commands with the same seed give
//! the same events, so a simulation can plug [`Market`] in as its venue without a network.

mod book;
mod history;
mod listing;
mod market;
mod replace;
mod shares;
mod walk;

pub use history::{Bar, bar};
pub use listing::{Listing, listings};
pub use market::{CoreEvent, End, Market, NewOrder, NotOpen, Quote, QuoteSetting};
pub use shares::Shares;
pub use walk::{Dice, Walk};

use rust_decimal::Decimal;

/// A price in hundredths of a cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(pub i64);

/// How many ticks make a dollar.
pub const TICKS_PER_DOLLAR: i64 = 10_000;

impl Ticks {
    /// Reads dollars; `None` when they are finer than a tick or too large.
    pub fn from_dollars(dollars: Decimal) -> Option<Self> {
        let ticks = dollars.checked_mul(Decimal::from(TICKS_PER_DOLLAR))?;
        if ticks.fract().is_zero() {
            i64::try_from(ticks).ok().map(Self)
        } else {
            None
        }
    }

    /// The price in dollars, without trailing zeros.
    pub fn dollars(self) -> Decimal {
        Decimal::new(self.0, 4).normalize()
    }

    /// The step prices of this size move in: a cent from a dollar up, a tick below (PX-1).
    pub const fn grid(self) -> i64 {
        if self.0 >= TICKS_PER_DOLLAR { 100 } else { 1 }
    }
}

/// An order's place in the exchange's sequence: its identity within the core, and its priority in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(pub i64);

/// A symbol's place in the list of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolIx(pub usize);

#[cfg(test)]
mod tests;
