//! What clients send wrong, and what they are told.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use chassis::http::{JsonBody, Path, Query};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{app, call, get as get_request};

#[derive(Deserialize)]
struct Parcel {
    label: String,
    #[serde(default)]
    weight: Option<u32>,
    #[serde(default)]
    to: Option<Address>,
}

#[derive(Deserialize)]
struct Address {
    city: String,
}

#[derive(Deserialize)]
struct Filter {
    limit: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

async fn send(JsonBody(parcel): JsonBody<Parcel>) -> String {
    let city = parcel.to.map(|to| to.city).unwrap_or_default();
    json!([parcel.label, parcel.weight, city]).to_string()
}

async fn list(Query(filter): Query<Filter>) -> String {
    json!([filter.limit, filter.tag]).to_string()
}

async fn one(Path(id): Path<Uuid>) -> String {
    json!(id).to_string()
}

fn router() -> Router {
    app(Router::new()
        .route("/parcels", post(send).get(list))
        .route("/parcels/{id}", get(one)))
}

async fn post_body(body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/parcels").body(body.into()).unwrap();
    let (status, _, body) = call(router(), request).await;
    (status, body)
}

async fn refusal(body: &str) -> (u16, u64, String) {
    let (status, body) = post_body(body.to_owned()).await;
    (
        status.as_u16(),
        body["code"].as_u64().unwrap(),
        body["message"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_body_is_json_whatever_its_content_type_says() {
    for content_type in [
        "",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
    ] {
        let request = Request::post("/parcels").header("content-type", content_type);
        let (status, _, body) = call(router(), request.body(r#"{"label":"a","weight":3}"#.into()).unwrap()).await;
        assert_eq!((status, body), (StatusCode::OK, json!(["a", 3, ""])), "{content_type}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_400() {
    for body in [
        "",
        " ",
        "{",
        "{\"label\":",
        "label=a",
        "{\"label\":NaN}",
        "{\"label\":\"a\"} x",
        "{'label':'a'}",
        "\u{feff}{}",
    ] {
        assert_eq!(
            refusal(body).await,
            (400, 40_010_000, "request body format is invalid".to_owned()),
            "{body}"
        );
    }
    let (status, _) = post_body(vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "invalid UTF-8");
    // The first field has the wrong shape, and yet the whole is no JSON.
    assert_eq!(refusal(r#"{"label": 1, "#).await.0, 400);
}

#[tokio::test]
async fn a_field_of_the_wrong_shape_is_422_and_named() {
    for (body, named) in [
        (r#"{"label":"a","weight":"heavy"}"#, "weight"),
        (r#"{"label":"a","weight":-1}"#, "weight"),
        (r#"{"label":"a","weight":4294967296}"#, "weight"),
        (r#"{"label":"a","to":{"city":7}}"#, "to.city"),
        (r#"{"weight":1}"#, "label"),
        (r#"{"label":"a","label":"b"}"#, "label"),
    ] {
        let (status, code, message) = refusal(body).await;
        assert_eq!((status, code), (422, 40_010_001), "{body}");
        assert!(
            message.contains(named) && !message.contains("at line"),
            "{body}: {message}"
        );
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_422() {
    for body in ["[]", r#"["a", 1]"#, "1", "null", r#""a""#] {
        let (status, code, message) = refusal(body).await;
        assert_eq!(
            (status, code, &*message),
            (422, 40_010_001, "request body must be a JSON object"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_413_and_one_below_is_read() {
    let (status, body) = post_body(format!(r#"{{"label":"{}"}}"#, "a".repeat(70_000))).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!(41_310_000))
    );
    let (status, _) = post_body(format!(r#"{{"label":"{}"}}"#, "a".repeat(65_000))).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_long_word_is_not_echoed_in_full() {
    let (_, _, message) = refusal(&format!(r#"{{"label":"a","weight":"{}"}}"#, "x".repeat(10_000))).await;
    assert!(message.chars().count() < 500);
}

#[tokio::test]
async fn a_repeated_key_is_a_list_or_a_mistake() {
    let (status, _, body) = call(router(), get_request("/parcels?tag=a&tag=b&limit=5&limits=1&limits=2")).await;
    assert_eq!((status, body), (StatusCode::OK, json!([5, ["a", "b"]])));
    let (status, _, body) = call(router(), get_request("/parcels?limit=5&lim%69t=6")).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!(40_010_001)));
    assert_eq!(body["message"], "query parameter limit is given more than once");
}

#[tokio::test]
async fn a_query_value_of_the_wrong_shape_is_422_and_named() {
    let (status, _, body) = call(router(), get_request("/parcels?limit=many")).await;
    assert_eq!((status.as_u16(), &body["code"]), (422, &json!(40_010_001)));
    assert!(body["message"].as_str().unwrap().contains("limit"), "{body}");
}

#[tokio::test]
async fn ids_in_paths_come_with_and_without_hyphens() {
    let id = "786ba1f2-557a-41f6-8b9d-0299e11fdb69";
    for written in [id.to_owned(), id.replace('-', "")] {
        let (status, _, body) = call(router(), get_request(&format!("/parcels/{written}"))).await;
        assert_eq!((status, body), (StatusCode::OK, json!(id)));
    }
    for wrong in ["x", "..%2f", "%ff", "786ba1f2"] {
        let (status, _, body) = call(router(), get_request(&format!("/parcels/{wrong}"))).await;
        assert_eq!((status.as_u16(), &body["code"]), (422, &json!(40_010_001)), "{wrong}");
    }
}
