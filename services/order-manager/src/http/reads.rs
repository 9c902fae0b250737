//! Handlers that only read: account, activities, assets, clock, calendar.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, Path, Query};
use utoipa::IntoParams;
use wire::rest;
use wire::rest::schema::{ActivityType, AssetAsked};

use super::auth::Caller;
use super::document::{ACCOUNT, MARKET};
use crate::app::App;
use crate::query::{self, ActivityQuery, AssetQuery, CalendarQuery};

/// The path of one asset, or of what is owned of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is only described: handlers take the text")]
pub(super) struct AssetPath {
    /// A ticker, `TICKER:EXCHANGE`, or the asset's id with or without hyphens.
    #[param(value_type = AssetAsked, inline)]
    symbol_or_asset_id: String,
}

/// The path of one kind of activities.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is only described: handlers take the text")]
struct ActivityPath {
    /// Which kind.
    #[param(value_type = ActivityType, inline)]
    activity_type: String,
}

/// Cash, buying power and what the account may do.
#[utoipa::path(get, path = "/v2/account", operation_id = "get_account", tag = ACCOUNT,
    responses((status = 200, description = "The account", body = rest::Account)))]
pub(super) async fn account(State(app): State<App>, Caller(account): Caller) -> Result<Json<rest::Account>, ApiError> {
    query::account(app.deps(), account).await.map(Json)
}

/// What happened to the account: executions, money in and out, fees.
#[utoipa::path(get, path = "/v2/account/activities", operation_id = "list_activities", tag = ACCOUNT, params(ActivityQuery),
    responses((status = 200, description = "The activities", body = Vec<rest::Activity>)))]
pub(super) async fn activities(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<Vec<rest::Activity>>, ApiError> {
    let mut conn = app.connection().await?;
    query::activities(&mut conn, account, None, &query).await.map(Json)
}

/// What happened to the account of one kind.
#[utoipa::path(get, path = "/v2/account/activities/{activity_type}", operation_id = "list_activities_of_type", tag = ACCOUNT, params(ActivityPath, ActivityQuery),
    responses((status = 200, description = "The activities", body = Vec<rest::Activity>)))]
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

/// What can be traded.
#[utoipa::path(get, path = "/v2/assets", operation_id = "list_assets", tag = MARKET, params(AssetQuery),
    responses((status = 200, description = "The assets", body = Vec<rest::Asset>)))]
pub(super) async fn assets(
    State(app): State<App>,
    _: Caller,
    Query(query): Query<AssetQuery>,
) -> Result<Json<Vec<rest::Asset>>, ApiError> {
    query::assets(&app.deps().instruments, &query).map(Json)
}

/// One asset.
#[utoipa::path(get, path = "/v2/assets/{symbol_or_asset_id}", operation_id = "get_asset", tag = MARKET, params(AssetPath),
    responses((status = 200, description = "The asset", body = rest::Asset)))]
pub(super) async fn asset(
    State(app): State<App>,
    _: Caller,
    Path(text): Path<String>,
) -> Result<Json<rest::Asset>, ApiError> {
    query::asset(&app.deps().instruments, &text).map(Json)
}

/// Whether the market is open, and when that changes.
#[utoipa::path(get, path = "/v2/clock", operation_id = "get_clock", tag = MARKET,
    responses((status = 200, description = "The clock", body = rest::Clock)))]
pub(super) async fn clock(State(app): State<App>, _: Caller) -> Result<Json<rest::Clock>, ApiError> {
    query::clock(&app.deps().sessions.calendar(), app.deps().clock.now()).map(Json)
}

/// The trading days, oldest first.
#[utoipa::path(get, path = "/v2/calendar", operation_id = "list_trading_days", tag = MARKET, params(CalendarQuery),
    responses((status = 200, description = "The days", body = Vec<rest::CalendarDay>)))]
pub(super) async fn calendar(
    State(app): State<App>,
    _: Caller,
    Query(query): Query<CalendarQuery>,
) -> Result<Json<Vec<rest::CalendarDay>>, ApiError> {
    query::calendar(&app.deps().sessions.calendar(), &query).map(Json)
}
