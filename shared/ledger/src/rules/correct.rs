//! LED-17: an execution was for another quantity or price than it was told. What was booked for it is reversed and booked
//! anew, two journals of one transaction under the same execution.

use super::order::{Occasion, Order, Standing, change};
use crate::transfer::{Asset, Book, LedgerError, Transfer};
use domain::order::OrderState;
use domain::{Money, Price, Qty};
use rust_decimal::Decimal;

/// What a correction books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What was booked taken back, then what is booked instead.
    pub transfers: Vec<Transfer>,
    /// Dollars booked for the order's fills so far.
    pub posted_after: Money,
    /// Dollars that both transfers add to what is booked for the execution. Not what is booked anew: the rounding of the
    /// order's other executions is in both (LED-I6).
    pub added: Money,
}

/// Books the way from `before` to `after`, two states of an order that differ by one execution, which was booked as `was`:
/// a reversal on the occasion `back` and a new fill on `anew`. Shares that the customer has sold meanwhile are not taken
/// and given: what the reversal had to owe, the new fill pays back first. So it is with free cash that the reversal of a
/// `cash_strict` sale took: proceeds that have settled do not wait once more.
///
/// # Errors
/// [`LedgerError::Amount`] beyond the exact range.
pub fn correct(
    order: &Order,
    (before, after): (&OrderState, &OrderState),
    was: (Qty, Price),
    posted_before: Money,
    (back, anew): (Occasion, Occasion),
) -> Result<Correction, LedgerError> {
    let (qty, price) = was;
    let between = OrderState {
        filled: before.filled.minus(qty)?,
        notional: before.notional.minus(price.notional(qty)?)?,
        ..*before
    };
    let standing = back.standing;
    let back = change(order, before, &between, posted_before, back)?;
    let anew = Occasion {
        standing: standing_after(standing, order, back.transfer.as_ref()),
        ..anew
    };
    let anew = change(order, &between, after, back.posted_after, anew)?;
    Ok(Correction {
        transfers: [back.transfer, anew.transfer].into_iter().flatten().collect(),
        posted_after: anew.posted_after,
        added: anew.posted_after.minus(posted_before)?,
    })
}

fn standing_after(standing: Standing, order: &Order, back: Option<&Transfer>) -> Standing {
    let security = Asset::Security(order.symbol.clone());
    let moved = |book, asset: &Asset| back.map_or(Decimal::ZERO, |transfer| transfer.sum(book, asset));
    let shares = standing.shares_avail.get() + moved(Book::SecAvail, &security);
    let unsettled = standing.unsettled.get() + moved(Book::CashUnsettled, &Asset::Usd);
    let avail = standing.avail.get() + moved(Book::CashAvail, &Asset::Usd);
    let owed = -moved(Book::FirmSuspense, &security);
    Standing {
        shares_avail: Qty::new(shares).unwrap_or(Qty::ZERO),
        avail: Money::from_decimal(avail),
        unsettled: Money::from_decimal(unsettled),
        shares_owed: Qty::new(owed).unwrap_or(Qty::ZERO),
        cash_owed: Money::from_decimal(-moved(Book::CashAvail, &Asset::Usd)),
    }
}
