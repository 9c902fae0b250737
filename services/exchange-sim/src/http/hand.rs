//! `/sim/…`: what is set by hand while the exchange trades, and kept for the next start.

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chassis::clock::Clock as _;
use chassis::http::{ApiError, JsonBody};
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::line::Line;
use super::{App, Shared};
use crate::engine::Command;
use crate::settings::{Setting, clock_offset};

/// How far the clock shall be off.
#[derive(Debug, Deserialize)]
pub(super) struct ClockBody {
    offset_ms: i64,
}

/// How far it is off, and what it shows.
#[derive(Debug, Serialize)]
pub(super) struct ClockShown {
    offset_ms: i64,
    now: Timestamp,
}

/// `POST /sim/clock`: the exchange's clock goes before the machine's, or behind it.
pub(super) async fn set_clock(
    State(app): State<App>,
    JsonBody(body): JsonBody<ClockBody>,
) -> Result<Json<ClockShown>, ApiError> {
    let too_far = || ApiError::parameter("offset_ms must be no more than ten years");
    set(&app, clock_offset(body.offset_ms).ok_or_else(too_far)?).await?;
    Ok(clock(State(app)).await)
}

/// `GET /sim/clock`.
pub(super) async fn clock(State(app): State<App>) -> Json<ClockShown> {
    Json(ClockShown {
        offset_ms: app.settings.clock_offset_ms(),
        now: app.settings.now(),
    })
}

/// Whether nobody shall reach the exchange.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OutageBody {
    on: bool,
}

/// `POST /sim/outage`: connections are reset and streams cut; the market goes on inside. Only `/sim/…` still answers.
pub(super) async fn set_outage(
    State(app): State<App>,
    JsonBody(body): JsonBody<OutageBody>,
) -> Result<Json<OutageBody>, ApiError> {
    set(&app, Setting::Outage(body.on)).await?;
    Ok(outage(State(app)).await)
}

/// `GET /sim/outage`.
pub(super) async fn outage(State(app): State<App>) -> Json<OutageBody> {
    Json(OutageBody {
        on: app.settings.is_out(),
    })
}

/// Cuts the connection of whoever calls in an outage.
pub(super) async fn unless_out(State(app): State<App>, line: Line, request: Request, next: Next) -> Response {
    if app.settings.is_out() {
        return line.cut();
    }
    next.run(request).await
}

async fn set(app: &Shared, setting: Setting) -> Result<(), ApiError> {
    app.ask(Command::Set(setting)).await.map(|_| ())
}
