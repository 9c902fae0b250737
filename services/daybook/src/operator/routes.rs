//! The routes: decode, one act or look, encode.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::http::{ApiError, JsonBody, Path, Query};
use db::DbError;
use domain::Timestamp;
use scheduler::engine::alerts::{self, Alert};
use scheduler::engine::desk::{self, DeskError, LineView, RunView, ScheduleView};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::error;
use uuid::Uuid;

use super::auth::Operator;
use crate::admin::Desk;
use crate::admin::jobs::ScheduleDraft;

pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// A page unless the caller says otherwise, and the longest one.
const PAGE: i64 = 50;
const PAGE_MAX: i64 = 1_000;

/// An error on its way to the client.
pub(super) struct Refused(ApiError);

impl axum::response::IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Refused(error)
    }
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        if error.is_transient() {
            return Refused(ApiError::unavailable("the database does not answer at the moment", 1));
        }
        error!(%error, "an operator's request failed");
        Refused(ApiError::internal())
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

impl From<DeskError> for Refused {
    fn from(error: DeskError) -> Self {
        let message = error.to_string();
        match error {
            DeskError::NoSchedule(_) => Refused(ApiError::not_found(message)),
            DeskError::NoKind(..) | DeskError::Over(_) => Refused(ApiError::parameter(message)),
            DeskError::Taken(_) | DeskError::Configured(_) => Refused(ApiError::rule(message)),
            DeskError::Db(error) => error.into(),
        }
    }
}

pub(super) async fn list(State(at): State<Desk>) -> Answer<Vec<ScheduleView>> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(desk::schedules(&mut conn).await?))
}

pub(super) async fn one(State(at): State<Desk>, Path(name): Path<String>) -> Answer<ScheduleView> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(desk::schedule(&mut conn, &name).await?))
}

pub(super) async fn add(
    State(at): State<Desk>,
    Operator(who): Operator,
    JsonBody(draft): JsonBody<ScheduleDraft>,
) -> Result<(StatusCode, Json<ScheduleView>), Refused> {
    let new = draft.read().map_err(ApiError::parameter)?;
    Ok((StatusCode::CREATED, Json(at.seat(who).add_job(&new).await?)))
}

pub(super) async fn remove(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    at.seat(who).remove_job(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a run by hand is given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunBody {
    #[serde(default)]
    date: Option<chrono::NaiveDate>,
    #[serde(default)]
    arguments: Map<String, Value>,
}

pub(super) async fn run(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<RunBody>,
) -> Result<(StatusCode, Json<RunView>), Refused> {
    let mut arguments = body.arguments;
    arguments.extend(body.date.map(|date| ("date".to_owned(), json!(date))));
    let run = at.seat(who).run_job(&name, &arguments).await?;
    Ok((StatusCode::ACCEPTED, Json(run)))
}

pub(super) async fn pause(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(name): Path<String>,
) -> Answer<ScheduleView> {
    Ok(Json(at.seat(who).pause_job(&name, true).await?))
}

pub(super) async fn resume(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(name): Path<String>,
) -> Answer<ScheduleView> {
    Ok(Json(at.seat(who).pause_job(&name, false).await?))
}

/// A page of a history: what came before a tick.
#[derive(Debug, Deserialize)]
pub(super) struct RunsQuery {
    before: Option<Timestamp>,
    limit: Option<i64>,
}

pub(super) async fn runs(
    State(at): State<Desk>,
    Path(name): Path<String>,
    Query(page): Query<RunsQuery>,
) -> Answer<Vec<RunView>> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(
        desk::runs(&mut conn, &name, page.before, limit(page.limit)?).await?,
    ))
}

pub(super) async fn one_run(State(at): State<Desk>, Path((name, run)): Path<(String, Uuid)>) -> Answer<RunView> {
    let mut conn = at.pool().acquire().await?;
    let found = desk::run(&mut conn, run).await?.filter(|view| view.schedule == name);
    Ok(Json(found.ok_or_else(|| no_run(&name, run))?))
}

/// A page of a log: what comes after a line.
#[derive(Debug, Deserialize)]
pub(super) struct LinesQuery {
    after: Option<i64>,
    limit: Option<i64>,
}

pub(super) async fn lines(
    State(at): State<Desk>,
    Path((name, run)): Path<(String, Uuid)>,
    Query(page): Query<LinesQuery>,
) -> Answer<Vec<LineView>> {
    let mut conn = at.pool().acquire().await?;
    let found = desk::run(&mut conn, run).await?.filter(|view| view.schedule == name);
    found.ok_or_else(|| no_run(&name, run))?;
    let lines = desk::lines(&mut conn, run, page.after.unwrap_or(0), limit(page.limit)?).await?;
    Ok(Json(lines))
}

/// Which alerts.
#[derive(Debug, Deserialize)]
pub(super) struct AlertsQuery {
    #[serde(default)]
    all: bool,
    limit: Option<i64>,
}

pub(super) async fn alerts(State(at): State<Desk>, Query(which): Query<AlertsQuery>) -> Answer<Vec<Alert>> {
    let mut conn = at.pool().acquire().await?;
    Ok(Json(alerts::list(&mut conn, which.all, limit(which.limit)?).await?))
}

pub(super) async fn ack(
    State(at): State<Desk>,
    Operator(who): Operator,
    Path(alert): Path<Uuid>,
) -> Result<StatusCode, Refused> {
    if at.seat(who).ack_alert(alert).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found(format!("no open alert {alert} waits for somebody")).into())
}

pub(super) fn limit(wanted: Option<i64>) -> Result<i64, ApiError> {
    let limit = wanted.unwrap_or(PAGE);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::parameter(format!("limit: must be 1 to {PAGE_MAX}")))
}

fn no_run(schedule: &str, run: Uuid) -> ApiError {
    ApiError::not_found(format!("{schedule} has no run {run}, or not any more"))
}
