//! From the words of the wire to commands: everything a new order, or a replacement, has to get right.

use chassis::http::ApiError;
use domain::{ClientOrderId, Price, Qty, Side, TimeInForce, Timestamp};
use uuid::Uuid;
use wire::rest::{Loose, PlaceOrder, ReplaceOrder};

use super::Shared;
use crate::core::{Shares, SymbolIx, Ticks};
use crate::engine::{Change, Ticket};

/// The largest order: in billionths of a share it leaves room for many at one price.
const MOST_SHARES: Shares = Shares::whole(100_000_000);

/// Checks a new order, field by field in the order of the documentation.
pub(super) fn ticket(app: &Shared, body: &PlaceOrder) -> Result<Ticket, ApiError> {
    let symbol = text(body.symbol.as_ref(), "symbol")?;
    let ix = *app
        .symbols
        .get(symbol)
        .ok_or_else(|| ApiError::rule(format!("asset \"{symbol}\" not found")))?;
    if body.notional.is_some() {
        return Err(ApiError::rule("notional orders are not offered by this exchange"));
    }
    let qty = shares(text(body.qty.as_ref(), "qty")?)?;
    let side = word::<Side>(body.side.as_ref(), "side")?;
    match text(body.kind.as_ref(), "type")? {
        "limit" => {}
        "market" | "stop" | "stop_limit" | "trailing_stop" => {
            return Err(ApiError::rule("only limit orders are offered by this exchange"));
        }
        _ => return Err(ApiError::parameter("invalid order type")),
    }
    let time_in_force = word::<TimeInForce>(body.time_in_force.as_ref(), "time_in_force")?;
    if !qty.is_whole() {
        fractional(app, ix, time_in_force)?;
    }
    let limit = limit(body.limit_price.as_ref().and_then(Loose::as_text))?;
    let client_order_id = client_id(app, body.client_order_id.as_ref())?;
    Ok(Ticket {
        client_order_id,
        symbol: ix,
        side,
        time_in_force,
        limit,
        qty,
    })
}

/// Checks what a replacement is to change.
pub(super) fn change(app: &Shared, id: Uuid, body: &ReplaceOrder) -> Result<Change, ApiError> {
    if body.stop_price.is_some() || body.trail.is_some() {
        return Err(ApiError::rule("only limit orders are offered by this exchange"));
    }
    let qty = given(body.qty.as_ref(), "qty", shares)?;
    let limit = given(body.limit_price.as_ref(), "limit_price", |text| limit(Some(text)))?;
    let tif = body.time_in_force.as_ref();
    let time_in_force = tif.map(|tif| word(Some(tif), "time_in_force")).transpose()?;
    let client_order_id = client_id(app, body.client_order_id.as_ref())?;
    Ok(Change {
        id,
        client_order_id,
        qty,
        limit,
        time_in_force,
    })
}

/// Reads a time as queries carry it.
pub(super) fn time(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    let whole_day = || {
        let day: chrono::NaiveDate = text.parse().ok()?;
        Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
    };
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    moment
        .or_else(whole_day)
        .ok_or_else(|| ApiError::parameter(format!("invalid {name}: not a timestamp")))
}

/// Splits `a,b,c`; empty parts are left out.
pub(super) fn comma_list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default()
        .split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn text<'a>(field: Option<&'a Loose>, name: &str) -> Result<&'a str, ApiError> {
    field
        .and_then(Loose::as_text)
        .ok_or_else(|| ApiError::parameter(format!("{name} is required")))
}

fn word<T: std::str::FromStr>(field: Option<&Loose>, name: &str) -> Result<T, ApiError> {
    text(field, name)?
        .parse()
        .map_err(|_| ApiError::parameter(format!("invalid {name}")))
}

/// A field that may be absent.
fn given<T>(
    field: Option<&Loose>,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, ApiError>,
) -> Result<Option<T>, ApiError> {
    field.map(|field| read(text(Some(field), name)?)).transpose()
}

/// What parts of a share ask of an order (QTY-2).
fn fractional(app: &Shared, symbol: SymbolIx, time_in_force: TimeInForce) -> Result<(), ApiError> {
    let listing = &app.listings[symbol.0];
    if !listing.fractionable {
        return Err(ApiError::forbidden(format!(
            "asset \"{}\" is not fractionable",
            listing.symbol
        )));
    }
    match time_in_force {
        TimeInForce::Day => Ok(()),
        _ => Err(ApiError::rule("fractional orders must be DAY orders")),
    }
}

fn shares(text: &str) -> Result<Shares, ApiError> {
    let qty = Qty::parse(text).map_err(|why| ApiError::parameter(format!("qty {why}")))?;
    let shares = Shares::from_decimal(qty.get()).filter(|shares| *shares <= MOST_SHARES);
    shares.ok_or_else(|| ApiError::rule(format!("qty must be no more than {MOST_SHARES} shares")))
}

fn limit(text: Option<&str>) -> Result<Ticks, ApiError> {
    let text = text.ok_or_else(|| ApiError::parameter("limit orders require a limit price"))?;
    let price = Price::parse(text).map_err(|why| ApiError::parameter(format!("limit_price {why}")))?;
    let ticks = Ticks::from_dollars(price.get()).filter(|_| price.on_tick());
    let why = || {
        ApiError::rule(format!(
            "invalid limit_price {text}. sub-penny increment does not fulfill minimum pricing criteria"
        ))
    };
    ticks.ok_or_else(why)
}

/// The caller's own name for an order, or one that we draw.
fn client_id(app: &Shared, given: Option<&Loose>) -> Result<std::sync::Arc<str>, ApiError> {
    let Some(given) = given else {
        return Ok(app.ids.uuid().to_string().into());
    };
    let text = given
        .as_text()
        .ok_or_else(|| ApiError::parameter("client_order_id must be a string"))?;
    let id = ClientOrderId::new(text).map_err(|why| ApiError::parameter(format!("client_order_id {why}")))?;
    Ok(id.as_str().into())
}
