//! Assets, clock, quotes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use chassis::clock::Clock as _;
use chassis::http::{ApiError, Path, Query};
use domain::Timestamp;
use domain::calendar::to_new_york;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wire::rest::{Asset, Clock};

use super::{App, parse};
use crate::core::{Listing, Quote, Ticks};
use crate::names::asset_id;

/// `GET /v2/assets`: everything that is listed.
pub(super) async fn assets(State(app): State<App>) -> Json<Vec<Asset>> {
    Json(app.listings.iter().map(asset).collect())
}

fn asset(listing: &Listing) -> Asset {
    Asset {
        id: asset_id(&listing.symbol),
        class: "us_equity".into(),
        exchange: listing.exchange.into(),
        symbol: listing.symbol.clone(),
        name: listing.name.clone(),
        status: "active".into(),
        tradable: true,
        marginable: false,
        shortable: false,
        easy_to_borrow: false,
        fractionable: listing.fractionable,
        maintenance_margin_requirement: 100,
        attributes: Vec::new(),
        min_order_size: None,
        min_trade_increment: None,
        price_increment: None,
    }
}

/// `GET /v2/clock`.
pub(super) async fn clock(State(app): State<App>) -> Result<Json<Clock>, ApiError> {
    let (now, calendar) = (app.settings.now(), app.settings.calendar());
    let local = |at: Timestamp| to_new_york(at).fixed_offset();
    let unknown = |_| ApiError::unavailable("the trading calendar does not know the next session", 60);
    Ok(Json(Clock {
        timestamp: local(now),
        is_open: calendar.is_open(now),
        next_open: local(calendar.next_open(now).map_err(unknown)?),
        next_close: local(calendar.next_close(now).map_err(unknown)?),
    }))
}

/// Which quotes are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct QuotesQuery {
    symbols: Option<String>,
}

/// Quotes by symbol, as market data carries them.
#[derive(Debug, Serialize)]
pub(super) struct LatestQuotes {
    quotes: BTreeMap<String, WireQuote>,
}

#[derive(Debug, Serialize)]
struct WireQuote {
    t: Timestamp,
    ax: &'static str,
    ap: Box<RawValue>,
    #[serde(rename = "as")]
    ask_size: i64,
    bx: &'static str,
    bp: Box<RawValue>,
    bs: i64,
    c: [&'static str; 1],
    z: &'static str,
}

/// `GET /v2/stocks/quotes/latest?symbols=`: unknown symbols are left out; without `symbols` all are there.
pub(super) async fn latest_quotes(
    State(app): State<App>,
    Query(query): Query<QuotesQuery>,
) -> Result<Json<LatestQuotes>, ApiError> {
    let (quotes, at) = app.board.quotes();
    let t = at.unwrap_or_else(|| app.settings.now());
    let wanted = match &query.symbols {
        Some(list) => parse::comma_list(Some(list)),
        None => app.listings.iter().map(|listing| listing.symbol.clone()).collect(),
    };
    let mut found = BTreeMap::new();
    for symbol in wanted {
        if let Some(quote) = app.symbols.get(&symbol).and_then(|ix| quotes.get(ix.0)) {
            found.insert(symbol, wire_quote(quote, t)?);
        }
    }
    Ok(Json(LatestQuotes { quotes: found }))
}

fn wire_quote(quote: &Quote, t: Timestamp) -> Result<WireQuote, ApiError> {
    let (ask_size, bs) = (quote.ask_size, quote.bid_size);
    Ok(WireQuote {
        t,
        ax: "V",
        ap: number(quote.ask)?,
        ask_size,
        bx: "V",
        bp: number(quote.bid)?,
        bs,
        c: ["R"],
        z: "C",
    })
}

/// A price as a JSON number, digit for digit: it never passes through a float.
pub(super) fn number(ticks: Ticks) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(ticks.dollars().to_string()).map_err(|_| ApiError::internal())
}

/// `GET /quotes`: all prices, for people.
pub(super) async fn quotes_page(State(app): State<App>) -> String {
    let (quotes, _) = app.board.quotes();
    let lines = app
        .listings
        .iter()
        .zip(&quotes)
        .map(|(listing, quote)| line(listing, quote));
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
}

/// `GET /quotes/{symbol}`: one price, for people.
pub(super) async fn quote_line(State(app): State<App>, Path(symbol): Path<String>) -> Result<String, ApiError> {
    let (quotes, _) = app.board.quotes();
    let found = app
        .symbols
        .get(&symbol)
        .and_then(|ix| Some((app.listings.get(ix.0)?, quotes.get(ix.0)?)));
    let (listing, quote) = found.ok_or_else(|| ApiError::not_found(format!("asset not found for {symbol}")))?;
    Ok([HEAD, &line(listing, quote)].concat())
}

const HEAD: &str = "symbol       bid     size          ask     size         last  name\n";

fn line(listing: &Listing, quote: &Quote) -> String {
    let mut text = String::new();
    let price = |ticks: Ticks| format!("{:.2}", ticks.dollars());
    let (bid, ask, last) = (price(quote.bid), price(quote.ask), price(quote.last));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{:<6} {bid:>9} {:>8} {ask:>12} {:>8} {last:>12}  {}",
        listing.symbol, quote.bid_size, quote.ask_size, listing.name
    );
    text
}
