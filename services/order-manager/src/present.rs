//! From stored nouns to wire types.

use domain::calendar::{Calendar, SessionDate};
use domain::order::average_price;
use domain::{OrderStatus, OrderType, Price, Side, TimeInForce, Timestamp};
use orders::StoredOrder;
use orders::history::ToldEvent;
use wire::rest::{Order, Text};

/// The only asset class there is.
pub(crate) const US_EQUITY: &str = "us_equity";

/// An order as clients see it.
pub(crate) fn order(order: &StoredOrder, calendar: &Calendar) -> Order {
    let status = order.shown_status();
    Order {
        id: order.order_id.get(),
        client_order_id: order.client_order_id.to_string(),
        created_at: order.created_at,
        updated_at: order.updated_at,
        submitted_at: order.submitted_at,
        filled_at: order.filled_at,
        expired_at: order.expired_at,
        expires_at: Some(expires_at(order, calendar)),
        submit_at: order.submit_at,
        canceled_at: order.canceled_at,
        failed_at: order.failed_at,
        replaced_at: order.chain.replaced_at,
        replaced_by: order.chain.replaced_by.map(domain::OrderId::get),
        replaces: order.chain.replaces.map(domain::OrderId::get),
        asset_id: Some(order.asset_id.get()),
        symbol: order.symbol.to_string(),
        asset_class: US_EQUITY.into(),
        // Exactly one of them, whatever has filled: clients read an order's size from the one that is there.
        notional: order.notional.map(Text::from),
        qty: order.notional.is_none().then(|| order.state.ordered.into()),
        filled_qty: order.state.filled.into(),
        filled_avg_price: order.state.average_price().map(Text::from),
        order_class: "simple".into(),
        order_type: order.order_type.as_str().into(),
        kind: order.order_type.as_str().into(),
        side: order.side.as_str().into(),
        position_intent: Some(intent(order.side).into()),
        time_in_force: order.time_in_force.as_str().into(),
        limit_price: limit_of(order).map(Text::from),
        stop_price: None,
        status: OrderStatus::as_str(status).into(),
        extended_hours: false,
        legs: None,
        trail_percent: None,
        trail_price: None,
        hwm: None,
        ratio_qty: None,
        subtag: None,
        source: None,
    }
}

/// The order as it was right after this event of its. What never changes is the order's own; the times at which it came to
/// its end count from that end on.
pub(crate) fn order_as_of(order: &StoredOrder, event: &ToldEvent, calendar: &Calendar) -> Order {
    let ended = |status: OrderStatus, at: Option<Timestamp>| at.filter(|_| event.status == status.as_str());
    Order {
        updated_at: event.at,
        status: event.status.clone().into(),
        filled_qty: event.filled_qty.into(),
        filled_avg_price: average_price(event.filled_notional, event.filled_qty).map(Text::from),
        filled_at: ended(OrderStatus::Filled, order.filled_at),
        canceled_at: ended(OrderStatus::Canceled, order.canceled_at),
        expired_at: ended(OrderStatus::Expired, order.expired_at),
        failed_at: ended(OrderStatus::Rejected, order.failed_at),
        replaced_at: ended(OrderStatus::Replaced, order.chain.replaced_at),
        replaced_by: (event.status == OrderStatus::Replaced.as_str())
            .then_some(order.chain.replaced_by)
            .flatten()
            .map(domain::OrderId::get),
        ..self::order(order, calendar)
    }
}

/// The limit as the customer wrote it: that of a market order is ours.
const fn limit_of(order: &StoredOrder) -> Option<Price> {
    match order.order_type {
        OrderType::Limit => Some(order.limit_price),
        OrderType::Market => None,
    }
}

/// There are no short positions: a buy opens, a sell closes.
const fn intent(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy_to_open",
        Side::Sell => "sell_to_close",
    }
}

/// When the system will end the order by itself, or would have. The close that counts is the one of the calendar in
/// force, should an operator have moved it since (CAL-4).
fn expires_at(order: &StoredOrder, calendar: &Calendar) -> Timestamp {
    let close = match order.time_in_force {
        TimeInForce::Gtc => None,
        TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => {
            calendar.ends_at(SessionDate::new(order.session_date))
        }
    };
    match close {
        None => order.expires_at,
        Some(close) if order.explicit_expiry => close.min(order.expires_at),
        Some(close) => close,
    }
}
