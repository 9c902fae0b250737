//! `/sim/…`: what is set by hand while the exchange trades, and kept for the next start.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use chassis::clock::Clock as _;
use chassis::http::{ApiError, JsonBody, Path};
use chrono::{NaiveDate, NaiveTime};
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::line::Line;
use super::{App, Shared};
use crate::engine::Command;
use crate::settings::{Closure, Halt, Setting, clock_offset};

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

/// A special closure of the exchange's own.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClosureBody {
    date: NaiveDate,
    /// When it closes in New York; null when it does not open.
    #[serde(default)]
    closes_at: Option<NaiveTime>,
}

/// `POST /sim/closures`: no session that day, or one that ends early. Its day orders end with it.
pub(super) async fn close_day(
    State(app): State<App>,
    JsonBody(body): JsonBody<ClosureBody>,
) -> Result<Json<Vec<ClosureBody>>, ApiError> {
    let closure = Closure {
        day: body.date,
        closes_at: body.closes_at,
    };
    set(&app, Setting::Closure(closure)).await?;
    Ok(closures(State(app)).await)
}

/// `DELETE /sim/closures/{date}`: the usual hours again. Orders keep the end they were promised meanwhile.
pub(super) async fn open_day(State(app): State<App>, Path(day): Path<NaiveDate>) -> Result<StatusCode, ApiError> {
    set(&app, Setting::NoClosure(day)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /sim/closures`.
pub(super) async fn closures(State(app): State<App>) -> Json<Vec<ClosureBody>> {
    let shown = |(date, closes_at)| ClosureBody { date, closes_at };
    Json(app.settings.closures().into_iter().map(shown).collect())
}

/// What shall halt, or go on.
#[derive(Debug, Deserialize)]
pub(super) struct HaltBody {
    /// All symbols if absent.
    symbol: Option<String>,
    on: bool,
}

/// A halt.
#[derive(Debug, Serialize)]
pub(super) struct HaltShown {
    symbol: Option<String>,
    ends_at: Timestamp,
}

/// `POST /sim/halt`: orders are taken and canceled, nothing trades, until it is lifted or the session closes.
pub(super) async fn set_halt(
    State(app): State<App>,
    JsonBody(body): JsonBody<HaltBody>,
) -> Result<Json<Vec<HaltShown>>, ApiError> {
    let unknown = body.symbol.as_ref().filter(|symbol| !app.symbols.contains_key(*symbol));
    if let Some(symbol) = unknown {
        return Err(ApiError::not_found(format!("asset not found for {symbol}")));
    }
    let ends_at = app.settings.calendar().next_close(app.settings.now());
    let ends_at = ends_at.map_err(|_| ApiError::rule("the trading calendar does not know the next session"))?;
    let symbol = body.symbol;
    let setting = match body.on {
        true => Setting::Halt(Halt { symbol, ends_at }),
        false => Setting::NoHalt(symbol),
    };
    set(&app, setting).await?;
    Ok(halts(State(app)).await)
}

/// `GET /sim/halt`: the halts in force.
pub(super) async fn halts(State(app): State<App>) -> Json<Vec<HaltShown>> {
    let shown = |Halt { symbol, ends_at }| HaltShown { symbol, ends_at };
    let halts = app.settings.halts(app.settings.now());
    Json(halts.into_iter().map(shown).collect())
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
