//! What each refusal looks like to a client, and what a client can do about it.
//!
//! | module       | what                                                                                          |
//! |--------------|-----------------------------------------------------------------------------------------------|
//! | `verdicts`   | one match for each kind of error, without a catch-all: a new variant has to be given its place  |
//! | `operations` | likewise, where it can be met                                                                   |
//! | `samples`    | every refusal at least once; a test finds the variant that is missing                           |
//! | `sections`   | all of that together, for the page and for the document of the wire                             |
//! | `page`       | `docs/refusals.md`                                                                              |

mod operations;
mod page;
mod samples;
mod sections;
mod verdicts;

use std::fmt::Display;

use axum::http::StatusCode;
use chassis::http::ApiError;
use db::DbError;
use serde_json::Value;
use strum::EnumMessage;
use tracing::{error, warn};

use crate::error::{CancelError, CloseError, ConfigureError, PlaceOrderError, ReadError, ReplaceError, StreamError};

pub(super) use operations::At;
pub use page::refusals;
pub(super) use sections::Sample;

/// Which status and code a refusal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// 400 like what is no JSON, not 422 like elsewhere: the clients that meet it know only that.
    Value,
    /// 422, the request is wrong.
    Parameter,
    /// 422, the request is right and a rule says no.
    Rule,
    /// 403, not for this account now.
    Forbidden,
    /// 404.
    NotFound,
    /// 429, again in so many seconds.
    Limited(u64),
    /// 503, again in so many seconds.
    Later(u64),
    /// 500.
    Internal,
}

impl Kind {
    fn told(self, message: String) -> ApiError {
        match self {
            Self::Value => ApiError::new(StatusCode::BAD_REQUEST, 40_010_000, message),
            Self::Parameter => ApiError::parameter(message),
            Self::Rule => ApiError::rule(message),
            Self::Forbidden => ApiError::forbidden(message),
            Self::NotFound => ApiError::not_found(message),
            Self::Limited(seconds) => ApiError::rate_limited(seconds),
            Self::Later(seconds) => ApiError::unavailable(message, seconds),
            Self::Internal => ApiError::internal(),
        }
    }
}

/// An error as a client gets to know it.
trait Refusal: Display + EnumMessage {
    /// Its kind, and what the client can do.
    fn verdict(&self) -> (Kind, &'static str);

    /// When it happens: what its variant says of itself.
    fn when(&self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// More keys of the body.
    fn context(&self) -> Vec<(&'static str, Value)> {
        vec![]
    }
}

macro_rules! told_to_clients {
    ($($refusal:ty),+) => {$(
        impl From<$refusal> for ApiError {
            fn from(refusal: $refusal) -> Self {
                told(&refusal)
            }
        }
    )+};
}

told_to_clients!(
    CancelError,
    CloseError,
    ConfigureError,
    PlaceOrderError,
    ReadError,
    ReplaceError,
    StreamError
);

fn told(refusal: &impl Refusal) -> ApiError {
    let (kind, _) = refusal.verdict();
    let bare = kind.told(refusal.to_string());
    let context = refusal.context().into_iter();
    context.fold(bare, |error, (key, value)| error.with(key, value))
}

/// Every refusal, in the order of the page.
pub(super) fn all() -> impl Iterator<Item = Sample> {
    sections::sections().into_iter().flat_map(|section| section.samples)
}

/// A read that failed: 503 when it may pass, else 500 with its cause in the log.
pub(crate) fn database_error(cause: DbError) -> ApiError {
    if cause.is_transient() {
        warn!(error = %cause, "a read failed: {cause}");
        return ReadError::Unavailable.into();
    }
    error!(error = %cause, "a read failed: {cause}");
    ReadError::Internal.into()
}

/// An error as an entry of a 207 answer.
pub(super) fn entry(error: ApiError) -> wire::rest::ErrorBody {
    wire::rest::ErrorBody {
        code: i64::from(error.code),
        message: error.message,
        context: error.context,
    }
}
