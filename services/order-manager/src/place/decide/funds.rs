//! The last check, and the only one that changes the books: are the money or the shares there, and then they are held
//! (BP-1, BP-5, QTY-4).

use domain::{Money, Qty, Side, Symbol};
use ledger::{Asset, Book, Transfer};
use rust_decimal::Decimal;

use super::{AccountBook, Command, Shares};
use crate::error::PlaceOrderError;

impl AccountBook {
    /// Moves the hold from free to held in the books, or refuses and moves nothing.
    pub(super) fn set_aside(&mut self, command: &Command, hold: &Transfer) -> Result<(), PlaceOrderError> {
        match command.side {
            Side::Buy => {
                let cost = Money::from_decimal(hold.sum(Book::CashHeld, &Asset::Usd));
                is_worth_a_trade(command)?;
                self.avail = after_buy(self.avail, self.fees, cost)?;
            }
            Side::Sell => {
                let shares = self.shares.get(&command.symbol).copied().unwrap_or_default();
                let shares = after_sell(shares, command)?;
                self.shares.insert(command.symbol.clone(), shares);
            }
        }
        Ok(())
    }

    /// The same for what a replacement holds beyond its old order, which is never below nothing (BP-4).
    pub(super) fn set_aside_more(&mut self, command: &Command, hold: &Transfer) -> Result<(), PlaceOrderError> {
        let cost = Money::from_decimal(hold.sum(Book::CashHeld, &Asset::Usd));
        let more = hold.sum(Book::SecHeld, &Asset::Security(command.symbol.clone()));
        // What costs nothing passes, whatever is owed.
        let avail = if cost > Money::ZERO {
            after_buy(self.avail, self.fees, cost)?
        } else {
            self.avail
        };
        let shares = self.shares.get(&command.symbol).copied().unwrap_or_default();
        let shares = with_held(shares, &command.symbol, Qty::new(more).unwrap_or_default())?;
        self.avail = avail;
        self.shares.insert(command.symbol.clone(), shares);
        Ok(())
    }
}

fn is_worth_a_trade(command: &Command) -> Result<(), PlaceOrderError> {
    if command.value.ceil_to_cent().get() < Decimal::ONE {
        return Err(PlaceOrderError::CostBasisTooSmall);
    }
    Ok(())
}

fn after_buy(avail: Money, fees: Money, cost: Money) -> Result<Money, PlaceOrderError> {
    let available = Money::from_decimal(avail.get() - fees.get());
    if cost > available {
        return Err(PlaceOrderError::InsufficientBuyingPower {
            available: available.or_zero(),
            cost,
        });
    }
    Ok(Money::from_decimal(avail.get() - cost.get()))
}

fn after_sell(shares: Shares, command: &Command) -> Result<Shares, PlaceOrderError> {
    if shares.avail.is_zero() && shares.held.is_zero() {
        return Err(PlaceOrderError::NoShorting);
    }
    let after = with_held(shares, &command.symbol, command.qty)?;
    // Whatever the rest of a position is worth, it can be sold.
    if command.is_fractional() && !after.avail.is_zero() {
        is_worth_a_trade(command)?;
    }
    Ok(after)
}

fn with_held(shares: Shares, symbol: &Symbol, qty: Qty) -> Result<Shares, PlaceOrderError> {
    match (shares.avail.minus(qty), shares.held.plus(qty)) {
        (Ok(avail), Ok(held)) => Ok(Shares { avail, held }),
        _ => Err(PlaceOrderError::InsufficientQty {
            symbol: symbol.clone(),
            requested: qty,
            available: shares.avail,
            held: shares.held,
            related: vec![],
        }),
    }
}
