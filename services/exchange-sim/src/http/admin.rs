//! `/sim/…`: faults, prices, steps, and the whole truth for comparisons. For tests and for the curious.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chassis::clock::Clock as _;
use chassis::http::{ApiError, JsonBody, Query};
use chrono::TimeDelta;
use domain::Price;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::rest::Text;

use super::{App, Shared, db_failed, render};
use crate::core::{QuoteSetting, Shares, Ticks};
use crate::engine::{Answer, Command, Print};
use crate::faults::{ActiveRule, Rule};
use crate::store::read::{self, ExecutionFilter};

/// Most rows of one page of the truth.
const LARGEST_PAGE: i64 = 5_000;

/// `POST /sim/faults`.
pub(super) async fn add_fault(
    State(app): State<App>,
    JsonBody(rule): JsonBody<Rule>,
) -> (StatusCode, Json<Vec<ActiveRule>>) {
    app.faults.add(rule);
    (StatusCode::CREATED, Json(app.faults.list()))
}

/// `GET /sim/faults`.
pub(super) async fn faults(State(app): State<App>) -> Json<Vec<ActiveRule>> {
    Json(app.faults.list())
}

/// `DELETE /sim/faults`.
pub(super) async fn clear_faults(State(app): State<App>) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

/// Which execution to take back.
#[derive(Debug, Deserialize)]
pub(super) struct BustBody {
    execution_id: Uuid,
}

/// `POST /sim/bust`: takes an execution back; 404 when there is none alive under this id.
pub(super) async fn bust(State(app): State<App>, JsonBody(body): JsonBody<BustBody>) -> Result<Json<Value>, ApiError> {
    done(app.ask(Command::Bust(body.execution_id)).await?)
}

/// Which order traded without being told.
#[derive(Debug, Deserialize)]
pub(super) struct LatePrintBody {
    client_order_id: String,
    qty: Option<Text>,
    price: Option<Text>,
    at: Option<domain::Timestamp>,
}

/// `POST /sim/late-print`: reports an execution that happened before: at `at`, else shortly before the last close.
pub(super) async fn late_print(
    State(app): State<App>,
    JsonBody(body): JsonBody<LatePrintBody>,
) -> Result<Json<Value>, ApiError> {
    let key = body.client_order_id;
    let found = read::by_client_ids(&app.pool, std::slice::from_ref(&key)).await;
    let order = found.map_err(db_failed)?.pop();
    let order = order.ok_or_else(|| ApiError::not_found(format!("order not found for {key}")))?;
    let now = app.settings.now();
    let before_the_close = || Some(app.settings.last_close(now)? - TimeDelta::seconds(1));
    let print = Print {
        order_no: order.no,
        price: body.price.map(|price| ticks("price", price)).transpose()?,
        qty: body.qty.map(shares).transpose()?,
        at: body.at.or_else(before_the_close).unwrap_or(now).min(now),
    };
    done(app.ask(Command::Print(print)).await?)
}

/// A price set by hand.
#[derive(Debug, Deserialize)]
pub(super) struct PriceBody {
    symbol: String,
    bid: Text,
    ask: Text,
    bid_size: Option<i64>,
    ask_size: Option<i64>,
    #[serde(default)]
    pin: bool,
}

/// `POST /sim/price`: sets a symbol's quote and trades what it crosses. The walk goes on from the middle, unless `pin`
/// holds the quote where it is.
pub(super) async fn price(
    State(app): State<App>,
    JsonBody(body): JsonBody<PriceBody>,
) -> Result<Json<Value>, ApiError> {
    let no_asset = || ApiError::not_found(format!("asset not found for {}", body.symbol));
    let symbol = *app.symbols.get(&body.symbol).ok_or_else(no_asset)?;
    let (bid, ask) = (ticks("bid", body.bid)?, ticks("ask", body.ask)?);
    let sizes_fit = [body.bid_size, body.ask_size]
        .into_iter()
        .flatten()
        .all(|size| (0..=100_000_000).contains(&size));
    if bid >= ask || !sizes_fit {
        return Err(ApiError::parameter(
            "bid must be below ask, and sizes from 0 to 100000000",
        ));
    }
    let setting = QuoteSetting {
        bid,
        ask,
        bid_size: body.bid_size,
        ask_size: body.ask_size,
        pin: body.pin,
    };
    done(app.ask(Command::SetQuote(symbol, setting)).await?)
}

fn shares(text: Text) -> Result<Shares, ApiError> {
    Shares::from_decimal(text.get()).ok_or_else(|| ApiError::parameter("qty is no number of shares"))
}

fn ticks(name: &str, text: Text) -> Result<Ticks, ApiError> {
    let price = Price::new(text.get()).ok().filter(|price| price.on_tick());
    let ticks = price.and_then(|price| Ticks::from_dollars(price.get()));
    ticks.ok_or_else(|| ApiError::parameter(format!("{name} is no price")))
}

/// `POST /sim/step`: one tick of the market, with all the rounds that a close or an open takes.
pub(super) async fn step(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let mut reports = 0;
    loop {
        match app.ask(Command::Tick).await? {
            Answer::Done { reports: these, more } => {
                reports += these;
                if !more {
                    return Ok(Json(json!({ "reports": reports })));
                }
            }
            Answer::Order(_) => return Err(ApiError::internal()),
        }
    }
}

fn done(answer: Answer) -> Result<Json<Value>, ApiError> {
    match answer {
        Answer::Done { reports, .. } => Ok(Json(json!({ "reports": reports }))),
        Answer::Order(_) => Err(ApiError::internal()),
    }
}

/// Where a page starts and how long it is.
#[derive(Debug, Deserialize)]
pub(super) struct TruthQuery {
    after: Option<i64>,
    limit: Option<i64>,
}

impl TruthQuery {
    fn limit(&self) -> i64 {
        self.limit.unwrap_or(1_000).clamp(1, LARGEST_PAGE)
    }
}

/// One order of the truth.
#[derive(Debug, Serialize)]
pub(super) struct TrueOrder {
    no: i64,
    id: Uuid,
    client_order_id: String,
    symbol: String,
    side: &'static str,
    time_in_force: &'static str,
    limit_price: Text,
    qty: Box<RawValue>,
    filled_qty: Box<RawValue>,
    busted_qty: Box<RawValue>,
    status: &'static str,
    submitted_at: domain::Timestamp,
    replaces: Option<Uuid>,
    replaced_by: Option<Uuid>,
}

/// One execution of the truth.
#[derive(Debug, Serialize)]
pub(super) struct TrueExecution {
    no: i64,
    execution_id: Uuid,
    order_id: Uuid,
    client_order_id: String,
    symbol: String,
    side: &'static str,
    price: Text,
    qty: Box<RawValue>,
    at: domain::Timestamp,
    busted: bool,
}

/// A page of the truth; `next` is `after` of the following one, null at the end.
#[derive(Debug, Serialize)]
pub(super) struct Page<T> {
    rows: Vec<T>,
    next: Option<i64>,
}

impl<T> Page<T> {
    fn new(rows: Vec<T>, limit: i64, number: impl Fn(&T) -> i64) -> Json<Self> {
        let is_full = i64::try_from(rows.len()).unwrap_or(limit) >= limit;
        let next = rows.last().map(number).filter(|_| is_full);
        Json(Self { rows, next })
    }
}

/// `GET /sim/orders?after=&limit=`: every order by number.
pub(super) async fn orders(
    State(app): State<App>,
    Query(query): Query<TruthQuery>,
) -> Result<Json<Page<TrueOrder>>, ApiError> {
    let found = read::orders_after(&app.pool, query.after.unwrap_or(0), query.limit())
        .await
        .map_err(db_failed)?;
    let rows = found.into_iter().map(|row| true_order(&app, row)).collect();
    Ok(Page::new(rows, query.limit(), |row: &TrueOrder| row.no))
}

fn true_order(app: &Shared, row: crate::store::rows::OrderRow) -> TrueOrder {
    TrueOrder {
        no: row.no,
        id: app.names.order(row.no),
        client_order_id: row.client_order_id.to_string(),
        symbol: row.symbol.to_string(),
        side: row.side.as_str(),
        time_in_force: row.time_in_force.as_str(),
        limit_price: render::dollars(row.limit),
        qty: render::count(row.qty),
        filled_qty: render::count(row.filled_qty),
        busted_qty: render::count(row.busted_qty),
        status: row.status.as_str(),
        submitted_at: row.submitted_at,
        replaces: row.replaces.map(|no| app.names.order(no)),
        replaced_by: row.replaced_by.map(|no| app.names.order(no)),
    }
}

/// `GET /sim/executions?after=&limit=`: every execution by number, those taken back included.
pub(super) async fn executions(
    State(app): State<App>,
    Query(query): Query<TruthQuery>,
) -> Result<Json<Page<TrueExecution>>, ApiError> {
    let filter = ExecutionFilter {
        cursor: query.after,
        ascending: true,
        busted: true,
        limit: query.limit(),
        ..Default::default()
    };
    let found = read::executions(&app.pool, &filter).await.map_err(db_failed)?;
    let shown = |(x, order): (crate::store::rows::ExecutionRow, crate::store::rows::OrderRow)| TrueExecution {
        no: x.no,
        execution_id: app.names.execution(x.no),
        order_id: app.names.order(order.no),
        client_order_id: order.client_order_id.to_string(),
        symbol: order.symbol.to_string(),
        side: order.side.as_str(),
        price: render::dollars(x.price),
        qty: render::count(x.qty),
        at: x.at,
        busted: x.busted_at.is_some(),
    };
    let rows = found.into_iter().map(shown).collect();
    Ok(Page::new(rows, query.limit(), |row: &TrueExecution| row.no))
}
