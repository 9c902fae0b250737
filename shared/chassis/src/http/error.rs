//! The one error a client reads.
//!
//! The first three digits of a code are the status class it stems from, except that malformed parameters
//! are status 422 with code 40010001: the dialect that clients know.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// Longest message: it may quote what the client sent.
const MESSAGE_CHARS: usize = 400;

/// What a client is told. Causes go to the log, never in here.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{status}, {code}: {message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The number a client can branch on.
    pub code: u32,
    /// What to change, in words.
    pub message: String,
    /// More keys of the body, e.g. `buying_power`.
    pub context: Map<String, Value>,
    /// Seconds for the header `Retry-After`.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// Any status and code; the constructors below are the ones in use.
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        ApiError {
            status,
            code,
            message: shortened(message.into()),
            context: Map::new(),
            retry_after: None,
        }
    }

    /// 400: the body is not JSON.
    pub fn bad_json() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 40_010_000, "request body format is invalid")
    }

    /// 401: missing or wrong key.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 40_110_000, message)
    }

    /// 403: understood, and not allowed for this account now (money, shares, blocks).
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, 40_310_000, message)
    }

    /// 404: no such thing, or not this caller's.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, 40_410_000, message)
    }

    /// 405: the path exists, not with this method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            40_510_000,
            "method is not offered on this path",
        )
    }

    /// 413: more body than any request of this API needs.
    pub fn body_too_large() -> Self {
        let limit = super::BODY_LIMIT / 1024;
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            41_310_000,
            format!("request body is larger than {limit} KiB"),
        )
    }

    /// 422: a parameter is malformed, missing or contradicts another.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, 40_010_001, message)
    }

    /// 422: the parameters are fine, a rule says no.
    pub fn rule(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, 42_210_000, message)
    }

    /// 429: too many requests; the next one in so many seconds.
    pub fn rate_limited(retry_after: u64) -> Self {
        ApiError {
            retry_after: Some(retry_after.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, 42_910_000, "rate limit exceeded")
        }
    }

    /// 500: our fault. Log the cause where this is made; the client learns nothing of it.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 50_010_000, "internal server error")
    }

    /// 503: not now. Nothing was stored, or the client looks it up by its own id.
    pub fn unavailable(message: impl Into<String>, retry_after: u64) -> Self {
        ApiError {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, 50_310_000, message)
        }
    }

    /// Adds a key to the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// The body as it is sent; also what stands in an entry of a 207 answer.
    pub fn body(&self) -> Value {
        let mut body = self.context.clone();
        body.insert("code".to_owned(), self.code.into());
        body.insert("message".to_owned(), self.message.clone().into());
        Value::Object(body)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_has_code_message_and_context() {
        let error = ApiError::forbidden("insufficient buying power").with("buying_power", "10.00");
        let expected = json!({ "code": 40310000, "message": "insufficient buying power", "buying_power": "10.00" });
        assert_eq!(error.body(), expected);
    }

    #[test]
    fn context_never_hides_code_or_message() {
        let body = ApiError::internal().with("code", 1).with("message", "x").body();
        assert_eq!(body, json!({ "code": 50010000, "message": "internal server error" }));
    }

    #[test]
    fn a_quoted_novel_is_cut_between_characters() {
        let error = ApiError::parameter("é".repeat(10_000));
        assert_eq!(error.message.chars().count(), MESSAGE_CHARS + 1);
    }

    #[test]
    fn waiting_time_is_a_header() {
        let response = ApiError::unavailable("starting", 3).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
    }
}
