//! Handlers for positions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::http::{ApiError, Path, Query, RequestId};
use serde::Deserialize;
use tracing::info;
use wire::rest::{CloseBody, CloseResult, Order, Position};

use super::auth::Caller;
use super::error;
use super::orders::request_id;
use crate::app::App;
use crate::close::CloseQuery;
use crate::{present, query};

/// `GET /v2/positions`.
pub(super) async fn list(State(app): State<App>, Caller(account): Caller) -> Result<Json<Vec<Position>>, ApiError> {
    let mut conn = app.connection().await?;
    query::positions(&mut conn, account, app.market()).await.map(Json)
}

/// `GET /v2/positions/{symbol_or_asset_id}`.
pub(super) async fn one(
    State(app): State<App>,
    Caller(account): Caller,
    Path(text): Path<String>,
) -> Result<Json<Position>, ApiError> {
    let mut conn = app.connection().await?;
    query::position(&mut conn, account, app.market(), &text).await.map(Json)
}

/// `DELETE /v2/positions/{symbol_or_asset_id}`: sells it, or a part of it, at the market.
pub(super) async fn close(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
    Path(text): Path<String>,
    Query(query): Query<CloseQuery>,
) -> Result<Json<Order>, ApiError> {
    let order = app.close(account, &text, query.part()?, request_id(request)?).await?;
    info!(order.id = %order.order_id, account.id = %account, "accepted closing order {}", order.order_id);
    Ok(Json(present::order(&order, &app.deps().sessions.calendar())))
}

/// The query of `DELETE /v2/positions`, as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CloseAllQuery {
    cancel_orders: Option<String>,
}

/// `DELETE /v2/positions`: sells every position at the market; one entry each.
pub(super) async fn close_all(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
    Query(query): Query<CloseAllQuery>,
) -> Result<(StatusCode, Json<Vec<CloseResult>>), ApiError> {
    let cancel_orders = query::flag("cancel_orders", query.cancel_orders.as_ref())?;
    let outcomes = app.close_all(account, cancel_orders, request_id(request)?).await?;
    let calendar = app.deps().sessions.calendar();
    let entries = outcomes.into_iter().map(|(symbol, outcome)| {
        let (status, body) = match outcome {
            Ok(order) => (200, CloseBody::Order(Box::new(present::order(&order, &calendar)))),
            Err(refusal) => (refusal.status.as_u16(), CloseBody::Error(error::entry(refusal))),
        };
        CloseResult {
            symbol: symbol.to_string(),
            status,
            body,
        }
    });
    Ok((StatusCode::MULTI_STATUS, Json(entries.collect())))
}
