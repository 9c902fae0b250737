//! A span around each request, in the trace that its headers name. Outermost, so that everything else runs within it.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use super::middleware::{X_REQUEST_ID, method_label};
use crate::trace::Tracer;

/// What machines ask every few seconds is no request of anybody.
const NOBODYS: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Puts spans around a finished router. Without a tracer that is on it is the router as it was.
pub fn traced(router: Router, tracer: Tracer) -> Router {
    if !tracer.is_on() {
        return router;
    }
    router.layer(from_fn_with_state(tracer, around))
}

async fn around(State(tracer): State<Tracer>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    if route.is_some_and(|route| NOBODYS.contains(&route)) {
        return next.run(request).await;
    }
    let method = method_label(request.method());
    // Names are counted by whoever stores them: never a path that a client invented.
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let span = tracer.accept(name, request.headers());
    span.set("http.request.method", method);
    if let Some(route) = route {
        span.set("http.route", route.to_owned());
    }
    let response = span.clone().run(next.run(request)).await;
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.canonical_reason().unwrap_or("a server error"));
    }
    let id = response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    if let Some(id) = id {
        span.set("daybook.request.id", id.to_owned());
    }
    response
}
