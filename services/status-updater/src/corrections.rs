//! Corrections: an execution was for another quantity or price than it was told (ORD-12, LED-17).
//!
//! The execution keeps its id. What is told of it later is older than the correction and changes nothing; a correction that
//! comes before its fill books it as it really was.

use crate::apply::{Desk, Turn};
use crate::executions::within_limit;
use crate::refuse::Refusal;
use crate::report::{Execution, Report};
use domain::order::OrderEvent;
use domain::{Money, Price, Qty};
use ledger::{Accrual, Cause, Transfer, rules};
use orders::{CorrectedFill, KnownFill};

/// What a turn books.
pub(crate) struct Booked {
    pub(crate) transfers: Vec<Transfer>,
    /// Dollars booked for the order's fills so far.
    pub(crate) posted_after: Money,
    /// Dollars added to what is booked for the execution.
    pub(crate) cash: Money,
}

impl From<rules::Change> for Booked {
    fn from(change: rules::Change) -> Self {
        Self {
            transfers: change.transfer.into_iter().collect(),
            posted_after: change.posted_after,
            cash: change.cash,
        }
    }
}

impl From<rules::Correction> for Booked {
    fn from(correction: rules::Correction) -> Self {
        Self {
            transfers: correction.transfers,
            posted_after: correction.posted_after,
            cash: correction.added,
        }
    }
}

impl Desk<'_> {
    pub(crate) fn correct(&mut self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        let key = (report.venue.clone(), execution.id.clone());
        let Some(told) = self.books.fills.get(&key).cloned() else {
            return self.correct_unseen(report, execution);
        };
        if told.order_id != report.order {
            return Err(Refusal::Contradiction {
                id: execution.id.clone(),
                told: format!("of order {}", told.order_id),
            });
        }
        let same = (told.qty, told.price) == (execution.qty.get(), execution.price.get());
        let older = told.corrected_at.is_some_and(|at| at >= execution.at);
        if told.busted || same || older {
            return Ok(());
        }
        within_limit(self.order(report)?, execution.price)?;
        let (from_qty, from_price) = as_told(&told)?;
        let (venue, exec_id) = key;
        let turn = Turn {
            event: OrderEvent::Corrected {
                from_qty,
                from_price,
                qty: execution.qty,
                price: execution.price,
            },
            cause: Cause::Corrected {
                venue,
                exec_id,
                nth: told.corrections + 1,
                anew: true,
            },
            at: execution.at,
            execution: Some(execution),
            reason: None,
        };
        // It waits for no room: what is set aside as too much is offered again as a fill, and this is none.
        let added = self.turn(report, &turn).map_err(|refusal| match refusal {
            Refusal::TooMuch(illegal) => Refusal::Illegal(illegal),
            other => other,
        })?;
        self.remember_correction(report, execution, added);
        self.offer_again(report.order);
        Ok(())
    }

    /// The correction overtook its fill: it is booked as what it really was, and its fill will change nothing.
    fn correct_unseen(&mut self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        if self.is_aside("fill", report, execution) || self.is_aside("bust", report, execution) {
            return Err(Refusal::CorrectionOfAside);
        }
        if let Err(refusal) = self.fill(report, execution) {
            // Its fill to come changes nothing, so this stands for it: in suspense, and offered again where there is room.
            self.set_aside(&report.as_fill(execution), &refusal);
            return Ok(());
        }
        let key = (report.venue.clone(), execution.id.clone());
        if self.written.booked(&key) {
            self.remember_correction(report, execution, Money::ZERO);
        }
        Ok(())
    }

    fn remember_correction(&mut self, report: &Report, execution: &Execution, added: Money) {
        let key = (report.venue.clone(), execution.id.clone());
        let Some(told) = self.books.fills.get_mut(&key) else {
            return;
        };
        told.qty = execution.qty.get();
        told.price = execution.price.get();
        told.corrections += 1;
        told.corrected_at = Some(execution.at);
        self.written.corrected.push(CorrectedFill {
            key,
            qty: told.qty,
            price: told.price,
            added,
            at: execution.at,
        });
    }
}

/// Two journals of one transaction: what was booked is taken back on this occasion, what is true is booked on `anew`.
/// The fees that were accrued go back, too.
pub(crate) fn taken_back(anew: &rules::Occasion, accrual: Option<Accrual>) -> rules::Occasion {
    let mut back = rules::Occasion {
        accrual,
        beside: (anew.beside.0, anew.beside.0),
        ..anew.clone()
    };
    if let Cause::Corrected { anew, .. } = &mut back.cause {
        *anew = false;
    }
    back
}

fn as_told(told: &KnownFill) -> Result<(Qty, Price), Refusal> {
    let amount = |error| Refusal::Illegal(domain::order::IllegalMove::Amount(error));
    Ok((
        Qty::new(told.qty).map_err(amount)?,
        Price::new(told.price).map_err(amount)?,
    ))
}
