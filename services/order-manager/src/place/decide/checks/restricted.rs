//! Symbols that nobody, or this account, may trade.

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let (symbol, account) = (&seen.command.symbol, seen.command.account);
    if seen.given.risk.is_restricted(symbol, account) {
        return Err(PlaceOrderError::Restricted(symbol.clone()));
    }
    Ok(())
}
