//! An account's own open orders in a symbol, as far as another one could trade against them (RSK-5).

use domain::{OrderId, Price, Side};

/// The nearest open order on each side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnOrders {
    /// The buy with the highest limit.
    pub highest_buy: Option<(Price, OrderId)>,
    /// The sell with the lowest limit.
    pub lowest_sell: Option<(Price, OrderId)>,
}

impl OwnOrders {
    /// The open order that an order with this limit could trade against.
    pub fn crossed_by(&self, side: Side, limit: Price) -> Option<OrderId> {
        let crossed = match side {
            Side::Buy => self.lowest_sell.filter(|(sell, _)| *sell <= limit),
            Side::Sell => self.highest_buy.filter(|(buy, _)| *buy >= limit),
        };
        crossed.map(|(_, order)| order)
    }

    /// An order is open, too.
    pub fn add(&mut self, side: Side, limit: Price, order: OrderId) {
        match side {
            Side::Buy if self.highest_buy.is_none_or(|(buy, _)| buy < limit) => {
                self.highest_buy = Some((limit, order));
            }
            Side::Sell if self.lowest_sell.is_none_or(|(sell, _)| sell > limit) => {
                self.lowest_sell = Some((limit, order));
            }
            _ => {}
        }
    }
}
