//! The sessions before today: `GET /v2/stocks/bars`.
//!
//! Entries come by symbol, then by date; `limit` counts those of all symbols together, and `page_token` goes on after the
//! last one that was shown.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use chassis::clock::Clock as _;
use chassis::http::{ApiError, Query};
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use domain::Timestamp;
use domain::calendar::{SessionDate, to_new_york};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::market::number;
use super::{App, Shared, parse};
use crate::core::{Bar, Listing, bar};

/// Entries of a page where nothing else is asked for, and the most of one: the dialect's own.
const USUAL_PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;
/// How far back the past goes, in days.
const FARTHEST_BACK: u64 = 366;

/// Which bars are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct BarsQuery {
    symbols: Option<String>,
    timeframe: Option<String>,
    start: Option<String>,
    end: Option<String>,
    limit: Option<usize>,
    page_token: Option<String>,
}

/// A page, as market data carries it.
#[derive(Debug, Serialize)]
pub(super) struct Bars {
    bars: BTreeMap<String, Vec<WireBar>>,
    next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
struct WireBar {
    t: Timestamp,
    o: Box<RawValue>,
    h: Box<RawValue>,
    l: Box<RawValue>,
    c: Box<RawValue>,
    v: u64,
    n: u64,
    vw: Box<RawValue>,
}

/// What a page is of.
struct Page {
    symbols: BTreeSet<String>,
    days: Vec<NaiveDate>,
    after: Option<(String, NaiveDate)>,
    limit: usize,
}

/// `GET /v2/stocks/bars?symbols=&timeframe=1Day`: unknown symbols are left out.
pub(super) async fn bars(State(app): State<App>, Query(query): Query<BarsQuery>) -> Result<Json<Bars>, ApiError> {
    Ok(Json(shown(&app, &wanted(&app, &query)?)?))
}

fn wanted(app: &Shared, query: &BarsQuery) -> Result<Page, ApiError> {
    let symbols = BTreeSet::from_iter(parse::comma_list(query.symbols.as_deref()));
    if symbols.is_empty() {
        return Err(ApiError::parameter("symbols is required"));
    }
    match query.timeframe.as_deref() {
        Some("1Day" | "1D") => {}
        Some(_) => return Err(ApiError::parameter("only timeframe 1Day is offered by this exchange")),
        None => return Err(ApiError::parameter("timeframe is required")),
    }
    let limit = query.limit.unwrap_or(USUAL_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::parameter(format!("limit must be from 1 to {LARGEST_PAGE}")));
    }
    let after = query
        .page_token
        .as_deref()
        .map(|token| place(token).ok_or_else(|| ApiError::parameter("invalid page_token: not one of this list")));
    Ok(Page {
        symbols,
        days: days(app, query)?,
        after: after.transpose()?,
        limit,
    })
}

/// The days of sessions before today that begin within the span, both ends included.
fn days(app: &Shared, query: &BarsQuery) -> Result<Vec<NaiveDate>, ApiError> {
    let moment = |name, text: &Option<String>| text.as_deref().map(|text| moment(name, text)).transpose();
    let (start, end) = (moment("start", &query.start)?, moment("end", &query.end)?);
    let (today, calendar) = (to_new_york(app.settings.now()).date_naive(), app.settings.calendar());
    // Without a start it is today's bar that is asked for, and that there is not.
    let (Some(start), Some(oldest)) = (start, today.checked_sub_days(Days::new(FARTHEST_BACK))) else {
        return Ok(Vec::new());
    };
    let within = |date: &NaiveDate| {
        let begins = midnight(*date);
        start <= begins && end.is_none_or(|end| begins <= end)
    };
    let past = oldest.iter_days().take_while(|date| *date < today);
    let sessions = past.filter(|date| calendar.session_bounds(SessionDate::new(*date)).is_some());
    Ok(sessions.filter(within).collect())
}

/// A time; of a date, the begin of its day in New York, where its bar stands.
fn moment(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_or_else(|_| parse::time(name, text), |day| Ok(midnight(day)))
}

fn shown(app: &Shared, page: &Page) -> Result<Bars, ApiError> {
    let listed = page.symbols.iter().filter_map(|symbol| listing(app, symbol));
    let all = listed.flat_map(|listing| page.days.iter().map(move |day| (listing, *day)));
    let mut rest = all.filter(|(listing, day)| {
        let is_after =
            |(symbol, shown): &(String, NaiveDate)| (listing.symbol.as_str(), *day) > (symbol.as_str(), *shown);
        page.after.as_ref().is_none_or(is_after)
    });
    let (mut bars, mut last) = (BTreeMap::<String, Vec<WireBar>>::new(), None);
    for (listing, day) in rest.by_ref().take(page.limit) {
        let entry = wire_bar(&bar(listing, app.seed, day), day)?;
        bars.entry(listing.symbol.clone()).or_default().push(entry);
        last = Some(token(listing, day));
    }
    let more = rest.next().is_some();
    Ok(Bars {
        bars,
        next_page_token: last.filter(|_| more),
    })
}

fn listing<'a>(app: &'a Shared, symbol: &str) -> Option<&'a Listing> {
    app.symbols.get(symbol).and_then(|ix| app.listings.get(ix.0))
}

fn wire_bar(bar: &Bar, day: NaiveDate) -> Result<WireBar, ApiError> {
    Ok(WireBar {
        t: midnight(day),
        o: number(bar.open)?,
        h: number(bar.high)?,
        l: number(bar.low)?,
        c: number(bar.close)?,
        v: bar.volume,
        n: bar.trades,
        vw: number(bar.average)?,
    })
}

fn token(listing: &Listing, day: NaiveDate) -> String {
    format!("{}_{day}", listing.symbol)
}

fn place(token: &str) -> Option<(String, NaiveDate)> {
    let (symbol, day) = token.split_once('_')?;
    Some((symbol.to_owned(), day.parse().ok()?))
}

/// When the day begins in New York. Clocks change later in the night than this looks.
fn midnight(day: NaiveDate) -> Timestamp {
    let utc = day.and_time(NaiveTime::MIN).and_utc();
    let there = to_new_york(utc + TimeDelta::hours(5));
    utc - TimeDelta::seconds(there.offset().local_minus_utc().into())
}

#[cfg(test)]
mod tests {
    //! When days begin.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_new_york_also_when_clocks_change() {
        let of = |day: &str| midnight(day.parse().unwrap()).to_rfc3339();
        assert_eq!(of("2026-11-20"), "2026-11-20T05:00:00+00:00");
        assert_eq!(of("2026-07-01"), "2026-07-01T04:00:00+00:00");
        assert_eq!(of("2026-03-08"), "2026-03-08T05:00:00+00:00");
        assert_eq!(of("2026-11-01"), "2026-11-01T04:00:00+00:00");
        assert_eq!(of("2026-11-02"), "2026-11-02T05:00:00+00:00");
    }
}
