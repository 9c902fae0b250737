//! Decides report after report what becomes of an order: pure, one batch at a time.
//!
//! | report | order | ledger | told |
//! |---|---|---|---|
//! | acknowledged | `new`, unless it is further already (ORD-7) | – | `new` |
//! | fill | quantity, cost, `partially_filled` or `filled`, after an end too (ORD-11) | LED-8, 11, 15 | `partial_fill`, `fill` |
//! | bust | as if the fill had not been (ORD-12) | LED-16 | `trade_bust` |
//! | end | once the fills the venue counted are here | LED-7, 9, 10: the rest of the hold | `canceled`, `expired`, `rejected` |
//! | cancel refused | its wish is taken back | – | `order_cancel_rejected` |
//! | anything no rule allows | nothing | LED-20 for an execution | set aside for an operator |
//!
//! What may fail is asked before anything is changed, so a report that is set aside leaves no trace in its
//! neighbours' books.

use crate::books::{Books, News, Written};
use crate::refuse::Refusal;
use crate::report::{Execution, Heard, Report};
use crate::stamps::{end_as_meant, name_at_venue, stamp};
use domain::calendar::{Calendar, to_new_york};
use domain::order::{
    EndKind, ExecEffect, ExecFact, ExecState, IllegalMove, OrderEvent, OrderState, StreamEvent, absorb,
};
use domain::{Money, OrderId, OrderStatus, Price, Qty, Side, Timestamp};
use ledger::Cause;
use ledger::rules::{self, Change, Standing, TradeDates};
use orders::{KnownFill, StoredOrder};

/// One batch at work.
#[derive(Debug)]
pub struct Desk<'a> {
    /// What is known.
    pub books: Books,
    /// What is to be written.
    pub written: Written,
    calendar: &'a Calendar,
    pub(crate) now: Timestamp,
}

/// One change of an order that a report asks for.
struct Turn<'a> {
    event: OrderEvent,
    cause: Cause,
    /// When it happened at the venue.
    at: Timestamp,
    execution: Option<&'a Execution>,
    reason: Option<&'a str>,
}

impl<'a> Desk<'a> {
    /// A desk with what was loaded under the locks.
    pub fn new(books: Books, calendar: &'a Calendar, now: Timestamp) -> Self {
        Self {
            books,
            written: Written::default(),
            calendar,
            now,
        }
    }

    /// Takes one report: the order moves, or the report is set aside.
    pub fn take(&mut self, report: &Report) {
        if let Err(refusal) = self.decide(report) {
            self.set_aside(report, &refusal);
        }
    }

    fn decide(&mut self, report: &Report) -> Result<(), Refusal> {
        match &report.heard {
            Heard::Filled(execution) => self.fill(report, execution),
            Heard::Busted(execution) => self.bust(report, execution),
            Heard::Unmatched { execution, .. } => self.unmatched(report, execution),
            Heard::InDoubt => self.turn(report, &self.plain(report, OrderEvent::InDoubt)).map(drop),
            Heard::Acknowledged { .. } => self
                .turn(report, &self.plain(report, OrderEvent::Acknowledged))
                .map(drop),
            Heard::Ended {
                why,
                filled,
                reason,
                at,
            } => self.end(report, *why, *filled, reason.as_deref(), *at),
            Heard::CancelRefused { reason } => self.cancel_refused(report, reason),
            Heard::DoneForDay => self.turn(report, &self.plain(report, OrderEvent::DoneForDay)).map(drop),
        }
    }

    fn order(&self, report: &Report) -> Result<&StoredOrder, Refusal> {
        self.books.orders.get(&report.order).ok_or(Refusal::UnknownOrder)
    }

    fn plain(&self, report: &Report, event: OrderEvent) -> Turn<'static> {
        let at = if let Heard::Acknowledged { at, .. } = report.heard {
            at
        } else {
            report.received_at
        };
        Turn {
            event,
            cause: Cause::Release(report.order),
            at,
            execution: None,
            reason: None,
        }
    }

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
        Ok(())
    }

    fn bust(&mut self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
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

    fn unmatched(&self, report: &Report, execution: &Execution) -> Result<(), Refusal> {
        let known = self.is_aside("fill", report, execution);
        if known { Ok(()) } else { Err(Refusal::UnknownOrder) }
    }

    fn end(
        &mut self,
        report: &Report,
        why: EndKind,
        filled: Qty,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let order = self.order(report)?;
        let first = order.state.end.is_none();
        let event = OrderEvent::Ended {
            why: end_as_meant(order, why),
            filled,
        };
        self.turn(
            report,
            &Turn {
                event,
                cause: Cause::Release(report.order),
                at,
                execution: None,
                reason,
            },
        )?;
        if let Some(order) = self.books.orders.get_mut(&report.order).filter(|_| first) {
            order.end_reason = reason.map(str::to_owned);
        }
        Ok(())
    }

    /// A refused cancel is told once, also when the order was filled meanwhile (ORD-4); it shows its former status.
    /// A wish that is younger than the refusal still waits for its own answer.
    fn cancel_refused(&mut self, report: &Report, reason: &str) -> Result<(), Refusal> {
        let now = self.now;
        self.order(report)?;
        let Some(order) = self
            .books
            .orders
            .get_mut(&report.order)
            .filter(|o| o.cancel_requested_at.is_some_and(|asked| asked <= report.received_at))
        else {
            return Ok(());
        };
        order.cancel_requested_at = None;
        order.updated_at = now;
        let state = order.state;
        self.written.moved.insert(report.order);
        self.written.wishes_refused.insert(report.order);
        let cause = format!("{}: {reason}", report.speaker);
        self.tell(report.order, StreamEvent::OrderCancelRejected, &state, None, cause);
        Ok(())
    }

    /// Moves the order on, with its ledger and its events. Gives the dollars that moved between customer and street.
    fn turn(&mut self, report: &Report, turn: &Turn<'_>) -> Result<Money, Refusal> {
        let order = self.order(report)?;
        let before = order.state;
        let (after, words) = before.after(turn.event)?;
        let change = self.change(order, &before, &after, turn)?;
        // Nothing fails from here on.
        if let Some(transfer) = change.transfer {
            if self.books.post(&transfer)
                && let Some(account) = transfer.account
            {
                self.written.indebted.insert(account);
            }
            self.written.transfers.push(transfer);
        }
        self.store(report, turn, &before, after, change.posted_after);
        let cause = turn
            .reason
            .map_or_else(|| report.speaker.to_owned(), |why| format!("{}: {why}", report.speaker));
        if is_unannounced(&before, turn.event) {
            // Readers see `new` before the first fill, though the venue's acknowledgement is still to come (ORD-7).
            let at_venue = OrderState {
                status: OrderStatus::New,
                ..before
            };
            self.tell(report.order, StreamEvent::New, &at_venue, None, cause.clone());
        }
        let more_than_one = words.len() > 1;
        for word in words {
            let shown = shown_with(word, &after, more_than_one);
            self.tell(
                report.order,
                word,
                &shown,
                turn.execution.filter(|_| is_execution(word)),
                cause.clone(),
            );
        }
        Ok(change.cash)
    }

    fn change(
        &self,
        order: &StoredOrder,
        before: &OrderState,
        after: &OrderState,
        turn: &Turn<'_>,
    ) -> Result<Change, Refusal> {
        let posted_after = order.posted_cash;
        if before == after {
            return Ok(Change {
                transfer: None,
                posted_after,
                cash: Money::ZERO,
            });
        }
        let account = self.books.cash.get(&order.account_id);
        let shares = self.books.shares.get(&(order.account_id, order.symbol.clone()));
        let terms = rules::Order {
            account: order.account_id,
            order: order.order_id,
            symbol: order.symbol.clone(),
            side: order.side,
            limit_price: order.limit_price,
            strict: account.is_some_and(|cash| cash.strict),
        };
        let standing = Standing {
            shares_avail: shares.map(|s| s.avail).unwrap_or_default(),
            unsettled: account.map(|cash| cash.unsettled).unwrap_or_default(),
        };
        let dates = trade_dates(self.calendar, turn.at);
        let cause = turn.cause.clone();
        let occasion = rules::Occasion {
            cause,
            at: self.now,
            dates,
            standing,
        };
        Ok(rules::change(&terms, before, after, posted_after, occasion)?)
    }

    /// Writes the order as it now is into the books.
    fn store(&mut self, report: &Report, turn: &Turn<'_>, before: &OrderState, after: OrderState, posted: Money) {
        let now = self.now;
        let Some(order) = self.books.orders.get_mut(&report.order) else {
            return;
        };
        let named = name_at_venue(order, report);
        if *before == after && !named {
            return;
        }
        order.state = after;
        order.posted_cash = posted;
        order.updated_at = now;
        if before.status != after.status {
            stamp(order, after.status, turn.at);
        }
        let account = order.account_id;
        self.written.moved.insert(report.order);
        let opened = i32::from(after.status.is_open()) - i32::from(before.status.is_open());
        if opened != 0
            && let Some(sequence) = self.books.sequences.get_mut(&account)
        {
            sequence.open_orders += opened;
            self.written.sequenced.insert(account);
        }
    }

    fn tell(
        &mut self,
        order: OrderId,
        word: StreamEvent,
        state: &OrderState,
        execution: Option<&Execution>,
        cause: String,
    ) {
        let news = News {
            word,
            status: state.status,
            filled: state.filled,
            notional: state.notional,
            execution,
            cause,
        };
        self.written.tell(&mut self.books, order, news, self.now);
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

fn tells_the_same(told: &KnownFill, report: &Report, execution: &Execution) -> bool {
    told.order_id == report.order && told.qty == execution.qty.get() && told.price == execution.price.get()
}

fn as_booked(told: &KnownFill, execution: &Execution) -> Result<Execution, IllegalMove> {
    Ok(Execution {
        qty: Qty::new(told.qty)?,
        price: Price::new(told.price)?,
        ..execution.clone()
    })
}

fn within_limit(order: &StoredOrder, price: Price) -> Result<(), Refusal> {
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

/// Whether this fill is the first word of the order from the venue.
fn is_unannounced(before: &OrderState, event: OrderEvent) -> bool {
    matches!(event, OrderEvent::Filled { .. })
        && matches!(before.status, OrderStatus::Accepted | OrderStatus::PendingNew)
}

/// The order as it was after this word: a fill that lets a waiting end count was a partial fill first.
fn shown_with(word: StreamEvent, after: &OrderState, more_than_one: bool) -> OrderState {
    let status = match word {
        StreamEvent::PartialFill if more_than_one => OrderStatus::PartiallyFilled,
        StreamEvent::New => OrderStatus::New,
        _ => after.status,
    };
    OrderState { status, ..*after }
}

const fn is_execution(word: StreamEvent) -> bool {
    matches!(
        word,
        StreamEvent::PartialFill | StreamEvent::Fill | StreamEvent::TradeBust
    )
}

/// The New York day of the trade and the day it settles. A venue's clock may be years off; then the calendar knows
/// nothing, the fill is booked nevertheless, and reconciliation corrects the date.
fn trade_dates(calendar: &Calendar, at: Timestamp) -> TradeDates {
    let trade = to_new_york(at).date_naive();
    let settle = calendar
        .settle_date(trade)
        .ok()
        .or_else(|| trade.succ_opt())
        .unwrap_or(trade);
    TradeDates { trade, settle }
}
