//! Kill switches: for the symbol, the account, the exchange or everything (RSK-6).

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let (command, given) = (seen.command, seen.given);
    let stop = given.risk.stops(&command.symbol, command.account, given.venue);
    stop.map_or(Ok(()), |switch| Err(PlaceOrderError::Killed(switch.target.level())))
}
