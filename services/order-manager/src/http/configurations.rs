//! Handlers for what customers set about their accounts.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, JsonBody};
use tracing::info;
use wire::rest::{Configurations, UpdateConfigurations};

use super::auth::Caller;
use crate::app::App;
use crate::configure::Change;

/// `GET /v2/account/configurations`.
pub(super) async fn get(State(app): State<App>, Caller(account): Caller) -> Result<Json<Configurations>, ApiError> {
    app.configurations(account).await.map(Json)
}

/// `PATCH /v2/account/configurations`: changes some of them, answers all.
pub(super) async fn change(
    State(app): State<App>,
    Caller(account): Caller,
    JsonBody(body): JsonBody<UpdateConfigurations>,
) -> Result<Json<Configurations>, ApiError> {
    let stored = app.configure(account, Change::try_from(&body)?).await?;
    info!(account.id = %account, "changed the configurations of {account}");
    Ok(Json(stored))
}
