//! Handlers for orders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::http::{ApiError, JsonBody, Path, Query, RequestId};
use chassis::trace;
use serde::Deserialize;
use tracing::info;
use utoipa::IntoParams;
use wire::rest::schema::{ClientOrderId, Id};
use wire::rest::{CancelResult, Order, PlaceOrder, ReplaceOrder};

use super::auth::Caller;
use super::document::ORDERS;
use super::{database_error, refusals};
use crate::app::App;
use crate::error::{CancelError, ReadError, ReplaceError};
use crate::present;
use crate::query::{self, OrdersQuery};

/// The path of one order.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(
    dead_code,
    reason = "it is only described: handlers take the text and refuse what is no id with 404"
)]
struct OrderPath {
    /// The order's id.
    #[param(value_type = Id, inline)]
    order_id: String,
}

/// Places an order.
#[utoipa::path(post, path = "/v2/orders", operation_id = "place_order", tag = ORDERS,
    request_body(content = PlaceOrder, examples(
        ("limit" = (value = json!({"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "10.25"}))),
        ("shares" = (value = json!({"symbol": "MSFT", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day"}))),
        ("dollars" = (value = json!({"symbol": "AAPL", "notional": "25.50", "side": "buy", "type": "market", "time_in_force": "day"}))))),
    responses((status = 200, description = "The order, committed with its hold", body = Order)))]
pub(super) async fn place(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
    JsonBody(body): JsonBody<PlaceOrder>,
) -> Result<Json<Order>, ApiError> {
    let outcome = app.place(account, &body, request_id(request)?).await;
    let word = if outcome.is_ok() { "accepted" } else { "refused" };
    metrics::counter!("daybook_order_manager_orders_total", "outcome" => word).increment(1);
    if let Err(refusal) = &outcome {
        metrics::counter!("daybook_order_manager_refusals_total", "reason" => refusal.reason()).increment(1);
    }
    let order = outcome?;
    about(order.order_id);
    info!(order.id = %order.order_id, account.id = %account, "accepted order {}", order.order_id);
    Ok(shown(&app, &order))
}

/// A page of the caller's orders, by `submitted_at`.
#[utoipa::path(get, path = "/v2/orders", operation_id = "list_orders", tag = ORDERS, params(OrdersQuery),
    responses((status = 200, description = "The orders", body = Vec<Order>)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<OrdersQuery>,
) -> Result<Json<Vec<Order>>, ApiError> {
    let mut conn = app.connection().await?;
    let orders = query::list(&mut conn, account, &query).await?;
    let calendar = app.deps().sessions.calendar();
    let shown = orders.iter().map(|order| present::order(order, &calendar));
    Ok(Json(shown.collect()))
}

/// One order.
#[utoipa::path(get, path = "/v2/orders/{order_id}", operation_id = "get_order", tag = ORDERS, params(OrderPath),
    responses((status = 200, description = "The order", body = Order)))]
pub(super) async fn by_id(
    State(app): State<App>,
    Caller(account): Caller,
    Path(id): Path<String>,
) -> Result<Json<Order>, ApiError> {
    let mut conn = app.connection().await?;
    Ok(shown(&app, &query::by_id(&mut conn, account, &id).await?))
}

/// The query of `GET /v2/orders:by_client_order_id`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct ByClientId {
    /// The caller's own name for the order.
    #[param(value_type = ClientOrderId, inline, required)]
    client_order_id: Option<String>,
}

/// One order by the caller's own name for it.
#[utoipa::path(get, path = "/v2/orders:by_client_order_id", operation_id = "get_order_by_client_order_id", tag = ORDERS, params(ByClientId),
    responses((status = 200, description = "The order", body = Order)))]
pub(super) async fn by_client_id(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<ByClientId>,
) -> Result<Json<Order>, ApiError> {
    let name = query.client_order_id.filter(|name| !name.is_empty());
    let name = name.ok_or(ReadError::NameMissing)?;
    let mut conn = app.connection().await?;
    Ok(shown(&app, &query::by_client_id(&mut conn, account, &name).await?))
}

/// Asks for the order's end; the result comes later.
#[utoipa::path(delete, path = "/v2/orders/{order_id}", operation_id = "cancel_order", tag = ORDERS, params(OrderPath),
    responses((status = 204, description = "The wish is recorded")))]
pub(super) async fn cancel(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let order = query::parse_uuid(&id).ok_or(CancelError::NotFound(id))?;
    let order = domain::OrderId::new(order);
    about(order);
    app.cancel(account, order, request_id(request)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for a new order in the old one's place. The exchange decides; the answer is the new order.
#[utoipa::path(patch, path = "/v2/orders/{order_id}", operation_id = "replace_order", tag = ORDERS, params(OrderPath), request_body = ReplaceOrder,
    responses((status = 200, description = "The new order", body = Order)))]
pub(super) async fn replace(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<ReplaceOrder>,
) -> Result<Json<Order>, ApiError> {
    let old = query::parse_uuid(&id).ok_or(ReplaceError::NotFound(id))?;
    let old = domain::OrderId::new(old);
    let outcome = app.replace(account, old, &body, request_id(request)?).await;
    let word = if outcome.is_ok() { "accepted" } else { "refused" };
    metrics::counter!("daybook_order_manager_replaces_total", "outcome" => word).increment(1);
    let order = outcome?;
    about(order.order_id);
    info!(order.id = %order.order_id, account.id = %account, "accepted order {} in place of {old}", order.order_id);
    Ok(shown(&app, &order))
}

/// Asks for the end of every open order; one entry each.
#[utoipa::path(delete, path = "/v2/orders", operation_id = "cancel_orders", tag = ORDERS,
    responses((status = 207, description = "What came of each; one that is refused is told like `cancel_order`, with status 500", body = Vec<CancelResult>)))]
pub(super) async fn cancel_all(
    State(app): State<App>,
    Caller(account): Caller,
    request: RequestId,
) -> Result<(StatusCode, Json<Vec<CancelResult>>), ApiError> {
    // Given back before the batch, which takes a connection of its own.
    let open = query::open_ids(&mut *app.connection().await?, account).await?;
    if open.is_empty() {
        return Ok((StatusCode::MULTI_STATUS, Json(vec![])));
    }
    let outcomes = app.cancel_many(account, open.clone(), request_id(request)?).await?;
    let entries = open.into_iter().zip(outcomes).map(|(id, outcome)| match outcome {
        Ok(()) => CancelResult {
            id: id.get(),
            status: 200,
            body: None,
        },
        Err(refusal) => CancelResult {
            id: id.get(),
            status: 500,
            body: Some(refusals::entry(refusal.into())),
        },
    });
    Ok((StatusCode::MULTI_STATUS, Json(entries.collect())))
}

fn shown(app: &App, order: &::orders::StoredOrder) -> Json<Order> {
    Json(present::order(order, &app.deps().sessions.calendar()))
}

/// The request as its effects name it, at its place in its trace.
pub(super) fn request_id(RequestId(id): RequestId) -> Result<domain::RequestId, ApiError> {
    let request = domain::RequestId::new(&id).map_err(|_| ApiError::internal())?;
    Ok(request.traced_as(trace::current().context().as_deref()))
}

/// The span of the request shows which order it is about.
fn about(order: domain::OrderId) {
    let span = trace::current();
    if span.is_on() {
        span.set("daybook.order.id", order.to_string());
    }
}

impl App {
    /// A connection to read with.
    pub(crate) async fn connection(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, ApiError> {
        self.deps()
            .pool
            .acquire()
            .await
            .map_err(|error| database_error(error.into()))
    }
}
