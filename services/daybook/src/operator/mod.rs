//! The operator's listener: jobs, alerts, parked messages and exchanges over HTTP, on a port of its own that customers do not reach.
//!
//! | route                                            | what                                        |
//! |--------------------------------------------------|---------------------------------------------|
//! | `GET /admin/v1/jobs`                             | all schedules                               |
//! | `POST /admin/v1/jobs`                            | makes one                                   |
//! | `GET`, `DELETE /admin/v1/jobs/{name}`            | one; takes away one that was made here      |
//! | `POST /admin/v1/jobs/{name}/run`                 | a run by hand                               |
//! | `POST /admin/v1/jobs/{name}/pause`, `/resume`    | lets it rest, or go on                      |
//! | `GET /admin/v1/jobs/{name}/runs`                 | its runs, latest first                      |
//! | `GET /admin/v1/jobs/{name}/runs/{run_id}`        | one run                                     |
//! | `GET /admin/v1/jobs/{name}/runs/{run_id}/lines`  | its log                                     |
//! | `GET /admin/v1/alerts`                           | what an operator has to know                |
//! | `POST /admin/v1/alerts/{alert_id}/ack`           | takes note of one                           |
//! | `GET /admin/v1/parked`, `/admin/v1/parked/{order_id}` | messages that could not be handled     |
//! | `POST /admin/v1/parked/{order_id}/requeue`       | has an order's messages handled again       |
//! | `POST /admin/v1/parked/{order_id}/discard`       | throws the one away that it waits for       |
//! | `GET /admin/v1/venues`                           | exchanges, and whether they are called      |
//! | `POST /admin/v1/venues/{venue}/open`, `/close`   | has one left alone, or called again         |
//!
//! Each request carries `Authorization: Bearer <DAYBOOK_ADMIN_TOKEN>`, and may name its operator in `X-Operator`.

mod auth;
mod parked;
mod routes;
mod venues;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use chassis::http::with_defaults;
use chassis::ids::SharedIds;
use secrecy::SecretString;

use crate::admin::Desk;

/// The whole listener's router.
pub fn router(desk: Desk, token: &SecretString, ids: SharedIds) -> Router {
    let routes = Router::new()
        .route("/admin/v1/jobs", get(routes::list).post(routes::add))
        .route("/admin/v1/jobs/{name}", get(routes::one).delete(routes::remove))
        .route("/admin/v1/jobs/{name}/run", post(routes::run))
        .route("/admin/v1/jobs/{name}/pause", post(routes::pause))
        .route("/admin/v1/jobs/{name}/resume", post(routes::resume))
        .route("/admin/v1/jobs/{name}/runs", get(routes::runs))
        .route("/admin/v1/jobs/{name}/runs/{run_id}", get(routes::one_run))
        .route("/admin/v1/jobs/{name}/runs/{run_id}/lines", get(routes::lines))
        .route("/admin/v1/alerts", get(routes::alerts))
        .route("/admin/v1/alerts/{alert_id}/ack", post(routes::ack))
        .route("/admin/v1/parked", get(parked::list))
        .route("/admin/v1/parked/{order_id}", get(parked::of_order))
        .route("/admin/v1/parked/{order_id}/requeue", post(parked::requeue))
        .route("/admin/v1/parked/{order_id}/discard", post(parked::discard))
        .route("/admin/v1/venues", get(venues::list))
        .route("/admin/v1/venues/{venue}/open", post(venues::open))
        .route("/admin/v1/venues/{venue}/close", post(venues::close))
        .with_state(desk)
        .route_layer(from_fn_with_state(auth::Expected::of(token), auth::check));
    with_defaults(routes, ids)
}
