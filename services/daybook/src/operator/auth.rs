//! Who may use the operator's listener: whoever knows the token.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use chassis::http::ApiError;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The longest name of an operator.
const LONGEST_NAME: usize = 64;

/// The token's digest: two of them have one length, so comparing them tells nothing about the token.
#[derive(Clone, Copy)]
pub(super) struct Expected([u8; 32]);

impl Expected {
    pub(super) fn of(token: &SecretString) -> Self {
        Expected(digest(token.expose_secret()))
    }

    fn is(&self, presented: &str) -> bool {
        bool::from(self.0.ct_eq(&digest(presented)))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Lets a request with the token through.
pub(super) async fn check(
    State(expected): State<Expected>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match bearer(request.headers()) {
        Some(presented) if expected.is(presented) => Ok(next.run(request).await),
        Some(_) => Err(ApiError::unauthorized("the token is wrong")),
        None => Err(ApiError::unauthorized(
            "send Authorization: Bearer <DAYBOOK_ADMIN_TOKEN>",
        )),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who acts, for `admin_acts`: what `X-Operator` says, behind a word that tells where it came from.
pub(super) struct Operator(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(name) = parts.headers.get("x-operator") else {
            return Ok(Operator("http".to_owned()));
        };
        let name = name.to_str().unwrap_or_default();
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("X-Operator has 1 to {LONGEST_NAME} printable ASCII characters without blanks");
            return Err(ApiError::parameter(message));
        }
        Ok(Operator(format!("http:{name}")))
    }
}
