//! Place, cancel, look up, list.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::http::{ApiError, JsonBody, Path, Query};
use serde::Deserialize;
use uuid::Uuid;
use wire::rest::{Order, PlaceOrder};

use super::line::Line;
use super::{App, Shared, db_failed, misbehave, parse, render};
use crate::engine::{Answer, Command};
use crate::faults::{About, On};
use crate::store::read::{self, OrderFilter};
use crate::store::rows::OrderRow;

/// Most orders of one answer, and most keys of one bulk look-up.
const MOST: usize = 500;

/// `POST /v2/orders`: takes a limit order; answers after its commit.
pub(super) async fn place(
    State(app): State<App>,
    line: Line,
    JsonBody(body): JsonBody<PlaceOrder>,
) -> Result<Response, ApiError> {
    let ticket = parse::ticket(&app, &body)?;
    let key = ticket.client_order_id.clone();
    let symbol = app.listings[ticket.symbol.0].symbol.clone();
    let about = About {
        symbol: Some(&symbol),
        client_order_id: Some(&key),
    };
    let rule = app.faults.on_call(On::Submit, about);
    let work = {
        let app = app.clone();
        async move {
            match app.ask(Command::Submit(ticket)).await {
                Ok(Answer::Order(row)) => Json(render::order(app.names, &row)).into_response(),
                Ok(Answer::Done { .. }) => ApiError::internal().into_response(),
                Err(error) => error.into_response(),
            }
        }
    };
    Ok(misbehave::call(rule, &app, &line, work).await)
}

/// `DELETE /v2/orders/{id}`: takes an order off the book; 204, or 422 when it is over.
pub(super) async fn cancel(State(app): State<App>, line: Line, Path(id): Path<Uuid>) -> Response {
    let rule = rule_on(&app, On::Cancel, id).await;
    let work = {
        let app = app.clone();
        async move {
            match app.ask(Command::Cancel(id)).await {
                Ok(_) => StatusCode::NO_CONTENT.into_response(),
                Err(error) => error.into_response(),
            }
        }
    };
    misbehave::call(rule, &app, &line, work).await
}

/// `GET /v2/orders/{id}`.
pub(super) async fn by_id(State(app): State<App>, line: Line, Path(id): Path<Uuid>) -> Response {
    let rule = rule_on(&app, On::Read, id).await;
    let work = {
        let app = app.clone();
        async move { answer(&app, find(&app, id).await, || format!("order not found for {id}")) }
    };
    misbehave::call(rule, &app, &line, work).await
}

/// The query of a look-up by the caller's own name.
#[derive(Debug, Deserialize)]
pub(super) struct ByClientId {
    client_order_id: String,
}

/// `GET /v2/orders:by_client_order_id`.
pub(super) async fn by_client_id(State(app): State<App>, line: Line, Query(query): Query<ByClientId>) -> Response {
    let key = query.client_order_id;
    let rule = app.faults.on_call(
        On::Read,
        About {
            symbol: None,
            client_order_id: Some(&key),
        },
    );
    let work = {
        let app = app.clone();
        async move {
            let found = read::by_client_ids(&app.pool, std::slice::from_ref(&key))
                .await
                .map_err(db_failed);
            answer(&app, found.map(|mut rows| rows.pop()), || {
                format!("order not found for {key}")
            })
        }
    };
    misbehave::call(rule, &app, &line, work).await
}

/// The filters of a list.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
    until: Option<String>,
    direction: Option<String>,
    symbols: Option<String>,
    side: Option<String>,
    client_order_ids: Option<String>,
}

/// `GET /v2/orders`: by filter, or with `client_order_ids` the ones of these names, whatever their status.
pub(super) async fn list(
    State(app): State<App>,
    line: Line,
    Query(query): Query<ListQuery>,
) -> Result<Response, ApiError> {
    let keys = parse::comma_list(query.client_order_ids.as_deref());
    if keys.len() > MOST {
        return Err(ApiError::parameter(format!(
            "client_order_ids must be no more than {MOST}"
        )));
    }
    let filter = filter(&query)?;
    let rule = app.faults.on_call(On::Read, About::default());
    let work = {
        let app = app.clone();
        async move {
            let rows = match keys.is_empty() {
                true => read::orders(&app.pool, &filter).await,
                false => read::by_client_ids(&app.pool, &keys).await,
            };
            let shown = |rows: Vec<OrderRow>| {
                rows.iter()
                    .map(|row| render::order(app.names, row))
                    .collect::<Vec<Order>>()
            };
            rows.map(|rows| Json(shown(rows))).map_err(db_failed).into_response()
        }
    };
    Ok(misbehave::call(rule, &app, &line, work).await)
}

fn filter(query: &ListQuery) -> Result<OrderFilter, ApiError> {
    let open = match query.status.as_deref() {
        None | Some("open") => Some(true),
        Some("closed") => Some(false),
        Some("all") => None,
        Some(_) => return Err(ApiError::parameter("invalid status: use open, closed or all")),
    };
    let limit = query.limit.unwrap_or(50);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::parameter(format!("limit must be from 1 to {MOST}")));
    }
    let moment = |name, text: &Option<String>| text.as_deref().map(|text| parse::time(name, text)).transpose();
    Ok(OrderFilter {
        open,
        after: moment("after", &query.after)?,
        until: moment("until", &query.until)?,
        symbols: parse::comma_list(query.symbols.as_deref()),
        side: query.side.clone(),
        ascending: ascending(query.direction.as_deref())?,
        limit: i64::try_from(limit).unwrap_or(50),
    })
}

/// Oldest first, or newest first as usual.
pub(super) fn ascending(direction: Option<&str>) -> Result<bool, ApiError> {
    match direction {
        None | Some("desc") => Ok(false),
        Some("asc") => Ok(true),
        Some(_) => Err(ApiError::parameter("invalid direction: use asc or desc")),
    }
}

pub(super) async fn find(app: &Shared, id: Uuid) -> Result<Option<OrderRow>, ApiError> {
    let Some(no) = app.names.order_no(id) else {
        return Ok(None);
    };
    let mut connection = app.pool.acquire().await.map_err(|error| db_failed(error.into()))?;
    Ok(read::by_numbers(&mut connection, &[no]).await.map_err(db_failed)?.pop())
}

fn answer(app: &Shared, found: Result<Option<OrderRow>, ApiError>, missing: impl Fn() -> String) -> Response {
    match found {
        Ok(Some(row)) => Json(render::order(app.names, &row)).into_response(),
        Ok(None) => ApiError::not_found(missing()).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The rule on a call about an order of which only the id is known; looked up only while there are rules.
async fn rule_on(app: &Shared, on: On, id: Uuid) -> Option<crate::faults::Rule> {
    if !app.faults.any() {
        return None;
    }
    let row = find(app, id).await.ok().flatten();
    let about = row.as_ref().map(|row| About {
        symbol: Some(&row.symbol),
        client_order_id: Some(&row.client_order_id),
    });
    app.faults.on_call(on, about.unwrap_or_default())
}
