//! Exchanges that are left alone, by themselves or by an operator.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::http::{ApiError, JsonBody, Path};
use serde::Deserialize;
use serde_json::Value;

use super::auth::Operator;
use super::routes::{Answer, Refused};
use crate::admin::Desk;
use crate::admin::venue::{self, VenueError};

impl From<VenueError> for Refused {
    fn from(error: VenueError) -> Self {
        let message = error.to_string();
        match error {
            VenueError::Unknown(_) => ApiError::not_found(message).into(),
            VenueError::Reason(_) => ApiError::parameter(message).into(),
            VenueError::Db(error) => error.into(),
        }
    }
}

pub(super) async fn list(State(at): State<Desk>) -> Answer<Vec<Value>> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(venue::list(&mut conn).await?))
}

/// Why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonBody {
    reason: String,
}

pub(super) async fn open(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(venue): Path<String>,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<StatusCode, Refused> {
    at.seat(who).open_venue(&venue, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn close(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(venue): Path<String>,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<StatusCode, Refused> {
    at.seat(who).close_venue(&venue, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
