//! What a batch of reports reads and what it writes, in memory: everything is loaded once under the locks, each report
//! sees what the ones before it left, and all of it is written set-based afterwards.

use crate::replace::Forwarded;
use crate::report::{Execution, Report, fill_id};
use chrono::TimeDelta;
use domain::order::{Shown, StreamEvent};
use domain::{AccountId, Money, OrderId, OrderStatus, Qty, RequestId, Symbol, Timestamp};
use ledger::rules::{FeeRates, TradeDates};
use ledger::{Asset, Book, BookedTrade, CashBalance, Cause, Entry, ShareBalance, Transfer};
use orders::{CorrectedFill, KnownFill, NewFill, NewOrderEvent, Sequence, StoredOrder, VenueExec};
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;
use wire::events::v1::OrderUpdated;

/// The rows a batch may read and move, as they are now.
#[derive(Debug, Default)]
pub struct Books {
    /// The orders of the batch.
    pub orders: HashMap<OrderId, StoredOrder>,
    /// The cash of their accounts.
    pub cash: HashMap<AccountId, CashBalance>,
    /// What the accounts own of the orders' symbols.
    pub shares: HashMap<(AccountId, Symbol), ShareBalance>,
    /// The accounts' event sequences and counters.
    pub sequences: HashMap<AccountId, Sequence>,
    /// The batch's executions that are booked already.
    pub fills: HashMap<VenueExec, KnownFill>,
    /// The batch's reports that were set aside already, as they came, by their id.
    pub aside: HashMap<Uuid, String>,
    /// Those of them that people decided: suspense has nothing of them any more.
    pub decided: HashSet<Uuid>,
    /// The trades that stand for the batch's executions, should a bust or a correction take them back.
    pub trades: HashMap<VenueExec, BookedTrade>,
    /// Fee rates as known.
    pub rates: Arc<FeeRates>,
    /// Fills that were too much for their order (ORD-2), should a bust make room.
    pub too_much: HashMap<OrderId, Vec<Report>>,
}

/// What a batch writes.
#[derive(Debug, Default)]
pub struct Written {
    /// Orders to store as they are in the books.
    pub moved: BTreeSet<OrderId>,
    /// New fills, and busts that overtook their fill.
    pub fills: Vec<NewFill>,
    /// Booked fills that were taken back, and when.
    pub busted: Vec<(VenueExec, Timestamp)>,
    /// Booked fills that were for another quantity or price.
    pub corrected: Vec<CorrectedFill>,
    /// Ledger transfers, in order.
    pub transfers: Vec<Transfer>,
    /// Rows of the accounts' event sequences, in order.
    pub events: Vec<NewOrderEvent>,
    /// Statuses that orders left, and how long each had been in its.
    pub stays: Vec<(OrderStatus, TimeDelta)>,
    /// The wake-ups that point to them.
    pub updates: Vec<(OrderUpdated, RequestId)>,
    /// Accounts whose sequence moved.
    pub sequenced: BTreeSet<AccountId>,
    /// Reports that no rule allows.
    pub aside: Vec<SetAside>,
    /// Reports set aside that found their place after all.
    pub resolved: Vec<Uuid>,
    /// Accounts that a late fill or a bust left below zero (LED-15, LED-16).
    pub indebted: BTreeSet<AccountId>,
    /// Orders whose cancel wish the venue refused.
    pub wishes_refused: BTreeSet<OrderId>,
    /// Orders that a wish to cancel moved to.
    pub wishes_forwarded: BTreeSet<OrderId>,
    /// Those wishes, for the executor.
    pub forwarded: Vec<Forwarded>,
}

/// A report kept for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Computed from the report, so that a repeat meets itself.
    pub id: Uuid,
    /// The kind of refusal, a word.
    pub kind: &'static str,
    /// The order it names.
    pub order: Option<OrderId>,
    /// Whose order.
    pub account: Option<AccountId>,
    /// The report as it came.
    pub raw: String,
    /// Why it was not applied.
    pub cause: String,
}

/// One row of the event sequence to be.
pub struct News<'a> {
    /// The stream's word.
    pub word: StreamEvent,
    /// The order's status then, wishes left aside.
    pub status: OrderStatus,
    /// Shares filled then.
    pub filled: Qty,
    /// Dollars of them.
    pub notional: Money,
    /// The execution, for fills and busts.
    pub execution: Option<&'a Execution>,
    /// Who says so, and why.
    pub cause: String,
}

impl Books {
    /// Shares the account owns of a symbol.
    pub fn position(&self, account: AccountId, symbol: &Symbol) -> Decimal {
        self.shares
            .get(&(account, symbol.clone()))
            .map(ShareBalance::total)
            .unwrap_or_default()
    }

    /// Takes a transfer into the balances. True when it left the customer's free cash below zero.
    pub fn post(&mut self, transfer: &Transfer) -> bool {
        let mut below = false;
        if let Some(trade) = transfer.trade.as_ref().filter(|trade| !trade.reversal) {
            let dates = TradeDates {
                trade: trade.trade_date,
                settle: trade.settle_date,
            };
            let accrual = trade.accrual;
            if let Cause::Fill { venue, exec_id } | Cause::Corrected { venue, exec_id, .. } = transfer.cause() {
                let execution = (venue.clone(), exec_id.clone());
                let booked = BookedTrade {
                    transfer: transfer.id(),
                    settled: false,
                    dates,
                    accrual,
                };
                self.trades.insert(execution, booked);
            }
        }
        for entry in transfer.entries() {
            let Some(account) = entry.account else { continue };
            match &entry.asset {
                Asset::Usd => below |= self.post_cash(account, entry),
                Asset::Security(symbol) => self.post_shares(account, symbol, entry),
            }
        }
        below
    }

    fn post_cash(&mut self, account: AccountId, entry: &Entry) -> bool {
        let Some(cash) = self.cash.get_mut(&account) else {
            return false;
        };
        let balance = match entry.book {
            Book::CashAvail => &mut cash.avail,
            Book::CashHeld => &mut cash.held,
            Book::CashUnsettled => &mut cash.unsettled,
            _ => return false,
        };
        *balance = Money::from_decimal(balance.get().saturating_add(entry.amount));
        entry.book == Book::CashAvail && entry.amount < Decimal::ZERO && *balance < Money::ZERO
    }

    fn post_shares(&mut self, account: AccountId, symbol: &Symbol, entry: &Entry) {
        let none = || ShareBalance {
            account,
            symbol: symbol.clone(),
            avail: Qty::ZERO,
            held: Qty::ZERO,
            cost_basis: Money::ZERO,
        };
        let shares = self.shares.entry((account, symbol.clone())).or_insert_with(none);
        let balance = if entry.book == Book::SecHeld {
            &mut shares.held
        } else {
            &mut shares.avail
        };
        // Below zero cannot be: the rules send what is missing to suspense, and the table has a check.
        *balance = Qty::new(balance.get().saturating_add(entry.amount)).unwrap_or(Qty::ZERO);
    }
}

impl Written {
    /// Adds an event of an order, numbered in its account's sequence.
    pub fn tell(&mut self, books: &mut Books, order: OrderId, news: News<'_>, now: Timestamp) {
        let Some(stored) = books.orders.get(&order) else { return };
        let account = stored.account_id;
        let position = books.position(account, &stored.symbol);
        let Some(sequence) = books.sequences.get_mut(&account) else {
            return;
        };
        let (seq, at) = sequence.next_event_at(now);
        self.events.push(NewOrderEvent {
            account_id: account,
            seq,
            order_id: order,
            event: news.word,
            at,
            status: Shown::status(news.status, stored.wish()),
            filled_qty: news.filled,
            filled_notional: news.notional,
            execution: news.execution.map(|execution| orders::Execution {
                exec_id: execution.id.clone(),
                qty: execution.qty,
                price: execution.price,
                position_qty: position,
            }),
            cause: news.cause,
            request_id: stored.request_id.clone(),
        });
        let event: &'static str = news.word.into();
        let update = OrderUpdated {
            order_id: order.get(),
            account_id: account.get(),
            seq,
            event: event.to_owned(),
        };
        self.updates.push((update, stored.request_id.clone()));
        self.sequenced.insert(account);
    }

    /// Whether the execution is new in this batch.
    pub fn booked(&self, key: &VenueExec) -> bool {
        self.fills
            .iter()
            .any(|fill| fill.venue == key.0 && fill.exec_id == key.1)
    }

    /// Adds an execution of an order as the order now is. `cash` is what it booked; `busted` where its bust overtook it.
    pub fn fill(&mut self, stored: &StoredOrder, report: &Report, execution: &Execution, cash: Money, busted: bool) {
        self.fills.push(NewFill {
            venue: report.venue.clone(),
            exec_id: execution.id.clone(),
            fill_id: fill_id(&report.venue, &execution.id),
            order_id: stored.order_id,
            account_id: stored.account_id,
            symbol: stored.symbol.clone(),
            side: stored.side,
            qty: execution.qty,
            price: execution.price,
            cash,
            cum_qty: stored.state.cumulative(),
            leaves_qty: stored.state.leaves(),
            order_status: stored.state.status,
            venue_at: execution.at,
            received_at: report.received_at,
            busted_at: busted.then_some(execution.at),
        });
    }
}
