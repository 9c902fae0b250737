//! What the account may not do at the moment.

use domain::{Money, Side};

use super::Seen;
use crate::error::PlaceOrderError;

pub(super) fn check(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    let flags = seen.account.flags;
    if !flags.active {
        return Err(PlaceOrderError::AccountNotActive);
    }
    if flags.account_blocked {
        return Err(PlaceOrderError::AccountBlocked);
    }
    if flags.trading_blocked {
        return Err(PlaceOrderError::TradingBlocked);
    }
    if flags.trade_suspended_by_user {
        return Err(PlaceOrderError::SuspendedByUser);
    }
    // A debit from a late fill or bust restricts the account until it is covered (LED-15).
    if seen.command.side == Side::Buy && (flags.closing_only || seen.account.avail < Money::ZERO) {
        return Err(PlaceOrderError::ClosingOnly);
    }
    Ok(())
}
