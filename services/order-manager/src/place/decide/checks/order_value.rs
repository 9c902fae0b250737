//! What one order may be worth at its limit (RSK-3): a slip of the finger is larger than that.

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let most = seen.account.rules.max_order_value;
    if seen.value > most {
        return Err(PlaceOrderError::OrderTooLarge {
            value: seen.value,
            most,
        });
    }
    Ok(())
}
