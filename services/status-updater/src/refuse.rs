//! Reports that no rule allows: kept as they came for an operator, their executions booked to suspense (ORD-2, LED-20).
//! Never clipped, never dropped, and a repeat changes nothing.

use crate::apply::Desk;
use crate::books::SetAside;
use crate::report::{Execution, Heard, Report, aside_id, aside_id_of};
use domain::order::{IllegalMove, OrderEvent};
use domain::{ExecId, OrderId, Price, Side, Symbol};
use ledger::{Cause, LedgerError, Transfer, TransferKind, rules};
use strum::IntoStaticStr;
use thiserror::Error;

/// Why a report is set aside.
#[derive(Debug, Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// The order is none of ours (LED-20).
    #[error("no such order")]
    UnknownOrder,
    /// The order's table has no cell for it.
    #[error(transparent)]
    Illegal(IllegalMove),
    /// More than was ordered (ORD-2).
    #[error(transparent)]
    TooMuch(IllegalMove),
    /// A venue must not trade beyond the limit.
    #[error("{price} is worse than the limit {limit}")]
    BeyondLimit {
        /// What was asked.
        limit: Price,
        /// What was done.
        price: Price,
    },
    /// The same execution was told with other numbers before.
    #[error("execution {id} was told before as {told}")]
    Contradiction {
        /// The execution.
        id: ExecId,
        /// What was told then.
        told: String,
    },
    /// The execution is set aside itself; this takes it back.
    #[error("takes back an execution that was set aside")]
    BustOfAside,
    /// The execution was set aside and is decided; this takes it back.
    #[error("takes back an execution that was set aside and is decided since")]
    BustOfDecided,
    /// The execution is set aside; this corrects it.
    #[error("corrects an execution that was set aside")]
    CorrectionOfAside,
    /// Its bust was here first and was set aside.
    #[error("an execution whose bust was set aside before it came")]
    BustedBefore,
    /// The numbers leave the ledger's range.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<IllegalMove> for Refusal {
    fn from(illegal: IllegalMove) -> Self {
        match illegal {
            IllegalMove::OverFill { .. } => Self::TooMuch(illegal),
            _ => Self::Illegal(illegal),
        }
    }
}

impl Desk<'_> {
    pub(crate) fn is_aside(&self, kind: &str, report: &Report, execution: &Execution) -> bool {
        // Nearly always empty: spare the hash.
        !self.books.aside.is_empty()
            && self
                .books
                .aside
                .contains_key(&aside_id(kind, &report.venue, &execution.id))
    }

    /// Keeps the report for an operator, and books an execution to suspense: never clipped, never dropped.
    pub(crate) fn set_aside(&mut self, report: &Report, refusal: &Refusal) {
        let id = match (&report.heard, refusal) {
            (_, Refusal::Contradiction { .. }) => aside_id_of(report),
            (Heard::Filled(x) | Heard::Unmatched { execution: x, .. }, _) => aside_id("fill", &report.venue, &x.id),
            (Heard::Busted(x), _) => aside_id("bust", &report.venue, &x.id),
            _ => aside_id_of(report),
        };
        if self.books.aside.contains_key(&id) {
            return;
        }
        let (transfer, remark) = match self.suspense(report, refusal) {
            Ok(transfer) => (transfer, String::new()),
            Err(error) => (None, format!("; not in suspense either: {error}")),
        };
        self.written.transfers.extend(transfer);
        if let (Heard::Busted(x), Refusal::BustOfAside) = (&report.heard, refusal) {
            // Nothing of it is in suspense any more.
            self.written.resolved.push(aside_id("fill", &report.venue, &x.id));
        }
        self.books.aside.insert(id, report.raw.clone());
        if matches!(refusal, Refusal::TooMuch(_)) && report.execution().is_some() {
            self.books
                .too_much
                .entry(report.order)
                .or_default()
                .push(report.clone());
        }
        let order = self.books.orders.get(&report.order);
        self.written.aside.push(SetAside {
            id,
            kind: refusal.into(),
            order: Some(report.order).filter(|order| !order.get().is_nil()),
            account: order.map(|o| o.account_id).or(report.account),
            raw: report.raw.clone(),
            cause: format!("{refusal}{remark}"),
        });
    }

    /// A bust makes room: fills that were too much before it are offered once more, so that the order ends the same
    /// whatever came first (ORD-6). Those that fit leave suspense for the customer's books.
    pub(crate) fn offer_again(&mut self, order: OrderId) {
        let mut still_too_much = Vec::new();
        for report in self.books.too_much.remove(&order).unwrap_or_default() {
            if !self.fits(&report) || self.unsuspend(&report).is_err() {
                still_too_much.push(report);
            }
        }
        if !still_too_much.is_empty() {
            self.books.too_much.insert(order, still_too_much);
        }
    }

    /// The bust of a fill that was set aside: suspense is as before it. True where the order has yet to hear of it,
    /// which is so for one that waited for room.
    pub(crate) fn drop_suspended(&mut self, bust: &Report, execution: &Execution) -> bool {
        let id = aside_id("fill", &bust.venue, &execution.id);
        let Some(kept) = self.books.aside.get(&id).and_then(|raw| Report::parse(raw).ok()) else {
            return true;
        };
        let cause = Cause::Movement(TransferKind::UnknownExecution, id);
        let reversal = kept.execution().map(|x| self.suspense_of(&kept, x, cause, true));
        // What could be booked can be reversed: the numbers are the same.
        if let Some(Ok(transfer)) = reversal {
            self.written.transfers.extend(transfer);
        }
        self.written.resolved.push(id);
        self.books
            .aside
            .insert(aside_id("bust", &bust.venue, &execution.id), bust.raw.clone());
        let Some(waiting) = self.books.too_much.get_mut(&kept.order) else {
            return false;
        };
        let before = waiting.len();
        waiting.retain(|other| other.execution().map(|x| &x.id) != Some(&execution.id));
        waiting.len() < before
    }

    fn fits(&self, report: &Report) -> bool {
        let (Some(order), Some(x)) = (self.books.orders.get(&report.order), report.execution()) else {
            return false;
        };
        order
            .state
            .after(OrderEvent::Filled {
                qty: x.qty,
                price: x.price,
            })
            .is_ok()
            && !self.is_aside("bust", report, x)
    }

    fn unsuspend(&mut self, report: &Report) -> Result<(), Refusal> {
        let Some(execution) = report.execution() else {
            return Ok(());
        };
        let id = aside_id("fill", &report.venue, &execution.id);
        let cause = Cause::Movement(TransferKind::UnknownExecution, id);
        let transfer = self.suspense_of(report, execution, cause, true)?;
        let raw = self.books.aside.remove(&id);
        if let Err(refusal) = self.fill(report, execution) {
            // It stays where it is.
            self.books.aside.extend(raw.map(|raw| (id, raw)));
            return Err(refusal);
        }
        self.written.transfers.extend(transfer);
        self.written.resolved.push(id);
        Ok(())
    }

    /// LED-20 for an execution nobody may have, its reversal for the bust of one.
    fn suspense(&self, report: &Report, refusal: &Refusal) -> Result<Option<Transfer>, LedgerError> {
        let venue = report.venue.clone();
        match (&report.heard, refusal) {
            (_, Refusal::Contradiction { .. } | Refusal::BustedBefore) => Ok(None),
            (Heard::Filled(x) | Heard::Unmatched { execution: x, .. }, _) => {
                let cause = Cause::Unknown {
                    venue,
                    exec_id: x.id.clone(),
                };
                self.suspense_of(report, x, cause, false)
            }
            (Heard::Busted(x), Refusal::BustOfAside) => {
                let kept = self.books.aside.get(&aside_id("fill", &report.venue, &x.id));
                let Some(kept) = kept.and_then(|raw| Report::parse(raw).ok()) else {
                    return Ok(None);
                };
                let Some(booked) = kept.execution() else {
                    return Ok(None);
                };
                self.suspense_of(
                    &kept,
                    booked,
                    Cause::Bust {
                        venue,
                        exec_id: x.id.clone(),
                    },
                    true,
                )
            }
            _ => Ok(None),
        }
    }

    fn suspense_of(
        &self,
        report: &Report,
        execution: &Execution,
        cause: Cause,
        reversed: bool,
    ) -> Result<Option<Transfer>, LedgerError> {
        let Some((symbol, side)) = self.traded(report) else {
            return Ok(None);
        };
        let side = if reversed { opposite(side) } else { side };
        rules::unknown_execution(cause, &symbol, side, execution.qty, execution.price, self.now).map(Some)
    }

    /// What was traded, as far as it is known.
    fn traded(&self, report: &Report) -> Option<(Symbol, Side)> {
        if let Heard::Unmatched { symbol, side, .. } = &report.heard {
            return Some((symbol.clone(), *side));
        }
        self.books
            .orders
            .get(&report.order)
            .map(|order| (order.symbol.clone(), order.side))
    }
}

const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}
