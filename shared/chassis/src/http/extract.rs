//! Extractors whose every refusal is an [`ApiError`] that says what to change.

use std::collections::HashSet;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::ApiError;

/// Largest request body.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How much of a body that is too large is read and thrown away, so that the client gets to read the
/// answer: a client still sending into a closed connection sees a reset instead of the 413.
const DISCARD_LIMIT: usize = 8 * 1024 * 1024;

/// The body as JSON, whatever the `Content-Type` says. It has to be an object, as every body of this API is.
///
/// Refuses with 400 what is not JSON, with 422 and the field's name what has the wrong shape.
#[derive(Debug, Clone, Copy)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        parse(&read_body(request).await?).map(JsonBody)
    }
}

/// The query as `T`. A key that is given twice is refused with 422, unless its field is a list.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum_extra::extract::Query::from_request_parts(parts, state).await {
            Ok(axum_extra::extract::Query(query)) => Ok(Query(query)),
            Err(refusal) => Err(explain_query(&parts.uri, &refusal.body_text())),
        }
    }
}

/// The parameters of the path as `T`; what does not parse is refused with 422.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Path(path)),
            Err(PathRejection::FailedToDeserializePathParams(why)) if why.status().is_client_error() => Err(
                ApiError::parameter(format!("invalid path: {}", after_colon(&why.body_text()))),
            ),
            Err(why) => {
                tracing::error!(%why, path = %parts.uri.path(), "a handler and its route do not fit");
                Err(ApiError::internal())
            }
        }
    }
}

/// The whole body, or 413.
async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    if is_announced_too_large(request.headers()) {
        return Err(ApiError::body_too_large());
    }
    let mut read = BytesMut::new();
    let mut parts = Body::into_data_stream(request.into_body());
    while let Some(part) = parts.next().await {
        // A body that breaks off is no JSON; the client is most likely gone anyway.
        let part = part.map_err(|_| ApiError::bad_json())?;
        if read.len() + part.len() > BODY_LIMIT {
            discard(parts).await;
            return Err(ApiError::body_too_large());
        }
        read.extend_from_slice(&part);
    }
    Ok(read.freeze())
}

/// A client that asks first (`Expect: 100-continue`) is told before it sends anything.
fn is_announced_too_large(headers: &HeaderMap) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    headers.contains_key(EXPECT) && length.is_some_and(|length| length > BODY_LIMIT)
}

async fn discard(mut parts: axum::body::BodyDataStream) {
    let mut thrown_away = 0;
    while let Some(Ok(part)) = parts.next().await {
        thrown_away += part.len();
        if thrown_away > DISCARD_LIMIT {
            return;
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // serde would take `["AAPL", 1]` for an object with its fields in order.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let parsed = if is_object {
        axum::Json::<T>::from_bytes(body)
    } else {
        return Err(explain_no_object(body));
    };
    match parsed {
        Ok(axum::Json(value)) => Ok(value),
        // serde stops at the first wrong field: what comes after it may still be no JSON.
        Err(JsonRejection::JsonDataError(why)) if is_json(body) => {
            Err(ApiError::parameter(field_and_fault(&why.body_text())))
        }
        Err(_) => Err(ApiError::bad_json()),
    }
}

fn explain_no_object(body: &[u8]) -> ApiError {
    if is_json(body) {
        ApiError::parameter("request body must be a JSON object")
    } else {
        ApiError::bad_json()
    }
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// From "Failed to …: qty: invalid type: …, expected … at line 1 column 9" the part a client can use.
fn field_and_fault(text: &str) -> String {
    let text = after_colon(text);
    text.rsplit_once(" at line ")
        .map_or(text, |(fault, _)| fault)
        .to_owned()
}

fn after_colon(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(_, rest)| rest)
}

fn explain_query(uri: &Uri, text: &str) -> ApiError {
    match first_repeated_key(uri) {
        Some(key) => ApiError::parameter(format!("query parameter {key} is given more than once")),
        None => ApiError::parameter(format!("invalid query: {}", after_colon(text))),
    }
}

fn first_repeated_key(uri: &Uri) -> Option<String> {
    let pairs = axum_extra::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut seen = HashSet::new();
    pairs
        .0
        .into_iter()
        .map(|(key, _)| key)
        .find(|key| !seen.insert(key.clone()))
}
