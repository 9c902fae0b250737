//! One symbol's orders by price and time, kept by the crate `matchcore`.
//!
//! matchcore 0.4 lets a crossing limit order eat on through its own limit: once the best price crosses, it matches
//! the whole quantity at any price. So a taker is never handed over whole. [`Book::take`] counts what is there
//! within the limit and submits exactly that much; what is left becomes a resting order of its own.

use std::collections::HashMap;

use domain::Side;
use matchcore as mc;

use super::{OrderNo, Shares, Ticks};

/// Whose order rests in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A customer of the exchange.
    Customer(OrderNo),
    /// The market maker's quote on this side.
    Maker(Side),
}

/// The book's own name for a resting order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RestingId(u64);

/// One match, seen from the taker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) maker: Owner,
    pub(super) price: Ticks,
    pub(super) qty: Shares,
}

/// A price level at the top of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) price: Ticks,
    pub(super) qty: Shares,
}

/// Bids and asks of one symbol.
#[derive(Debug)]
pub(super) struct Book {
    inner: mc::OrderBook,
    next: u64,
    owners: HashMap<u64, Owner>,
}

impl Book {
    pub(super) fn new(symbol: &str) -> Self {
        Self {
            inner: mc::OrderBook::new(symbol),
            next: 0,
            owners: HashMap::new(),
        }
    }

    /// Shares on the other side that an order with this limit could trade with, counted up to `most`.
    pub(super) fn available(&self, side: Side, limit: Ticks, most: Shares) -> Shares {
        let limit = price(limit);
        let book = self.inner.limit();
        let size = |id: &usize| shares(book.levels()[*id].total_quantity());
        let mut found = Shares::ZERO;
        let mut levels: Box<dyn Iterator<Item = &usize>> = match side {
            Side::Buy => Box::new(book.asks().range(..=limit).map(|(_, id)| id)),
            Side::Sell => Box::new(book.bids().range(limit..).rev().map(|(_, id)| id)),
        };
        while found < most {
            let Some(id) = levels.next() else { break };
            found += size(id);
        }
        found.min(most)
    }

    /// Trades up to `qty` shares against the other side, best price first, never beyond `limit`.
    pub(super) fn take(&mut self, side: Side, limit: Ticks, qty: Shares) -> Vec<Match> {
        let within = self.available(side, limit, qty);
        if within == Shares::ZERO {
            return Vec::new();
        }
        let outcome = self.execute(submit(side, limit, within));
        let trades = taken(&outcome);
        trades.into_iter().filter_map(|trade| self.matched(trade)).collect()
    }

    fn matched(&mut self, trade: mc::Trade) -> Option<Match> {
        let id = trade.maker_order_id().0;
        let maker = *self.owners.get(&id)?;
        if !self.inner.limit().orders().contains_key(&mc::OrderId(id)) {
            self.owners.remove(&id);
        }
        Some(Match {
            maker,
            price: ticks(trade.price()),
            qty: shares(trade.quantity()),
        })
    }

    /// Puts shares on the book behind those of the same price. The caller took what crosses before.
    pub(super) fn rest(&mut self, owner: Owner, side: Side, limit: Ticks, qty: Shares) -> RestingId {
        debug_assert_eq!(
            self.available(side, limit, Shares(1)),
            Shares::ZERO,
            "a resting order may not cross"
        );
        let id = self.next;
        self.owners.insert(id, owner);
        self.execute(submit(side, limit, qty));
        RestingId(id)
    }

    /// Hands a place on the book to another order with as many shares or fewer.
    pub(super) fn hand_over(&mut self, id: RestingId, owner: Owner, qty: Shares) {
        self.owners.insert(id.0, owner);
        let patch = mc::LimitOrderPatch::new().with_quantity_policy(standard(qty));
        self.execute(mc::CommandKind::Amend(mc::AmendCmd {
            order_id: mc::OrderId(id.0),
            patch: mc::AmendPatch::Limit(patch),
        }));
    }

    /// Takes an order off the book; gone already is fine.
    pub(super) fn remove(&mut self, id: RestingId) {
        if self.owners.remove(&id.0).is_some() {
            let cancel = mc::CancelCmd {
                order_id: mc::OrderId(id.0),
                order_kind: mc::OrderKind::Limit,
            };
            self.execute(mc::CommandKind::Cancel(cancel));
        }
    }

    /// The best price of a side and what stands there.
    pub(super) fn best(&self, side: Side) -> Option<Level> {
        let best = match side {
            Side::Buy => self.inner.best_bid(),
            Side::Sell => self.inner.best_ask(),
        };
        best.map(|(at, qty)| Level {
            price: ticks(at),
            qty: shares(qty),
        })
    }

    fn execute(&mut self, kind: mc::CommandKind) -> mc::CommandOutcome {
        let sequence_number = mc::SequenceNumber(self.next);
        self.next += 1;
        // matchcore's time only serves its own expiry, which is not used: sessions are the market's business.
        let meta = mc::CommandMeta {
            sequence_number,
            timestamp: mc::Timestamp(0),
        };
        self.inner.execute(&mc::Command { meta, kind })
    }
}

fn submit(side: Side, limit: Ticks, qty: Shares) -> mc::CommandKind {
    let side = match side {
        Side::Buy => mc::Side::Buy,
        Side::Sell => mc::Side::Sell,
    };
    let flags = mc::OrderFlags::new(side, false, mc::TimeInForce::Gtc);
    mc::CommandKind::Submit(mc::SubmitCmd {
        order: mc::NewOrder::Limit(mc::LimitOrder::new(price(limit), standard(qty), flags)),
    })
}

fn standard(qty: Shares) -> mc::QuantityPolicy {
    mc::QuantityPolicy::Standard {
        quantity: mc::Quantity(qty.0.unsigned_abs()),
    }
}

fn taken(outcome: &mc::CommandOutcome) -> Vec<mc::Trade> {
    match outcome {
        mc::CommandOutcome::Applied(mc::CommandReport::Submit(effects)) => effects
            .target_order()
            .match_result()
            .map(|result| result.trades().to_vec())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn price(ticks: Ticks) -> mc::Price {
    mc::Price(ticks.0.unsigned_abs())
}

fn ticks(price: mc::Price) -> Ticks {
    Ticks(i64::try_from(price.0).unwrap_or(i64::MAX))
}

fn shares(quantity: mc::Quantity) -> Shares {
    Shares(i64::try_from(quantity.0).unwrap_or(i64::MAX))
}
