//! How many orders may be open at once (RSK-3).

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let (rules, symbol) = (seen.account.rules, &seen.command.symbol);
    if seen.account.sequence.open_orders >= rules.max_open_orders {
        return Err(PlaceOrderError::TooManyOpenOrders {
            most: rules.max_open_orders,
        });
    }
    let open = seen.account.open_in.get(symbol);
    if open.is_some_and(|open| *open >= i64::from(rules.max_open_orders_per_symbol)) {
        return Err(PlaceOrderError::TooManyOpenInSymbol {
            symbol: symbol.clone(),
            most: rules.max_open_orders_per_symbol,
        });
    }
    Ok(())
}
