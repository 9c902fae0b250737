//! Handlers for what customers set about their accounts.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, JsonBody};
use tracing::info;
use wire::rest::{Configurations, UpdateConfigurations};

use super::auth::Caller;
use super::document::ACCOUNT;
use crate::app::App;
use crate::configure::Change;

/// What the customer has set about the account.
#[utoipa::path(get, path = "/v2/account/configurations", operation_id = "get_configurations", tag = ACCOUNT,
    responses((status = 200, description = "The settings", body = Configurations)))]
pub(super) async fn get(State(app): State<App>, Caller(account): Caller) -> Result<Json<Configurations>, ApiError> {
    app.configurations(account).await.map(Json)
}

/// Changes some of the settings, answers all.
#[utoipa::path(patch, path = "/v2/account/configurations", operation_id = "change_configurations", tag = ACCOUNT, request_body = UpdateConfigurations,
    responses((status = 200, description = "The settings", body = Configurations)))]
pub(super) async fn change(
    State(app): State<App>,
    Caller(account): Caller,
    JsonBody(body): JsonBody<UpdateConfigurations>,
) -> Result<Json<Configurations>, ApiError> {
    let stored = app.configure(account, Change::try_from(&body)?).await?;
    info!(account.id = %account, "changed the configurations of {account}");
    Ok(Json(stored))
}
