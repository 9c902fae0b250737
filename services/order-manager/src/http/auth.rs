//! Who is calling: the two key headers, or the same pair as HTTP Basic.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum_extra::headers::authorization::Basic;
use axum_extra::headers::{Authorization, HeaderMapExt};
use chassis::http::ApiError;
use domain::AccountId;
use identity::AuthError;

use super::database_error;
use crate::app::App;

/// The caller's account. The first extractor of every handler, so that a stranger learns nothing else.
pub(super) struct Caller(pub(super) AccountId);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let KeyHolder(caller) = <KeyHolder as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Caller(caller.account))
    }
}

/// The caller's account and key, for connections that outlive their request.
pub(crate) struct KeyHolder(pub(crate) identity::Caller);

impl FromRequestParts<App> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (key_id, secret) = key_pair(parts).ok_or_else(denied)?;
        match app.keys().authenticate(&key_id, &secret).await {
            Ok(caller) => Ok(KeyHolder(caller)),
            Err(AuthError::Denied) => Err(denied()),
            Err(AuthError::Unavailable(error)) => Err(database_error(error)),
        }
    }
}

/// Nobody, where the request names no key and may name one later. A wrong one is refused.
impl OptionalFromRequestParts<App> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, ApiError> {
        if key_pair(parts).is_none() {
            return Ok(None);
        }
        <Self as FromRequestParts<App>>::from_request_parts(parts, app)
            .await
            .map(Some)
    }
}

/// The same words whatever was wrong: missing, unknown, wrong secret, revoked.
fn denied() -> ApiError {
    metrics::counter!("daybook_order_manager_denied_total").increment(1);
    ApiError::unauthorized("request is not authorized")
}

fn key_pair(parts: &Parts) -> Option<(String, String)> {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    match (header("apca-api-key-id"), header("apca-api-secret-key")) {
        (Some(key_id), Some(secret)) => Some((key_id, secret)),
        _ => {
            let Authorization(basic) = parts.headers.typed_get::<Authorization<Basic>>()?;
            Some((basic.username().to_owned(), basic.password().to_owned()))
        }
    }
}
