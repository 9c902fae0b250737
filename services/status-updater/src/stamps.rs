//! What an order keeps besides its state: its name at the venue, when it got where it is, and how its end is meant.

use crate::report::{Heard, Report};
use domain::order::{EndKind, IllegalMove, OrderEvent};
use domain::{OrderStatus, Qty, TimeInForce, Timestamp};
use orders::StoredOrder;

/// What the venue's end means. Where fills overtook a replace, the rest was not wanted any more: the order is filled with
/// what there is (ORD-9). Where nothing is left, or what is left cannot be told from the venue's count, which may be from
/// before a bust, it is an end like any other.
pub(crate) fn end_as_meant(order: &StoredOrder, why: EndKind, filled: Qty) -> Result<OrderEvent, IllegalMove> {
    let state = &order.state;
    if order.chain.overtaken && matches!(why, EndKind::Canceled | EndKind::Expired) && state.end.is_none() {
        let qty = state.carried.plus(filled)?;
        let is_live = state.busted.is_zero() || filled <= state.filled;
        if is_live && !qty.max(state.cumulative()).is_zero() {
            return Ok(OrderEvent::QtyReplaced { qty });
        }
    }
    let why = kind_as_meant(order, why);
    Ok(OrderEvent::Ended { why, filled })
}

/// The end in the order's own terms. An IOC's or FOK's remainder is canceled, whatever the venue calls it (TIF-3);
/// `canceled` as the answer to our own expiry wish is `expired`, unless the customer had asked to cancel before.
fn kind_as_meant(order: &StoredOrder, why: EndKind) -> EndKind {
    let at_once = matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
    let expiry_came_first = order
        .expire_requested_at
        .is_some_and(|expiry| order.cancel_requested_at.is_none_or(|cancel| expiry < cancel));
    match why {
        EndKind::Expired if at_once => EndKind::Canceled,
        EndKind::Canceled if expiry_came_first && !at_once => EndKind::Expired,
        other => other,
    }
}

/// Notes what the venue calls the order and since when it has it. True if that is news.
pub(crate) fn name_at_venue(order: &mut StoredOrder, report: &Report) -> bool {
    let (name, at) = match &report.heard {
        Heard::Acknowledged { venue_order, at } => (venue_order, Some(*at)),
        Heard::Filled(execution) => (&execution.venue_order, Some(execution.at)),
        _ => (&None, None),
    };
    let mut news = false;
    if order.venue_order_id.is_none() && name.is_some() {
        order.venue_order_id.clone_from(name);
        news = true;
    }
    // Whichever came first, the earlier time is the true one.
    if let Some(at) = at
        && order.acknowledged_at.is_none_or(|known| at < known)
    {
        order.acknowledged_at = Some(at);
        news = true;
    }
    news
}

/// Since when the order has its status. For those that nothing of the exchange's marks it is the last change of anything.
pub(crate) fn in_status_since(order: &StoredOrder) -> Timestamp {
    match order.state.status {
        OrderStatus::Accepted => order.submitted_at,
        OrderStatus::New => order.acknowledged_at.unwrap_or(order.updated_at),
        _ => order.updated_at,
    }
}

/// Notes when the order came to its status.
pub(crate) fn stamp(order: &mut StoredOrder, status: OrderStatus, at: Timestamp) {
    match status {
        OrderStatus::Filled => order.filled_at = Some(at),
        OrderStatus::Canceled => order.canceled_at = Some(at),
        OrderStatus::Expired => order.expired_at = Some(at),
        OrderStatus::Rejected => order.failed_at = Some(at),
        OrderStatus::Replaced => order.chain.replaced_at = Some(at),
        // A bust opened it again.
        _ => order.filled_at = None,
    }
}
