//! An order as it comes to be decided.

use domain::{AccountId, AssetId, ClientOrderId, OrderId, Price, Qty, RequestId, Side, Symbol, TimeInForce};

use super::super::times::Asked;
use crate::prices::Reference;

/// An order that is in order by itself, of a known account, for a known instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Drawn before the queue, so that a repeated try is the same order.
    pub order_id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// The caller's own name for it, or ours.
    pub client_order_id: ClientOrderId,
    /// The instrument.
    pub asset_id: AssetId,
    /// Its ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The times it asks for.
    pub asked: Asked,
    /// Whole shares.
    pub qty: Qty,
    /// Dollars a share.
    pub limit_price: Price,
    /// What the symbol last cost, where anybody knows.
    pub reference: Option<Reference>,
    /// The request it came with.
    pub request_id: RequestId,
}
