//! An order that is taken, and what has to be written with it.

use domain::order::{OrderState, StreamEvent};
use domain::{Money, Qty, Timestamp};
use ledger::Transfer;
use orders::{Chain, NewOrder, NewOrderEvent, StoredOrder};

use super::super::times::Times;
use super::recent::Earlier;
use super::{Command, Unchecked, Unmeasured};

/// An order that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As it will be stored.
    pub order: StoredOrder,
    /// Its hold.
    pub hold: Transfer,
    /// Its first event.
    pub event: NewOrderEvent,
    /// Why its limit was not measured by a price, if it was not (PX-5).
    pub unchecked: Option<Unchecked>,
    /// Why its shares were not measured by what trades, if they were not (RSK-3).
    pub unmeasured: Option<Unmeasured>,
    /// The order of the last two seconds that it equals (RSK-4).
    pub duplicate_of: Option<Earlier>,
}

/// The order as it is stored when it is taken at this time.
pub(super) fn stored(command: &Command, times: Times, at: Timestamp) -> StoredOrder {
    StoredOrder {
        order_id: command.order_id,
        account_id: command.account,
        client_order_id: command.client_order_id.clone(),
        asset_id: command.asset_id,
        symbol: command.symbol.clone(),
        side: command.side,
        order_type: command.order_type,
        time_in_force: command.time_in_force,
        limit_price: command.limit_price,
        notional: command.notional,
        session_date: times.session.date.get(),
        submit_at: command.asked.submit_at,
        expires_at: times.expires_at,
        explicit_expiry: command.asked.expires_at.is_some(),
        request_id: command.request_id.clone(),
        created_at: at,
        submitted_at: at,
        state: OrderState::accepted(command.qty),
        posted_cash: Money::ZERO,
        end_reason: None,
        venue_order_id: None,
        acknowledged_at: None,
        filled_at: None,
        canceled_at: None,
        expired_at: None,
        failed_at: None,
        cancel_requested_at: None,
        expire_requested_at: None,
        chain: Chain::default(),
        updated_at: at,
    }
}

pub(super) fn accepted_event(order: &StoredOrder, (seq, at): (i64, Timestamp)) -> NewOrderEvent {
    NewOrderEvent {
        account_id: order.account_id,
        seq,
        order_id: order.order_id,
        event: StreamEvent::Accepted,
        at,
        status: order.shown_status(),
        filled_qty: Qty::ZERO,
        filled_notional: Money::ZERO,
        execution: None,
        cause: "customer".to_owned(),
        request_id: order.request_id.clone(),
    }
}

impl Accepted {
    /// What surveillance should see of it: once for each burst of equal orders.
    pub fn flag(&self) -> Option<risk::flags::Flag> {
        let earlier = self.duplicate_of.filter(|earlier| !earlier.shown)?.order;
        Some(risk::flags::Flag {
            order: self.order.order_id,
            rule: risk::flags::DUPLICATE.to_owned(),
            account: self.order.account_id,
            symbol: self.order.symbol.clone(),
            detail: format!("equals order {earlier}, placed less than 2 seconds before"),
            at: self.order.submitted_at,
        })
    }

    /// The row to insert.
    pub fn new_order(&self) -> NewOrder {
        new_order(&self.order)
    }
}

/// The row of an order that replaces none.
pub fn new_order(order: &StoredOrder) -> NewOrder {
    NewOrder {
        order_id: order.order_id,
        account_id: order.account_id,
        client_order_id: order.client_order_id.clone(),
        asset_id: order.asset_id,
        symbol: order.symbol.clone(),
        side: order.side,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        qty: order.state.ordered,
        limit_price: order.limit_price,
        notional: order.notional,
        session_date: order.session_date,
        submit_at: order.submit_at,
        expires_at: order.expires_at,
        explicit_expiry: order.explicit_expiry,
        request_id: order.request_id.clone(),
        submitted_at: order.submitted_at,
        replaces: None,
    }
}
