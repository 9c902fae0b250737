//! `GET /v2/events/trades`: the updates as server-sent events, with replay.
//!
//! | parameter             | meaning                                                                              |
//! |-----------------------|--------------------------------------------------------------------------------------|
//! | `since`, `since_id`   | events after that time (exclusive), or after that event; without either only new ones |
//! | `until`, `until_id`   | up to that time, or that event (both inclusive); there the stream ends               |
//!
//! `at` grows with each event of the account, so resuming after the last `at` or `event_id` misses and repeats nothing.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use chassis::http::{ApiError, Query};
use chrono::TimeDelta;
use domain::{AccountId, Timestamp};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use wire::rest::schema;

use super::Streams;
use super::door::Visit;
use super::end::{self, End};
use super::keys::Key;
use super::subscription::{Subscription, Told};
use super::update::parse_event_id;
use crate::app::App;
use crate::error::StreamError;
use crate::http::{KeyHolder, UPDATES, database_error};
use crate::query::{given, moment};

/// An event that happened before `until` may be committed a moment after it; no transaction takes longer.
const COMMITTED_WITHIN: TimeDelta = TimeDelta::seconds(5);
/// Keeps a client and what lies between us from taking silence for death.
const HEARTBEAT: &[u8] = b": heartbeat\n\n";

/// The query, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct TradesQuery {
    /// What happened after that time, before what is new.
    #[param(value_type = Option<schema::Moment>, inline)]
    since: Option<String>,
    /// Up to that time; there the stream ends.
    #[param(value_type = Option<schema::Moment>, inline)]
    until: Option<String>,
    /// The same, after that event.
    #[param(value_type = Option<schema::EventId>, inline)]
    since_id: Option<String>,
    /// The same, up to and with that event.
    #[param(value_type = Option<schema::EventId>, inline)]
    until_id: Option<String>,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Now,
    Time(Timestamp),
    Event(i64),
}

/// Where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Never,
    Time(Timestamp),
    Event(i64),
}

impl TradesQuery {
    fn range(&self) -> Result<(Since, Until), ApiError> {
        let since = match (
            moment("since", self.since.as_ref())?,
            event("since_id", self.since_id.as_ref())?,
        ) {
            (Some(_), Some(_)) => return Err(StreamError::TimeAndEvent("since").into()),
            (Some(time), None) => Since::Time(time),
            (None, Some(seq)) => Since::Event(seq),
            (None, None) => Since::Now,
        };
        let until = match (
            moment("until", self.until.as_ref())?,
            event("until_id", self.until_id.as_ref())?,
        ) {
            (Some(_), Some(_)) => return Err(StreamError::TimeAndEvent("until").into()),
            (Some(time), None) => Until::Time(time),
            (None, Some(seq)) => Until::Event(seq),
            (None, None) => Until::Never,
        };
        Ok((since, until))
    }
}

fn event(field: &'static str, value: Option<&String>) -> Result<Option<i64>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    let seq = parse_event_id(text).ok_or(StreamError::NoEventId(field))?;
    Ok(Some(seq))
}

/// A server-sent event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is written by hand")]
pub(crate) struct TradeEvent {
    /// A `TradeUpdate`.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Trade updates as server-sent events.
///
/// Each is a line of `data: ` and a `TradeUpdate`, and an empty line. Lines that begin with a colon are comments.
#[utoipa::path(get, path = "/v2/events/trades", operation_id = "stream_trade_updates", tag = UPDATES, params(TradesQuery),
    responses(
        (status = 200, description = "The updates, until the client leaves or `until`", body = TradeEvent,
            content_type = "text/event-stream")))]
pub(crate) async fn trades(
    State(app): State<App>,
    KeyHolder(caller): KeyHolder,
    Query(query): Query<TradesQuery>,
) -> Result<Response, ApiError> {
    let (since, until) = query.range()?;
    let streams = app.streams().clone();
    let visit = streams.door().enter_as("sse", caller.account)?;
    let place = tokio::select! {
        biased;
        () = streams.stopping() => return Err(StreamError::Stopping.into()),
        place = begin(&streams, caller.account, since) => place?,
    };
    let feed = Feed {
        updates: streams.subscribe(caller.account, place),
        key: streams.keys().over(&caller.key_id),
        visit,
        until,
        spoken_at: Instant::now(),
        closing: false,
        over: until_event(until).is_some_and(|last| last <= place),
        streams,
    };
    Ok(answer(Body::from_stream(futures::stream::unfold(feed, Feed::next))))
}

/// The number after which it begins.
async fn begin(streams: &Streams, account: AccountId, since: Since) -> Result<i64, ApiError> {
    let place = match since {
        Since::Time(time) => return streams.until(account, time).await.map_err(database_error),
        Since::Now => None,
        Since::Event(seq) => Some(seq),
    };
    let last = streams.present(account).await.map_err(database_error)?;
    if place.is_some_and(|place| place > last) {
        return Err(StreamError::UnknownEvent("since_id").into());
    }
    Ok(place.unwrap_or(last))
}

fn answer(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of this kind keep back what is not a full buffer.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

const fn until_event(until: Until) -> Option<i64> {
    match until {
        Until::Event(seq) => Some(seq),
        Until::Never | Until::Time(_) => None,
    }
}

/// One answer under way.
struct Feed {
    streams: Streams,
    updates: Subscription,
    key: Key,
    #[expect(dead_code, reason = "it counts as long as it is there")]
    visit: Visit,
    until: Until,
    spoken_at: Instant,
    /// Its time is over: what is stored by now is the rest.
    closing: bool,
    over: bool,
}

impl Drop for Feed {
    fn drop(&mut self) {
        if !self.over {
            end::count(End::Gone);
        }
    }
}

/// What to do next.
enum Next {
    Told(Told),
    Due,
    End(End),
}

impl Feed {
    /// The next bytes of the answer, until there are no more.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        while !self.over {
            let bytes = match self.wait().await {
                Next::Told(told) => self.told(told),
                Next::Due => self.due(),
                Next::End(why) => self.end(why),
            };
            if !bytes.is_empty() {
                self.spoken_at = Instant::now();
                return Some((Ok(bytes), self));
            }
        }
        None
    }

    async fn wait(&mut self) -> Next {
        let due = self.spoken_at + self.streams.settings().heartbeat;
        let due = self.time_left().map_or(due, |left| due.min(Instant::now() + left));
        tokio::select! {
            biased;
            () = self.streams.stopping() => Next::End(End::Stopping),
            () = self.key.revoked() => Next::End(End::Revoked),
            told = self.updates.next() => told.map_or_else(Next::End, Next::Told),
            () = tokio::time::sleep_until(due) => Next::Due,
        }
    }

    /// How long events from before the end may still come; none when there is no such end, or it is being closed.
    fn time_left(&self) -> Option<Duration> {
        let Until::Time(until) = self.until else { return None };
        let left = until - self.streams.0.deps.clock.now() + COMMITTED_WITHIN;
        (!self.closing).then(|| left.to_std().unwrap_or_default())
    }

    fn due(&mut self) -> Bytes {
        if self.time_left().is_some_and(|left| left.is_zero()) {
            self.closing = true;
            self.updates.look_again();
            return Bytes::new();
        }
        Bytes::from_static(HEARTBEAT)
    }

    fn told(&mut self, told: Told) -> Bytes {
        let mut bytes = Vec::new();
        let mut sent = 0;
        for update in &told.updates {
            if is_beyond(self.until, update.seq, update.at) {
                self.finish();
                break;
            }
            bytes.extend_from_slice(b"data: ");
            bytes.extend_from_slice(update.json().as_bytes());
            bytes.extend_from_slice(b"\n\n");
            sent += 1;
        }
        metrics::counter!("daybook_order_manager_stream_events_total", "protocol" => "sse").increment(sent);
        let last = until_event(self.until).is_some_and(|last| self.updates.place() >= last);
        if last || (self.closing && told.to_the_present) {
            self.finish();
        }
        bytes.into()
    }

    fn finish(&mut self) {
        if !self.over {
            end::count(End::Complete);
        }
        self.over = true;
    }

    /// The last words, as a comment: what is no event must not look like one.
    fn end(&mut self, why: End) -> Bytes {
        end::count(why);
        self.over = true;
        why.told()
            .map_or_else(Bytes::new, |(_, reason)| format!(": {reason}\n\n").into())
    }
}

fn is_beyond(until: Until, seq: i64, at: Timestamp) -> bool {
    match until {
        Until::Never => false,
        Until::Time(until) => at > until,
        Until::Event(last) => seq > last,
    }
}
