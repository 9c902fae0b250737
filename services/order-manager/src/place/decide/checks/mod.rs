//! The checks of an order, in their order (RSK-2, and where that is silent the wire contract's). The first that fails
//! gives the reason. Each looks and changes nothing.
//!
//! What an order says by itself was checked when it was parsed, its instrument before the queue. Whether the money or
//! the shares are there comes last ([`super::funds`]), with the hold.

mod account_state;
pub(super) mod churn;
mod client_id;
mod collar;
mod duplicate;
mod fractional;
mod kill_switch;
mod open_orders;
mod open_value;
mod order_value;
mod restricted;
mod self_cross;
mod volume;

use domain::{Money, Qty, Timestamp};

use super::super::times::{Times, times};
use super::recent::Earlier;
use super::{AccountBook, Books, Command, Given};
use crate::error::PlaceOrderError;
pub use collar::Unchecked;
pub use volume::Unmeasured;

/// What a check sees.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The order.
    pub(super) command: &'a Command,
    /// Shares that it asks for: all of them; of a replacement what is left of its total, or none where its old order may trade
    /// as many.
    pub(super) qty: Qty,
    /// What they are worth at its limit.
    pub(super) value: Money,
    /// What it adds to the value of open orders: all of that, or what a replacement is worth beyond its old order.
    pub(super) more: Money,
    /// The books of the batch.
    pub(super) books: &'a Books,
    /// The account's part of them.
    pub(super) account: &'a AccountBook,
    /// When the order is taken, if it is.
    pub(super) at: Timestamp,
    /// What is the same for the whole batch.
    pub(super) given: Given<'a>,
}

/// What the checks found out about an order that passed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// When it works.
    pub(super) times: Times,
    /// Why its limit was not measured by a price, if it was not.
    pub(super) unchecked: Option<Unchecked>,
    /// Why its shares were not measured by what trades, if they were not.
    pub(super) unmeasured: Option<Unmeasured>,
    /// The order it equals, if it does.
    pub(super) duplicate_of: Option<Earlier>,
}

/// Every check.
pub(super) fn check(seen: Seen<'_>) -> Result<Passed, PlaceOrderError> {
    let command = seen.command;
    kill_switch::check(seen)?;
    account_state::check(seen)?;
    fractional::check(seen)?;
    client_id::check(seen)?;
    let times = times(command.time_in_force, command.asked, seen.at, seen.given.calendar)?;
    order_value::check(seen)?;
    let unmeasured = volume::check(seen)?;
    open_orders::check(seen)?;
    open_value::check(seen)?;
    let unchecked = collar::check(seen)?;
    let duplicate_of = duplicate::check(seen)?;
    self_cross::check(seen)?;
    churn::check(seen)?;
    restricted::check(seen)?;
    Ok(Passed {
        times,
        unchecked,
        unmeasured,
        duplicate_of,
    })
}

/// The checks of a replacement. It opens no further order, equals none, and its old order's times are its own.
pub(super) fn check_replacement(seen: Seen<'_>) -> Result<(), PlaceOrderError> {
    kill_switch::check(seen)?;
    account_state::check(seen)?;
    client_id::check(seen)?;
    order_value::check(seen)?;
    volume::check(seen)?;
    open_value::check(seen)?;
    collar::check(seen)?;
    self_cross::check(seen)?;
    churn::check(seen)?;
    restricted::check(seen)
}
