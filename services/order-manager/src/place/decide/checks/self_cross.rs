//! An order that could trade against the account's own open order on the other side (RSK-5): a wash trade.

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let (command, account) = (seen.command, seen.account);
    if !account.rules.refuse_self_cross {
        return Ok(());
    }
    let own = account.own.get(&command.symbol);
    let crossed = own.and_then(|own| own.crossed_by(command.side, command.limit_price));
    crossed.map_or(Ok(()), |existing| Err(PlaceOrderError::SelfCross { existing }))
}
