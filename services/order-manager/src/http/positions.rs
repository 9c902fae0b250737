//! Handlers for positions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::http::{ApiError, Path, Query, RequestId};
use serde::Deserialize;
use tracing::info;
use utoipa::IntoParams;
use wire::rest::{CloseBody, CloseResult, Order, Position};

use super::auth::Caller;
use super::document::POSITIONS;
use super::orders::request_id;
use super::reads::AssetPath;
use super::refusals;
use crate::app::App;
use crate::close::CloseQuery;
use crate::{present, query};

/// Everything that is owned.
#[utoipa::path(get, path = "/v2/positions", operation_id = "list_positions", tag = POSITIONS,
    responses((status = 200, description = "The positions", body = Vec<Position>)))]
pub(super) async fn list(State(app): State<App>, Caller(account): Caller) -> Result<Json<Vec<Position>>, ApiError> {
    let mut conn = app.connection().await?;
    query::positions(&mut conn, account, app.market()).await.map(Json)
}

/// What is owned of one asset.
#[utoipa::path(get, path = "/v2/positions/{symbol_or_asset_id}", operation_id = "get_position", tag = POSITIONS, params(AssetPath),
    responses((status = 200, description = "The position", body = Position)))]
pub(super) async fn one(
    State(app): State<App>,
    Caller(account): Caller,
    Path(text): Path<String>,
) -> Result<Json<Position>, ApiError> {
    let mut conn = app.connection().await?;
    query::position(&mut conn, account, app.market(), &text).await.map(Json)
}

/// Sells a position, or a part of it, at the market.
#[utoipa::path(delete, path = "/v2/positions/{symbol_or_asset_id}", operation_id = "close_position", tag = POSITIONS, params(AssetPath, CloseQuery),
    responses((status = 200, description = "The closing order", body = Order)))]
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
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct CloseAllQuery {
    /// Whether open orders are asked to end first. Without it, shares that they hold are not sold.
    #[param(value_type = Option<bool>)]
    cancel_orders: Option<String>,
}

/// Sells every position at the market; one entry each.
#[utoipa::path(delete, path = "/v2/positions", operation_id = "close_positions", tag = POSITIONS, params(CloseAllQuery),
    responses((status = 207, description = "What came of each; one that is refused is told like `close_position`", body = Vec<CloseResult>)))]
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
            Err(refusal) => (refusal.status.as_u16(), CloseBody::Error(refusals::entry(refusal))),
        };
        CloseResult {
            symbol: symbol.to_string(),
            status,
            body,
        }
    });
    Ok((StatusCode::MULTI_STATUS, Json(entries.collect())))
}
