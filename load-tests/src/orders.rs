//! Which orders are sent: the n-th order of a run is always the same one.
//!
//! Customers take turns, and so do symbols, so that neighbours in a batch belong to different accounts. Where orders
//! trade, each customer sells one symbol only, of which it bought a stock before, and never buys it: half of the orders
//! are sells, and nobody trades with themselves.

use crate::customers::Customer;
use crate::http::request;

/// Far below the market: it rests.
const RESTING: &str = "50.00";
/// What the exchange's market maker pays.
pub const BID: &str = "100.00";
/// What it asks.
pub const ASK: &str = "100.02";
/// Shares of its own symbol that a customer begins with.
pub const STOCK: u32 = 100_000;

/// What the orders are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// They rest.
    Resting,
    /// They trade at once.
    Trading,
    /// They buy each customer's stock, before the run.
    Stocking,
}

impl Kind {
    /// What the caller's own order ids begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Resting | Kind::Trading => "run-",
            Kind::Stocking => "stock-",
        }
    }
}

/// Everybody and everything that takes turns.
#[derive(Debug, Clone)]
pub struct Flow {
    /// What the orders are like.
    pub kind: Kind,
    /// Who sends them.
    pub customers: Vec<Customer>,
    /// What is traded.
    pub symbols: Vec<String>,
    /// The number of its first order: no caller's order id comes twice.
    pub first: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Order<'a> {
    customer: usize,
    symbol: &'a str,
    side: &'static str,
    qty: u32,
    limit_price: &'static str,
}

impl Flow {
    /// The n-th request of a run, ready to be sent.
    pub fn write(&self, number: u64, buffer: &mut Vec<u8>) {
        let Order {
            customer,
            symbol,
            side,
            qty,
            limit_price,
        } = self.order(number);
        let (prefix, number) = (self.kind.prefix(), self.first + number);
        let body = format!(
            r#"{{"symbol":"{symbol}","side":"{side}","type":"limit","time_in_force":"day","qty":"{qty}","limit_price":"{limit_price}","client_order_id":"{prefix}{number}"}}"#
        );
        request(buffer, "POST", "/v2/orders", &self.customers[customer].headers, &body);
    }

    fn order(&self, number: u64) -> Order<'_> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let (customer, round) = (number % self.customers.len(), number / self.customers.len());
        let (own, other) = (
            &self.symbols[self.own(customer)],
            &self.symbols[self.other(customer, round)],
        );
        let order = |symbol, side, qty, limit_price| Order {
            customer,
            symbol,
            side,
            qty,
            limit_price,
        };
        match self.kind {
            Kind::Resting => order(other, "buy", 1, RESTING),
            Kind::Stocking => order(own, "buy", STOCK, ASK),
            Kind::Trading if round % 2 == 0 => order(other, "buy", 1, ASK),
            Kind::Trading => order(own, "sell", 1, BID),
        }
    }

    /// The symbol that a customer has a stock of.
    fn own(&self, customer: usize) -> usize {
        customer % self.symbols.len()
    }

    /// The others, one after another.
    fn other(&self, customer: usize, round: usize) -> usize {
        let others = (self.symbols.len() - 1).max(1);
        (customer + 1 + round / 2 % others) % self.symbols.len()
    }
}

#[cfg(test)]
mod tests {
    //! Who sends what.
    use super::*;
    use std::collections::HashSet;

    fn flow(kind: Kind) -> Flow {
        let customers = (0..7)
            .map(|n| Customer {
                headers: format!("APCA-API-KEY-ID: {n}\r\n"),
            })
            .collect();
        Flow {
            kind,
            customers,
            symbols: ["A", "B", "C"].map(str::to_owned).into(),
            first: 0,
        }
    }

    #[test]
    fn nobody_buys_what_they_sell_and_all_symbols_take_turns() {
        let flow = flow(Kind::Trading);
        let orders: Vec<_> = (0..700).map(|n| flow.order(n)).collect();
        for order in &orders {
            let own = flow.symbols[flow.own(order.customer)].as_str();
            assert_eq!(order.side == "sell", order.symbol == own, "{order:?}");
        }
        let bought: HashSet<_> = orders
            .iter()
            .filter(|o| o.side == "buy")
            .map(|o| (o.customer, o.symbol))
            .collect();
        assert_eq!(bought.len(), 7 * 2, "every customer buys both of the others");
        assert_eq!(
            orders.iter().filter(|o| o.side == "sell").count(),
            350,
            "half of them sell"
        );
    }

    #[test]
    fn the_stock_is_bought_once_by_each_customer() {
        let flow = flow(Kind::Stocking);
        let bought: Vec<_> = (0..7).map(|n| (flow.order(n).customer, flow.order(n).symbol)).collect();
        assert_eq!(
            bought,
            [(0, "A"), (1, "B"), (2, "C"), (3, "A"), (4, "B"), (5, "C"), (6, "A")]
        );
    }

    #[test]
    fn a_request_carries_its_customers_key_and_its_number() {
        let mut buffer = Vec::new();
        flow(Kind::Resting).write(9, &mut buffer);
        let text = String::from_utf8(buffer).expect("text");
        assert!(
            text.contains("APCA-API-KEY-ID: 2\r\n") && text.contains(r#""client_order_id":"run-9""#),
            "{text}"
        );
    }
}
