//! The process plumbing from outside: real tasks, real sockets, child processes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod batch;
mod extractors;
mod health;
mod process;
mod routing;
mod serving;
mod shutdown;
mod step;
mod tracing;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use chassis::clock::SystemClock;
use chassis::http::with_defaults;
use chassis::ids::SystemIds;
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

/// A router with the defaults around it.
fn app(router: Router) -> Router {
    with_defaults(router, Arc::new(SystemIds::new(Arc::new(SystemClock))))
}

/// Sends one request straight into the router; the body comes back as JSON, or null when there is none.
async fn call(router: Router, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    (
        head.status,
        head.headers,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}
