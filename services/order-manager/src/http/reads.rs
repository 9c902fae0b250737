//! Handlers that only read: account, activities, assets, clock, calendar.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, Path, Query};
use wire::rest;

use super::auth::Caller;
use crate::app::App;
use crate::query::{self, ActivityQuery, AssetQuery, CalendarQuery};

/// `GET /v2/account`.
pub(super) async fn account(State(app): State<App>, Caller(account): Caller) -> Result<Json<rest::Account>, ApiError> {
    query::account(app.deps(), account).await.map(Json)
}

/// `GET /v2/account/activities`.
pub(super) async fn activities(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<Vec<rest::Activity>>, ApiError> {
    let mut conn = app.connection().await?;
    query::activities(&mut conn, account, None, &query).await.map(Json)
}

/// `GET /v2/account/activities/{activity_type}`.
pub(super) async fn activities_of_type(
    State(app): State<App>,
    Caller(account): Caller,
    Path(word): Path<String>,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<Vec<rest::Activity>>, ApiError> {
    let mut conn = app.connection().await?;
    query::activities(&mut conn, account, Some(&word), &query)
        .await
        .map(Json)
}

/// `GET /v2/assets`.
pub(super) async fn assets(
    State(app): State<App>,
    _: Caller,
    Query(query): Query<AssetQuery>,
) -> Result<Json<Vec<rest::Asset>>, ApiError> {
    query::assets(&app.deps().instruments, &query).map(Json)
}

/// `GET /v2/assets/{symbol_or_asset_id}`.
pub(super) async fn asset(
    State(app): State<App>,
    _: Caller,
    Path(text): Path<String>,
) -> Result<Json<rest::Asset>, ApiError> {
    query::asset(&app.deps().instruments, &text).map(Json)
}

/// `GET /v2/clock`.
pub(super) async fn clock(State(app): State<App>, _: Caller) -> Result<Json<rest::Clock>, ApiError> {
    query::clock(&app.deps().sessions.calendar(), app.deps().clock.now()).map(Json)
}

/// `GET /v2/calendar`.
pub(super) async fn calendar(
    State(app): State<App>,
    _: Caller,
    Query(query): Query<CalendarQuery>,
) -> Result<Json<Vec<rest::CalendarDay>>, ApiError> {
    query::calendar(&app.deps().sessions.calendar(), &query).map(Json)
}
