//! Who is calling: the two key headers, or the same pair as HTTP Basic.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum_extra::headers::authorization::Basic;
use axum_extra::headers::{Authorization, HeaderMapExt};
use chassis::http::ApiError;
use domain::AccountId;

use crate::app::App;
use crate::limits::sign_in::Pair;

/// What the layer in front of the routes found out about who calls, in the request's extensions.
#[derive(Debug, Clone)]
pub(super) struct Presented(pub(super) Result<identity::Caller, ApiError>);

/// The caller's account. The first extractor of every handler, so that a stranger learns nothing else.
pub(super) struct Caller(pub(super) AccountId);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        presented(parts)?
            .map(|caller| Caller(caller.account))
            .ok_or_else(denied)
    }
}

/// The caller's account and key, for connections that outlive their request.
pub(crate) struct KeyHolder(pub(crate) identity::Caller);

impl FromRequestParts<App> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        presented(parts)?.map(KeyHolder).ok_or_else(denied)
    }
}

/// Nobody, where the request names no key and may name one later. A wrong one is refused.
impl OptionalFromRequestParts<App> for KeyHolder {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Option<Self>, ApiError> {
        Ok(presented(parts)?.map(KeyHolder))
    }
}

/// Who shows a key, if anybody does.
fn presented(parts: &Parts) -> Result<Option<identity::Caller>, ApiError> {
    let presented = parts.extensions.get::<Presented>().cloned();
    presented.map(|Presented(outcome)| outcome).transpose()
}

/// The same words whatever was wrong: missing, unknown, wrong secret, revoked.
pub(super) const DENIED: &str = "request is not authorized";

/// What a stranger is told.
pub(super) fn denied() -> ApiError {
    metrics::counter!("daybook_order_manager_denied_total").increment(1);
    ApiError::unauthorized(DENIED)
}

/// The pair that a request shows, whatever it is worth.
pub(super) fn key_pair(headers: &HeaderMap) -> Option<Pair> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    match (header("apca-api-key-id"), header("apca-api-secret-key")) {
        (Some(key_id), Some(secret)) => Some(Pair { key_id, secret }),
        _ => {
            let Authorization(basic) = headers.typed_get::<Authorization<Basic>>()?;
            Some(Pair {
                key_id: basic.username().to_owned(),
                secret: basic.password().to_owned(),
            })
        }
    }
}
