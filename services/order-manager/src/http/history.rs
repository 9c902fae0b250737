//! The handler for what an account was worth over time.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, Query};
use wire::rest::PortfolioHistory;

use super::auth::Caller;
use super::document::ACCOUNT;
use crate::app::App;
use crate::query::{self, HistoryQuery};

/// What the account was worth over time.
#[utoipa::path(get, path = "/v2/account/portfolio/history", operation_id = "get_portfolio_history", tag = ACCOUNT, params(HistoryQuery),
    responses((status = 200, description = "The history", body = PortfolioHistory)))]
pub(super) async fn portfolio(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<PortfolioHistory>, ApiError> {
    query::history(app.deps(), account, &query).await.map(Json)
}
