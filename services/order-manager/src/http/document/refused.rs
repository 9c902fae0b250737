//! Answers that refuse, for the annotations of the handlers: each is a status with the codes it can have.

use std::collections::BTreeMap;

use chassis::http::ApiError;
use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::{AllOfBuilder, Content, ObjectBuilder, Ref, RefOr, Response, Type};

use super::headers;

macro_rules! refusals {
    ($(#[doc = $doc:literal] $name:ident = [$($made:expr),+];)*) => {
        $(
            #[doc = $doc]
            pub(crate) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    let status = [$($made),+][0].status.as_str().to_owned();
                    BTreeMap::from([(status, named(stringify!($name)))])
                }
            }
        )*

        /// All of them by name, for the document's components.
        pub(super) fn all() -> BTreeMap<String, RefOr<Response>> {
            BTreeMap::from([$((stringify!($name).to_owned(), refusal($doc, &[$($made),+]).into())),*])
        }
    };
}

refusals! {
    /// The body is no JSON.
    NoJson = [ApiError::bad_json()];
    /// A setting cannot have this value, or the body is no JSON.
    NoSuchValue = [ApiError::bad_json()];
    /// The request is no WebSocket handshake.
    NoHandshake = [ApiError::bad_json()];
    /// No key, an unknown or revoked one, or a wrong secret: nobody is told which.
    Unauthorized = [ApiError::unauthorized("")];
    /// Understood, and not allowed for this account now: money, shares, limits, blocks.
    Forbidden = [ApiError::forbidden("")];
    /// There is no such thing, or it is another account's.
    NotFound = [ApiError::not_found("")];
    /// The path has other methods.
    MethodNotAllowed = [ApiError::method_not_allowed()];
    /// The body is larger than any request needs.
    TooLarge = [ApiError::body_too_large()];
    /// A parameter is malformed, missing or contradicts another.
    Malformed = [ApiError::parameter("")];
    /// A parameter is malformed, missing or contradicts another (40010001), or a rule says no (42210000).
    MalformedOrAgainstRules = [ApiError::parameter(""), ApiError::rule("")];
    /// Too many requests, too many cancels in a symbol for what trades there, or too many sockets that say not who they are.
    RateLimited = [ApiError::rate_limited(1)];
    /// A defect of ours. An order may exist: look it up by its client_order_id.
    Internal = [ApiError::internal()];
    /// Not now: starting, stopping, full, or the database is away. An order may exist if the message says so.
    Unavailable = [ApiError::unavailable("", 1)];
}

/// What every operation can answer.
pub(super) fn always() -> impl Iterator<Item = (String, RefOr<Response>)> {
    let refusals = [
        Unauthorized::responses(),
        MethodNotAllowed::responses(),
        RateLimited::responses(),
        Internal::responses(),
        Unavailable::responses(),
    ];
    refusals.into_iter().flatten()
}

/// A reference to one of them.
fn named(name: &str) -> RefOr<Response> {
    RefOr::Ref(Ref::new(format!("#/components/responses/{name}")))
}

fn refusal(says: &str, made: &[ApiError]) -> Response {
    let codes = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(made.iter().map(|error| json!(error.code))));
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("code", codes));
    let mut answer = Response::new(says.trim());
    answer
        .content
        .insert("application/json".to_owned(), Content::new(Some(body)).into());
    headers::told_with(&mut answer);
    if made.iter().any(|error| error.retry_after.is_some()) {
        headers::tell(&mut answer, headers::RETRY_AFTER);
    }
    if made.iter().any(|error| error.status == 405) {
        headers::tell(&mut answer, headers::ALLOW);
    }
    answer
}
