//! Decides report after report what becomes of an order: pure, one batch at a time.
//!
//! | report | order | ledger | told |
//! |---|---|---|---|
//! | acknowledged | `new`, unless it is further already (ORD-7) | – | `new` |
//! | fill | quantity, cost, `partially_filled` or `filled`, after an end too (ORD-11) | LED-8, 11, 15 | `partial_fill`, `fill` |
//! | correction | as if it had been so from the beginning (LED-17) | reversed and booked anew | `trade_correct` |
//! | bust | as if the fill had not been (ORD-12) | LED-16 | `trade_bust` |
//! | end | once the fills the venue counted are here | LED-7, 9, 10: the rest of the hold | `canceled`, `expired`, `rejected` |
//! | filled, by a count that falls short | `canceled`: trades were taken back (ORD-12) | as an end | `canceled` |
//! | day over, next session | `done_for_day` and back | – | `done_for_day`, `restated` |
//! | the order's place is another's | `replaced`, and that one goes on (see [`crate::replace`]) | one hold for both, BP-4 | `replaced`, `new` |
//! | cancel refused | its wish is taken back | – | `order_cancel_rejected` |
//! | anything no rule allows | nothing | LED-20 for an execution | set aside for an operator |
//!
//! What may fail is asked before anything is changed, so a report that is set aside leaves no trace in its
//! neighbours' books.

use crate::books::{Books, News, Written};
use crate::corrections::{Booked, taken_back};
use crate::refuse::Refusal;
use crate::replace::Successor;
use crate::report::{Execution, Heard, Report};
use crate::stamps::{end_as_meant, in_status_since, name_at_venue, stamp};
use domain::calendar::{Calendar, to_new_york};
use domain::order::{EndKind, IllegalMove, OrderEvent, OrderState, StreamEvent};
use domain::{Money, OrderId, OrderStatus, Qty, Timestamp};
use ledger::rules::{self, Standing, TradeDates};
use ledger::{Accrual, BookedTrade, Cause};
use orders::StoredOrder;

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

/// An end, as the venue told it.
pub(crate) struct End<'a> {
    pub(crate) why: EndKind,
    /// Shares filled by then, by the venue's count.
    pub(crate) filled: Qty,
    pub(crate) reason: Option<&'a str>,
    pub(crate) at: Timestamp,
}

/// One change of an order that a report asks for.
pub(crate) struct Turn<'a> {
    pub(crate) event: OrderEvent,
    pub(crate) cause: Cause,
    /// When it happened at the venue.
    pub(crate) at: Timestamp,
    pub(crate) execution: Option<&'a Execution>,
    pub(crate) reason: Option<&'a str>,
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
            Heard::Corrected(execution) => self.correct(report, execution),
            Heard::Unmatched { execution, .. } => self.unmatched(report, execution),
            Heard::ReplaceRefused {
                replacement,
                reason,
                filled,
            } => self.replace_refused(report, *replacement, reason, *filled),
            Heard::Acknowledged { venue_order, .. } if self.is_waiting(report) => {
                self.name_replacement(report.order, venue_order.as_ref());
                Ok(())
            }
            Heard::InDoubt => self.turn(report, &self.plain(report, OrderEvent::InDoubt)).map(drop),
            Heard::Acknowledged { .. } => self
                .turn(report, &self.plain(report, OrderEvent::Acknowledged))
                .map(drop),
            Heard::Ended {
                why,
                filled,
                reason,
                at,
                replaced_by,
            } => {
                let end = End {
                    why: *why,
                    filled: *filled,
                    reason: reason.as_deref(),
                    at: *at,
                };
                let successor = self.replaced_by(report, *why, replaced_by.as_ref());
                self.end(report, &end, successor)
            }
            Heard::Completed { filled, at } => self.completed(report, *filled, *at),
            Heard::CancelRefused { reason } => self.cancel_refused(report, reason),
            Heard::DoneForDay => self.turn(report, &self.plain(report, OrderEvent::DoneForDay)).map(drop),
            Heard::Resumed => self.turn(report, &self.plain(report, OrderEvent::Resumed)).map(drop),
        }
    }

    pub(crate) fn order(&self, report: &Report) -> Result<&StoredOrder, Refusal> {
        self.books.orders.get(&report.order).ok_or(Refusal::UnknownOrder)
    }

    pub(crate) fn plain(&self, report: &Report, event: OrderEvent) -> Turn<'static> {
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

    fn end(&mut self, report: &Report, end: &End<'_>, successor: Option<OrderId>) -> Result<(), Refusal> {
        let order = self.order(report)?;
        let first = order.state.end.is_none();
        let waits = self.waits_for(order).is_some();
        let event = end_as_meant(order, end.why, end.filled)?;
        if let Some(successor) = successor.filter(|_| first) {
            order.state.after(event)?;
            self.place_taken(report, successor)?;
        }
        self.turn(
            report,
            &Turn {
                event,
                cause: Cause::Release(report.order),
                at: end.at,
                execution: None,
                reason: end.reason,
            },
        )?;
        if let Some(order) = self.books.orders.get_mut(&report.order).filter(|_| first) {
            order.end_reason = end.reason.map(str::to_owned);
        }
        if waits {
            self.replacement_ended(report, end);
        }
        Ok(())
    }

    /// It is filled, the venue says, by so many shares of its own. Where these and what its chain had filled are fewer than
    /// were asked for, trades were taken back since, and the rest is not worked any more (ORD-12). While a replacement
    /// waits for its place nobody knows what its chain had filled.
    fn completed(&mut self, report: &Report, filled: Qty, at: Timestamp) -> Result<(), Refusal> {
        let order = self.order(report)?;
        let total = order.state.carried.plus(filled).map_err(IllegalMove::from)?;
        if self.waits_for(order).is_some() || total >= order.state.ordered {
            return Ok(());
        }
        let end = End {
            why: EndKind::Canceled,
            filled,
            reason: Some("the exchange took a trade back and ended the order"),
            at,
        };
        self.end(report, &end, None)
    }

    fn is_waiting(&self, report: &Report) -> bool {
        self.order(report)
            .is_ok_and(|order| self.waits_for(order).is_some() && order.state.filled.is_zero())
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
    pub(crate) fn turn(&mut self, report: &Report, turn: &Turn<'_>) -> Result<Money, Refusal> {
        let order = self.order(report)?;
        let before = order.state;
        let (after, mut words) = before.after(turn.event)?;
        if before == after && matches!(turn.event, OrderEvent::QtyReplaced { .. }) {
            // The end of an overtaken order, told again.
            words.clear();
        }
        let successor = self.successor(order, &after)?;
        let change = self.change(order, &before, (&after, successor.as_ref()), turn)?;
        // Nothing fails from here on.
        for transfer in change.transfers {
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
        if let Some(successor) = successor {
            self.hand_over(report, successor);
        }
        Ok(change.cash)
    }

    fn change(
        &self,
        order: &StoredOrder,
        before: &OrderState,
        (after, successor): (&OrderState, Option<&Successor>),
        turn: &Turn<'_>,
    ) -> Result<Booked, Refusal> {
        let posted_after = order.posted_cash;
        if before == after {
            return Ok(Booked {
                transfers: Vec::new(),
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
            avail: account.map(|cash| cash.avail).unwrap_or_default(),
            unsettled: account.map(|cash| cash.unsettled).unwrap_or_default(),
            ..Standing::default()
        };
        let (dates, accrual) = self.trade(order, turn);
        let cause = turn.cause.clone();
        let occasion = rules::Occasion {
            cause,
            at: self.now,
            dates,
            accrual,
            takes_back: self.booked(turn).map(BookedTrade::taken_back),
            standing,
            beside: self.besides(order, successor),
        };
        if let OrderEvent::Corrected {
            from_qty, from_price, ..
        } = turn.event
        {
            let accrual = self.booked(turn).and_then(|booked| booked.reversed().accrual);
            let occasions = (taken_back(&occasion, accrual), occasion);
            let was = (from_qty, from_price);
            return Ok(rules::correct(&terms, (before, after), was, posted_after, occasions)?.into());
        }
        Ok(rules::change(&terms, before, after, posted_after, occasion)?.into())
    }

    /// The trade that a bust or a correction takes back.
    fn booked(&self, turn: &Turn<'_>) -> Option<&BookedTrade> {
        match &turn.cause {
            Cause::Bust { venue, exec_id } | Cause::Corrected { venue, exec_id, .. } => {
                self.books.trades.get(&(venue.clone(), exec_id.clone()))
            }
            _ => None,
        }
    }

    /// The days and the fees of the trade that a turn books. A bust takes its fill back, so it has its fill's; a
    /// correction is of the same days.
    fn trade(&self, order: &StoredOrder, turn: &Turn<'_>) -> (TradeDates, Option<Accrual>) {
        let booked = self.booked(turn);
        let dates = booked.map_or_else(|| trade_dates(self.calendar, turn.at), |booked| booked.dates);
        let accrual = match turn.event {
            OrderEvent::Busted { .. } => booked.and_then(|booked| booked.reversed().accrual),
            _ => turn.execution.map(|execution| self.accrual(order, execution, dates)),
        };
        (dates, accrual)
    }

    /// Exactly what the fees are (FEE-2). No rate keeps a fill from being booked: the fee job asks for it (FEE-4).
    fn accrual(&self, order: &StoredOrder, execution: &Execution, dates: TradeDates) -> Accrual {
        let executed = rules::Executed {
            side: order.side,
            qty: execution.qty,
            price: execution.price,
        };
        Accrual {
            price: execution.price.get(),
            fees: self.books.rates.accrue(dates.trade, &executed).ok().flatten(),
        }
    }

    /// Writes the order as it now is into the books.
    pub(crate) fn store(
        &mut self,
        report: &Report,
        turn: &Turn<'_>,
        before: &OrderState,
        after: OrderState,
        posted: Money,
    ) {
        let now = self.now;
        let Some(order) = self.books.orders.get_mut(&report.order) else {
            return;
        };
        let named = name_at_venue(order, report);
        if *before == after && !named {
            return;
        }
        let since = in_status_since(order);
        order.state = after;
        order.posted_cash = posted;
        order.updated_at = now;
        if before.status != after.status {
            self.written.stays.push((before.status, now - since));
            // A fill that lets a waiting end count says nothing about when that was.
            let told = after.status == OrderStatus::Filled || matches!(turn.event, OrderEvent::Ended { .. });
            stamp(order, after.status, if told { turn.at } else { report.received_at });
        }
        let account = order.account_id;
        self.written.moved.insert(report.order);
        let opened = i32::from(after.status.is_open()) - i32::from(before.status.is_open());
        let (was, is) = (
            orders::open_value(before, order.limit_price),
            orders::open_value(&after, order.limit_price),
        );
        if (opened != 0 || was != is)
            && let Some(sequence) = self.books.sequences.get_mut(&account)
        {
            sequence.moved(opened, was, is);
            self.written.sequenced.insert(account);
        }
    }

    pub(crate) fn tell(
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
        StreamEvent::PartialFill | StreamEvent::Fill | StreamEvent::TradeBust | StreamEvent::TradeCorrect
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
