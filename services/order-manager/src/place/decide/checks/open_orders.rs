//! How many orders may be open at once (RSK-3).

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let (limits, symbol) = (seen.given.limits, &seen.command.symbol);
    if seen.account.sequence.open_orders >= limits.open_orders {
        return Err(PlaceOrderError::TooManyOpenOrders {
            most: limits.open_orders,
        });
    }
    let open = seen.account.open_in.get(symbol);
    if open.is_some_and(|open| *open >= limits.open_in_symbol) {
        return Err(PlaceOrderError::TooManyOpenInSymbol {
            symbol: symbol.clone(),
            most: limits.open_in_symbol,
        });
    }
    Ok(())
}
