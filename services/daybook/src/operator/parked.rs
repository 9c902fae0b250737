//! Messages that could not be handled.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, JsonBody, Path, Query};
use domain::OrderId;
use serde::Deserialize;
use uuid::Uuid;

use super::auth::Operator;
use super::routes::{Answer, Refused, limit};
use crate::admin::Desk;
use crate::admin::parked::{self, Discard, Outcome, ParkedError, ParkedView};

impl From<ParkedError> for Refused {
    fn from(error: ParkedError) -> Self {
        let message = error.to_string();
        match error {
            ParkedError::Nothing(_) => ApiError::not_found(message).into(),
            ParkedError::WhichGroup(..) | ParkedError::Reason(_) => ApiError::parameter(message).into(),
            ParkedError::Underway(_) => ApiError::rule(message).into(),
            ParkedError::Bus(bus::BusError::Db(error)) | ParkedError::Db(error) => error.into(),
            ParkedError::Bus(error) => {
                tracing::error!(%error, "an operator's request failed");
                ApiError::internal().into()
            }
        }
    }
}

/// How many.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    limit: Option<i64>,
}

pub(super) async fn list(State(at): State<Desk>, Query(page): Query<ListQuery>) -> Answer<Vec<ParkedView>> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(parked::list(&mut conn, None, limit(page.limit)?).await?))
}

pub(super) async fn of_order(
    State(at): State<Desk>,
    Path(order): Path<Uuid>,
    Query(page): Query<ListQuery>,
) -> Answer<Vec<ParkedView>> {
    let (order, limit) = (OrderId::new(order), limit(page.limit)?);
    let mut conn = at.pool().acquire().await?;
    let found = parked::list(&mut conn, Some(order), limit).await?;
    if found.is_empty() {
        return Err(ParkedError::Nothing(order).into());
    }
    Ok(Json(found))
}

/// Whose messages are to be handled again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequeueBody {
    #[serde(default)]
    group: Option<String>,
}

pub(super) async fn requeue(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(order): Path<Uuid>,
    JsonBody(body): JsonBody<RequeueBody>,
) -> Answer<Outcome> {
    let (desk, group) = (at.seat(who), body.group.as_deref());
    Ok(Json(desk.requeue_parked(OrderId::new(order), group).await?))
}

/// What is thrown away, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscardBody {
    reason: String,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    all: bool,
}

pub(super) async fn discard(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(order): Path<Uuid>,
    JsonBody(body): JsonBody<DiscardBody>,
) -> Answer<Outcome> {
    let which = if body.all { Discard::All } else { Discard::First };
    let (desk, group) = (at.seat(who), body.group.as_deref());
    let outcome = desk.discard_parked(OrderId::new(order), group, which, &body.reason);
    Ok(Json(outcome.await?))
}
