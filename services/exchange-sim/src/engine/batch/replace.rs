//! An order in another one's place: decided in the book at once, or, by a fault, a while later.

use chrono::TimeDelta;
use domain::order::StreamEvent;
use domain::{OrderStatus, Timestamp};

use super::super::command::{Answer, Change, Refusal, Reply, Ticket};
use super::super::live::core_order;
use super::{Batch, about};
use crate::core::{OrderNo, Shares};
use crate::faults::Kind;
use crate::store::rows::OrderRow;

/// Why a replacement that had been taken came to nothing.
const TOO_LATE: &str = "unable to replace order, order is not open";

/// A replacement that is taken and not decided.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Pending {
    /// The order it is to replace.
    pub(in crate::engine) old: i64,
    /// When it is decided; before, if the old order is over.
    pub(in crate::engine) due: Timestamp,
}

impl Batch<'_> {
    pub(super) fn replace(&mut self, change: &Change) -> Reply {
        let no = self.parts.names.order_no(change.id);
        let old = no.and_then(|no| self.row(no).cloned());
        let old = old.ok_or(Refusal::NoSuchOrder(change.id))?;
        // Before all else: whoever repeats a call finds what the first one did, though the old order is over by then.
        if self.taken.contains(&*change.client_order_id) {
            return Err(Refusal::DuplicateKey);
        }
        let ticket = self.ticket(&old, change)?;
        let mut new = self.new_order(&ticket)?;
        self.taken.insert(change.client_order_id.to_string());
        new.replaces = Some(old.no);
        let rule = self.parts.faults.struck_by(Kind::ReplacePending, about(&new));
        let rejected = self.parts.faults.strikes(Kind::ReplaceRejectLater, about(&new));
        let no = new.no;
        self.changes.touched.insert(no);
        self.changes.quoted.insert(ticket.symbol);
        self.live.open.insert(no, new);
        match rule.map(|rule| rule.delay_ms) {
            Some(delay_ms) => self.leave_pending(old.no, no, delay_ms),
            None if rejected => {
                self.leave_pending(old.no, no, 0);
                self.turn_down(no, OrderStatus::Rejected, "rejected by request");
            }
            None => self.take_place(old.no, no),
        }
        let order = self.row(no).cloned().ok_or(Refusal::Storage)?;
        Ok(Answer::Order(Box::new(order)))
    }

    /// What the replacement asks for; what the caller left out stays as it was.
    fn ticket(&self, old: &OrderRow, change: &Change) -> Result<Ticket, Refusal> {
        match old.status {
            OrderStatus::New | OrderStatus::PartiallyFilled => {}
            OrderStatus::Accepted | OrderStatus::PendingNew => return Err(Refusal::NotSentYet),
            _ => return Err(Refusal::TooLateToReplace),
        }
        let qty = change.qty.unwrap_or(old.qty);
        if !qty.is_whole() || !old.qty.is_whole() {
            return Err(Refusal::FractionalReplace);
        }
        if qty <= old.carried_qty + old.filled_qty {
            return Err(Refusal::LessThanFilled);
        }
        Ok(Ticket {
            client_order_id: change.client_order_id.clone(),
            symbol: *self.live.symbols.get(&*old.symbol).ok_or(Refusal::Storage)?,
            side: old.side,
            time_in_force: change.time_in_force.unwrap_or(old.time_in_force),
            limit: change.limit.unwrap_or(old.limit),
            qty,
        })
    }

    /// The old order trades on as it was, the new one waits.
    fn leave_pending(&mut self, old: i64, new: i64, delay_ms: u64) {
        let delay = TimeDelta::milliseconds(i64::try_from(delay_ms).unwrap_or(i64::MAX / 2));
        let due = self.now + delay;
        self.live.pending.insert(new, Pending { old, due });
        self.set_status(new, OrderStatus::PendingNew);
        self.set_status(old, OrderStatus::PendingReplace);
        self.report(old, StreamEvent::PendingReplace, None, None);
    }

    /// The book decides: what the old order traded by now is its own, the new one trades the rest of its total.
    fn take_place(&mut self, old: i64, new: i64) {
        let Some(carried) = self.row(old).map(|old| old.carried_qty + old.filled_qty) else {
            return;
        };
        let Some(order) = self.row(new) else { return };
        order.carried_qty = carried;
        let order = order.clone();
        let Some(&symbol) = self.live.symbols.get(&*order.symbol) else {
            return;
        };
        let core = core_order(&order, symbol, order.qty - carried);
        match self.live.market.replace(OrderNo(old), core) {
            Ok(events) => self.absorb(events),
            // Nothing that is told as `new` or `partially_filled` is off the book.
            Err(_) => self.end(new, OrderStatus::Rejected, StreamEvent::Rejected, Some(TOO_LATE)),
        }
    }

    /// The old order's end, as the book tells it.
    pub(super) fn replaced(&mut self, old: i64, by: i64, in_its_place: bool) {
        if let Some(order) = self.row(old) {
            order.replaced_by = Some(by);
        }
        let priority = self.live.priority(old);
        self.end(old, OrderStatus::Replaced, StreamEvent::Replaced, None);
        if in_its_place {
            self.live.priorities.insert(by, priority);
            if by <= self.last_old {
                self.changes.reprioritized.push((by, priority));
            }
        }
    }

    /// A pending replacement ends without a place; the old order, if it is still open, is as it was before.
    pub(super) fn turn_down(&mut self, new: i64, status: OrderStatus, reason: &str) {
        let Some(Pending { old, .. }) = self.live.pending.remove(&new) else {
            return;
        };
        if let Some(order) = self
            .row(old)
            .filter(|order| order.status == OrderStatus::PendingReplace)
        {
            order.status = match order.filled_qty {
                Shares::ZERO => OrderStatus::New,
                _ => OrderStatus::PartiallyFilled,
            };
            self.report(old, StreamEvent::OrderReplaceRejected, None, Some(reason));
        }
        let event = match status {
            OrderStatus::Canceled => StreamEvent::Canceled,
            _ => StreamEvent::Rejected,
        };
        self.end(new, status, event, Some(reason));
    }

    /// Decides the replacements whose time has come, and those whose old order is over.
    pub(super) fn decide_replacements(&mut self) {
        let now = self.now;
        let mut ready: Vec<(i64, Pending)> = self
            .live
            .pending
            .iter()
            .map(|(new, pending)| (*new, *pending))
            .collect();
        ready.retain(|(_, pending)| pending.due <= now || !self.live.open.contains_key(&pending.old));
        ready.sort_unstable_by_key(|(new, _)| *new);
        for (new, Pending { old, .. }) in ready {
            let total = self.row(new).map_or(Shares::ZERO, |order| order.qty);
            let open = self.live.open.get(&old);
            if open.is_some_and(|old| total > old.carried_qty + old.filled_qty) {
                self.live.pending.remove(&new);
                self.take_place(old, new);
            } else {
                self.turn_down(new, OrderStatus::Rejected, TOO_LATE);
            }
        }
    }

    pub(super) fn set_status(&mut self, no: i64, status: OrderStatus) {
        if let Some(order) = self.row(no) {
            order.status = status;
        }
    }
}
