//! The calls. Each has one deadline for everything and a limit for the answer's length; none is repeated here, since
//! only the caller knows whether a second try needs a look-up first.

use super::AlpacaSettings;
use super::classify::{self, Answer, Handed};
use super::parse;
use crate::volume::{Traded, averages};
use crate::{
    Canceling, ExecutionPage, ExecutionView, Fault, Lookup, Refusal, Replacing, Submitted, Updates, Venue, VenueAsset,
    VenueOrder, VenueOrderView, VenueQuote, VenueVolume,
};
use bytes::{Bytes, BytesMut};
use chassis::http_client::{self, ClientSettings};
use chassis::trace;
use chrono::{Days, NaiveDate};
use domain::{ExecId, OrderId, Symbol, VenueOrderId};
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;
use wire::rest;

/// Orders on one page of a list; also the most keys of one bulk look-up.
const PAGE: usize = 500;
/// Symbols of one question for bars: the address stays short, and the answer well below its limit.
const BARS_OF: usize = 150;
/// Bars on one page, the most that the dialect has.
const BARS_PAGE: &str = "10000";
/// Days in which 20 sessions are found, however the holidays fall.
const BARS_DAYS: Days = Days::new(40);
/// Pages of one question: a venue whose next page never ends is not followed further.
const BARS_PAGES: usize = 10;
/// Single look-ups made side by side where the venue has no bulk look-up.
const LOOKUPS_AT_ONCE: usize = 8;
/// How long to leave the venue alone when it does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// A venue that asks for more is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A venue of the Alpaca dialect.
pub struct AlpacaVenue {
    http: reqwest::Client,
    settings: AlpacaSettings,
    headers: HeaderMap,
}

impl AlpacaVenue {
    /// A client for this venue; nothing is sent yet.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when the key pair cannot be a header at all.
    pub fn new(settings: AlpacaSettings) -> Result<Self, Fault> {
        let http = http_client::client(ClientSettings {
            connect_timeout: settings.connect_timeout,
            total_timeout: settings.timeout,
            ..ClientSettings::default()
        });
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| Fault::Unauthorized)?;
            value.set_sensitive(true);
            Ok(value)
        };
        let mut headers = HeaderMap::new();
        headers.insert("APCA-API-KEY-ID", header(&settings.key_id)?);
        headers.insert("APCA-API-SECRET-KEY", header(settings.secret.expose_secret())?);
        Ok(Self {
            http,
            settings,
            headers,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.settings.base_url);
        let request = self.http.request(method, url).headers(self.headers.clone());
        match trace::current().context() {
            // A third party may not care.
            Some(context) => request.header(trace::TRACEPARENT, context),
            None => request,
        }
    }

    fn market_data(&self, path: &str) -> RequestBuilder {
        let host = self.settings.data_url.as_ref().unwrap_or(&self.settings.base_url);
        self.http.get(format!("{host}{path}")).headers(self.headers.clone())
    }

    /// What these symbols traded before a date, page by page.
    async fn bars(&self, symbols: &[Symbol], before: NaiveDate, traded: &mut Traded) -> Result<(), Fault> {
        let start = before.checked_sub_days(BARS_DAYS).unwrap_or(before);
        // The start of a day in Greenwich: after the bar of the day before, whose day begins in New York, and before its own.
        let (list, start, end) = (comma_list(symbols), start.to_string(), format!("{before}T00:00:00Z"));
        let mut token: Option<String> = None;
        for _ in 0..BARS_PAGES {
            let mut query = vec![
                ("symbols", list.as_str()),
                ("timeframe", "1Day"),
                ("start", &start),
                ("end", &end),
                ("limit", BARS_PAGE),
                // Shares of before a split count as what they are now.
                ("adjustment", "split"),
            ];
            query.extend(token.as_deref().map(|token| ("page_token", token)));
            let page: parse::Bars = self.get(self.market_data("/v2/stocks/bars").query(&query)).await?;
            parse::traded(&page, symbols, traded)?;
            token = page.next_page_token;
            if token.is_none() {
                return Ok(());
            }
        }
        Err(Fault::Garbage("bars: pages without an end".to_owned()))
    }

    fn json(&self, method: Method, path: &str, body: &impl Serialize) -> Result<RequestBuilder, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::NotSent(error.to_string()))?;
        let request = self.request(method, path);
        Ok(request.header(CONTENT_TYPE, "application/json").body(body))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        self.answer_within(request, self.settings.body_limit).await
    }

    async fn answer_within(&self, request: RequestBuilder, limit: usize) -> Result<Answer, Fault> {
        let response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = body(response, limit).await?;
        Ok(Answer {
            status,
            retry_after,
            body,
        })
    }

    async fn get<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        classify::read(&self.answer(request).await?)
    }

    async fn look(&self, request: RequestBuilder) -> Lookup {
        match self.answer(request).await {
            Ok(answer) => classify::lookup(&answer),
            Err(fault) => Lookup::Unknown(fault),
        }
    }

    /// The key was taken by an earlier call, ours or a twin's: what it names is the answer.
    async fn adopt(&self, key: OrderId, asked: &VenueOrder) -> Submitted {
        match self.lookup(key).await {
            Lookup::Found(view) => classify::as_asked(view, key, asked),
            Lookup::NotFound => Submitted::Unknown(Fault::Garbage("the key is taken, but names no order".to_owned())),
            Lookup::Unknown(fault) => Submitted::Unknown(fault),
        }
    }

    /// As [`AlpacaVenue::adopt`], for a replacement.
    async fn adopt_replacement(&self, key: OrderId, old: &VenueOrderId, asked: &VenueOrder) -> Replacing {
        match self.lookup(key).await {
            Lookup::Found(view) => classify::replaced(view, key, old, asked),
            Lookup::NotFound => Replacing::Unknown(Fault::Garbage("the key is taken, but names no order".to_owned())),
            Lookup::Unknown(fault) => Replacing::Unknown(fault),
        }
    }

    async fn bulk(&self, keys: &[OrderId]) -> HashMap<OrderId, Lookup> {
        let list = keys.iter().map(OrderId::to_string).collect::<Vec<_>>().join(",");
        let request = self.request(Method::GET, "/v2/orders").query(&[
            ("client_order_ids", list.as_str()),
            ("status", "all"),
            ("limit", "500"),
        ]);
        let found = match self.get::<Vec<rest::Order>>(request).await {
            Ok(orders) => classify::bulk(&orders, keys),
            Err(fault) => Err(fault),
        };
        match found {
            Ok(found) => found,
            Err(fault) => keys.iter().map(|key| (*key, Lookup::Unknown(fault.clone()))).collect(),
        }
    }

    async fn one_by_one(&self, keys: &[OrderId]) -> HashMap<OrderId, Lookup> {
        futures::stream::iter(keys.iter().copied())
            .map(|key| async move { (key, self.lookup(key).await) })
            .buffer_unordered(LOOKUPS_AT_ONCE)
            .collect()
            .await
    }
}

impl Venue for AlpacaVenue {
    fn name(&self) -> &str {
        &self.settings.name
    }

    async fn submit(&self, key: OrderId, order: &VenueOrder) -> Submitted {
        let request = match self.json(Method::POST, "/v2/orders", &parse::submit_body(key, order)) {
            Ok(request) => request,
            Err(fault) => return Submitted::Unknown(fault),
        };
        match self
            .answer(request)
            .await
            .map(|answer| classify::handed(&answer, key, order))
        {
            Ok(Handed::Duplicate) => self.adopt(key, order).await,
            Ok(Handed::Done(submitted)) => submitted,
            Err(fault) => Submitted::Unknown(fault),
        }
    }

    async fn lookup(&self, key: OrderId) -> Lookup {
        let request = self
            .request(Method::GET, "/v2/orders:by_client_order_id")
            .query(&[("client_order_id", key.to_string())]);
        match self.look(request).await {
            Lookup::Found(view) if view.key != Some(key) => {
                Lookup::Unknown(Fault::Mismatch("client_order_id".to_owned()))
            }
            other => other,
        }
    }

    async fn lookup_many(&self, keys: &[OrderId]) -> HashMap<OrderId, Lookup> {
        if !self.settings.bulk_lookup || keys.len() < 2 {
            return self.one_by_one(keys).await;
        }
        let mut all = HashMap::with_capacity(keys.len());
        for page in keys.chunks(PAGE) {
            all.extend(self.bulk(page).await);
        }
        all
    }

    async fn order(&self, id: &VenueOrderId) -> Lookup {
        let Some(path) = order_path(id) else {
            return Lookup::NotFound;
        };
        match self.look(self.request(Method::GET, &path)).await {
            Lookup::Found(view) if view.venue_order_id != *id => Lookup::Unknown(Fault::Mismatch("id".to_owned())),
            other => other,
        }
    }

    async fn cancel(&self, id: &VenueOrderId) -> Canceling {
        let Some(path) = order_path(id) else {
            return Canceling::NotFound;
        };
        match self.answer(self.request(Method::DELETE, &path)).await {
            Ok(answer) => classify::canceling(&answer),
            Err(fault) => Canceling::Unknown(fault),
        }
    }

    async fn replace(&self, key: OrderId, old: &VenueOrderId, order: &VenueOrder) -> Replacing {
        let Some(path) = order_path(old) else {
            let reason = format!("order not found for {old}");
            return Replacing::Refused(Refusal {
                code: 40_410_000,
                reason,
            });
        };
        let request = match self.json(Method::PATCH, &path, &parse::replace_body(key, order)) {
            Ok(request) => request,
            Err(fault) => return Replacing::Unknown(fault),
        };
        let answer = self.answer(request).await;
        match answer.map(|answer| classify::replacing(&answer, key, old, order)) {
            Ok(Handed::Duplicate) => self.adopt_replacement(key, old, order).await,
            Ok(Handed::Done(replacing)) => replacing,
            Err(fault) => Replacing::Unknown(fault),
        }
    }

    async fn executions_after(&self, cursor: Option<&str>) -> Result<ExecutionPage, Fault> {
        let mut query = vec![("direction", "asc"), ("page_size", "100")];
        query.extend(cursor.map(|cursor| ("page_token", cursor)));
        let request = self.request(Method::GET, "/v2/account/activities/FILL").query(&query);
        let fills: Vec<rest::FillActivity> = self.get(request).await?;
        let executions = fills.iter().map(parse::execution).collect::<Result<Vec<_>, _>>()?;
        Ok(ExecutionPage {
            more: executions.len() >= 100,
            executions,
        })
    }

    async fn execution(&self, id: &ExecId) -> Result<Option<ExecutionView>, Fault> {
        if !self.settings.trade_files {
            return Err(Fault::NotOffered("look-up of one execution"));
        }
        let Some(path) = execution_path(id) else {
            return Ok(None);
        };
        classify::execution(&self.answer(self.request(Method::GET, &path)).await?, id)
    }

    async fn trade_file(&self, date: NaiveDate) -> Result<Vec<u8>, Fault> {
        if !self.settings.trade_files {
            return Err(Fault::NotOffered("trade file"));
        }
        let request = self
            .request(Method::GET, &format!("/trade-files/{date}"))
            .timeout(self.settings.trade_file_timeout);
        classify::trade_file(self.answer_within(request, self.settings.trade_file_limit).await?)
    }

    async fn open_orders(&self) -> Result<Vec<VenueOrderView>, Fault> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut query = vec![
                ("status", "open"),
                ("limit", "500"),
                ("direction", "asc"),
                ("nested", "false"),
            ];
            query.extend(after.as_deref().map(|after| ("after", after)));
            let page: Vec<rest::Order> = self.get(self.request(Method::GET, "/v2/orders").query(&query)).await?;
            all.extend(parse::ours(&page)?);
            match page.last() {
                Some(last) if page.len() >= PAGE => after = Some(last.submitted_at.to_rfc3339()),
                _ => return Ok(all),
            }
        }
    }

    async fn updates(&self, since: Option<String>) -> Result<Updates, Fault> {
        super::stream::connect(&self.settings, since).await
    }

    async fn quotes(&self, symbols: &[Symbol]) -> Result<Vec<VenueQuote>, Fault> {
        let request = self
            .market_data("/v2/stocks/quotes/latest")
            .query(&[("symbols", comma_list(symbols))]);
        let answer: parse::LatestQuotes = self.get(request).await?;
        Ok(parse::quotes(&answer))
    }

    async fn daily_volumes(&self, symbols: &[Symbol], before: NaiveDate) -> Result<Vec<VenueVolume>, Fault> {
        let (mut traded, mut refused) = (Traded::new(), None);
        for some in symbols.chunks(BARS_OF) {
            let mut of_these = Traded::new();
            match self.bars(some, before, &mut of_these).await {
                Ok(()) => traded.extend(of_these),
                Err(fault) if fault.is_outage() => return Err(fault),
                // A name that it does not take costs the others of its question their average, and no more.
                Err(fault) => {
                    tracing::warn!("the volumes of {} symbols are not told: {fault}", some.len());
                    refused = Some(fault);
                }
            }
        }
        match refused {
            Some(fault) if traded.is_empty() => Err(fault),
            _ => Ok(averages(&traded, before)),
        }
    }

    async fn assets(&self) -> Result<Vec<VenueAsset>, Fault> {
        let request = self
            .request(Method::GET, "/v2/assets")
            .query(&[("asset_class", "us_equity")]);
        let assets: Vec<rest::Asset> = self.get(request).await?;
        Ok(assets.iter().filter_map(parse::asset).collect())
    }
}

fn comma_list(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(",")
}

/// Ids of this dialect are UUIDs; anything else would be pasted into a path.
fn order_path(id: &VenueOrderId) -> Option<String> {
    let id = uuid::Uuid::parse_str(id.as_str()).ok()?;
    Some(format!("/v2/orders/{}", id.hyphenated()))
}

async fn body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        if body.len() + chunk.len() > limit {
            return Err(Fault::Garbage(format!("longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Ids of the bundled exchange's executions are UUIDs, too.
fn execution_path(id: &ExecId) -> Option<String> {
    let id = uuid::Uuid::parse_str(id.as_str()).ok()?;
    Some(format!("/executions/{}", id.hyphenated()))
}

fn fault(error: reqwest::Error) -> Fault {
    // Only a connection that never stood proves that nothing was sent.
    if error.is_connect() || error.is_builder() {
        Fault::NotSent(error.to_string())
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Connection(error.to_string())
    }
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE)
}
