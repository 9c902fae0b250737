//! Readiness: every gate has to be open.

use axum::http::StatusCode;
use chassis::health::{Health, ops_router};
use chassis::shutdown::Shutdown;
use serde_json::json;

use crate::{call, get};

#[tokio::test]
async fn the_process_is_ready_when_the_last_gate_opens() {
    let health = Health::new();
    let (database, venue) = (health.gate("database"), health.gate("venue"));
    database.ready();
    let (status, headers, body) = call(ops_router(health.clone()), get("/readyz")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["retry-after"], "1");
    let expected =
        json!({ "code": 50310000, "message": "not ready: venue (starting)", "not_ready": { "venue": "starting" } });
    assert_eq!(body, expected);
    venue.ready();
    let (status, _, body) = call(ops_router(health.clone()), get("/readyz")).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "status": "ready" })));
    database.not_ready("away");
    assert!(!health.is_ready());
}

#[tokio::test]
async fn a_draining_process_is_alive_but_not_ready() {
    let (health, shutdown) = (Health::new(), Shutdown::new());
    health.follow(&shutdown);
    assert!(health.is_ready());
    shutdown.begin();
    assert_eq!(
        call(ops_router(health.clone()), get("/readyz")).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(call(ops_router(health), get("/livez")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    chassis::metrics::install();
    metrics::counter!("daybook_health_test_total").increment(2);
    let (status, headers, _) = call(ops_router(Health::new()), get("/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(chassis::metrics::render().contains("daybook_health_test_total 2"));
}
