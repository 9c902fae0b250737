//! The rule: may this order be replaced, given what is stored of it under its lock? Pure.

use domain::calendar::Calendar;
use domain::{OrderId, OrderStatus, OrderType};
use orders::StoredOrder;
use std::collections::HashMap;

use super::ReplaceCommand;
use crate::error::{PlaceOrderError, ReplaceError};
use crate::place::Asked;
use crate::place::decide::Command;

/// The order to replace, if it can be, and the replacement as an order to be decided like any other.
///
/// # Errors
/// Why it cannot be replaced.
pub(super) fn replaceable<'a>(
    command: &ReplaceCommand,
    stored: &'a HashMap<OrderId, StoredOrder>,
) -> Result<(&'a StoredOrder, Command), ReplaceError> {
    let old = stored
        .get(&command.order)
        .filter(|order| order.account_id == command.account)
        .ok_or_else(|| ReplaceError::NotFound(command.order.to_string()))?;
    is_open(old, stored)?;
    let wanted = wanted(command, old)?;
    if old.notional.is_some() || !old.state.ordered.is_whole() || old.order_type != OrderType::Limit {
        return Err(ReplaceError::NotWhole);
    }
    let filled = old.state.cumulative();
    if wanted.qty <= filled {
        return Err(ReplaceError::Filled { filled });
    }
    Ok((old, wanted))
}

/// Only an order that the venue works, and that nobody wants to end or to replace already.
fn is_open(old: &StoredOrder, stored: &HashMap<OrderId, StoredOrder>) -> Result<(), ReplaceError> {
    let status = old.state.status;
    if !status.is_open() {
        return Err(ReplaceError::Final(status));
    }
    // One that took another's place, and whose readers cannot see that yet.
    let unsettled = old
        .chain
        .replaces
        .and_then(|id| stored.get(&id))
        .is_some_and(|before| before.state.status != OrderStatus::Replaced);
    if matches!(status, OrderStatus::Accepted | OrderStatus::PendingNew) || unsettled || old.venue_order_id.is_none() {
        return Err(ReplaceError::NotSent);
    }
    // Its end is under way: asked for, or told by the venue, whose fills are still to come.
    if old.wish().is_some() || old.state.end.is_some() {
        return Err(ReplaceError::NotOpen);
    }
    Ok(())
}

fn wanted(command: &ReplaceCommand, old: &StoredOrder) -> Result<Command, ReplaceError> {
    let change = &command.change;
    let qty = change.qty.unwrap_or(old.state.ordered);
    let limit_price = change.limit_price.unwrap_or(old.limit_price);
    let too_large = |why| PlaceOrderError::BadAmount { field: "qty", why };
    Ok(Command {
        order_id: command.order_id,
        account: command.account,
        client_order_id: command.client_order_id.clone(),
        asset_id: old.asset_id,
        symbol: old.symbol.clone(),
        side: old.side,
        time_in_force: change.time_in_force.unwrap_or(old.time_in_force),
        asked: Asked::default(),
        order_type: old.order_type,
        qty,
        limit_price,
        notional: None,
        fractionable: false,
        value: limit_price.notional(qty).map_err(too_large)?,
        reference: None,
        volume: None,
        request_id: command.request_id.clone(),
    })
}

/// Whether the order's session is over by the calendar in force: then the venue ends it at any moment.
pub(super) fn in_its_life(old: &StoredOrder, calendar: &Calendar, now: domain::Timestamp) -> Result<(), ReplaceError> {
    let session_end = (old.time_in_force != domain::TimeInForce::Gtc)
        .then(|| calendar.ends_at(domain::calendar::SessionDate::new(old.session_date)))
        .flatten();
    let over = [session_end, old.deadline()]
        .into_iter()
        .flatten()
        .any(|end| end <= now);
    if over { Err(ReplaceError::NotOpen) } else { Ok(()) }
}
