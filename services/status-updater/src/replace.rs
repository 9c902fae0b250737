//! Replaces: what becomes of two orders of which the venue says that one has the other's place, or will not get it (ORD-8).
//!
//! | heard | the order | the replacement |
//! |---|---|---|
//! | the order ended `replaced`, and its fills are here | `replaced` | `new`: works its total less what was filled along the chain |
//! | the replacement is refused, or ended before it had the place | goes on, `order_replace_rejected` | `rejected`, or that end |
//! | the replacement is refused, and its total was filled by then | goes on until its cancel is answered, then `filled` (ORD-9) | `rejected` |
//! | the order ended `replaced` by an earlier replacement, thought to be over | `replaced` | `rejected`, the later one |
//!
//! How many were filled when a replace was refused the venue's count says. Where it is not told, what is heard of counts, and
//! fills of before that time count when they are heard of.
//!
//! Until one of these is heard the two hold together (BP-4). A wish to cancel either goes to the one that lives on. The
//! venue's acknowledgement of a replacement only names it: that it has the place is news of the order that gave way.

use crate::apply::{Desk, End, Turn};
use crate::refuse::Refusal;
use crate::report::Report;
use bus::NewEvent;
use domain::order::{EndKind, IllegalMove, OrderEvent, OrderState, StreamEvent};
use domain::{OrderId, OrderStatus, Qty, RequestId, Timestamp, VenueOrderId};
use ledger::Cause;
use ledger::rules::{Beside, Leg};
use orders::{RefusedReplace, StoredOrder};
use wire::events::v1::CancelRequested;

/// A wish to cancel that moved to the order that lives on, for the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// What is asked.
    pub wish: CancelRequested,
    /// The request that placed the order.
    pub request_id: RequestId,
}

impl Forwarded {
    /// The event that asks.
    pub fn event(&self) -> NewEvent {
        NewEvent::cancel_requested(&self.wish, self.request_id.clone())
    }
}

/// The replacement as it goes on in the order's place.
pub(crate) struct Successor {
    id: OrderId,
    before: OrderState,
    after: OrderState,
    words: Vec<StreamEvent>,
}

impl Desk<'_> {
    /// The other order of a replace that is not decided, before a change and after it, as the hold of the two sees it.
    pub(crate) fn besides(
        &self,
        order: &StoredOrder,
        successor: Option<&Successor>,
    ) -> (Option<Beside>, Option<Beside>) {
        let before = self.beside(order);
        let successor = successor.filter(|successor| order.chain.replacement == Some(successor.id));
        let after = successor.zip(before).map(|(successor, before)| match before {
            Beside::Replacement(new) => Beside::Replacement(Leg {
                state: successor.after,
                ..new
            }),
            Beside::Replaced(_) => before,
        });
        (before, after.or(before))
    }

    fn beside(&self, order: &StoredOrder) -> Option<Beside> {
        if let Some(old) = self.not_replaced_yet(order) {
            return Some(Beside::Replaced(leg(old)));
        }
        let new = self.books.orders.get(&order.chain.replacement?)?;
        (order.state.status != OrderStatus::Replaced).then(|| Beside::Replacement(leg(new)))
    }

    fn not_replaced_yet(&self, order: &StoredOrder) -> Option<&StoredOrder> {
        let old = self.books.orders.get(&order.chain.replaces?)?;
        (old.state.status != OrderStatus::Replaced).then_some(old)
    }

    /// The order whose place this one waits for.
    pub(crate) fn waits_for(&self, order: &StoredOrder) -> Option<&StoredOrder> {
        self.not_replaced_yet(order).filter(|_| order.state.status.is_open())
    }

    /// The venue will not put a replacement in this order's place.
    pub(crate) fn replace_refused(
        &mut self,
        report: &Report,
        replacement: OrderId,
        reason: &str,
        filled: Option<Qty>,
    ) -> Result<(), Refusal> {
        let old = self.order(report)?;
        if old.chain.replacement != Some(replacement) {
            return Ok(());
        }
        let (why, none) = (EndKind::Rejected, Qty::ZERO);
        let event = OrderEvent::Ended { why, filled: none };
        if let Some(new) = self.books.orders.get(&replacement) {
            // One that has traded had its place: then nothing of this is true.
            new.state.after(event)?;
        }
        let reported = filled.and_then(|filled| old.state.carried.plus(filled).ok());
        self.replace_is_over(report, report.order, (reported, report.received_at), reason);
        let waits = self
            .books
            .orders
            .get(&replacement)
            .is_some_and(|new| self.waits_for(new).is_some());
        if !waits {
            return Ok(());
        }
        let about_it = report.about(replacement);
        let turn = Turn {
            event,
            cause: Cause::Release(replacement),
            at: report.received_at,
            execution: None,
            reason: Some(reason),
        };
        self.turn(&about_it, &turn)?;
        if let Some(new) = self.books.orders.get_mut(&replacement) {
            new.end_reason = Some(reason.to_owned());
        }
        self.forward_wish(replacement, report.order);
        Ok(())
    }

    /// A replacement ended that never had its place, as far as is known: the order goes on. Should the news that it had
    /// the place come later, the order is `replaced` then.
    pub(crate) fn replacement_ended(&mut self, report: &Report, end: &End<'_>) {
        let Some(new) = self.books.orders.get(&report.order) else {
            return;
        };
        let (Some(old), true) = (new.chain.replaces, new.state.filled.is_zero()) else {
            return;
        };
        let is_current = self
            .books
            .orders
            .get(&old)
            .is_some_and(|old| old.chain.replacement == Some(report.order));
        if is_current && !new.state.status.is_open() {
            let reason = end.reason.unwrap_or("the replacement is over");
            self.replace_is_over(report, old, (None, end.at), reason);
            self.forward_wish(report.order, old);
        }
    }

    /// The order goes on. Where its fills overtook the replace, no more of it is wanted (ORD-9): by the venue's count at
    /// that time, where it is told, since fills of afterwards may have been heard of first.
    fn replace_is_over(
        &mut self,
        report: &Report,
        old: OrderId,
        (counted, at): (Option<Qty>, Timestamp),
        reason: &str,
    ) {
        let now = self.now;
        let asked = self.books.orders.get(&old).and_then(|order| order.chain.replacement);
        let total = asked.and_then(|new| Some(self.books.orders.get(&new)?.state.ordered));
        let Some(order) = self.books.orders.get_mut(&old) else {
            return;
        };
        let first = order.chain.requested_at.take().is_some();
        // Told again, unless now with the count that was missing.
        if !first && (counted.is_none() || order.chain.refused.is_none()) {
            return;
        }
        let filled = counted.unwrap_or_else(|| order.state.cumulative());
        let overtaken = total.is_some_and(|total| filled >= total);
        let unsettled = total.filter(|_| counted.is_none() && !overtaken);
        order.chain.refused = unsettled.map(|total| RefusedReplace { total, at });
        order.updated_at = now;
        let state = order.state;
        self.written.moved.insert(old);
        if first {
            let cause = format!("{}: {reason}", report.speaker);
            self.tell(old, StreamEvent::OrderReplaceRejected, &state, None, cause);
        }
        if overtaken {
            self.overtaken(old);
        }
    }

    /// A fill was heard of. One that was made before a replace was refused counts towards what that replace asked for, where
    /// the venue did not say how much had filled by then (ORD-9).
    pub(crate) fn overtakes_refused(&mut self, id: OrderId, made_at: Timestamp) {
        let order = self.books.orders.get(&id);
        let overtakes = order.is_some_and(|order| {
            let reached = |refused: RefusedReplace| made_at <= refused.at && order.state.cumulative() >= refused.total;
            order.chain.refused.is_some_and(reached)
        });
        if overtakes {
            self.overtaken(id);
        }
    }

    /// No more of it is wanted (ORD-9).
    fn overtaken(&mut self, id: OrderId) {
        let order = self.books.orders.get_mut(&id);
        let Some(order) = order.filter(|order| order.state.status.is_open()) else {
            return;
        };
        order.chain.refused = None;
        order.chain.overtaken = true;
        self.written.moved.insert(id);
        self.wish_to_cancel(id, "replace");
    }

    /// Which order took the place of the one that a report ends: the one that the venue names, or else the last that was
    /// asked for.
    pub(crate) fn replaced_by(&self, report: &Report, why: EndKind, name: Option<&VenueOrderId>) -> Option<OrderId> {
        let old = self
            .books
            .orders
            .get(&report.order)
            .filter(|_| why == EndKind::Replaced)?;
        let is_named = |order: &&StoredOrder| {
            order.chain.replaces == Some(old.order_id) && name.is_some() && order.venue_order_id.as_ref() == name
        };
        let named = self.books.orders.values().find(is_named);
        named.map(|order| order.order_id).or(old.chain.replacement)
    }

    /// Another order than the last one that was asked for has the place: an earlier replacement that was thought to be over.
    /// So the later one will never have it.
    pub(crate) fn place_taken(&mut self, report: &Report, by: OrderId) -> Result<(), Refusal> {
        let last = self.order(report)?.chain.replacement;
        if let Some(last) = last.filter(|last| *last != by) {
            self.replace_refused(report, last, "another order has its place", Some(Qty::ZERO))?;
        }
        if let Some(old) = self.books.orders.get_mut(&report.order) {
            old.chain.replaced_by = Some(by);
            self.written.moved.insert(report.order);
        }
        Ok(())
    }

    /// The replacement that goes on where this change makes an order `replaced`: what its total leaves after what was
    /// filled along the chain.
    pub(crate) fn successor(&self, order: &StoredOrder, after: &OrderState) -> Result<Option<Successor>, IllegalMove> {
        let gives_way = order.state.status != OrderStatus::Replaced && after.status == OrderStatus::Replaced;
        let replacement = order
            .chain
            .replaced_by
            .or(order.chain.replacement)
            .filter(|_| gives_way);
        let Some(new) = replacement.and_then(|id| self.books.orders.get(&id)) else {
            return Ok(None);
        };
        // What the venue counted when it handed over; a bust may have come since.
        let own = after.end.map_or(after.filled, |(_, count)| count);
        let carried = after.carried.plus(own)?;
        let before = new.state;
        let (after, words) = before.after(OrderEvent::TookOver { carried })?;
        Ok(Some(Successor {
            id: new.order_id,
            before,
            after,
            words,
        }))
    }

    /// The order has given way, and is stored and told as `replaced`. What the two hold is booked already.
    pub(crate) fn hand_over(&mut self, report: &Report, successor: Successor) {
        let Successor {
            id,
            before,
            after,
            words,
        } = successor;
        if let Some(old) = self.books.orders.get_mut(&report.order) {
            old.chain.requested_at = None;
            old.chain.replaced_by = Some(id);
        }
        let Some(posted) = self.books.orders.get(&id).map(|new| new.posted_cash) else {
            return;
        };
        let about_it = report.about(id);
        let turn = self.plain(&about_it, OrderEvent::Acknowledged);
        self.store(&about_it, &turn, &before, after, posted);
        self.written.moved.insert(id);
        for word in words {
            let status = if word == StreamEvent::New {
                OrderStatus::New
            } else {
                after.status
            };
            let shown = OrderState { status, ..after };
            self.tell(id, word, &shown, None, report.speaker.to_owned());
        }
        self.forward_wish(report.order, id);
    }

    /// The venue has a replacement under this name. Whether it has the place yet is told of the order that gives way.
    pub(crate) fn name_replacement(&mut self, id: OrderId, name: Option<&VenueOrderId>) {
        let now = self.now;
        if let (Some(new), Some(name)) = (self.books.orders.get_mut(&id), name)
            && new.venue_order_id.is_none()
        {
            new.venue_order_id = Some(name.clone());
            new.updated_at = now;
            self.written.moved.insert(id);
        }
    }

    /// A customer's wish to cancel goes to the order that lives on.
    fn forward_wish(&mut self, from: OrderId, to: OrderId) {
        let wished = self
            .books
            .orders
            .get(&from)
            .is_some_and(|order| order.cancel_requested_at.is_some());
        if wished {
            self.wish_to_cancel(to, "customer");
        }
    }

    fn wish_to_cancel(&mut self, id: OrderId, asked_by: &str) {
        let now = self.now;
        let Some(order) = self.books.orders.get_mut(&id) else {
            return;
        };
        if !order.state.status.is_open() || order.cancel_requested_at.is_some() {
            return;
        }
        order.cancel_requested_at = Some(now);
        order.updated_at = now;
        let state = order.state;
        let wish = CancelRequested {
            order_id: id.get(),
            account_id: order.account_id.get(),
            symbol: order.symbol.to_string(),
            asked_by: asked_by.to_owned(),
            requested_at: now,
        };
        let request_id = order.request_id.clone();
        self.written.moved.insert(id);
        self.written.wishes_forwarded.insert(id);
        self.written.forwarded.push(Forwarded { wish, request_id });
        self.tell(id, StreamEvent::PendingCancel, &state, None, asked_by.to_owned());
    }
}

fn leg(order: &StoredOrder) -> Leg {
    Leg {
        limit: order.limit_price,
        state: order.state,
        posted: order.posted_cash,
    }
}
