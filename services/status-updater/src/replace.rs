//! Replaces: what becomes of two orders of which the venue says that one has the other's place, or will not get it (ORD-8).
//!
//! | heard | the order | the replacement |
//! |---|---|---|
//! | the order ended `replaced`, and its fills are here | `replaced` | `new`: works its total less what was filled along the chain |
//! | the replacement is refused, or ended before it had the place | goes on, `order_replace_rejected` | `rejected`, or that end |
//! | the replacement has more than is left to fill | goes on until its cancel is answered, then `filled` (ORD-9) | `rejected` |
//!
//! Until one of these is heard the two hold together (BP-4). A wish to cancel either goes to the one that lives on. The
//! venue's acknowledgement of a replacement only names it: that it has the place is news of the order that gave way.

use crate::apply::{Desk, Turn};
use crate::refuse::Refusal;
use crate::report::Report;
use bus::NewEvent;
use domain::order::{EndKind, IllegalMove, OrderEvent, OrderState, StreamEvent};
use domain::{OrderId, OrderStatus, Qty, RequestId, VenueOrderId};
use ledger::Cause;
use ledger::rules::{Beside, Leg};
use orders::StoredOrder;
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
        self.replace_is_over(report, report.order, reported, reason);
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
    pub(crate) fn replacement_ended(&mut self, report: &Report, reason: Option<&str>) {
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
            self.replace_is_over(report, old, None, reason.unwrap_or("the replacement is over"));
            self.forward_wish(report.order, old);
        }
    }

    /// The order goes on. Where its fills overtook the replace, no more of it is wanted (ORD-9).
    fn replace_is_over(&mut self, report: &Report, old: OrderId, reported: Option<Qty>, reason: &str) {
        let now = self.now;
        let total = |desk: &Self, id: OrderId| desk.books.orders.get(&id).map(|new| new.state.ordered);
        let asked = self.books.orders.get(&old).and_then(|order| order.chain.replacement);
        let total = asked.and_then(|new| total(self, new));
        let Some(order) = self.books.orders.get_mut(&old) else {
            return;
        };
        if order.chain.requested_at.take().is_none() {
            return;
        }
        // By the venue's count where it is told: fills of afterwards may have been heard of first.
        let filled = reported.unwrap_or_else(|| order.state.cumulative());
        let overtaken = order.state.status.is_open() && total.is_some_and(|total| filled >= total);
        order.chain.overtaken |= overtaken;
        order.updated_at = now;
        let state = order.state;
        self.written.moved.insert(old);
        let cause = format!("{}: {reason}", report.speaker);
        self.tell(old, StreamEvent::OrderReplaceRejected, &state, None, cause);
        if overtaken {
            self.wish_to_cancel(old, "replace");
        }
    }

    /// The replacement that goes on where this change makes an order `replaced`: what its total leaves after what was
    /// filled along the chain.
    pub(crate) fn successor(&self, order: &StoredOrder, after: &OrderState) -> Result<Option<Successor>, IllegalMove> {
        let gives_way = order.state.status != OrderStatus::Replaced && after.status == OrderStatus::Replaced;
        let replacement = order.chain.replacement.filter(|_| gives_way);
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
