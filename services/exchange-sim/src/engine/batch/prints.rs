//! Executions that nobody was told of when they happened, as the prints of a closing auction.

use chrono::TimeDelta;
use domain::order::StreamEvent;
use domain::{OrderStatus, Timestamp};

use super::super::command::{Print, Refusal};
use super::super::live::core_order;
use super::{Batch, about};
use crate::core::Shares;
use crate::faults::Kind;

/// How long before the close a late print happened.
const BEFORE_THE_CLOSE: TimeDelta = TimeDelta::seconds(1);

impl Batch<'_> {
    /// Reports an execution of an order on the book, or of one that is over.
    pub(super) fn print(&mut self, print: &Print) -> Result<(), Refusal> {
        let name = self.parts.names.order(print.order_no);
        let order = self.row(print.order_no).cloned().ok_or(Refusal::NoSuchOrder(name))?;
        // What a replaced order had left is its successor's to trade.
        let left = match order.status {
            OrderStatus::Replaced => Shares::ZERO,
            _ => order.untraded(),
        };
        let qty = print.qty.unwrap_or(left).min(left);
        if qty <= Shares::ZERO {
            return Err(Refusal::NothingLeft(name));
        }
        let price = print.price.unwrap_or(order.limit);
        let at = Some(print.at.max(order.submitted_at));
        if order.status.is_open() {
            let symbol = *self.live.symbols.get(&*order.symbol).ok_or(Refusal::Storage)?;
            let core = core_order(&order, symbol, left - qty);
            let shrunk = self.live.market.shrink(core);
            shrunk.map_err(|_| Refusal::NotOpen(order.status))?;
            self.traded(order.no, price, qty, left - qty, at);
            return Ok(());
        }
        // Its leaves are nothing since it ended; a last share makes it filled all the same (ORD-11).
        let event = match left == qty {
            true => StreamEvent::Fill,
            false => StreamEvent::PartialFill,
        };
        let execution = self.execute(order.no, price, qty, Shares::ZERO, at);
        if let (StreamEvent::Fill, Some(order)) = (event, self.row(order.no)) {
            order.status = OrderStatus::Filled;
        }
        self.report(order.no, event, Some(execution), None);
        Ok(())
    }

    /// The fault `late_print`: half of what the end left traded before, and is told of later.
    pub(super) fn perhaps_print_later(&mut self, no: i64) {
        let faults = self.parts.faults.clone();
        if !faults.any() {
            return;
        }
        let Some(order) = self.row(no).cloned() else { return };
        let left = order.untraded();
        if left <= Shares::ZERO {
            return;
        }
        if let Some(rule) = faults.struck_by(Kind::LatePrint, about(&order)) {
            let delay = TimeDelta::milliseconds(i64::try_from(rule.delay_ms).unwrap_or(i64::MAX / 2));
            let print = Print {
                order_no: no,
                price: None,
                qty: Some(left.half()),
                at: self.before_the_end(),
            };
            self.live.prints.push((self.now + delay, print));
        }
    }

    pub(super) fn print_what_is_due(&mut self) {
        let now = self.now;
        let due: Vec<Print> = self
            .live
            .prints
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, print)| print)
            .collect();
        for print in due {
            if let Err(refusal) = self.print(&print) {
                tracing::debug!(%refusal, "a late print came to nothing");
            }
        }
    }

    /// Now while the session is on, else shortly before its close.
    fn before_the_end(&self) -> Timestamp {
        let settings = &self.parts.settings;
        if settings.calendar().is_open(self.now) {
            return self.now;
        }
        settings
            .last_close(self.now)
            .map_or(self.now, |close| close - BEFORE_THE_CLOSE)
    }
}
