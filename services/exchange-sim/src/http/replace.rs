//! `PATCH /v2/orders/{id}`: puts an order in another one's place.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::http::{ApiError, JsonBody, Path};
use uuid::Uuid;
use wire::rest::ReplaceOrder;

use super::line::Line;
use super::{App, misbehave, orders, parse, render};
use crate::engine::{Answer, Command};
use crate::faults::{About, On};

/// Answers after its commit with the replacement, an order of its own.
pub(super) async fn replace(
    State(app): State<App>,
    line: Line,
    Path(id): Path<Uuid>,
    JsonBody(body): JsonBody<ReplaceOrder>,
) -> Result<Response, ApiError> {
    let change = parse::change(&app, id, &body)?;
    let rule = if app.faults.any() {
        let old = orders::find(&app, id).await.ok().flatten();
        let about = About {
            symbol: old.as_ref().map(|old| &*old.symbol),
            client_order_id: Some(&change.client_order_id),
        };
        app.faults.on_call(On::Replace, about)
    } else {
        None
    };
    let work = {
        let app = app.clone();
        async move {
            match app.ask(Command::Replace(change)).await {
                Ok(Answer::Order(row)) => Json(render::order(app.names, &row)).into_response(),
                Ok(Answer::Done { .. }) => ApiError::internal().into_response(),
                Err(error) => error.into_response(),
            }
        }
    };
    Ok(misbehave::call(rule, &app, &line, work).await)
}
