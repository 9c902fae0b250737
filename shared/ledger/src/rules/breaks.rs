//! Differences between our books and the street's, while they are not decided and once they are (LED-20, 21).
//!
//! Suspense holds what the street has and nobody owns, or what a customer has and the street does not know. It is emptied
//! by the street (a bust, a late line of its file), by a customer's name, or by the firm's own error account.

use super::order::TradeDates;
use crate::transfer::{Accrual, Asset, Book, Cause, Entry, LedgerError, Trade, Transfer};
use domain::{AccountId, Money, Qty, Side, Symbol, Timestamp};
use rust_decimal::Decimal;

/// An execution in dispute, as it is or would be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disputed {
    /// Ticker.
    pub symbol: Symbol,
    /// Bought or sold, for our customers.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars, above zero.
    pub cash: Money,
}

impl Disputed {
    /// Above zero where shares come and dollars go.
    const fn sign(&self) -> Decimal {
        match self.side {
            Side::Buy => Decimal::ONE,
            Side::Sell => Decimal::NEGATIVE_ONE,
        }
    }

    fn security(&self) -> Asset {
        Asset::Security(self.symbol.clone())
    }
}

/// LED-21: a customer has an execution that the street does not know. The customer keeps it; what the street does not
/// owe us the firm does.
///
/// # Errors
/// As [`Transfer::new`]; so for all functions here.
pub fn missing_theirs(cause: Cause, it: &Disputed, at: Timestamp) -> Result<Transfer, LedgerError> {
    house(
        cause,
        it,
        (Book::StreetSecPending, Book::StreetCashPending),
        Book::FirmSuspense,
        at,
    )
}

/// The reverse: the street knows it after all, or took it back and the customer's booking is reversed by its bust.
///
/// # Errors
/// As [`Transfer::new`].
pub fn found_theirs(cause: Cause, it: &Disputed, at: Timestamp) -> Result<Transfer, LedgerError> {
    let opposite = Disputed {
        side: opposite(it.side),
        ..it.clone()
    };
    missing_theirs(cause, &opposite, at)
}

/// What suspense has of an execution nobody knew goes to the firm's error account: the firm owns shares and cost.
///
/// # Errors
/// As [`Transfer::new`].
pub fn unknown_to_error(cause: Cause, it: &Disputed, at: Timestamp) -> Result<Transfer, LedgerError> {
    let books = (Book::FirmSuspense, Book::FirmSuspense);
    let opposite = Disputed {
        side: opposite(it.side),
        ..it.clone()
    };
    house(cause, &opposite, books, Book::FirmError, at)
}

/// What the firm owes a customer's execution that the street does not know goes to the firm's error account.
///
/// # Errors
/// As [`Transfer::new`].
pub fn missing_to_error(cause: Cause, it: &Disputed, at: Timestamp) -> Result<Transfer, LedgerError> {
    let books = (Book::FirmSuspense, Book::FirmSuspense);
    house(cause, it, books, Book::FirmError, at)
}

/// LED-20, second part: an execution nobody knew is a customer's. Dollars and shares must be there: the posting fails
/// where they are not. A sale's proceeds wait for settlement where the account is `strict` (LED-11, BP-8).
///
/// # Errors
/// As [`Transfer::new`].
pub fn assigned(
    cause: Cause,
    it: &Disputed,
    (account, strict): (AccountId, bool),
    dates: TradeDates,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let (sign, security) = (it.sign(), it.security());
    let purse = match it.side {
        Side::Sell if strict => Book::CashUnsettled,
        Side::Buy | Side::Sell => Book::CashAvail,
    };
    let (shares, cash) = (sign * it.qty.get(), sign * it.cash.get());
    let line = |book: Book, asset: &Asset, amount| Entry {
        account: book.is_customer().then_some(account),
        book,
        asset: asset.clone(),
        amount,
    };
    let trade = Trade {
        symbol: it.symbol.clone(),
        side: it.side,
        qty: it.qty.get(),
        cash: it.cash.get(),
        trade_date: dates.trade,
        settle_date: dates.settle,
        reversal: false,
        reverses: None,
        accrual: accrual(it),
    };
    let lines = vec![
        line(Book::FirmSuspense, &security, -shares),
        line(Book::SecAvail, &security, shares),
        line(purse, &Asset::Usd, -cash),
        line(Book::FirmSuspense, &Asset::Usd, cash),
    ];
    Ok(Transfer::new(cause, at, lines)?
        .of_account(account)
        .of_trade(Some(trade), false))
}

/// The customer's fees, which the fee job computes by the rates of the trade's day.
fn accrual(it: &Disputed) -> Option<Accrual> {
    // Nine decimals, as prices have: what that leaves off is far below what a fee is counted in.
    let price = it.cash.get().checked_div(it.qty.get())?.round_dp(9);
    (!price.is_zero()).then_some(Accrual { price, fees: None })
}

/// `other` gives what the execution's shares are to `shares`, and takes its dollars from `dollars`.
fn house(
    cause: Cause,
    it: &Disputed,
    (shares, dollars): (Book, Book),
    other: Book,
    at: Timestamp,
) -> Result<Transfer, LedgerError> {
    let (sign, security) = (it.sign(), it.security());
    let (qty, cash) = (sign * it.qty.get(), sign * it.cash.get());
    let line = |book, asset: &Asset, amount| Entry {
        account: None,
        book,
        asset: asset.clone(),
        amount,
    };
    Transfer::new(
        cause,
        at,
        vec![
            line(shares, &security, qty),
            line(other, &security, -qty),
            line(dollars, &Asset::Usd, -cash),
            line(other, &Asset::Usd, cash),
        ],
    )
}

const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}
