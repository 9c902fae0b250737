//! Settlement: what is due at the clearing firm for a trade becomes what is there (LED-13, LED-14).

use crate::transfer::{Asset, Book, Cause, Entry, LedgerError, Transfer, TransferId};
use domain::{AccountId, Money, Side, Symbol, Timestamp};
use rust_decimal::Decimal;

/// A trade that settles. A bust is a trade of its own, with quantity and cash below zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTrade {
    /// The transfer that booked it.
    pub trade: TransferId,
    /// Whose.
    pub account: AccountId,
    /// Ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// Shares.
    pub qty: Decimal,
    /// Dollars.
    pub cash: Decimal,
    /// Dollars that waited for this trade alone: of a sale that was not taken back its cash, of a bust nothing.
    pub waiting: Decimal,
}

/// Sale proceeds of a `cash_strict` account that have not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proceeds {
    /// What of them is on the account: fees and busts may have taken some already.
    pub unsettled: Money,
    /// What the sales that have not settled came to, less what was taken back of them.
    pub outstanding: Decimal,
}

impl Proceeds {
    /// Takes a settling sale out and tells what becomes free with it: what the sales that remain cannot account for.
    /// So what fees took is missing in the proceeds that settle first, and nothing stays behind after the last.
    fn settle(&mut self, waiting: Decimal) -> Decimal {
        self.outstanding -= waiting;
        let free = (self.unsettled.get() - self.outstanding).max(Decimal::ZERO);
        self.unsettled = Money::from_decimal(self.unsettled.get() - free);
        free
    }
}

/// LED-13 for a buy, LED-14 for a sell; `proceeds` of a `cash_strict` account move on.
///
/// # Errors
/// As [`Transfer::new`].
pub fn settlement(trade: &DueTrade, proceeds: Option<&mut Proceeds>, at: Timestamp) -> Result<Transfer, LedgerError> {
    let sign = match trade.side {
        Side::Buy => Decimal::ONE,
        Side::Sell => Decimal::NEGATIVE_ONE,
    };
    let freed = match (trade.side, proceeds) {
        (Side::Sell, Some(proceeds)) => proceeds.settle(trade.waiting),
        _ => Decimal::ZERO,
    };
    let (cash, qty) = (sign * trade.cash, sign * trade.qty);
    let security = Asset::Security(trade.symbol.clone());
    let line = |account, book, asset: &Asset, amount| Entry {
        account,
        book,
        asset: asset.clone(),
        amount,
    };
    let entries = vec![
        line(None, Book::StreetCashPending, &Asset::Usd, -cash),
        line(None, Book::StreetCashSettled, &Asset::Usd, cash),
        line(None, Book::StreetSecPending, &security, qty),
        line(None, Book::StreetSecSettled, &security, -qty),
        line(Some(trade.account), Book::CashUnsettled, &Asset::Usd, -freed),
        line(Some(trade.account), Book::CashAvail, &Asset::Usd, freed),
    ];
    Ok(Transfer::new(Cause::Settle(trade.trade), at, entries)?.of_customers())
}
