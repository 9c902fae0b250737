//! Executions, page by page: `GET /v2/account/activities`.
//!
//! Ids sort in sequence order, so a poller follows with `direction=asc` and `page_token` = the last id it saw. An
//! execution that was taken back is not listed any more.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::http::{ApiError, Path, Query};
use chrono::Days;
use serde::Deserialize;

use super::line::Line;
use super::{App, Shared, db_failed, misbehave, orders, parse, render};
use crate::faults::{About, On};
use crate::store::read::{self, ExecutionFilter};

/// Most entries of a page; the dialect's own limit is 100.
const LARGEST_PAGE: i64 = 500;

/// The filters of a page.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    activity_types: Option<String>,
    date: Option<String>,
    after: Option<String>,
    until: Option<String>,
    direction: Option<String>,
    page_size: Option<i64>,
    page_token: Option<String>,
}

/// `GET /v2/account/activities`.
pub(super) async fn all(
    State(app): State<App>,
    line: Line,
    Query(query): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let kinds = parse::comma_list(query.activity_types.as_deref());
    let fills = kinds.is_empty() || kinds.iter().any(|kind| kind == "FILL");
    page(app, line, query, fills).await
}

/// `GET /v2/account/activities/{kind}`; an exchange knows of executions only, the other kinds are empty.
pub(super) async fn of_kind(
    State(app): State<App>,
    line: Line,
    Path(kind): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, ApiError> {
    page(app, line, query, kind == "FILL").await
}

async fn page(app: App, line: Line, query: PageQuery, fills: bool) -> Result<Response, ApiError> {
    let filter = filter(&app, &query)?;
    let rule = app.faults.on_call(On::Activities, About::default());
    let work = {
        let app = app.clone();
        async move {
            let found = if fills {
                read::executions(&app.pool, &filter).await
            } else {
                Ok(Vec::new())
            };
            let shown = found.map(|rows| {
                rows.iter()
                    .map(|(x, order)| render::fill(app.names, x, order))
                    .collect::<Vec<_>>()
            });
            shown.map(Json).map_err(db_failed).into_response()
        }
    };
    Ok(misbehave::call(rule, &app, &line, work).await)
}

fn filter(app: &Shared, query: &PageQuery) -> Result<ExecutionFilter, ApiError> {
    let moment = |name, text: &Option<String>| text.as_deref().map(|text| parse::time(name, text)).transpose();
    let day = moment("date", &query.date)?;
    let limit = query.page_size.unwrap_or(100);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::parameter(format!(
            "page_size must be from 1 to {LARGEST_PAGE}"
        )));
    }
    Ok(ExecutionFilter {
        cursor: query
            .page_token
            .as_deref()
            .map(|token| cursor(app, token))
            .transpose()?,
        after: moment("after", &query.after)?.or(day),
        until: moment("until", &query.until)?.or(day.and_then(|day| day.checked_add_days(Days::new(1)))),
        ascending: orders::ascending(query.direction.as_deref())?,
        busted: false,
        limit,
    })
}

fn cursor(app: &Shared, token: &str) -> Result<i64, ApiError> {
    let id = token.rsplit("::").next().and_then(|id| id.parse().ok());
    id.and_then(|id| app.names.execution_no(id))
        .ok_or_else(|| ApiError::parameter("invalid page_token: not an id of this list"))
}
