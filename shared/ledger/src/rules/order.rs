//! What an order's life books: its hold, each fill, what a bust reverses, and the release at its end.
//!
//! All follow from two snapshots of the order. The hold is a function of a snapshot (BP-3), what the fills cost is
//! another (LED-I6), so a change books the differences and any path between two snapshots books the same.

use super::replace::{Beside, Leg, held, held_in_waiting};
use crate::transfer::{Accrual, Asset, Book, Cause, Entry, LedgerError, Trade, Transfer, TransferId};
use domain::order::OrderState;
use domain::{AccountId, Money, OrderId, Price, Qty, Side, Symbol, Timestamp};
use rust_decimal::Decimal;

/// What the ledger must know of an order besides its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub order: OrderId,
    /// Ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// Dollars a share, the worst it may trade at.
    pub limit_price: Price,
    /// Whether sale proceeds wait for settlement (`cash_strict`, BP-8).
    pub strict: bool,
}

/// What a customer has in the places a reversal may find too little in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Shares of the symbol free to sell.
    pub shares_avail: Qty,
    /// Free cash, in dollars; below zero for an account in debit.
    pub avail: Money,
    /// Unsettled proceeds, in dollars.
    pub unsettled: Money,
    /// Shares that a reversal just had to owe for the customer: the fill that takes its place pays them back first.
    pub shares_owed: Qty,
    /// Dollars that a reversal just took from free cash: the sale that takes its place brings them back first.
    pub cash_owed: Money,
}

/// The days a trade happens and settles on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TradeDates {
    /// The day of the trade.
    pub trade: chrono::NaiveDate,
    /// The day it settles.
    pub settle: chrono::NaiveDate,
}

/// A booked trade that a bust or a correction takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenBack {
    /// The transfer that booked it.
    pub trade: TransferId,
    /// Whether it has settled.
    pub settled: bool,
}

/// Why a change is booked, when, and what the customer has in the places it may draw on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The event behind it.
    pub cause: Cause,
    /// When it is posted.
    pub at: Timestamp,
    /// The days of the trade.
    pub dates: TradeDates,
    /// What the trade accrues in fees.
    pub accrual: Option<Accrual>,
    /// What a reversal takes back; `None` for a fill.
    pub takes_back: Option<TakenBack>,
    /// What a reversal can take it from.
    pub standing: Standing,
    /// The other order of a replace under way, before and after: the two hold together (BP-4).
    pub beside: (Option<Beside>, Option<Beside>),
}

/// What a change of an order books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The transfer, unless nothing moves.
    pub transfer: Option<Transfer>,
    /// Dollars booked for the order's fills so far.
    pub posted_after: Money,
    /// Dollars of this change's execution: above zero for a fill, below for a bust.
    pub cash: Money,
}

/// LED-6 and LED-10: money or shares set aside for a just accepted order.
///
/// # Errors
/// [`LedgerError::Amount`] when limit x quantity leaves the exact range.
pub fn hold(order: &Order, state: &OrderState, at: Timestamp) -> Result<Transfer, LedgerError> {
    let leg = order.leg(state, Money::ZERO);
    set_aside(order, held(order.side, &leg, None)?, at)
}

/// BP-4: what a just accepted replacement adds to what `old`, whose place it is to take, has set aside; often nothing.
///
/// # Errors
/// [`LedgerError::Amount`] when limit x quantity leaves the exact range.
pub fn hold_beside(order: &Order, state: &OrderState, old: &Leg, at: Timestamp) -> Result<Transfer, LedgerError> {
    let leg = order.leg(state, Money::ZERO);
    set_aside(order, held_in_waiting(order.side, &leg, old)?, at)
}

impl Order {
    /// The order in this state, as its hold sees it.
    pub const fn leg(&self, state: &OrderState, posted: Money) -> Leg {
        Leg {
            limit: self.limit_price,
            state: *state,
            posted,
        }
    }
}

fn set_aside(order: &Order, amount: Decimal, at: Timestamp) -> Result<Transfer, LedgerError> {
    let (asset, from, to) = match order.side {
        Side::Buy => (Asset::Usd, Book::CashAvail, Book::CashHeld),
        Side::Sell => (Asset::Security(order.symbol.clone()), Book::SecAvail, Book::SecHeld),
    };
    let line = |book, amount| Entry {
        account: Some(order.account),
        book,
        asset: asset.clone(),
        amount,
    };
    let transfer = Transfer::new(
        Cause::Hold(order.order),
        at,
        vec![line(from, -amount), line(to, amount)],
    )?;
    Ok(transfer.of_order(order.account, order.order))
}

/// BP-3: dollars an open buy must still have set aside so that any fills at or under its limit can be paid,
/// whatever their fractions: what everything would cost, up to the cent, less what is booked. Nothing once it is over.
///
/// # Errors
/// [`LedgerError::Amount`] beyond the exact range.
pub fn buy_hold(limit: Price, state: &OrderState, posted: Money) -> Result<Money, LedgerError> {
    if !state.status.is_open() {
        return Ok(Money::ZERO);
    }
    let worst = state.notional.plus(limit.notional(state.leaves())?)?;
    Ok(worst.ceil_to_cent().minus(posted)?)
}

/// Books the way from `before` to `after`: fills (LED-8, LED-11), late fills (LED-15), busts (LED-16) and releases
/// (LED-7, LED-9) are all this one difference.
///
/// # Errors
/// [`LedgerError::Amount`] beyond the exact range.
pub fn change(
    order: &Order,
    before: &OrderState,
    after: &OrderState,
    posted_before: Money,
    occasion: Occasion,
) -> Result<Change, LedgerError> {
    let Occasion {
        cause,
        at,
        dates,
        accrual,
        takes_back,
        standing,
        beside,
    } = occasion;
    // LED-I6: ties to even on the cumulative cost, so any split into partial fills books the same total.
    let posted_after = after.notional.round_to_cent();
    let cash = posted_after.minus(posted_before)?;
    let qty = after.filled.get() - before.filled.get();
    let (was, is) = (order.leg(before, posted_before), order.leg(after, posted_after));
    let held = held(order.side, &is, beside.1.as_ref())? - held(order.side, &was, beside.0.as_ref())?;
    let mut lines = Lines::new(order.account);
    match order.side {
        Side::Buy => {
            buy_cash(&mut lines, Money::from_decimal(held), cash);
            shares_in(&mut lines, &order.symbol, qty, standing);
        }
        Side::Sell => {
            shares_out(&mut lines, &order.symbol, held, qty, standing);
            sale_proceeds(&mut lines, order.strict, cash, takes_back, standing);
        }
    }
    // A hold grows by a bust or a correction, and by a cent where those of a chain round apart.
    let may_debit = !before.status.is_open() || cash < Money::ZERO || qty < Decimal::ZERO || held > Decimal::ZERO;
    let trade = trade_of(order, (qty, cash), dates, accrual, takes_back);
    let transfer = Transfer::new(cause, at, lines.entries)?
        .of_order(order.account, order.order)
        .of_trade(trade, may_debit);
    let moved = !transfer.entries().is_empty();
    Ok(Change {
        transfer: moved.then_some(transfer),
        posted_after,
        cash,
    })
}

/// The hold shrinks by limit x quantity, the street gets price x quantity, the customer the difference at once.
fn buy_cash(lines: &mut Lines, held: Money, cash: Money) {
    lines.customer(Book::CashHeld, Asset::Usd, held.get());
    lines.customer(Book::CashAvail, Asset::Usd, -held.get() - cash.get());
    lines.house(Book::StreetCashPending, Asset::Usd, cash.get());
}

fn shares_in(lines: &mut Lines, symbol: &Symbol, qty: Decimal, standing: Standing) {
    let security = Asset::Security(symbol.clone());
    lines.house(Book::StreetSecPending, security.clone(), -qty);
    // A bust of shares that are sold already cannot take them from the customer: operators buy in (LED-16).
    let missing = (-qty - standing.shares_avail.get()).max(Decimal::ZERO);
    let repaid = standing.shares_owed.get().min(qty).max(Decimal::ZERO);
    lines.customer(Book::SecAvail, security.clone(), qty + missing - repaid);
    lines.house(Book::FirmSuspense, security, repaid - missing);
}

fn shares_out(lines: &mut Lines, symbol: &Symbol, held: Decimal, qty: Decimal, standing: Standing) {
    let security = Asset::Security(symbol.clone());
    lines.house(Book::StreetSecPending, security.clone(), qty);
    lines.customer(Book::SecHeld, security.clone(), held);
    let avail = -held - qty;
    // A late fill of shares that were sold otherwise meanwhile: the firm owes them to the street.
    let missing = (-avail - standing.shares_avail.get()).max(Decimal::ZERO);
    lines.customer(Book::SecAvail, security.clone(), avail + missing);
    lines.house(Book::FirmSuspense, security, -missing);
}

fn sale_proceeds(lines: &mut Lines, strict: bool, cash: Money, takes_back: Option<TakenBack>, standing: Standing) {
    lines.house(Book::StreetCashPending, Asset::Usd, -cash.get());
    if !strict {
        return lines.customer(Book::CashAvail, Asset::Usd, cash.get());
    }
    // A bust takes the proceeds from where they are: free cash once they have settled, and only what is missing there from
    // the proceeds of other sales; else they are unsettled, and what fees took of them comes from free cash.
    let is_settled = takes_back.is_some_and(|sale| sale.settled);
    let free = if is_settled {
        standing.avail.or_zero().get()
    } else {
        Decimal::ZERO
    };
    let taken = (-cash.get() - free).max(Decimal::ZERO).min(standing.unsettled.get());
    let repaid = standing.cash_owed.or_zero().min(cash).get();
    let unsettled = if cash < Money::ZERO {
        -taken
    } else {
        cash.get() - repaid
    };
    lines.customer(Book::CashUnsettled, Asset::Usd, unsettled);
    lines.customer(Book::CashAvail, Asset::Usd, cash.get() - unsettled);
}

fn trade_of(
    order: &Order,
    (qty, cash): (Decimal, Money),
    dates: TradeDates,
    accrual: Option<Accrual>,
    takes_back: Option<TakenBack>,
) -> Option<Trade> {
    (!qty.is_zero()).then(|| Trade {
        symbol: order.symbol.clone(),
        side: order.side,
        qty: qty.abs(),
        cash: cash.get().abs(),
        trade_date: dates.trade,
        settle_date: dates.settle,
        reversal: qty < Decimal::ZERO,
        reverses: takes_back.filter(|_| qty < Decimal::ZERO).map(|back| back.trade),
        accrual,
    })
}

struct Lines {
    account: AccountId,
    entries: Vec<Entry>,
}

impl Lines {
    const fn new(account: AccountId) -> Self {
        Self {
            account,
            entries: Vec::new(),
        }
    }

    fn customer(&mut self, book: Book, asset: Asset, amount: Decimal) {
        self.entries.push(Entry {
            account: Some(self.account),
            book,
            asset,
            amount,
        });
    }

    fn house(&mut self, book: Book, asset: Asset, amount: Decimal) {
        self.entries.push(Entry {
            account: None,
            book,
            asset,
            amount,
        });
    }
}
