//! The handler for what an account was worth over time.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, Query};
use wire::rest::PortfolioHistory;

use super::auth::Caller;
use crate::app::App;
use crate::query::{self, HistoryQuery};

/// `GET /v2/account/portfolio/history`.
pub(super) async fn portfolio(
    State(app): State<App>,
    Caller(account): Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<PortfolioHistory>, ApiError> {
    query::history(app.deps(), account, &query).await.map(Json)
}
