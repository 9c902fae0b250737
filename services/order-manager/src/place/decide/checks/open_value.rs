//! What all open orders may be worth at their limits, of an account and of the firm, buys and sells together (RSK-3).

use domain::Money;

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let most = seen.account.rules.max_open_value;
    if with(seen.account.sequence.open_value, seen.more) > most {
        return Err(PlaceOrderError::TooMuchOpen { most });
    }
    let firm = with(seen.given.firm_open, seen.books.added);
    if with(firm, seen.more) > seen.account.rules.max_firm_open_value {
        return Err(PlaceOrderError::FirmTooMuchOpen);
    }
    Ok(())
}

/// A sum beyond all numbers is beyond every limit.
fn with(open: Money, value: Money) -> Money {
    open.plus(value)
        .unwrap_or(Money::from_decimal(rust_decimal::Decimal::MAX))
}
