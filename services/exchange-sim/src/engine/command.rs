//! What the engine can be asked, and what it answers.

use std::sync::Arc;

use domain::{OrderStatus, Side, TimeInForce, Timestamp};
use uuid::Uuid;

use crate::core::{QuoteSetting, Shares, SymbolIx, Ticks};
use crate::settings::Setting;
use crate::store::rows::OrderRow;

/// A new order, checked.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The caller's own name for it, never to be used again.
    pub client_order_id: Arc<str>,
    /// What to trade.
    pub symbol: SymbolIx,
    /// Buy or sell.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The worst price a share may trade at.
    pub limit: Ticks,
    /// Shares.
    pub qty: Shares,
}

/// What shall be different about an order: a replacement, checked as far as it can be without the order.
#[derive(Debug, Clone)]
pub struct Change {
    /// The order to be replaced.
    pub id: Uuid,
    /// The caller's own name for the replacement, never to be used again.
    pub client_order_id: Arc<str>,
    /// Shares, with those that have traded; as before if absent.
    pub qty: Option<Shares>,
    /// The worst price a share may trade at; as before if absent.
    pub limit: Option<Ticks>,
    /// How long it works; as before if absent.
    pub time_in_force: Option<TimeInForce>,
}

/// An execution that nobody was told of when it happened.
#[derive(Debug, Clone, Copy)]
pub struct Print {
    /// The order's number.
    pub order_no: i64,
    /// Dollars a share; its limit if absent.
    pub price: Option<Ticks>,
    /// Shares; all that are left if absent.
    pub qty: Option<Shares>,
    /// When it happened.
    pub at: Timestamp,
}

/// Something for the engine to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take an order.
    Submit(Ticket),
    /// Put an order in another one's place.
    Replace(Change),
    /// Take an order off the book.
    Cancel(Uuid),
    /// One tick of the market maker, the session and the expiries; of a close or an open with many orders, one round.
    Tick,
    /// Set a symbol's quote.
    SetQuote(SymbolIx, QuoteSetting),
    /// Take an execution back.
    Bust(Uuid),
    /// Do nothing: when this is answered, all that was asked before is committed.
    Await,
    /// Report an execution that happened a while ago.
    Print(Print),
    /// Set something by hand.
    Set(Setting),
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The order as it now is.
    Order(Box<OrderRow>),
    /// Done.
    Done {
        /// How many reports it caused.
        reports: usize,
        /// Whether a tick left some for the next one, which should come at once.
        more: bool,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name was used before (ORD-13).
    #[error("client_order_id must be unique")]
    DuplicateKey,
    /// No such order.
    #[error("order not found for {0}")]
    NoSuchOrder(Uuid),
    /// The order is over.
    #[error("order is already in \"{0}\" state")]
    NotOpen(OrderStatus),
    /// A replacement of an order that is not on the book yet.
    #[error("unable to replace order, order isn't sent to exchange yet")]
    NotSentYet,
    /// A replacement of an order that is over, or that is being replaced.
    #[error("unable to replace order, order is not open")]
    TooLateToReplace,
    /// A replacement of, or by, an order for a part of a share.
    #[error("fractional orders cannot be replaced")]
    FractionalReplace,
    /// A replacement for no more shares than have traded.
    #[error("qty must be greater than filled_qty")]
    LessThanFilled,
    /// Nothing of the order is left to trade.
    #[error("nothing of order {0} is left to print")]
    NothingLeft(Uuid),
    /// No such execution, or taken back already.
    #[error("no live execution {0}")]
    NoSuchExecution(Uuid),
    /// The calendar does not reach that far.
    #[error("the trading calendar does not know the next session")]
    NoSession,
    /// The database failed. What was asked may have happened: look it up by its key.
    #[error("the exchange's database is away, try again")]
    Storage,
}

/// The engine's word on one command.
pub type Reply = Result<Answer, Refusal>;
