//! A replacement: asked like any order, but for what its chain has counted and holds already (BP-4).

use domain::order::{OrderState, StreamEvent};
use domain::{OrderStatus, Qty, Side, VenueOrderId};
use ledger::Transfer;
use ledger::rules::Leg;
use orders::{Chain, NewOrderEvent, StoredOrder};
use rust_decimal::Decimal;

use super::super::times::{Asked, times};
use super::accepted::stored;
use super::checks::{self, Seen};
use super::{Books, Command, Given, for_ledger, too_large};
use crate::error::PlaceOrderError;

/// A replacement that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// As it will be stored.
    pub order: StoredOrder,
    /// What its chain holds more from now on; often nothing.
    pub hold: Option<Transfer>,
    /// The event of the order it is to replace.
    pub event: NewOrderEvent,
    /// The venue's name for that order.
    pub old_at_venue: Option<VenueOrderId>,
}

/// Takes or refuses a replacement of `old`, which can be replaced: the first check that fails gives the reason.
///
/// # Errors
/// Why not; `books` is then as before.
pub fn decide_replacement(
    books: &mut Books,
    command: &Command,
    old: &StoredOrder,
    given: Given<'_>,
) -> Result<Replacement, PlaceOrderError> {
    let account = books
        .accounts
        .get(&command.account)
        .ok_or(PlaceOrderError::AccountNotActive)?;
    // A copy, so that a refusal leaves no trace.
    let mut sequence = account.sequence;
    let at = sequence.next_submitted_at(given.now);
    let rest = command.qty.minus(old.state.cumulative()).unwrap_or_default();
    let value = command.limit_price.notional(rest).map_err(too_large)?;
    // Whoever makes an order smaller asks for nothing more of what trades.
    let asks_for = if rest > old.state.leaves() { rest } else { Qty::ZERO };
    checks::check_replacement(Seen {
        command,
        qty: asks_for,
        value,
        more: value.minus(old.open_value()).unwrap_or(value).or_zero(),
        books,
        account,
        at,
        given,
    })?;
    let order = in_place_of(old, command, at, given)?;
    let hold = hold(command, old, &order, account.strict)?;
    let event = pending(old, command, sequence.next_event_at(at));
    sequence.opened(order.open_value());
    let account = books
        .accounts
        .get_mut(&command.account)
        .ok_or(PlaceOrderError::AccountNotActive)?;
    account.set_aside_more(command, &hold)?;
    account.sequence = sequence;
    let own = account.own.entry(command.symbol.clone()).or_default();
    own.add(command.side, command.limit_price, command.order_id);
    books.taken.insert((command.account, command.client_order_id.clone()));
    let hold = (!hold.entries().is_empty()).then_some(hold);
    Ok(Replacement {
        order,
        hold,
        event,
        old_at_venue: old.venue_order_id.clone(),
    })
}

/// The new order. Its session and its end stay the old one's, unless it is to work for another time.
fn in_place_of(
    old: &StoredOrder,
    command: &Command,
    at: domain::Timestamp,
    given: Given<'_>,
) -> Result<StoredOrder, PlaceOrderError> {
    let times = times(command.time_in_force, Asked::default(), at, given.calendar)?;
    let same_time = command.time_in_force == old.time_in_force;
    let chain = Chain {
        root: Some(old.root()),
        replaces: Some(old.order_id),
        ..Chain::default()
    };
    let fresh = stored(command, times, at);
    Ok(StoredOrder {
        session_date: if same_time {
            old.session_date
        } else {
            fresh.session_date
        },
        expires_at: if same_time || old.explicit_expiry {
            old.expires_at
        } else {
            fresh.expires_at
        },
        explicit_expiry: old.explicit_expiry,
        state: OrderState::replacement(command.qty),
        chain,
        ..fresh
    })
}

fn hold(command: &Command, old: &StoredOrder, order: &StoredOrder, strict: bool) -> Result<Transfer, PlaceOrderError> {
    let replaced = Leg {
        limit: old.limit_price,
        state: old.state,
        posted: old.posted_cash,
    };
    let at = order.submitted_at;
    let rest = order.state.ordered.minus(old.state.cumulative()).unwrap_or_default();
    let cost = command.limit_price.notional(rest).map_err(too_large)?;
    if command.side == Side::Buy && cost.get() < Decimal::ONE {
        return Err(PlaceOrderError::CostBasisTooSmall);
    }
    ledger::rules::hold_beside(&for_ledger(command, strict), &order.state, &replaced, at).map_err(too_large)
}

fn pending(old: &StoredOrder, command: &Command, (seq, at): (i64, domain::Timestamp)) -> NewOrderEvent {
    NewOrderEvent {
        account_id: old.account_id,
        seq,
        order_id: old.order_id,
        event: StreamEvent::PendingReplace,
        at,
        status: OrderStatus::PendingReplace,
        filled_qty: old.state.filled,
        filled_notional: old.state.notional,
        execution: None,
        cause: "customer".to_owned(),
        request_id: command.request_id.clone(),
    }
}
