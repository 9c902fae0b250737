//! What surrounds each request: its id, its span, its metrics, and the answers when no handler fits.

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tracing::{Instrument, debug, field, info_span, warn};

use super::{ApiError, BODY_LIMIT};
use crate::ids::SharedIds;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id a client may choose for its request.
const LONGEST_ID: usize = 128;

/// The id of the request at hand: the client's own `X-Request-ID` when it is sane, else a new one.
/// It is on the answer, in the span and in every event that the request causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Only a router without `with_defaults` lacks it.
        parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .ok_or_else(ApiError::internal)
    }
}

/// Gives a finished router its 404 and 405 answers, request ids, spans, metrics and the body limit.
///
/// Once, at the very end: two routers that both have fallbacks cannot be merged.
pub fn with_defaults(router: Router, ids: SharedIds) -> Router {
    observed(with_fallbacks(router), ids)
}

/// The 404 and 405 answers alone, for a router that puts layers of its own around them. [`observed`] does the rest.
pub fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
}

/// Request ids, spans, metrics and the body limit, around everything else.
pub fn observed(router: Router, ids: SharedIds) -> Router {
    router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(observe))
        .layer(from_fn_with_state(ids, identify))
}

async fn no_such_path(uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}", uri.path()))
}

async fn no_such_method() -> ApiError {
    ApiError::method_not_allowed()
}

async fn identify(State(ids): State<SharedIds>, mut request: Request, next: Next) -> Response {
    let id = sane_id(request.headers()).unwrap_or_else(|| ids.uuid().to_string());
    let header = HeaderValue::from_str(&id);
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    if let Ok(header) = header {
        response.headers_mut().insert(X_REQUEST_ID, header);
    }
    response
}

/// The client's id, if it can go into logs and headers as it is.
fn sane_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let sane = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    sane.then(|| id.to_owned())
}

async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = method_label(request.method());
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| field::display(id.0.clone()));
    let trace = crate::trace::current().trace_id().map(field::display);
    let span = info_span!(
        "request",
        request.id = id,
        trace.id = trace,
        http.method = method,
        http.route = route
    );
    let begun = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| log_answer(&response, begun));
    measure(route, method, &response, begun);
    response
}

/// A client may invent methods; a label may not grow without bound.
pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn log_answer(response: &Response, begun: Instant) {
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    if response.status().is_server_error() {
        warn!(http.status = status, ?took, "answered {status}");
    } else {
        debug!(http.status = status, ?took, "answered {status}");
    }
}

fn measure(route: String, method: &'static str, response: &Response, begun: Instant) {
    metrics::histogram!("daybook_http_request_seconds", "route" => route.clone(), "method" => method)
        .record(begun.elapsed());
    let status = response.status().as_str().to_owned();
    metrics::counter!("daybook_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
}
