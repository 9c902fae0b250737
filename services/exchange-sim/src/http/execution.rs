//! `GET /executions/{id}`: one execution, also when it was taken back. What a clearing desk asks when its books and the
//! trade file differ.

use axum::Json;
use axum::extract::State;
use chassis::http::{ApiError, Path};
use serde::Serialize;
use uuid::Uuid;
use wire::rest::Text;

use super::{App, db_failed, render};
use crate::store::read::{self, ExecutionFilter};

/// An execution as it now stands.
#[derive(Debug, Serialize)]
pub(super) struct Execution {
    execution_id: Uuid,
    order_id: Uuid,
    client_order_id: String,
    symbol: String,
    side: &'static str,
    qty: Text,
    price: Text,
    transaction_time: domain::Timestamp,
    busted_at: Option<domain::Timestamp>,
}

/// 404 for an id that names no execution of this exchange.
pub(super) async fn by_id(State(app): State<App>, Path(id): Path<Uuid>) -> Result<Json<Execution>, ApiError> {
    let unknown = || ApiError::not_found(format!("execution not found for {id}"));
    let no = app.names.execution_no(id).ok_or_else(unknown)?;
    let filter = ExecutionFilter {
        cursor: Some(no - 1),
        ascending: true,
        busted: true,
        limit: 1,
        ..Default::default()
    };
    let found = read::executions(&app.pool, &filter).await.map_err(db_failed)?;
    let (x, order) = found.into_iter().find(|(x, _)| x.no == no).ok_or_else(unknown)?;
    Ok(Json(Execution {
        execution_id: id,
        order_id: app.names.order(order.no),
        client_order_id: order.client_order_id.to_string(),
        symbol: order.symbol.to_string(),
        side: order.side.as_str(),
        qty: render::shares(x.qty),
        price: render::dollars(x.price),
        transaction_time: x.at,
        busted_at: x.busted_at,
    }))
}
