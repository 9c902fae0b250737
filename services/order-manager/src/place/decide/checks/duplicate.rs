//! An order equal to one that was just taken (RSK-4): counted and shown to surveillance, refused where the account's
//! settings say so.

use super::Seen;
use crate::error::PlaceOrderError;
use crate::place::decide::recent::{Alike, Earlier};

/// The order it equals, if it does.
pub(super) fn check(seen: Seen<'_>) -> Result<Option<Earlier>, PlaceOrderError> {
    let alike = Alike::of(seen.command);
    let in_batch = seen.books.recent.get(&alike).copied();
    let earlier = in_batch.or_else(|| seen.given.recent.find(&alike, seen.given.now));
    match earlier {
        Some(earlier) if seen.account.rules.refuse_duplicates => Err(PlaceOrderError::Duplicate {
            existing: earlier.order,
        }),
        other => Ok(other),
    }
}
