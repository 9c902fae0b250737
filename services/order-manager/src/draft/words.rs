//! Fields with words: which exist, and which of them are served.

use std::borrow::Cow;
use std::str::FromStr;

use domain::{Side, TimeInForce};
use strum::{EnumString, IntoStaticStr};
use wire::rest::Loose;

use super::fields::text;
use crate::error::PlaceOrderError;

/// Every order type of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum OrderType {
    Market,
    Limit,
    Stop,
    StopLimit,
    TrailingStop,
}

/// Every time in force of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Lifetime {
    Day,
    Gtc,
    Ioc,
    Fok,
    Opg,
    Cls,
}

/// Every order class of the dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum OrderClass {
    Simple,
    Bracket,
    Oco,
    Oto,
    Mleg,
}

/// What the order shall do to the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Intent {
    BuyToOpen,
    BuyToClose,
    SellToOpen,
    SellToClose,
}

impl Lifetime {
    /// The lifetimes that are served.
    pub(super) const fn offered(self) -> Option<TimeInForce> {
        match self {
            Self::Day => Some(TimeInForce::Day),
            Self::Gtc => Some(TimeInForce::Gtc),
            Self::Ioc => Some(TimeInForce::Ioc),
            Self::Fok => Some(TimeInForce::Fok),
            Self::Opg | Self::Cls => None,
        }
    }
}

impl Intent {
    /// The side it belongs to.
    pub(super) const fn side(self) -> Side {
        match self {
            Self::BuyToOpen | Self::BuyToClose => Side::Buy,
            Self::SellToOpen | Self::SellToClose => Side::Sell,
        }
    }
}

pub(super) fn side(value: Option<&Loose>) -> Result<Side, PlaceOrderError> {
    word("side", "side", "buy or sell", value)?.ok_or(PlaceOrderError::Missing("side"))
}

pub(super) fn order_type(value: Option<&Loose>) -> Result<OrderType, PlaceOrderError> {
    word("type", "order type", "limit or market", value)?.ok_or(PlaceOrderError::Missing("type"))
}

pub(super) fn lifetime(value: Option<&Loose>) -> Result<Lifetime, PlaceOrderError> {
    let words = "day, gtc, ioc or fok";
    word("time_in_force", "time_in_force", words, value)?.ok_or(PlaceOrderError::Missing("time_in_force"))
}

/// The time of a replacement, which has to rest: what works at once has nothing to replace.
pub(super) fn rests(value: Option<&Loose>) -> Result<Option<TimeInForce>, PlaceOrderError> {
    if value.is_none() {
        return Ok(None);
    }
    match lifetime(value)? {
        Lifetime::Day => Ok(Some(TimeInForce::Day)),
        Lifetime::Gtc => Ok(Some(TimeInForce::Gtc)),
        other => Err(not_offered(
            format!("time_in_force {} of a replacement", <&str>::from(other)),
            "use day or gtc",
        )),
    }
}

pub(super) fn class(value: Option<&Loose>) -> Result<OrderClass, PlaceOrderError> {
    Ok(word("order_class", "order_class", "simple", value)?.unwrap_or(OrderClass::Simple))
}

pub(super) fn intent(value: Option<&Loose>) -> Result<Option<Intent>, PlaceOrderError> {
    word(
        "position_intent",
        "position_intent",
        "buy_to_open or sell_to_close",
        value,
    )
}

fn word<T: FromStr>(
    field: &'static str,
    vocabulary: &'static str,
    words: &'static str,
    value: Option<&Loose>,
) -> Result<Option<T>, PlaceOrderError> {
    text(field, value)?
        .map(|text| {
            text.parse().map_err(|_| PlaceOrderError::UnknownWord {
                field: vocabulary,
                words,
            })
        })
        .transpose()
}

pub(super) fn offered_kind(kind: OrderType) -> Result<(), PlaceOrderError> {
    match kind {
        OrderType::Limit | OrderType::Market => Ok(()),
        OrderType::Stop | OrderType::StopLimit | OrderType::TrailingStop => Err(not_offered(
            format!("order type {}", <&str>::from(kind)),
            "use type limit with a limit_price",
        )),
    }
}

pub(super) fn offered_class(class: OrderClass) -> Result<(), PlaceOrderError> {
    match class {
        OrderClass::Simple => Ok(()),
        OrderClass::Bracket | OrderClass::Oco | OrderClass::Oto | OrderClass::Mleg => Err(not_offered(
            format!("order_class {}", <&str>::from(class)),
            "use order_class simple",
        )),
    }
}

pub(super) fn offered_lifetime(lifetime: Lifetime) -> Result<(), PlaceOrderError> {
    match lifetime.offered() {
        Some(_) => Ok(()),
        None => Err(not_offered(
            format!("time_in_force {}", <&str>::from(lifetime)),
            "use day, gtc, ioc or fok",
        )),
    }
}

/// There are no short positions, so none can be opened or closed.
pub(super) fn offered_intent(intent: Intent) -> Result<(), PlaceOrderError> {
    match intent {
        Intent::BuyToOpen | Intent::SellToClose => Ok(()),
        Intent::SellToOpen => Err(PlaceOrderError::NoShorting),
        Intent::BuyToClose => Err(not_offered(
            "position_intent buy_to_close",
            "use buy_to_open, there are no short positions",
        )),
    }
}

pub(super) fn not_offered(what: impl Into<Cow<'static, str>>, instead: &'static str) -> PlaceOrderError {
    PlaceOrderError::NotOffered {
        what: what.into(),
        instead,
    }
}
