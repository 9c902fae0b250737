//! How large a part of a symbol's usual day one order may ask for (RSK-3): more than that moves the price against its own
//! customer, or is a slip of the finger in the quantity.

use std::fmt;

use chrono::TimeDelta;
use domain::Qty;
use domain::calendar::to_new_york;
use rust_decimal::{Decimal, RoundingStrategy};

use super::Seen;
use crate::error::PlaceOrderError;

/// An average whose last session is longer ago says nothing any more. Usual holidays leave four days between two sessions.
const OLDEST: TimeDelta = TimeDelta::days(7);

/// Why an order was taken without this check: counted and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// Nobody knows how much of the symbol trades.
    NoVolume,
    /// What is known is of long ago.
    OldVolume,
}

impl fmt::Display for Unmeasured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unmeasured::NoVolume => "no_volume",
            Unmeasured::OldVolume => "old_volume",
        })
    }
}

/// Why the order is taken unmeasured, if it is.
pub(super) fn check(seen: Seen<'_>) -> Result<Option<Unmeasured>, PlaceOrderError> {
    let Some(volume) = &seen.command.volume else {
        return Ok(Some(Unmeasured::NoVolume));
    };
    let today = to_new_york(seen.given.now).date_naive();
    if today - volume.through > OLDEST {
        return Ok(Some(Unmeasured::OldVolume));
    }
    let share = seen.account.rules.max_volume_share;
    match most(volume.average, share) {
        Some(most) if seen.qty > most => Err(PlaceOrderError::AboveVolumeShare {
            qty: seen.qty,
            most,
            average: volume.average,
            percent: (share * Decimal::ONE_HUNDRED).normalize(),
        }),
        _ => Ok(None),
    }
}

/// The most shares of one order, rounded down to nine decimals; `None` where that is more than any order can have. One share
/// is never too many: whoever owns some of what hardly trades can sell it.
fn most(average: u64, share: Decimal) -> Option<Qty> {
    let exact = Decimal::from(average).checked_mul(share)?;
    let down = exact.round_dp_with_strategy(9, RoundingStrategy::ToZero);
    Qty::new(down.max(Decimal::ONE)).ok()
}
