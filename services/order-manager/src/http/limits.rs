//! In front of every route: measures the request, finds out who calls, and tells on every answer what is left.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chassis::http::ApiError;
use identity::limits::Class;
use ipnet::IpNet;

use super::auth::{Presented, denied, key_pair};
use super::database_error;
use crate::app::App;
use crate::limits::meter::Measured;
use crate::limits::sign_in::{Pair, Refused};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Where a request comes from that no listener took.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where the request came from, proxies that are trusted apart; for handlers that sign in by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CameFrom(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<CameFrom>().copied();
        Ok(known.unwrap_or(CameFrom(NOWHERE)))
    }
}

/// The layer: 429, or the handler with who calls in the request's extensions.
pub(super) async fn measure(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let class = class(request.method(), request.uri().path());
    let from = came_from(&request, &app.entrance().meter().settings().trusted_proxies);
    request.extensions_mut().insert(CameFrom(from));
    match key_pair(request.headers()) {
        Some(pair) => with_pair(&app, pair, class, from, request, next).await,
        None => without(&app, class, from, request, next).await,
    }
}

async fn with_pair(app: &App, pair: Pair, class: Class, from: IpAddr, mut request: Request, next: Next) -> Response {
    let signed_in = app.entrance().sign_in(&pair, class, from).await;
    let (measured, mut lane) = (signed_in.measured, None);
    let presented = match signed_in.outcome {
        Ok(caller) => {
            if !measured.passes() {
                metrics::counter!("daybook_order_manager_cancels_slowed_total").increment(1);
                lane = Some(app.entrance().lane(&caller).await);
            }
            Ok(caller)
        }
        Err(Refused::Limited) => return too_many(class, &measured),
        Err(Refused::Denied) => Err(denied()),
        Err(Refused::Unavailable(error)) => Err(database_error(error)),
    };
    request.extensions_mut().insert(Presented(presented));
    let answer = next.run(request).await;
    drop(lane);
    stamped(answer, &measured)
}

/// Without a key there is little to see. What turns out to be nobody's business is charged as a stranger's.
async fn without(app: &App, class: Class, from: IpAddr, request: Request, next: Next) -> Response {
    let meter = app.entrance().meter();
    let stranger = meter.stranger(from);
    if !stranger.passes() {
        return too_many(class, &stranger);
    }
    // A stream that says later who it is: it counts then, and there is only so much room for those who have not.
    let measured = if class == Class::Stream {
        stranger
    } else {
        meter.nobody(from)
    };
    if !measured.passes() {
        return too_many(class, &measured);
    }
    let answer = next.run(request).await;
    let is_nobodys = matches!(
        answer.status(),
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    );
    let measured = if is_nobodys {
        meter.turned_away(None, "", from)
    } else {
        measured
    };
    stamped(answer, &measured)
}

fn too_many(class: Class, measured: &Measured) -> Response {
    metrics::counter!(
        "daybook_order_manager_limited_total", "class" => class.as_str(), "by" => measured.by.as_str()
    )
    .increment(1);
    let wait = measured.standing.wait.unwrap_or(0);
    let answer = ApiError::rate_limited(seconds(wait)).into_response();
    stamped(answer, measured)
}

fn stamped(mut answer: Response, measured: &Measured) -> Response {
    let standing = &measured.standing;
    let headers = answer.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(seconds(standing.full_at)));
    answer
}

/// Whole seconds, rounded up: who waits as long as told waits long enough.
fn seconds(microseconds: i64) -> u64 {
    u64::try_from(microseconds).unwrap_or(0).div_ceil(1_000_000)
}

/// Which bucket a request takes from.
fn class(method: &Method, path: &str) -> Class {
    let is_order = |path: &str| path == "/v2/orders" || path.starts_with("/v2/orders/");
    match *method {
        Method::DELETE if is_order(path) => Class::Cancel,
        Method::POST | Method::PATCH | Method::PUT | Method::DELETE => Class::OrderEntry,
        _ if path == "/stream" || path.starts_with("/v2/events/") => Class::Stream,
        _ => Class::Read,
    }
}

/// The other end of the connection; behind a proxy that is trusted the last address that such a proxy did not add.
fn came_from(request: &Request, trusted: &[IpNet]) -> IpAddr {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(NOWHERE, |ConnectInfo(peer)| peer.ip());
    behind_proxies(peer.to_canonical(), request.headers(), trusted)
}

fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut from = peer;
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .map(|line| line.to_str().unwrap_or(""))
        .collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    // Each trusted proxy vouches for the address before it; what stands farther left anybody may have written.
    while is_trusted(&from) {
        let Some(before) = hops.next().and_then(address) else {
            break;
        };
        from = before;
    }
    from
}

/// `1.2.3.4`, `1.2.3.4:5678`, `::1` or `[::1]:5678`.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let parsed = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    parsed.or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsk_8_cancels_are_a_class_of_their_own() {
        let delete = |path| class(&Method::DELETE, path);
        assert_eq!(delete("/v2/orders"), Class::Cancel);
        assert_eq!(delete("/v2/orders/786ba1f2557a41f68b9d0299e11fdb69"), Class::Cancel);
        assert_eq!(delete("/v2/positions/AAPL"), Class::OrderEntry, "it places an order");
        assert_eq!(class(&Method::POST, "/v2/orders"), Class::OrderEntry);
        assert_eq!(class(&Method::PATCH, "/v2/orders/1"), Class::OrderEntry);
        assert_eq!(class(&Method::GET, "/v2/orders"), Class::Read);
        assert_eq!(class(&Method::GET, "/v2/orders:by_client_order_id"), Class::Read);
        assert_eq!(class(&Method::GET, "/stream"), Class::Stream);
        assert_eq!(class(&Method::GET, "/v2/events/trades"), Class::Stream);
    }

    #[test]
    fn rsk_7_an_address_is_believed_only_from_a_trusted_proxy() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"]
            .map(|net| net.parse().expect("a net"))
            .to_vec();
        let from = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().expect("a header"));
            }
            behind_proxies(peer.parse().expect("an address"), &headers, &trusted).to_string()
        };
        assert_eq!(from("192.0.2.1", &["198.51.100.9"]), "192.0.2.1", "not a proxy of ours");
        assert_eq!(from("10.0.0.1", &["198.51.100.9"]), "198.51.100.9");
        assert_eq!(
            from("10.0.0.1", &["203.0.113.5, 198.51.100.9, 10.0.0.2"]),
            "198.51.100.9",
            "what stands before it the client may have made up"
        );
        assert_eq!(from("10.0.0.1", &["203.0.113.5", "198.51.100.9:4711"]), "198.51.100.9");
        assert_eq!(from("::1", &["[2001:db8::7]:80"]), "2001:db8::7");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["nonsense"]), "10.0.0.1");
    }

    #[test]
    fn seconds_to_wait_are_rounded_up() {
        assert_eq!([0, 1, 1_000_000, 1_000_001].map(seconds), [0, 1, 1, 2]);
    }
}
