//! What events do to orders, executions and reports, in memory.

use domain::order::StreamEvent;
use domain::{OrderStatus, Timestamp};

use super::{Batch, about};
use crate::core::{CoreEvent, End, Shares, Ticks};
use crate::faults::Kind;
use crate::store::rows::{EventExecution, EventRow, ExecutionRow, OrderRow};

impl Batch<'_> {
    pub(super) fn absorb(&mut self, events: Vec<CoreEvent>) {
        for event in events {
            match event {
                CoreEvent::Opened(no) => self.moved(no.0, OrderStatus::New, StreamEvent::New),
                CoreEvent::Parked(no) => self.moved(no.0, OrderStatus::Accepted, StreamEvent::Accepted),
                CoreEvent::Traded {
                    order,
                    price,
                    qty,
                    leaves,
                } => self.traded(order.0, price, qty, leaves, None),
                CoreEvent::Ended(no, end) => {
                    let (status, event) = match end {
                        End::Canceled => (OrderStatus::Canceled, StreamEvent::Canceled),
                        End::Expired => (OrderStatus::Expired, StreamEvent::Expired),
                    };
                    self.end(no.0, status, event, None);
                    self.perhaps_print_later(no.0);
                }
                CoreEvent::Replaced { old, by, in_its_place } => self.replaced(old.0, by.0, in_its_place),
            }
        }
    }

    fn moved(&mut self, no: i64, status: OrderStatus, event: StreamEvent) {
        self.set_status(no, status);
        self.report(no, event, None, None);
    }

    pub(super) fn traded(&mut self, no: i64, price: Ticks, qty: Shares, leaves: Shares, late: Option<Timestamp>) {
        let execution = self.execute(no, price, qty, leaves, late);
        let filled = leaves == Shares::ZERO;
        let (status, event) = match filled {
            true => (OrderStatus::Filled, StreamEvent::Fill),
            false => (OrderStatus::PartiallyFilled, StreamEvent::PartialFill),
        };
        // A fill of a part leaves the wish to replace the order as it is.
        if let Some(order) = self
            .row(no)
            .filter(|order| filled || order.status != OrderStatus::PendingReplace)
        {
            order.status = status;
        }
        if filled {
            self.close(no);
        }
        self.report(no, event, Some(execution), None);
        if self.parts.faults.any() {
            self.misbehave_after_trade(no, execution, filled);
        }
    }

    fn misbehave_after_trade(&mut self, no: i64, execution: EventExecution, filled: bool) {
        let faults = self.parts.faults.clone();
        let Some(order) = self.row(no).cloned() else { return };
        if filled && faults.strikes(Kind::Overfill, about(&order)) {
            let more = self.execute(no, execution.price, Shares::whole(1), Shares::ZERO, None);
            self.report(no, StreamEvent::Fill, Some(more), None);
        }
        if faults.strikes(Kind::Bust, about(&order)) {
            self.bust(execution.no);
        }
    }

    /// The fault `fill_after_cancel`: half of what the cancel left trades at the limit all the same.
    pub(super) fn fill_late(&mut self, no: i64, leaves: Shares) {
        let faults = self.parts.faults.clone();
        let Some(order) = self.row(no).cloned() else { return };
        if leaves > Shares::ZERO && faults.any() && faults.strikes(Kind::FillAfterCancel, about(&order)) {
            let late = self.execute(no, order.limit, leaves.half(), Shares::ZERO, None);
            self.report(no, StreamEvent::PartialFill, Some(late), None);
        }
    }

    pub(super) fn execute(
        &mut self,
        no: i64,
        price: Ticks,
        qty: Shares,
        leaves_qty: Shares,
        executed_at: Option<Timestamp>,
    ) -> EventExecution {
        self.live.last.execution += 1;
        let execution = EventExecution {
            no: self.live.last.execution,
            price,
            qty,
            executed_at,
        };
        let at = executed_at.unwrap_or_else(|| self.live.next_time(self.now));
        let cum_qty = self.row(no).map_or(qty, |order| {
            order.filled_qty += qty;
            order.filled_amount += price.dollars() * qty.decimal();
            order.filled_qty
        });
        let busted_at = None;
        self.changes.executions.push(ExecutionRow {
            no: execution.no,
            order_no: no,
            price,
            qty,
            cum_qty,
            leaves_qty,
            at,
            busted_at,
        });
        execution
    }

    /// Takes an execution back; false when there is none alive under this number.
    pub(super) fn bust(&mut self, no: i64) -> bool {
        let at = self.live.next_time(self.now);
        let fresh = self.changes.executions.iter_mut().find(|execution| execution.no == no);
        let is_fresh = fresh.is_some();
        let Some(execution) = fresh
            .or_else(|| self.looked_up.get_mut(&no))
            .filter(|e| e.busted_at.is_none())
        else {
            return false;
        };
        execution.busted_at = Some(at);
        let ExecutionRow {
            order_no, price, qty, ..
        } = *execution;
        if !is_fresh {
            self.changes.busts.push((no, at));
        }
        if let Some(order) = self.row(order_no) {
            order.filled_qty -= qty;
            order.filled_amount -= price.dollars() * qty.decimal();
            order.busted_qty += qty;
            if order.status == OrderStatus::PartiallyFilled && order.filled_qty == Shares::ZERO {
                order.status = OrderStatus::New;
            }
        }
        self.report(
            order_no,
            StreamEvent::TradeBust,
            Some(EventExecution {
                no,
                price,
                qty,
                executed_at: None,
            }),
            None,
        );
        true
    }

    pub(super) fn end(&mut self, no: i64, status: OrderStatus, event: StreamEvent, reason: Option<&str>) {
        self.set_status(no, status);
        self.close(no);
        self.report(no, event, None, reason);
    }

    /// Takes an order out of the open ones.
    fn close(&mut self, no: i64) {
        let Some(mut order) = self.live.open.remove(&no) else {
            return;
        };
        // The report that follows gets the same time, the next one.
        order.ended_at = Some(self.live.coming_time(self.now));
        self.live.priorities.remove(&no);
        self.ended.insert(no, order);
        if no <= self.last_old {
            self.changes.closed.push(no);
        }
    }

    pub(super) fn report(
        &mut self,
        no: i64,
        event: StreamEvent,
        execution: Option<EventExecution>,
        reason: Option<&str>,
    ) {
        let at = self.live.next_time(self.now);
        let Some(order) = self.row(no) else { return };
        order.updated_at = at;
        let (status, filled_qty, filled_amount) = (order.status, order.filled_qty, order.filled_amount);
        self.live.last.event += 1;
        let number = self.live.last.event;
        let reason = reason.map(Into::into);
        let report = EventRow {
            no: number,
            order_no: no,
            event,
            status,
            filled_qty,
            filled_amount,
            execution,
            reason,
            at,
        };
        self.changes.events.push(report);
        self.changes.touched.insert(no);
    }

    pub(super) fn row(&mut self, no: i64) -> Option<&mut OrderRow> {
        self.live.open.get_mut(&no).or_else(|| self.ended.get_mut(&no))
    }
}
