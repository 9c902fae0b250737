//! Why a request is refused: one variant for each thing a caller can do differently. HTTP appears in `http::refusals`.
//!
//! What a variant's comment says is told to customers, too, in `docs/refusals.md`.

use std::borrow::Cow;

use domain::calendar::OutsideCalendar;
use domain::{AmountError, Money, OrderId, OrderStatus, Price, Qty, Side, Symbol};
use identity::limits::ChurnRule;
use risk::Level;
use rust_decimal::Decimal;
use strum::{EnumMessage, IntoStaticStr, VariantNames};
use thiserror::Error;

use crate::place::Untimely;

/// Why an order was not taken. Nothing is stored and nothing held, except where [`PlaceOrderError::Unknown`] says so.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum PlaceOrderError {
    /// A field that every order needs is absent.
    #[error("{0} is required")]
    Missing(&'static str),
    /// Neither shares nor dollars.
    #[error("qty or notional is required")]
    NoQuantity,
    /// Shares and dollars.
    #[error("only one of qty or notional is accepted")]
    QtyAndNotional,
    /// A number that cannot be used.
    #[error("{field} {why}{}", hint(field, *why))]
    BadAmount {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: AmountError,
    },
    /// A value of the wrong shape.
    #[error("{field} must be {expected}")]
    Malformed {
        /// Which field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A word outside a vocabulary.
    #[error("invalid {field}: use {words}")]
    UnknownWord {
        /// Which vocabulary, by the words clients know it by.
        field: &'static str,
        /// The words that are taken.
        words: &'static str,
    },
    /// A limit order without its limit.
    #[error("limit orders require a limit price")]
    NoLimitPrice,
    /// A market order with a limit.
    #[error("market orders require no limit price: leave limit_price out")]
    LimitPriceOnMarket,
    /// A field that means nothing on a limit or market order.
    #[error("{0} is only for stop orders")]
    StopFieldOnLimit(&'static str),
    /// The caller's own id is too long or not plain text.
    #[error("client_order_id {0}")]
    BadClientOrderId(domain::ids::IdError),
    /// The intent belongs to the other side.
    #[error("position_intent {intent} contradicts side {side}")]
    IntentAgainstSide {
        /// As sent.
        intent: &'static str,
        /// As sent.
        side: &'static str,
    },
    /// Known words and fields that are not served yet.
    #[error("{what} is not offered yet: {instead}")]
    NotOffered {
        /// What was asked for.
        what: Cow<'static, str>,
        /// What to send instead.
        instead: &'static str,
    },
    /// Its times cannot be.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// Finer than the tick (PX-1); never rounded.
    #[error("invalid limit_price {0}. sub-penny increment does not fulfill minimum pricing criteria")]
    SubPenny(Price),
    /// Parts of a share work for a day (QTY-2).
    #[error("fractional orders must be DAY orders")]
    FractionalNotDay,
    /// Parts of a share are no part of anything larger (QTY-2).
    #[error("fractional orders must be simple orders")]
    FractionalNotSimple,
    /// Outside the regular session only limits trade (TIF-6).
    #[error("extended hours order must be DAY or GTC limit orders")]
    ExtendedHoursAtMarket,
    /// Nobody knows what the instrument costs, so there is no collar (PX-7).
    #[error("there is no reference price of \"{0}\" for a market order: send a limit order")]
    NoReferencePrice(Symbol),
    /// The customer takes whole shares only.
    #[error("fractional trading is switched off in the account's configurations")]
    FractionalTradingOff,
    /// Only whole shares of the instrument are traded (QTY-2).
    #[error("asset \"{0}\" is not fractionable")]
    NotFractionable(Symbol),
    /// No such instrument.
    #[error("asset {0:?} not found")]
    AssetNotFound(String),
    /// The instrument is not traded at the moment.
    #[error("asset \"{0}\" is not tradable")]
    NotTradable(Symbol),
    /// The account may do nothing.
    #[error("account is blocked")]
    AccountBlocked,
    /// The account may place no orders.
    #[error("account is not allowed to trade")]
    TradingBlocked,
    /// The account is not open, or no more.
    #[error("account is not active")]
    AccountNotActive,
    /// The customer paused trading.
    #[error("trading is suspended by the user")]
    SuspendedByUser,
    /// Only sells.
    #[error("account is restricted to closing positions")]
    ClosingOnly,
    /// Used before, by whatever became of that order (ORD-13).
    #[error("client_order_id must be unique")]
    DuplicateClientOrderId,
    /// Too many at once in the account (RSK-3).
    #[error("too many open orders: at most {most}, cancel some first")]
    TooManyOpenOrders {
        /// The limit.
        most: i32,
    },
    /// Too many at once in the symbol (RSK-3).
    #[error("too many open orders in {symbol}: at most {most}, cancel some first")]
    TooManyOpenInSymbol {
        /// Where.
        symbol: Symbol,
        /// The limit.
        most: i32,
    },
    /// Too many cancels in the symbol for what trades there (RSK-8).
    #[error("rate limit exceeded")]
    Churning {
        /// Where.
        symbol: Symbol,
        /// What is allowed.
        rule: ChurnRule,
        /// Seconds until the next try makes sense.
        retry_after: u64,
    },
    /// A kill switch is set (RSK-6).
    #[error("new orders are stopped {}", stopped(*.0))]
    Killed(Level),
    /// Worth more than one order may be (RSK-3).
    #[error("order value {value} is above the limit of {most}")]
    OrderTooLarge {
        /// At its limit.
        value: Money,
        /// The limit.
        most: Money,
    },
    /// More shares than one order may ask for of what usually trades in a day (RSK-3).
    #[error(
        "qty {qty} is above the limit of {most}, {percent} percent of the average daily volume of {average}: send smaller orders"
    )]
    AboveVolumeShare {
        /// Shares asked for.
        qty: Qty,
        /// The limit.
        most: Qty,
        /// Shares of a usual session.
        average: u64,
        /// Which part of them the limit is.
        percent: Decimal,
    },
    /// The account's open orders would be worth too much (RSK-3).
    #[error("all open orders together may be worth at most {most}: cancel some first")]
    TooMuchOpen {
        /// The limit.
        most: Money,
    },
    /// All accounts' open orders would be worth too much (RSK-3).
    #[error("the firm's limit of open orders is reached, try again later")]
    FirmTooMuchOpen,
    /// The limit reaches too far beyond the last price (PX-5).
    #[error("limit_price {limit} is more than {percent} percent {} the last price, {reference}", beyond(*side))]
    BeyondCollar {
        /// Bought or sold.
        side: Side,
        /// As sent.
        limit: Price,
        /// What the symbol last cost.
        reference: Price,
        /// How far it may reach.
        percent: Decimal,
    },
    /// Equal to an order of the last two seconds, in an account that wants such refused (RSK-4).
    #[error("an equal order was placed less than 2 seconds ago")]
    Duplicate {
        /// That order.
        existing: OrderId,
    },
    /// It could trade against the account's own order (RSK-5).
    #[error("potential wash trade detected. use complex orders")]
    SelfCross {
        /// That order.
        existing: OrderId,
    },
    /// Nobody, or not this account, may trade it.
    #[error("trading in {0} is restricted")]
    Restricted(Symbol),
    /// Too small to be worth a trade.
    #[error("cost basis must be >= minimal amount of order 1")]
    CostBasisTooSmall,
    /// The hold does not fit (BP-1).
    #[error("insufficient buying power")]
    InsufficientBuyingPower {
        /// What there is.
        available: Money,
        /// What the order could cost.
        cost: Money,
    },
    /// A sell without any shares: that would be a short sale.
    #[error("account is not allowed to short")]
    NoShorting,
    /// More shares than are free (QTY-4).
    #[error("insufficient qty available for order (requested: {requested}, available: {available})")]
    InsufficientQty {
        /// The instrument.
        symbol: Symbol,
        /// Shares asked for.
        requested: Qty,
        /// Shares free to sell.
        available: Qty,
        /// Shares set aside for open sells.
        held: Qty,
        /// Those sells.
        related: Vec<OrderId>,
    },
    /// The queue is full.
    #[error("too many orders are waiting, try again")]
    Busy,
    /// Instruments or the trading calendar are not loaded, or the process stops.
    #[error("orders cannot be taken at the moment: {0}")]
    NotReady(&'static str),
    /// The database is away; nothing was stored.
    #[error("the order was not taken, try again")]
    Unavailable,
    /// Nobody can tell whether the order was stored.
    #[error("the outcome is unknown: look the order up by its client_order_id")]
    Unknown,
    /// A defect of ours; the cause is in the log.
    #[error("internal server error")]
    Internal,
}

impl From<OutsideCalendar> for PlaceOrderError {
    fn from(_: OutsideCalendar) -> Self {
        Self::NotReady("the trading calendar ends")
    }
}

/// Where new orders are stopped.
const fn stopped(level: Level) -> &'static str {
    match level {
        Level::Symbol => "in this symbol",
        Level::Account => "for this account",
        Level::Venue => "at the exchange",
        Level::Firm => "for everybody",
    }
}

const fn beyond(side: Side) -> &'static str {
    match side {
        Side::Buy => "above",
        Side::Sell => "below",
    }
}

impl PlaceOrderError {
    /// One word for it, for counters: the name of the variant.
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// Refused for canceling too much (RSK-8).
    pub const fn is_churn(&self) -> bool {
        matches!(self, Self::Churning { .. })
    }
}

/// What to write instead, where the message alone does not say it.
fn hint(field: &str, why: AmountError) -> &'static str {
    match why {
        AmountError::NotANumber => ": write it in plain digits, like 12.34",
        AmountError::TooPrecise if field == "notional" => ": at most 2 decimals",
        AmountError::TooPrecise => ": at most 9 decimals and 28 digits",
        AmountError::NotPositive | AmountError::TooLarge | AmountError::Overflow => "",
    }
}

/// Why a position was not closed; the closing order itself has [`PlaceOrderError`]s.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum CloseError {
    /// No such instrument.
    #[error("asset not found for {0}")]
    AssetNotFound(String),
    /// Nothing of it is owned.
    #[error("position does not exist")]
    NoPosition,
    /// Shares and a percentage.
    #[error("only one of qty or percentage is accepted")]
    QtyAndPercentage,
    /// A number that cannot be used.
    #[error("{field} {why}{}", hint(field, *why))]
    BadAmount {
        /// Which parameter.
        field: &'static str,
        /// What is wrong with it.
        why: AmountError,
    },
    /// More than all of it.
    #[error("percentage must be <= 100")]
    PercentageTooLarge,
    /// The percentage comes to nothing that can be sold.
    #[error("the part is less than one share: send a larger one")]
    NothingToClose,
}

/// Why an order is not replaced; the order is as before.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ReplaceError {
    /// No such order, or another account's.
    #[error("order not found for {0}")]
    NotFound(String),
    /// It is over.
    #[error("order is already in \"{0}\" state")]
    Final(OrderStatus),
    /// The venue does not have it yet.
    #[error("unable to replace order, order isn't sent to exchange yet")]
    NotSent,
    /// Its end or another replace is under way.
    #[error("unable to replace order, order is not open")]
    NotOpen,
    /// Parts of shares, dollars, or at the market.
    #[error("unable to replace order, fractional, notional and market orders cannot be replaced")]
    NotWhole,
    /// A total that is filled already (ORD-9).
    #[error("qty must be > filled_qty, and {filled} are filled: cancel the order to end the rest")]
    Filled {
        /// Shares filled along its chain.
        filled: Qty,
    },
    /// The new terms are no order.
    #[error(transparent)]
    Order(#[from] PlaceOrderError),
}

/// Why settings were not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ConfigureError {
    /// A value that a setting cannot have.
    #[error("{field} must be {expected}")]
    Invalid {
        /// Which setting.
        field: &'static str,
        /// What it can be.
        expected: &'static str,
    },
}

/// Why a question is not answered: a parameter that means nothing, or nothing there.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ReadError {
    /// A word outside a vocabulary.
    #[error("invalid {field}: use {words}")]
    UnknownWord {
        /// Which parameter.
        field: &'static str,
        /// The words that are taken.
        words: String,
    },
    /// No type of activities.
    #[error("invalid activity type {0:?}: use FILL, FEE, CSD, CSW and the like")]
    UnknownActivity(String),
    /// Neither yes nor no.
    #[error("{0} must be true or false")]
    NoFlag(&'static str),
    /// No time.
    #[error("{0} must be a time like 2026-11-23T14:30:00Z")]
    NoTime(&'static str),
    /// No date.
    #[error("{0} must be a date like 2026-11-23")]
    NoDate(&'static str),
    /// No whole number, or too small or too large a one.
    #[error("{field} must be a whole number from {least} to {most}")]
    NoNumber {
        /// Which parameter.
        field: &'static str,
        /// The smallest that is taken.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// No length of time.
    #[error("period must be a number and a unit D, W, M or A, like 3M, at most 1000")]
    NoPeriod,
    /// An order is looked for by no name.
    #[error("client_order_id is required")]
    NameMissing,
    /// The place in a list of activities is none.
    #[error("page_token must be the id of an activity")]
    NoActivity,
    /// The place in a list of orders is none, or another account's.
    #[error("{0} names no order of this account")]
    NoPlace(&'static str),
    /// So long a period has no such small windows.
    #[error("timeframe must be at least {0} for this period")]
    TooFine(&'static str),
    /// The third would contradict the others.
    #[error("only two of start, end and period are accepted")]
    ThreeEnds,
    /// The time in question is none, or has not come.
    #[error("start must be before the end, and not in the future")]
    NothingBetween,
    /// Well-formed, and not served.
    #[error("this {0} is not offered yet: leave it out")]
    NotOffered(&'static str),
    /// No such order, or another account's.
    #[error("order not found for {0}")]
    OrderNotFound(String),
    /// No such instrument.
    #[error("asset not found for {0}")]
    AssetNotFound(String),
    /// Nothing of it is owned.
    #[error("position does not exist")]
    NoPosition,
    /// Nobody knows the next session.
    #[error("the trading calendar ends before the next session")]
    CalendarEnds,
    /// The database is away.
    #[error("the database is away, try again")]
    Unavailable,
    /// A defect of ours; the cause is in the log.
    #[error("internal server error")]
    Internal,
}

/// Why a cancel was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum CancelError {
    /// No such order, or another account's.
    #[error("order not found for {0}")]
    NotFound(String),
    /// It is over.
    #[error("order is already in \"{0}\" state")]
    Final(OrderStatus),
    /// The queue is full.
    #[error("too many cancels are waiting, try again")]
    Busy,
    /// The database is away; asking again is safe.
    #[error("the cancel was not taken, try again")]
    Unavailable,
    /// A defect of ours; the cause is in the log.
    #[error("internal server error")]
    Internal,
}

/// Why a stream was not opened, or does not begin where it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum StreamError {
    /// A plain request.
    #[error("this path is a WebSocket: it wants GET with the headers of an upgrade")]
    NoHandshake,
    /// The process has no room.
    #[error("too many stream connections at the moment")]
    Full,
    /// The account has no room.
    #[error("too many stream connections of this account")]
    AccountFull,
    /// The address has no room for those who have not said who they are.
    #[error("too many stream connections of this address that are not authenticated")]
    AddressFull,
    /// The process stops before it has begun.
    #[error("the server is stopping, connect again")]
    Stopping,
    /// A place by time and by event.
    #[error("only one of {0} and {0}_id is accepted")]
    TimeAndEvent(&'static str),
    /// No name of an event.
    #[error("{0} is no event_id")]
    NoEventId(&'static str),
    /// The name of an event that has not happened.
    #[error("{0} names no event of this account")]
    UnknownEvent(&'static str),
}
