//! Instruments, the clock and the calendar: from memory, no database asked.

use std::sync::Arc;

use chassis::http::ApiError;
use chrono::NaiveDate;
use domain::calendar::{Calendar, TradingDay, to_new_york};
use domain::{AssetId, Symbol, Timestamp};
use instruments::{Asset, Instruments};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::rest::{self, schema};

use super::{choice, day, given, parse_uuid};
use crate::error::ReadError;
use crate::present::US_EQUITY;

/// The query of `GET /v2/assets`, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AssetQuery {
    /// Only those with this status.
    #[param(value_type = Option<schema::AssetStatus>, inline)]
    status: Option<String>,
    /// All but stocks match nothing.
    #[param(value_type = Option<schema::AssetClasses>, inline)]
    asset_class: Option<String>,
    /// Only those listed there.
    exchange: Option<String>,
    /// No asset has any, so naming one matches nothing.
    attributes: Option<String>,
}

/// The query of `GET /v2/calendar`, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CalendarQuery {
    /// The first day.
    #[param(value_type = Option<schema::Day>, inline)]
    start: Option<String>,
    /// The last day.
    #[param(value_type = Option<schema::Day>, inline)]
    end: Option<String>,
}

/// An instrument by symbol, by `SYMBOL:EXCHANGE` and longer, or by id with or without hyphens.
pub(crate) fn find_asset(instruments: &Instruments, text: &str) -> Option<Arc<Asset>> {
    let by_id = parse_uuid(text).and_then(|id| instruments.asset_by_id(AssetId::new(id)));
    by_id.or_else(|| {
        let mut parts = text.split(':');
        let asset = instruments.asset(&Symbol::parse(parts.next()?)?)?;
        let fits = parts
            .next()
            .is_none_or(|exchange| exchange == asset.exchange || exchange == US_EQUITY);
        (fits && parts.all(|class| class == US_EQUITY)).then_some(asset)
    })
}

/// One instrument.
pub(crate) fn asset(instruments: &Instruments, text: &str) -> Result<rest::Asset, ApiError> {
    let found = find_asset(instruments, text).ok_or_else(|| ReadError::AssetNotFound(text.to_owned()))?;
    Ok(shown(&found))
}

/// All instruments that match.
pub(crate) fn assets(instruments: &Instruments, query: &AssetQuery) -> Result<Vec<rest::Asset>, ApiError> {
    let statuses = [("active", "active"), ("inactive", "inactive")];
    let status = choice("status", query.status.as_ref(), &statuses)?;
    let classes = [(US_EQUITY, true), ("us_option", false), ("crypto", false)];
    let class_fits = choice("asset_class", query.asset_class.as_ref(), &classes)?.unwrap_or(true);
    // No instrument here has any of the attributes one can ask for.
    let attributes_fit = given(query.attributes.as_ref()).is_none();
    let exchange = given(query.exchange.as_ref());
    let fits = |asset: &Arc<Asset>| {
        status.is_none_or(|status| asset.status == status) && exchange.is_none_or(|exchange| asset.exchange == exchange)
    };
    let all = if class_fits && attributes_fit {
        instruments.assets()
    } else {
        vec![]
    };
    Ok(all.into_iter().filter(fits).map(|asset| shown(&asset)).collect())
}

fn shown(asset: &Asset) -> rest::Asset {
    rest::Asset {
        id: asset.asset_id.get(),
        class: US_EQUITY.into(),
        exchange: asset.exchange.clone().into(),
        symbol: asset.symbol.to_string(),
        name: asset.name.clone(),
        status: asset.status.clone().into(),
        tradable: asset.tradable,
        // Nothing can be borrowed here, neither money nor shares.
        marginable: false,
        shortable: false,
        easy_to_borrow: false,
        fractionable: asset.fractionable,
        maintenance_margin_requirement: 100,
        attributes: vec![],
        min_order_size: None,
        min_trade_increment: None,
        price_increment: None,
    }
}

/// Whether the market is open, and when that changes.
pub(crate) fn clock(calendar: &Calendar, now: Timestamp) -> Result<rest::Clock, ApiError> {
    let unknown = |_| ReadError::CalendarEnds;
    Ok(rest::Clock {
        timestamp: to_new_york(now),
        is_open: calendar.is_open(now),
        next_open: to_new_york(calendar.next_open(now).map_err(unknown)?),
        next_close: to_new_york(calendar.next_close(now).map_err(unknown)?),
    })
}

/// The exchange's trading days between two dates, both included.
pub(crate) fn calendar(calendar: &Calendar, query: &CalendarQuery) -> Result<Vec<rest::CalendarDay>, ApiError> {
    let known = Calendar::known_days();
    let start = day("start", query.start.as_ref())?.unwrap_or(*known.start());
    let end = day("end", query.end.as_ref())?.unwrap_or(*known.end());
    Ok(calendar.nyse_days(start, end).iter().map(trading_day).collect())
}

fn trading_day(day: &TradingDay) -> rest::CalendarDay {
    // The evening session ends at 20:00, on half days at 17:00 (CAL-2): four hours after the close.
    let evening = day.close + chrono::TimeDelta::hours(4);
    rest::CalendarDay {
        date: day.date,
        open: day.open.format("%H:%M").to_string(),
        close: day.close.format("%H:%M").to_string(),
        session_open: "0400".to_owned(),
        session_close: evening.format("%H%M").to_string(),
        settlement_date: Some(day.settlement_date),
    }
}

/// The last trading day before today, to which the `last_` members of an account refer.
pub(super) fn day_before(calendar: &Calendar, now: Timestamp) -> Option<NaiveDate> {
    let today = to_new_york(now).date_naive();
    let from = today.checked_sub_days(chrono::Days::new(10))?;
    calendar.nyse_days(from, today.pred_opt()?).last().map(|day| day.date)
}
