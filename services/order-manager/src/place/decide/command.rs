//! An order as it comes to be decided.

use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderType, Price, Qty, RequestId, Side, Symbol, TimeInForce,
};

use instruments::AverageVolume;

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
    /// What was written about the price.
    pub order_type: OrderType,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share, the worst it may trade at.
    pub limit_price: Price,
    /// Dollars asked for, where the order was written in dollars.
    pub notional: Option<Money>,
    /// Whether parts of a share of the instrument are traded.
    pub fractionable: bool,
    /// Dollars it is worth: at its limit, or of a market order at the reference price.
    pub value: Money,
    /// What the symbol last cost, where anybody knows.
    pub reference: Option<Reference>,
    /// How much of the symbol trades, where anybody knows.
    pub volume: Option<AverageVolume>,
    /// The request it came with.
    pub request_id: RequestId,
}

impl Command {
    /// Whether it trades parts of a share.
    pub fn is_fractional(&self) -> bool {
        self.notional.is_some() || !self.qty.is_whole()
    }
}
