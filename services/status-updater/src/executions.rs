//! Executions: told once, twice, with other numbers, taken back, before or after one another (ORD-6, ORD-12).

use crate::apply::{Desk, Turn};
use crate::refuse::Refusal;
use crate::report::{Execution, Report, aside_id};
use domain::order::{ExecEffect, ExecFact, ExecState, IllegalMove, OrderEvent, absorb};
use domain::{Money, Price, Qty, Side};
use ledger::Cause;
use orders::{KnownFill, StoredOrder};

impl Desk<'_> {
    pub(crate) fn fill(&mut self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        let key = (report.venue.clone(), execution.id.clone());
        let known = self.books.fills.get(&key);
        if let Some(told) = known.filter(|told| !tells_the_same(told, report, execution)) {
            let told = format!("{} @ {} of order {}", told.qty, told.price, told.order_id);
            return Err(Refusal::Contradiction {
                id: execution.id.clone(),
                told,
            });
        }
        if known.is_none() && self.is_aside("fill", report, execution) {
            return Ok(());
        }
        if known.is_none() && self.is_aside("bust", report, execution) {
            return Err(Refusal::BustedBefore);
        }
        if absorb(exec_state(known), ExecFact::Fill).1 == ExecEffect::Nothing {
            return Ok(());
        }
        if let Err(beyond) = within_limit(self.order(report)?, execution.price) {
            // Nobody's shares, but the venue counts them: an end that waits for all it counted must not wait for these.
            let event = OrderEvent::BustedUnseen { qty: execution.qty };
            self.turn(report, &self.plain(report, event))?;
            return Err(beyond);
        }
        let (venue, exec_id) = key;
        let turn = Turn {
            event: OrderEvent::Filled {
                qty: execution.qty,
                price: execution.price,
            },
            cause: Cause::Fill { venue, exec_id },
            at: execution.at,
            execution: Some(execution),
            reason: None,
        };
        let cash = self.turn(report, &turn)?;
        self.remember(report, execution, cash, false);
        self.overtakes_refused(report.order, execution.at);
        Ok(())
    }

    pub(crate) fn bust(&mut self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        let key = (report.venue.clone(), execution.id.clone());
        let known = self.books.fills.get(&key).cloned();
        if let Some(told) = known.as_ref().filter(|told| told.order_id != report.order) {
            return Err(Refusal::Contradiction {
                id: execution.id.clone(),
                told: format!("of order {}", told.order_id),
            });
        }
        if known.is_none() && self.is_aside("bust", report, execution) {
            return Ok(());
        }
        let waits = known.is_none() && self.is_aside("fill", report, execution);
        if waits
            && self
                .books
                .decided
                .contains(&aside_id("fill", &report.venue, &execution.id))
        {
            return Err(Refusal::BustOfDecided);
        }
        if waits && self.order(report).is_err() {
            return Err(Refusal::BustOfAside);
        }
        if waits && !self.drop_suspended(report, execution) {
            return Ok(());
        }
        // What was booked is what is taken back, whatever numbers the bust carries.
        let booked = match &known {
            None => execution.clone(),
            Some(told) => as_booked(told, execution)?,
        };
        let event = match absorb(exec_state(known.as_ref()), ExecFact::Bust).1 {
            ExecEffect::Remove => OrderEvent::Busted {
                qty: booked.qty,
                price: booked.price,
            },
            ExecEffect::RememberBust => OrderEvent::BustedUnseen { qty: booked.qty },
            ExecEffect::Add | ExecEffect::Nothing => return Ok(()),
        };
        let (venue, exec_id) = key.clone();
        let cause = Cause::Bust { venue, exec_id };
        self.turn(
            report,
            &Turn {
                event,
                cause,
                at: execution.at,
                execution: Some(&booked),
                reason: None,
            },
        )?;
        if known.is_some() {
            self.written.busted.push((key.clone(), execution.at));
            self.books.fills.entry(key).and_modify(|told| told.busted = true);
        } else {
            self.remember(report, &booked, Money::ZERO, true);
        }
        self.offer_again(report.order);
        Ok(())
    }

    pub(crate) fn unmatched(&self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        let known = self.is_aside("fill", report, execution);
        if known { Ok(()) } else { Err(Refusal::UnknownOrder) }
    }

    fn remember(&mut self, report: &Report, execution: &Execution, cash: Money, busted: bool) {
        let Some(order) = self.books.orders.get(&report.order) else {
            return;
        };
        let cash = Money::from_decimal(cash.get().abs());
        self.written.fill(order, report, execution, cash, busted);
        let (qty, price) = (execution.qty.get(), execution.price.get());
        let told = KnownFill {
            order_id: order.order_id,
            qty,
            price,
            busted,
            corrections: 0,
            corrected_at: None,
        };
        self.books
            .fills
            .insert((report.venue.clone(), execution.id.clone()), told);
    }
}

fn exec_state(known: Option<&KnownFill>) -> ExecState {
    match known {
        None => ExecState::Unknown,
        Some(told) if told.busted => ExecState::Busted,
        Some(_) => ExecState::Live,
    }
}

/// What was corrected since is told with its old numbers still.
fn tells_the_same(told: &KnownFill, report: &Report, execution: &Execution) -> bool {
    if told.corrected_at.is_some() {
        return told.order_id == report.order;
    }
    told.order_id == report.order && told.qty == execution.qty.get() && told.price == execution.price.get()
}

fn as_booked(told: &KnownFill, execution: &Execution) -> Result<Execution, IllegalMove> {
    Ok(Execution {
        qty: Qty::new(told.qty)?,
        price: Price::new(told.price)?,
        ..execution.clone()
    })
}

pub(crate) fn within_limit(order: &StoredOrder, price: Price) -> Result<(), Refusal> {
    let limit = order.limit_price;
    let beyond = match order.side {
        Side::Buy => price > limit,
        Side::Sell => price < limit,
    };
    if beyond {
        Err(Refusal::BeyondLimit { limit, price })
    } else {
        Ok(())
    }
}
