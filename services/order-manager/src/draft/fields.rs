//! Fields with numbers, flags and free text.

use chrono::{DateTime, SubsecRound};
use domain::{AmountError, ClientOrderId, Money, Price, Qty, Timestamp};
use wire::rest::{Loose, PlaceOrder};

use super::Size;
use super::words::not_offered;
use crate::error::PlaceOrderError;

pub(super) fn size(body: &PlaceOrder) -> Result<Size, PlaceOrderError> {
    match (&body.qty, &body.notional) {
        (Some(_), Some(_)) => Err(PlaceOrderError::QtyAndNotional),
        (None, None) => Err(PlaceOrderError::NoQuantity),
        (Some(qty), None) => amount("qty", qty, Qty::parse).map(Size::Shares),
        (None, Some(notional)) => amount("notional", notional, Money::parse).map(Size::Dollars),
    }
}

/// Whole shares, of a replacement.
pub(super) fn shares(value: Option<&Loose>) -> Result<Option<Qty>, PlaceOrderError> {
    let qty = value.map(|value| amount("qty", value, Qty::parse)).transpose()?;
    match qty {
        Some(qty) if !qty.is_whole() => Err(not_offered("a fractional qty of a replacement", "send whole shares")),
        other => Ok(other),
    }
}

pub(super) fn price(field: &'static str, value: Option<&Loose>) -> Result<Option<Price>, PlaceOrderError> {
    value.map(|value| amount(field, value, Price::parse)).transpose()
}

fn amount<T>(
    field: &'static str,
    value: &Loose,
    parse: impl Fn(&str) -> Result<T, AmountError>,
) -> Result<T, PlaceOrderError> {
    let expected = "a number, or a number in quotes";
    let text = value.as_text().ok_or(PlaceOrderError::Malformed { field, expected })?;
    parse(text).map_err(|why| PlaceOrderError::BadAmount { field, why })
}

pub(super) fn text<'a>(field: &'static str, value: Option<&'a Loose>) -> Result<Option<&'a str>, PlaceOrderError> {
    let expected = "a string";
    value
        .map(|value| value.as_text().ok_or(PlaceOrderError::Malformed { field, expected }))
        .transpose()
}

pub(super) fn flag(field: &'static str, value: Option<&Loose>) -> Result<bool, PlaceOrderError> {
    let expected = "true or false";
    value.map_or(Ok(false), |value| {
        value.as_bool().ok_or(PlaceOrderError::Malformed { field, expected })
    })
}

/// A moment, to the microsecond, which is what is stored. Without an offset nobody knows which moment is meant, and
/// seconds of 60 are no moment of ours.
pub(super) fn time(field: &'static str, value: Option<&Loose>) -> Result<Option<Timestamp>, PlaceOrderError> {
    let expected = "a time with its offset, like 2026-11-24T15:30:00-05:00";
    let read = |value: &Loose| {
        let time = DateTime::parse_from_rfc3339(value.as_text()?).ok()?;
        let is_leap_second = time.timestamp_subsec_nanos() >= 1_000_000_000;
        (!is_leap_second).then(|| time.to_utc().trunc_subsecs(6))
    };
    value
        .map(|value| read(value).ok_or(PlaceOrderError::Malformed { field, expected }))
        .transpose()
}

pub(super) fn client_order_id(value: Option<&Loose>) -> Result<Option<ClientOrderId>, PlaceOrderError> {
    text("client_order_id", value)?
        .map(|id| ClientOrderId::new(id).map_err(PlaceOrderError::BadClientOrderId))
        .transpose()
}

/// The first field of the stop types that is there, once all of them are proper numbers.
pub(super) fn stop_field(body: &PlaceOrder) -> Result<Option<&'static str>, PlaceOrderError> {
    let fields = [
        ("stop_price", &body.stop_price),
        ("trail_price", &body.trail_price),
        ("trail_percent", &body.trail_percent),
    ];
    for (field, value) in fields {
        price(field, value.as_ref())?;
    }
    Ok(fields
        .into_iter()
        .find(|(_, value)| value.is_some())
        .map(|(field, _)| field))
}

/// Fields of order classes that are not served yet; empty objects and lists mean nothing.
pub(super) fn no_extras(body: &PlaceOrder) -> Result<(), PlaceOrderError> {
    let simple = "send a simple limit order without it";
    let fields = [
        ("take_profit", &body.take_profit, simple),
        ("stop_loss", &body.stop_loss, simple),
        ("legs", &body.legs, simple),
    ];
    let given = fields
        .into_iter()
        .find(|(_, value, _)| value.as_ref().is_some_and(|value| !is_empty(value)));
    given.map_or(Ok(()), |(field, _, instead)| Err(not_offered(field, instead)))
}

fn is_empty(value: &Loose) -> bool {
    let Loose::Nested(json) = value else { return false };
    json.bytes()
        .all(|byte| matches!(byte, b'[' | b']' | b'{' | b'}') || byte.is_ascii_whitespace())
}
