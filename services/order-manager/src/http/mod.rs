//! Routes of the client dialect. Decode, call one use case, encode.

mod auth;
mod configurations;
mod error;
mod history;
mod limits;
mod orders;
mod positions;
mod reads;

pub(crate) use auth::KeyHolder;
pub(crate) use error::database_error;
pub(crate) use limits::CameFrom;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;
use crate::stream::{sse, ws};

/// The routes with their fallbacks, measured: merge them with neighbours that are not and have no fallbacks, then call
/// `chassis::http::observed` once.
pub fn router(app: &App) -> Router {
    let routes = Router::new()
        .route(
            "/v2/orders",
            get(orders::list).post(orders::place).delete(orders::cancel_all),
        )
        .route(
            "/v2/orders/{order_id}",
            get(orders::by_id).delete(orders::cancel).patch(orders::replace),
        )
        .route("/v2/orders:by_client_order_id", get(orders::by_client_id))
        .route("/v2/account", get(reads::account))
        .route("/v2/account/activities", get(reads::activities))
        .route("/v2/account/activities/{activity_type}", get(reads::activities_of_type))
        .route(
            "/v2/account/configurations",
            get(configurations::get).patch(configurations::change),
        )
        .route("/v2/account/portfolio/history", get(history::portfolio))
        .route("/v2/positions", get(positions::list).delete(positions::close_all))
        .route(
            "/v2/positions/{symbol_or_asset_id}",
            get(positions::one).delete(positions::close),
        )
        .route("/v2/assets", get(reads::assets))
        .route("/v2/assets/{symbol_or_asset_id}", get(reads::asset))
        .route("/v2/events/trades", get(sse::trades))
        .route("/stream", get(ws::open))
        .route("/v2/clock", get(reads::clock))
        .route("/v2/calendar", get(reads::calendar))
        .with_state(app.clone());
    // Around the fallbacks, too: what is at no path is counted and told like everything else.
    chassis::http::with_fallbacks(routes).layer(from_fn_with_state(app.clone(), limits::measure))
}
