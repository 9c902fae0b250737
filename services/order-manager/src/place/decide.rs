//! The rule: may this order be taken, given the books as they are under the lock?
//!
//! Pure. A batch is decided one by one in arrival order over one [`Books`]; a refusal leaves it untouched, so it
//! changes nothing for the next order of the account (BP-2).

use std::collections::{HashMap, HashSet};

use domain::calendar::Calendar;
use domain::order::{OrderState, StreamEvent};
use domain::{
    AccountId, AmountError, AssetId, ClientOrderId, Money, OrderId, Price, Qty, RequestId, Side, Symbol, TimeInForce,
    Timestamp,
};
use identity::Flags;
use ledger::{Asset, Book, Transfer};
use orders::{NewOrder, NewOrderEvent, Sequence, StoredOrder};
use rust_decimal::Decimal;

use super::times::{Asked, times};
use crate::error::PlaceOrderError;
use crate::prices::Reference;

/// An order that is in order by itself, of a known account, for a known instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Drawn before the queue, so that a repeated try is the same order.
    pub order_id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// The caller's own name for it, or ours.
    pub client_order_id: ClientOrderId,
    /// The instrument.
    pub asset_id: AssetId,
    /// Its ticker.
    pub symbol: Symbol,
    /// Bought or sold.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The times it asks for.
    pub asked: Asked,
    /// Whole shares.
    pub qty: Qty,
    /// Dollars a share.
    pub limit_price: Price,
    /// What the symbol last cost, where anybody knows.
    pub reference: Option<Reference>,
    /// The request it came with.
    pub request_id: RequestId,
}

/// How many orders may be open at once (RSK-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In an account.
    pub open_orders: i32,
    /// In one symbol of an account.
    pub open_in_symbol: i64,
}

/// Everything the decisions of one batch depend on, moved on by each acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    /// By account; one that is not there does not exist.
    pub accounts: HashMap<AccountId, AccountBook>,
    /// Client order ids of this batch that are taken.
    pub taken: HashSet<(AccountId, ClientOrderId)>,
}

/// One account's part of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBook {
    /// Dollars free, fees to come included.
    pub avail: Money,
    /// Dollars of fees to come: they are there to be paid, not to be spent (BP-11).
    pub fees: Money,
    /// Whether sale proceeds wait for settlement.
    pub strict: bool,
    /// What it may not do.
    pub flags: Flags,
    /// Its numbers.
    pub sequence: Sequence,
    /// Its shares, by symbol; a symbol that is not there has none.
    pub shares: HashMap<Symbol, Shares>,
    /// Its open orders, by symbol; a symbol that is not there has few enough.
    pub open_in: HashMap<Symbol, i64>,
}

/// Shares of one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shares {
    /// Free to sell.
    pub avail: Qty,
    /// Set aside for open sells.
    pub held: Qty,
}

/// An order that is taken, and what has to be written with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// As it will be stored.
    pub order: StoredOrder,
    /// Its hold.
    pub hold: Transfer,
    /// Its first event.
    pub event: NewOrderEvent,
}

/// Takes or refuses one order. First refusal wins: account state, duplicate id, open orders, funds or shares.
///
/// # Errors
/// Why not; `books` is then as before.
pub fn decide(
    books: &mut Books,
    command: &Command,
    now: Timestamp,
    calendar: &Calendar,
    limits: Limits,
) -> Result<Accepted, PlaceOrderError> {
    let name = (command.account, command.client_order_id.clone());
    let account = books
        .accounts
        .get_mut(&command.account)
        .ok_or(PlaceOrderError::AccountNotActive)?;
    account.may_trade(command.side)?;
    if books.taken.contains(&name) {
        return Err(PlaceOrderError::DuplicateClientOrderId);
    }
    account.has_room(&command.symbol, limits)?;
    // From here on a copy, so that a refusal leaves no trace.
    let mut sequence = account.sequence;
    let submitted_at = sequence.next_submitted_at(now);
    let order = stored(command, submitted_at, calendar)?;
    let hold = ledger::rules::hold(&for_ledger(command, account.strict), &order.state, submitted_at).map_err(|_| {
        PlaceOrderError::BadAmount {
            field: "qty",
            why: AmountError::TooLarge,
        }
    })?;
    account.set_aside(command, &hold)?;
    let event = accepted_event(&order, sequence.next_event_at(submitted_at));
    sequence.open_orders += 1;
    account.sequence = sequence;
    *account.open_in.entry(command.symbol.clone()).or_default() += 1;
    books.taken.insert(name);
    Ok(Accepted { order, hold, event })
}

impl AccountBook {
    fn may_trade(&self, side: Side) -> Result<(), PlaceOrderError> {
        let flags = self.flags;
        if !flags.active {
            return Err(PlaceOrderError::AccountNotActive);
        }
        if flags.account_blocked {
            return Err(PlaceOrderError::AccountBlocked);
        }
        if flags.trading_blocked {
            return Err(PlaceOrderError::TradingBlocked);
        }
        if flags.trade_suspended_by_user {
            return Err(PlaceOrderError::SuspendedByUser);
        }
        // A debit from a late fill or bust restricts the account until it is covered (LED-15).
        if side == Side::Buy && (flags.closing_only || self.avail < Money::ZERO) {
            return Err(PlaceOrderError::ClosingOnly);
        }
        Ok(())
    }

    fn has_room(&self, symbol: &Symbol, limits: Limits) -> Result<(), PlaceOrderError> {
        if self.sequence.open_orders >= limits.open_orders {
            return Err(PlaceOrderError::TooManyOpenOrders {
                most: limits.open_orders,
            });
        }
        if self
            .open_in
            .get(symbol)
            .is_some_and(|open| *open >= limits.open_in_symbol)
        {
            return Err(PlaceOrderError::TooManyOpenInSymbol {
                symbol: symbol.clone(),
                most: limits.open_in_symbol,
            });
        }
        Ok(())
    }

    /// Moves the hold from free to held in the books (BP-1, BP-5), or refuses and moves nothing.
    fn set_aside(&mut self, command: &Command, hold: &Transfer) -> Result<(), PlaceOrderError> {
        match command.side {
            Side::Buy => {
                let cost = Money::from_decimal(hold.sum(Book::CashHeld, &Asset::Usd));
                self.avail = after_buy(self.avail, self.fees, cost)?;
            }
            Side::Sell => {
                let shares = self.shares.get(&command.symbol).copied().unwrap_or_default();
                let shares = after_sell(shares, command)?;
                self.shares.insert(command.symbol.clone(), shares);
            }
        }
        Ok(())
    }
}

fn after_buy(avail: Money, fees: Money, cost: Money) -> Result<Money, PlaceOrderError> {
    if cost.get() < Decimal::ONE {
        return Err(PlaceOrderError::CostBasisTooSmall);
    }
    let available = Money::from_decimal(avail.get() - fees.get());
    if cost > available {
        return Err(PlaceOrderError::InsufficientBuyingPower {
            available: available.or_zero(),
            cost,
        });
    }
    Ok(Money::from_decimal(avail.get() - cost.get()))
}

fn after_sell(shares: Shares, command: &Command) -> Result<Shares, PlaceOrderError> {
    if shares.avail.is_zero() && shares.held.is_zero() {
        return Err(PlaceOrderError::NoShorting);
    }
    match (shares.avail.minus(command.qty), shares.held.plus(command.qty)) {
        (Ok(avail), Ok(held)) => Ok(Shares { avail, held }),
        _ => Err(PlaceOrderError::InsufficientQty {
            symbol: command.symbol.clone(),
            requested: command.qty,
            available: shares.avail,
            held: shares.held,
            related: vec![],
        }),
    }
}

fn for_ledger(command: &Command, strict: bool) -> ledger::rules::Order {
    ledger::rules::Order {
        account: command.account,
        order: command.order_id,
        symbol: command.symbol.clone(),
        side: command.side,
        limit_price: command.limit_price,
        strict,
    }
}

fn stored(command: &Command, at: Timestamp, calendar: &Calendar) -> Result<StoredOrder, PlaceOrderError> {
    let times = times(command.time_in_force, command.asked, at, calendar)?;
    Ok(StoredOrder {
        order_id: command.order_id,
        account_id: command.account,
        client_order_id: command.client_order_id.clone(),
        asset_id: command.asset_id,
        symbol: command.symbol.clone(),
        side: command.side,
        order_type: "limit".to_owned(),
        time_in_force: command.time_in_force,
        limit_price: command.limit_price,
        session_date: times.session.date.get(),
        submit_at: command.asked.submit_at,
        expires_at: times.expires_at,
        explicit_expiry: command.asked.expires_at.is_some(),
        request_id: command.request_id.clone(),
        created_at: at,
        submitted_at: at,
        state: OrderState::accepted(command.qty),
        posted_cash: Money::ZERO,
        end_reason: None,
        venue_order_id: None,
        acknowledged_at: None,
        filled_at: None,
        canceled_at: None,
        expired_at: None,
        failed_at: None,
        cancel_requested_at: None,
        expire_requested_at: None,
        updated_at: at,
    })
}

fn accepted_event(order: &StoredOrder, (seq, at): (i64, Timestamp)) -> NewOrderEvent {
    NewOrderEvent {
        account_id: order.account_id,
        seq,
        order_id: order.order_id,
        event: StreamEvent::Accepted,
        at,
        status: order.shown_status(),
        filled_qty: Qty::ZERO,
        filled_notional: Money::ZERO,
        execution: None,
        cause: "customer".to_owned(),
        request_id: order.request_id.clone(),
    }
}

impl Accepted {
    /// The row to insert.
    pub fn new_order(&self) -> NewOrder {
        let order = &self.order;
        NewOrder {
            order_id: order.order_id,
            account_id: order.account_id,
            client_order_id: order.client_order_id.clone(),
            asset_id: order.asset_id,
            symbol: order.symbol.clone(),
            side: order.side,
            time_in_force: order.time_in_force,
            qty: order.state.ordered,
            limit_price: order.limit_price,
            session_date: order.session_date,
            submit_at: order.submit_at,
            expires_at: order.expires_at,
            explicit_expiry: order.explicit_expiry,
            request_id: order.request_id.clone(),
            submitted_at: order.submitted_at,
        }
    }
}

#[cfg(test)]
mod tests;
