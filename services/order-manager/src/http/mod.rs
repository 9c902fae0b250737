//! Routes of the client dialect. Decode, call one use case, encode.

mod auth;
mod configurations;
mod document;
mod history;
mod limits;
mod orders;
mod positions;
mod reads;
mod refusals;

pub(crate) use auth::KeyHolder;
pub(crate) use document::UPDATES;
pub(crate) use limits::CameFrom;
pub(crate) use refusals::database_error;
pub use refusals::refusals;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::stream::{sse, ws};

/// The routes with their fallbacks, measured: merge them with neighbours that are not and have no fallbacks, then call
/// `chassis::http::observed` once.
pub fn router(app: &App) -> Router {
    let (routes, _) = documented().split_for_parts();
    let routes = routes.with_state(app.clone()).merge(document::page());
    // Around the fallbacks, too: what is at no path is counted and told like everything else.
    chassis::http::with_fallbacks(routes).layer(from_fn_with_state(app.clone(), limits::measure))
}

/// The OpenAPI document of the routes, as it is served at `/openapi.json` and committed as `docs/openapi.json`.
pub fn openapi() -> String {
    let (_, document) = documented().split_for_parts();
    document::text(&document::finished(document))
}

/// Every route, each with its part of the document: add none in another way.
fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(orders::list, orders::place, orders::cancel_all))
        .routes(routes!(orders::by_id, orders::cancel, orders::replace))
        .routes(routes!(orders::by_client_id))
        .routes(routes!(positions::list, positions::close_all))
        .routes(routes!(positions::one, positions::close))
        .routes(routes!(reads::account))
        .routes(routes!(reads::activities))
        .routes(routes!(reads::activities_of_type))
        .routes(routes!(configurations::get, configurations::change))
        .routes(routes!(history::portfolio))
        .routes(routes!(reads::assets))
        .routes(routes!(reads::asset))
        .routes(routes!(reads::clock))
        .routes(routes!(reads::calendar))
        .routes(routes!(sse::trades))
        .routes(routes!(ws::open))
        .routes(routes!(document::openapi))
}
