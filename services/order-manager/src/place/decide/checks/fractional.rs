//! Whether the instrument trades in parts of a share, and the customer takes them. What is left of a position can always be
//! sold: settings and listings change, and nobody is to be left with a part that cannot be sold.

use domain::Side;

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let command = seen.command;
    let shares = seen.account.shares.get(&command.symbol);
    let is_rest = command.side == Side::Sell && shares.is_some_and(|shares| shares.avail == command.qty);
    if !command.is_fractional() || is_rest {
        Ok(())
    } else if !command.fractionable {
        Err(PlaceOrderError::NotFractionable(command.symbol.clone()))
    } else if !seen.account.fractional {
        Err(PlaceOrderError::FractionalTradingOff)
    } else {
        Ok(())
    }
}
