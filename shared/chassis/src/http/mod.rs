//! HTTP as every router of the product speaks it.
//!
//! Each error on each path has the body `{"code": <integer>, "message": "<text>", <context>}`; bodies are
//! read as JSON whatever the `Content-Type` says (two of the published SDKs send none); a request id goes
//! from the answer to the log and back.
//!
//! A router is built from plain handlers and these extractors, merged with its neighbours, and then given
//! [`with_defaults`] once.

mod error;
mod extract;
mod middleware;
mod serve;
mod traced;

pub use error::ApiError;
pub use extract::{BODY_LIMIT, JsonBody, Path, Query};
pub use middleware::{RequestId, observed, with_defaults, with_fallbacks};
pub use serve::{Patience, serve, serve_with};
pub use traced::traced;
