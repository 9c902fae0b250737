//! From rows to the wire.

use domain::OrderStatus;
use rust_decimal::RoundingStrategy;
use serde::Serialize;
use serde_json::value::RawValue;
use wire::rest::{FillActivity, Order, Text, TradeUpdate};

use crate::core::{Shares, Ticks};
use crate::names::{Names, asset_id};
use crate::store::rows::{EventRow, ExecutionRow, OrderRow};

/// An order as clients see it.
pub(super) fn order(names: Names, row: &OrderRow) -> Order {
    let ended = |status| row.ended_at.filter(|_| row.status == status);
    Order {
        id: names.order(row.no),
        client_order_id: row.client_order_id.to_string(),
        created_at: row.submitted_at,
        updated_at: row.updated_at,
        submitted_at: row.submitted_at,
        filled_at: ended(OrderStatus::Filled),
        expired_at: ended(OrderStatus::Expired),
        expires_at: row.expires_at,
        submit_at: None,
        canceled_at: ended(OrderStatus::Canceled),
        failed_at: ended(OrderStatus::Rejected),
        replaced_at: ended(OrderStatus::Replaced),
        replaced_by: row.replaced_by.map(|no| names.order(no)),
        replaces: row.replaces.map(|no| names.order(no)),
        asset_id: Some(asset_id(&row.symbol)),
        symbol: row.symbol.to_string(),
        asset_class: "us_equity".into(),
        notional: None,
        qty: Some(shares(row.qty)),
        filled_qty: shares(row.filled_qty),
        filled_avg_price: average(row),
        order_class: "simple".into(),
        order_type: "limit".into(),
        kind: "limit".into(),
        side: row.side.as_str().into(),
        position_intent: None,
        time_in_force: row.time_in_force.as_str().into(),
        limit_price: Some(dollars(row.limit)),
        stop_price: None,
        status: row.status.as_str().into(),
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

/// A report of the stream, with the order as it was then.
pub(super) fn update(names: Names, event: &EventRow, row: &OrderRow) -> TradeUpdate {
    TradeUpdate {
        event: event.event.to_string().into(),
        event_id: Some(format!("{:020}", event.no)),
        at: Some(event.at),
        execution_id: event.execution.map(|x| names.execution(x.no).to_string()),
        timestamp: event.execution.and_then(|x| x.executed_at).unwrap_or(event.at),
        price: event.execution.map(|x| dollars(x.price)),
        qty: event.execution.map(|x| shares(x.qty)),
        position_qty: None,
        reason: event.reason.as_deref().map(str::to_owned),
        order: order(names, &row.as_of(event)),
    }
}

/// An execution among the account's activities, with our caller's name for the order.
#[derive(Debug, Serialize)]
pub(super) struct KeyedFill {
    #[serde(flatten)]
    fill: FillActivity,
    client_order_id: String,
}

/// An execution as an activity; its id sorts in sequence order.
pub(super) fn fill(names: Names, execution: &ExecutionRow, row: &OrderRow) -> KeyedFill {
    let (kind, status) = match execution.leaves_qty {
        Shares::ZERO => ("fill", OrderStatus::Filled),
        _ => ("partial_fill", OrderStatus::PartiallyFilled),
    };
    let id = names.execution(execution.no);
    let fill = FillActivity {
        id: format!("{}::{id}", execution.at.format("%Y%m%d%H%M%S%3f")),
        activity_type: "FILL".into(),
        transaction_time: execution.at,
        kind: kind.into(),
        price: dollars(execution.price),
        qty: shares(execution.qty),
        cum_qty: shares(execution.cum_qty),
        leaves_qty: shares(execution.leaves_qty),
        side: row.side.as_str().into(),
        symbol: row.symbol.to_string(),
        order_id: names.order(row.no),
        order_status: status.as_str().into(),
        account_id: None,
    };
    KeyedFill {
        fill,
        client_order_id: row.client_order_id.to_string(),
    }
}

/// A price as an amount.
pub(super) fn dollars(ticks: Ticks) -> Text {
    Text(ticks.dollars())
}

/// A number of shares as an amount.
pub(super) fn shares(qty: Shares) -> Text {
    Text(qty.decimal())
}

/// A number of shares as a JSON number, digit for digit: it never passes through a float.
pub(super) fn count(qty: Shares) -> Box<RawValue> {
    RawValue::from_string(qty.to_string()).expect("digits and a point are a JSON number")
}

fn average(row: &OrderRow) -> Option<Text> {
    let exact = row.filled_amount.checked_div(row.filled_qty.decimal())?;
    Some(Text(
        exact
            .round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven)
            .normalize(),
    ))
}
