//! How far a limit may reach beyond the last price (PX-5): a buy above it, a sell below it. A limit on the other side is
//! only patient, whatever it is.

use std::fmt;

use chrono::TimeDelta;
use domain::collar::beyond_collar;
use rust_decimal::Decimal;

use super::Seen;
use crate::error::PlaceOrderError;

/// While the market is open a price is worth nothing after this.
const OLDEST: TimeDelta = TimeDelta::minutes(15);

/// Why an order was taken without this check: counted and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchecked {
    /// Nobody knows what the symbol costs.
    NoPrice,
    /// The market is open and the last price is of long ago.
    OldPrice,
}

impl fmt::Display for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unchecked::NoPrice => "no_price",
            Unchecked::OldPrice => "old_price",
        })
    }
}

/// Why the order is taken unchecked, if it is.
pub(super) fn check(seen: Seen<'_>) -> Result<Option<Unchecked>, PlaceOrderError> {
    let Some(reference) = seen.command.reference else {
        return Ok(Some(Unchecked::NoPrice));
    };
    let is_old = seen.given.now - reference.at > OLDEST;
    if is_old && seen.given.calendar.is_open(seen.given.now) {
        return Ok(Some(Unchecked::OldPrice));
    }
    let rules = seen.account.rules;
    let fraction = if reference.price.get() < Decimal::ONE {
        rules.collar_below_dollar
    } else {
        rules.collar
    };
    let (side, limit) = (seen.command.side, seen.command.limit_price);
    if beyond_collar(side, limit, reference.price, fraction) {
        return Err(PlaceOrderError::BeyondCollar {
            side,
            limit,
            reference: reference.price,
            percent: (fraction * Decimal::ONE_HUNDRED).normalize(),
        });
    }
    Ok(None)
}
