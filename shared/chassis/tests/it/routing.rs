//! What surrounds each request: fallbacks, request ids, metrics.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use chassis::http::RequestId;
use serde_json::{Value, json};

use crate::{app, call, get as get_request};

async fn whoami(RequestId(id): RequestId) -> String {
    json!(id).to_string()
}

fn router() -> Router {
    app(Router::new().route("/whoami/{name}", get(whoami)))
}

/// The id that the handler saw and the one on the answer.
async fn ids_for(sent: &str) -> (String, String) {
    let request = Request::get("/whoami/x")
        .header("x-request-id", sent)
        .body(Body::empty())
        .unwrap();
    let (_, headers, body) = call(router(), request).await;
    (
        body.as_str().unwrap().to_owned(),
        headers["x-request-id"].to_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn an_unknown_path_is_404_and_an_unknown_method_405_in_the_error_body() {
    let (status, headers, body) = call(router(), get_request("/nowhere")).await;
    assert_eq!((status.as_u16(), &body["code"]), (404, &json!(40_410_000)));
    assert!(headers.contains_key("x-request-id"), "errors have their id too");
    let request = Request::delete("/whoami/x").body(Body::empty()).unwrap();
    let (status, headers, body) = call(router(), request).await;
    assert_eq!((status.as_u16(), &body["code"]), (405, &json!(40_510_000)));
    assert_eq!(headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn a_sane_request_id_is_kept() {
    assert_eq!(
        ids_for("order-7/try-2").await,
        ("order-7/try-2".to_owned(), "order-7/try-2".to_owned())
    );
    let longest = "a".repeat(128);
    assert_eq!(ids_for(&longest).await.0, longest);
}

#[tokio::test]
async fn a_request_id_unfit_for_a_log_is_replaced() {
    for sent in ["", "two words", "tab\there", &"a".repeat(129)] {
        let (seen, answered) = ids_for(sent).await;
        assert_eq!(seen, answered);
        assert!(uuid::Uuid::parse_str(&seen).is_ok(), "{sent:?} became {seen}");
    }
}

#[tokio::test]
async fn two_requests_without_an_id_get_different_ones() {
    let one = call(router(), get_request("/whoami/x")).await.2;
    let other = call(router(), get_request("/whoami/x")).await.2;
    assert!(one != other && one != Value::Null);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    chassis::metrics::install();
    let status = call(router(), get_request("/whoami/counted")).await.0;
    assert_eq!(status, StatusCode::OK);
    let _ = call(router(), get_request("/nowhere/in/particular")).await;
    let text = chassis::metrics::render();
    assert!(
        text.contains(r#"daybook_http_requests_total{route="/whoami/{name}",method="GET",status="200"}"#),
        "{text}"
    );
    assert!(
        text.contains(r#"daybook_http_requests_total{route="unmatched",method="GET",status="404"}"#),
        "{text}"
    );
    assert!(!text.contains("particular"), "a path is no label");
}
