//! What the scripted venue knows, and what each act does to it.

use crate::volume::SESSIONS;
use crate::{
    Canceling, Fault, Lookup, Refusal, Submitted, UpdateKind, VenueAsset, VenueExecution, VenueOrder, VenueOrderView,
    VenueQuote, VenueStatus, VenueUpdate, VenueVolume,
};
use chrono::NaiveDate;
use domain::order::EndKind;
use domain::{AssetId, ExecId, OrderId, Price, Qty, Side, Symbol, TimeInForce, Timestamp, VenueOrderId};
use rust_decimal::dec;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;
use uuid::Uuid;

use super::trades::Trades;

/// Shares of a symbol that trade in a session.
const VOLUME: u64 = 1_000_000;

/// What the venue does with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// What it should.
    Normal,
    /// Does it, but the answer is lost.
    LoseAnswer,
    /// Does nothing, and there is no answer.
    LoseRequest,
    /// No answer; the request arrives with [`super::FakeVenue::deliver_late`].
    Late,
    /// Answers 500 and does nothing.
    Fail,
    /// Does it and answers 500.
    FailAfter,
    /// Answers 429.
    Throttle(Duration),
    /// Cannot be reached.
    Unreachable,
    /// Says no, with this reason.
    Refuse(String),
    /// Does it and answers with something unreadable.
    Garble,
    /// Does it and answers about another quantity.
    Mismatch,
    /// Says that there is no such order, though there is.
    Deny,
    /// Of a replacement: takes it and leaves it undecided until [`super::FakeVenue::decide_replace`].
    Pend,
}

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Handing in.
    Submit,
    /// Asking by key, one or many.
    Lookup,
    /// Asking to end.
    Cancel,
    /// Putting an order in another one's place; a script for one order goes by the replacement's key.
    Replace,
    /// Asking how much trades.
    Volumes,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub kind: CallKind,
    /// About which orders.
    pub keys: Vec<OrderId>,
    /// What the venue did with it.
    pub act: Act,
}

#[derive(Default)]
pub(super) struct State {
    symbols: Vec<Symbol>,
    pub(super) whole_only: HashSet<Symbol>,
    pub(super) volumes: HashMap<Symbol, u64>,
    pub(super) orders: Vec<VenueOrderView>,
    pub(super) by_key: HashMap<OrderId, usize>,
    scripts: HashMap<(Option<OrderId>, CallKind), VecDeque<Act>>,
    updates: Vec<VenueUpdate>,
    told: usize,
    pub(super) taken: HashMap<OrderId, usize>,
    /// Requests that are still on their way; those of a replacement with the order it replaces.
    pub(super) late: Vec<(OrderId, VenueOrder, Option<VenueOrderId>)>,
    /// Replacements that are not decided: the old order and where it stood.
    pub(super) pending: HashMap<OrderId, (usize, VenueStatus)>,
    /// What the orders before a replacement traded.
    pub(super) carried: HashMap<usize, Qty>,
    pub(super) calls: Vec<Call>,
    pub(super) executions: Vec<VenueExecution>,
    pub(super) trades_at_quote: bool,
    pub(super) trades: Trades,
}

impl State {
    pub(super) fn new(symbols: &[Symbol]) -> Self {
        Self {
            symbols: symbols.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn script(&mut self, kind: CallKind, acts: impl IntoIterator<Item = Act>) {
        self.scripts.entry((None, kind)).or_default().extend(acts);
    }

    pub(super) fn script_for(&mut self, key: OrderId, kind: CallKind, acts: impl IntoIterator<Item = Act>) {
        self.scripts.entry((Some(key), kind)).or_default().extend(acts);
    }

    pub(super) fn behave(&mut self) {
        self.scripts.clear();
    }

    pub(super) fn act(&mut self, kind: CallKind, keys: &[OrderId]) -> Act {
        let own = keys
            .iter()
            .find_map(|key| self.scripts.get_mut(&(Some(*key), kind))?.pop_front());
        let act = own
            .or_else(|| self.scripts.get_mut(&(None, kind))?.pop_front())
            .unwrap_or(Act::Normal);
        self.calls.push(Call {
            kind,
            keys: keys.to_vec(),
            act: act.clone(),
        });
        act
    }

    pub(super) fn submit(&mut self, act: &Act, key: OrderId, order: &VenueOrder, now: Timestamp) -> Submitted {
        if *act == Act::Late {
            self.late.push((key, order.clone(), None));
        }
        if let Some(outcome) = undone(act) {
            return outcome.map_or_else(Submitted::Unknown, Submitted::Refused);
        }
        if !self.symbols.contains(&order.symbol) {
            let reason = format!("asset \"{}\" not found", order.symbol);
            return Submitted::Refused(Refusal {
                code: 42_210_000,
                reason,
            });
        }
        if let Some(refusal) = self.too_fine(order) {
            return Submitted::Refused(refusal);
        }
        self.accept(key, order, now);
        let view = self.of_key(key).expect("it was just put there, or was there").clone();
        match after(act) {
            Some(fault) => Submitted::Unknown(fault),
            None => match view.differs_from(key, order) {
                Some(what) => Submitted::Unknown(Fault::Mismatch(what)),
                None => Submitted::Acknowledged(view),
            },
        }
    }

    /// Why parts of a share are not taken here, if they are asked for (QTY-2).
    fn too_fine(&self, order: &VenueOrder) -> Option<Refusal> {
        if order.qty.is_whole() {
            return None;
        }
        let (code, reason) = if self.whole_only.contains(&order.symbol) {
            (40_310_000, format!("asset \"{}\" is not fractionable", order.symbol))
        } else if order.time_in_force != TimeInForce::Day {
            (42_210_000, "fractional orders must be DAY orders".to_owned())
        } else {
            return None;
        };
        Some(Refusal { code, reason })
    }

    /// Takes an order unless its key is taken; gives it when it is new.
    pub(super) fn accept(&mut self, key: OrderId, order: &VenueOrder, now: Timestamp) -> Option<usize> {
        if self.by_key.contains_key(&key) {
            return None;
        }
        let at = self.put(key, order, now);
        self.record(at, UpdateKind::Acknowledged, now);
        self.trade(at, now);
        Some(at)
    }

    pub(super) fn put(&mut self, key: OrderId, order: &VenueOrder, now: Timestamp) -> usize {
        let times = self.taken.entry(key).or_default();
        *times += 1;
        let id = Uuid::new_v5(&key.get(), format!("order {times}").as_bytes());
        self.by_key.insert(key, self.orders.len());
        self.orders.push(VenueOrderView {
            venue_order_id: VenueOrderId::new(&id.to_string()).expect("a UUID is plain text"),
            key: Some(key),
            order: order.clone(),
            status: VenueStatus::Working,
            filled_qty: Qty::ZERO,
            replaces: None,
            replaced_by: None,
            submitted_at: now,
            updated_at: now,
        });
        self.orders.len() - 1
    }

    pub(super) fn trade(&mut self, at: usize, now: Timestamp) {
        let order = self.orders[at].order.clone();
        let (bid, ask) = quote();
        let price = match order.side {
            Side::Buy => (order.limit_price >= ask).then_some(ask),
            Side::Sell => (order.limit_price <= bid).then_some(bid),
        };
        match price.filter(|_| self.trades_at_quote) {
            Some(price) => {
                let left = order
                    .qty
                    .minus(self.carried(at))
                    .expect("its qty is more than what has traded");
                self.fill_at(at, left, price, now);
            }
            None if matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok) && self.trades_at_quote => {
                self.end_at(at, EndKind::Canceled, now);
            }
            None => {}
        }
    }

    pub(super) fn lookup(&self, act: &Act, key: OrderId) -> Lookup {
        if *act == Act::Deny {
            return Lookup::NotFound;
        }
        if let Some(fault) = undone(act).and_then(Result::err).or_else(|| after(act)) {
            return Lookup::Unknown(fault);
        }
        self.of_key(key)
            .map_or(Lookup::NotFound, |view| Lookup::Found(view.clone()))
    }

    pub(super) fn cancel(&mut self, act: &Act, id: &VenueOrderId, now: Timestamp) -> Canceling {
        if *act == Act::Deny {
            return Canceling::NotFound;
        }
        match undone(act) {
            Some(Ok(refusal)) => return Canceling::TooLate(refusal),
            Some(Err(fault)) => return Canceling::Unknown(fault),
            None => {}
        }
        let known = |view: &VenueOrderView| view.venue_order_id == *id && view.key.is_some();
        let Some(at) = self.orders.iter().position(known) else {
            return Canceling::NotFound;
        };
        if matches!(self.orders[at].status, VenueStatus::Filled | VenueStatus::Ended(_)) {
            return Canceling::TooLate(Refusal {
                code: 42_210_000,
                reason: "order is already over".to_owned(),
            });
        }
        match self.orders[at].key.filter(|key| self.pending.contains_key(key)) {
            Some(key) => self.turn_down(key, EndKind::Canceled, "the replacement was canceled", now),
            None => self.end_at(at, EndKind::Canceled, now),
        }
        after(act).map_or(Canceling::Taken, Canceling::Unknown)
    }

    pub(super) fn fill(&mut self, key: OrderId, qty: Qty, price: Price, now: Timestamp) {
        self.fill_at(self.by_key[&key], qty, price, now);
    }

    fn fill_at(&mut self, at: usize, qty: Qty, price: Price, now: Timestamp) {
        let carried = self.carried(at);
        let number = self.executions.len() + 1;
        let view = &mut self.orders[at];
        view.filled_qty = view.filled_qty.plus(qty).expect("tests fill small numbers of shares");
        view.updated_at = now;
        if view.filled_qty.plus(carried) == Ok(view.order.qty) {
            view.status = VenueStatus::Filled;
        }
        let exec_id = ExecId::new(&format!("exec-{number}")).expect("plain text");
        let execution = VenueExecution {
            cursor: format!("{number:09}"),
            exec_id: exec_id.clone(),
            venue_order_id: view.venue_order_id.clone(),
            symbol: view.order.symbol.clone(),
            side: view.order.side,
            qty,
            price,
            at: now,
        };
        self.executions.push(execution);
        self.record(at, UpdateKind::Filled { exec_id, qty, price }, now);
    }

    pub(super) fn end(&mut self, key: OrderId, why: EndKind, now: Timestamp) {
        self.end_at(self.by_key[&key], why, now);
    }

    pub(super) fn done_for_day(&mut self, key: OrderId, now: Timestamp) {
        let at = self.by_key[&key];
        self.orders[at].status = VenueStatus::DoneForDay;
        self.orders[at].updated_at = now;
        self.record(at, UpdateKind::DoneForDay, now);
    }

    pub(super) fn end_at(&mut self, at: usize, why: EndKind, now: Timestamp) {
        self.orders[at].status = VenueStatus::Ended(why);
        self.orders[at].updated_at = now;
        self.record(at, UpdateKind::Ended(why), now);
    }

    pub(super) fn record(&mut self, at: usize, kind: UpdateKind, now: Timestamp) {
        let event_id = Some(format!("{:09}", self.updates.len() + 1));
        self.updates.push(VenueUpdate {
            event_id,
            kind,
            order: self.orders[at].clone(),
            at: now,
            reason: None,
        });
    }

    /// The reason of what was last told.
    pub(super) fn because(&mut self, reason: &str) {
        if let Some(last) = self.updates.last_mut() {
            last.reason = Some(reason.to_owned());
        }
    }

    pub(super) fn untold(&mut self) -> Vec<VenueUpdate> {
        let new = self.updates[self.told..].to_vec();
        self.told = self.updates.len();
        new
    }

    pub(super) fn updates_since(&self, since: Option<&str>) -> Vec<VenueUpdate> {
        let Some(since) = since else { return Vec::new() };
        self.updates
            .iter()
            .filter(|update| update.event_id.as_deref() > Some(since))
            .cloned()
            .collect()
    }

    pub(super) fn forget(&mut self, key: OrderId) {
        if let Some(at) = self.by_key.remove(&key) {
            self.orders[at].key = None;
            self.orders[at].status = VenueStatus::Ended(EndKind::Canceled);
        }
    }

    pub(super) fn of_key(&self, key: OrderId) -> Option<&VenueOrderView> {
        self.by_key.get(&key).map(|at| &self.orders[*at])
    }

    pub(super) fn of_id(&self, id: &VenueOrderId) -> Option<&VenueOrderView> {
        self.orders
            .iter()
            .find(|view| view.venue_order_id == *id && view.key.is_some())
    }

    pub(super) fn position_of(&self, id: &VenueOrderId) -> Option<usize> {
        self.orders.iter().position(|view| view.venue_order_id == *id)
    }

    pub(super) fn open(&self) -> Vec<VenueOrderView> {
        self.orders
            .iter()
            .filter(|view| matches!(view.status, VenueStatus::Working | VenueStatus::PendingReplace))
            .cloned()
            .collect()
    }

    pub(super) fn quotes(&self, symbols: &[Symbol], now: Timestamp) -> Vec<VenueQuote> {
        let (bid, ask) = quote();
        let known: HashSet<&Symbol> = self.symbols.iter().collect();
        let quoted = symbols.iter().filter(|symbol| known.contains(symbol));
        quoted
            .map(|symbol| VenueQuote {
                symbol: symbol.clone(),
                bid: Some(bid),
                ask: Some(ask),
                at: now,
            })
            .collect()
    }

    /// Everything it trades trades every day, [`VOLUME`] shares of it if the test says nothing else.
    pub(super) fn daily_volumes(
        &self,
        act: &Act,
        symbols: &[Symbol],
        before: NaiveDate,
    ) -> Result<Vec<VenueVolume>, Fault> {
        if let Some(fault) = after(act).or_else(|| undone(act)?.err()) {
            return Err(fault);
        }
        let Some(through) = before.pred_opt() else {
            return Ok(Vec::new());
        };
        let traded = symbols.iter().filter(|symbol| self.symbols.contains(symbol));
        let volume = |symbol: &Symbol| VenueVolume {
            symbol: symbol.clone(),
            average: self.volumes.get(symbol).copied().unwrap_or(VOLUME),
            sessions: SESSIONS,
            through,
        };
        Ok(traded.map(volume).collect())
    }

    pub(super) fn assets(&self) -> Vec<VenueAsset> {
        let asset = |symbol: &Symbol| VenueAsset {
            id: AssetId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, symbol.as_str().as_bytes())),
            symbol: symbol.clone(),
            name: format!("{symbol} Inc."),
            exchange: "NASDAQ".to_owned(),
            active: true,
            tradable: true,
            fractionable: !self.whole_only.contains(symbol),
        };
        self.symbols.iter().map(asset).collect()
    }
}

fn quote() -> (Price, Price) {
    let price = |value| Price::new(value).expect("a literal of this file");
    (price(dec!(99.98)), price(dec!(100.02)))
}

/// The answer of an act that does nothing; `None` for those that do what was asked.
pub(super) fn undone(act: &Act) -> Option<Result<Refusal, Fault>> {
    Some(match act {
        Act::LoseRequest | Act::Late => Err(Fault::Timeout),
        Act::Fail => Err(Fault::Status(500)),
        Act::Throttle(retry_after) => Err(Fault::Throttled {
            retry_after: *retry_after,
        }),
        Act::Unreachable => Err(Fault::NotSent("connection refused".to_owned())),
        Act::Refuse(reason) => Ok(Refusal {
            code: 42_210_000,
            reason: reason.clone(),
        }),
        Act::Normal | Act::LoseAnswer | Act::FailAfter | Act::Garble | Act::Mismatch | Act::Deny | Act::Pend => {
            return None;
        }
    })
}

/// What becomes of the answer after the thing is done.
pub(super) fn after(act: &Act) -> Option<Fault> {
    match act {
        Act::LoseAnswer => Some(Fault::Timeout),
        Act::FailAfter => Some(Fault::Status(500)),
        Act::Garble => Some(Fault::Garbage("<html>".to_owned())),
        Act::Mismatch => Some(Fault::Mismatch("qty".to_owned())),
        _ => None,
    }
}
