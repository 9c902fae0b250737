//! The checks of an order, in their order (RSK-2, and where that is silent the wire contract's). The first that fails
//! gives the reason. Each looks and changes nothing.
//!
//! What an order says by itself was checked when it was parsed, its instrument before the queue. Whether the money or
//! the shares are there comes last ([`super::funds`]), with the hold.

mod account_state;
pub(super) mod churn;
mod client_id;
mod fractional;
mod open_orders;

use domain::Timestamp;

use super::super::times::{Times, times};
use super::{AccountBook, Books, Command, Given};
use crate::error::PlaceOrderError;

/// What a check sees.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The order.
    pub(super) command: &'a Command,
    /// The books of the batch.
    pub(super) books: &'a Books,
    /// The account's part of them.
    pub(super) account: &'a AccountBook,
    /// When the order is taken, if it is.
    pub(super) at: Timestamp,
    /// What is the same for the whole batch.
    pub(super) given: Given<'a>,
}

/// The checks of a replacement. It opens no further order, and its old order's times are its own.
pub(super) fn check_replacement(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    account_state::check(seen)?;
    client_id::check(seen)
}

/// Every check; the times of the order when it passes.
pub(super) fn check(seen: Seen<'_>) -> Result<Times, PlaceOrderError> {
    account_state::check(seen)?;
    fractional::check(seen)?;
    client_id::check(seen)?;
    let times = times(
        seen.command.time_in_force,
        seen.command.asked,
        seen.at,
        seen.given.calendar,
    )?;
    open_orders::check(seen)?;
    churn::check(seen)?;
    Ok(times)
}
