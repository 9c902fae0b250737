//! Whether the customer takes parts of a share. What is left of a position can always be sold.

use domain::Side;

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let command = seen.command;
    if seen.account.fractional || !command.is_fractional() {
        return Ok(());
    }
    let shares = seen.account.shares.get(&command.symbol);
    let is_rest = command.side == Side::Sell && shares.is_some_and(|shares| shares.avail == command.qty);
    if is_rest {
        Ok(())
    } else {
        Err(PlaceOrderError::FractionalTradingOff)
    }
}
