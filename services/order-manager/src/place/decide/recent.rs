//! Orders of the last two seconds, to see that another one is the same (RSK-4).
//!
//! In the memory of the batcher that every order of an account goes through: an order and its like that reach two
//! processes, or the two sides of a restart, are not seen together.

use std::collections::{HashMap, VecDeque};

use chrono::TimeDelta;
use domain::{AccountId, OrderId, Price, Qty, Side, Symbol, TimeInForce, Timestamp};

use super::{Accepted, Command};

/// How long an order counts as recent.
const WINDOW: TimeDelta = TimeDelta::seconds(2);

/// All that two equal orders have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alike {
    account: AccountId,
    symbol: Symbol,
    side: Side,
    qty: Qty,
    limit_price: Price,
    time_in_force: TimeInForce,
}

impl Alike {
    /// Of an order that comes.
    pub fn of(command: &Command) -> Self {
        Alike {
            account: command.account,
            symbol: command.symbol.clone(),
            side: command.side,
            qty: command.qty,
            limit_price: command.limit_price,
            time_in_force: command.time_in_force,
        }
    }
}

/// An order that another one equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Which.
    pub order: OrderId,
    /// Surveillance was shown this burst of equal orders already: a program that repeats itself is one thing to look at, not
    /// ten thousand.
    pub shown: bool,
}

/// Orders that were taken within the last two seconds.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    newest: HashMap<Alike, (Earlier, Timestamp)>,
    by_time: VecDeque<(Timestamp, Alike)>,
}

impl Recent {
    /// The last order like this one, if it is recent.
    pub fn find(&self, alike: &Alike, now: Timestamp) -> Option<Earlier> {
        let (earlier, at) = self.newest.get(alike)?;
        (now - *at < WINDOW).then_some(*earlier)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Remembers orders that are committed, and forgets what is no longer recent.
    pub fn remember(&mut self, accepted: impl IntoIterator<Item = (Alike, Earlier)>, now: Timestamp) {
        while let Some((at, _)) = self.by_time.front().filter(|(at, _)| now - *at >= WINDOW) {
            let at = *at;
            if let Some((_, alike)) = self.by_time.pop_front()
                && self.newest.get(&alike).is_some_and(|(_, newest)| *newest == at)
            {
                self.newest.remove(&alike);
            }
        }
        for (alike, earlier) in accepted {
            self.newest.insert(alike.clone(), (earlier, now));
            self.by_time.push_back((now, alike));
        }
    }
}

impl Accepted {
    /// What a later order that equals this one is told.
    pub fn earlier(&self) -> Earlier {
        Earlier {
            order: self.order.order_id,
            shown: self.duplicate_of.is_some(),
        }
    }

    /// What an equal order would have in common with this one.
    pub fn alike(&self) -> Alike {
        let order = &self.order;
        Alike {
            account: order.account_id,
            symbol: order.symbol.clone(),
            side: order.side,
            qty: order.state.ordered,
            limit_price: order.limit_price,
            time_in_force: order.time_in_force,
        }
    }
}
