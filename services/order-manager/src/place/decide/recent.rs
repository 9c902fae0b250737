//! Orders of the last two seconds, to see that another one is the same (RSK-4).
//!
//! A process remembers what it took. What it did not take itself – another order-manager did, or this one before it was
//! started again – shows in the time of the account's last order, which is read under the account's lock with everything
//! else: where it is not the time that is remembered, the account's orders of the last seconds are read and remembered, too.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use chrono::TimeDelta;
use domain::{AccountId, OrderId, Price, Qty, Side, Symbol, TimeInForce, Timestamp};

use super::{Accepted, Command};

/// How long an order counts as recent.
const WINDOW: TimeDelta = TimeDelta::seconds(2);

/// How far back an account's orders are read: a recent order may equal one that was recent when it came.
pub(in crate::place) const LOOK_BACK: TimeDelta = TimeDelta::seconds(4);

/// All that two equal orders have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alike {
    /// Whose they are.
    pub account: AccountId,
    /// Ticker.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub limit_price: Price,
    /// How long they work.
    pub time_in_force: TimeInForce,
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

/// An order, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// What an equal one would have in common with it.
    pub alike: Alike,
    /// What an equal one is told.
    pub earlier: Earlier,
    /// When it was submitted.
    pub at: Timestamp,
}

/// Orders that were taken within the last two seconds.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    newest: Fading<Alike, (Earlier, Timestamp)>,
    /// Accounts whose recent orders are all here, up to the one that was submitted then.
    known: Fading<AccountId, Timestamp>,
}

impl Recent {
    /// The last order like this one, if it is recent.
    pub fn find(&self, alike: &Alike, now: Timestamp) -> Option<Earlier> {
        let (earlier, at) = self.newest.get(alike)?;
        (now - *at < WINDOW).then_some(*earlier)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.newest.by_time.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an account whose last order was submitted then has no recent one that is not here.
    pub fn knows(&self, account: AccountId, last: Option<Timestamp>, now: Timestamp) -> bool {
        let recent = last.filter(|last| now - *last < WINDOW);
        recent.is_none_or(|last| self.known.get(&account) == Some(&last))
    }

    /// Remembers orders that are committed, of accounts that are known, and forgets what is no longer recent.
    pub fn remember(&mut self, taken: impl IntoIterator<Item = Remembered>, now: Timestamp) {
        self.newest.forget(now);
        self.known.forget(now);
        for order in taken {
            self.known_to(order.alike.account, order.at, now);
            let is_newest = self.newest.get(&order.alike).is_none_or(|(_, at)| *at < order.at);
            if is_newest {
                self.newest.insert(order.alike, (order.earlier, order.at), now);
            }
        }
    }

    /// All recent orders of the account are here, up to the one that was submitted then.
    pub fn known_to(&mut self, account: AccountId, last: Timestamp, now: Timestamp) {
        // Its next order may have been remembered first.
        if self.known.get(&account).is_none_or(|known| *known < last) {
            self.known.insert(account, last, now);
        }
    }
}

/// Orders of [`LOOK_BACK`], the oldest first, as they are remembered: which of them equal another one, is seen from the times.
pub fn remembered(orders: impl IntoIterator<Item = (OrderId, Alike, Timestamp)>) -> Vec<Remembered> {
    let mut last: HashMap<Alike, Timestamp> = HashMap::new();
    let orders = orders.into_iter().map(|(order, alike, at)| {
        let before = last.insert(alike.clone(), at);
        let shown = before.is_some_and(|before| at - before < WINDOW);
        let earlier = Earlier { order, shown };
        Remembered { alike, earlier, at }
    });
    orders.collect()
}

/// A map whose entries are forgotten two seconds after they were made.
#[derive(Debug, Clone)]
struct Fading<K, V> {
    entries: HashMap<K, (V, Timestamp)>,
    by_time: VecDeque<(Timestamp, K)>,
}

impl<K, V> Default for Fading<K, V> {
    fn default() -> Self {
        Fading {
            entries: HashMap::new(),
            by_time: VecDeque::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Fading<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    fn insert(&mut self, key: K, value: V, now: Timestamp) {
        self.entries.insert(key.clone(), (value, now));
        self.by_time.push_back((now, key));
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((made_at, key)) = self.by_time.pop_front_if(|(made_at, _)| now - *made_at >= WINDOW) {
            // A newer entry of this key has its own turn.
            if self.entries.get(&key).is_some_and(|(_, newest)| *newest == made_at) {
                self.entries.remove(&key);
            }
        }
    }
}

impl Accepted {
    /// What a later order that equals this one is measured by.
    pub fn remembered(&self) -> Remembered {
        let order = &self.order;
        Remembered {
            alike: Alike {
                account: order.account_id,
                symbol: order.symbol.clone(),
                side: order.side,
                qty: order.state.ordered,
                limit_price: order.limit_price,
                time_in_force: order.time_in_force,
            },
            earlier: Earlier {
                order: order.order_id,
                shown: self.duplicate_of.is_some(),
            },
            at: order.submitted_at,
        }
    }
}
