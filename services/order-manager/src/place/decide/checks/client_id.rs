//! A name is taken once, for ever (ORD-13).

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let name = (seen.command.account, seen.command.client_order_id.clone());
    if seen.books.taken.contains(&name) {
        return Err(PlaceOrderError::DuplicateClientOrderId);
    }
    Ok(())
}
