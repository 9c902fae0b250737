//! The one key pair of the omnibus account.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chassis::http::ApiError;

use super::App;

/// Lets calls with the key pair through.
pub(super) async fn require_keys(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    if app.keys.opens(
        header(&request, "apca-api-key-id"),
        header(&request, "apca-api-secret-key"),
    ) {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::unauthorized("the key pair is missing or wrong"))
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
