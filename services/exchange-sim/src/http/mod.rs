//! The exchange's door: the Alpaca dialect for one omnibus account, its own quotes, and the admin API.
//!
//! | module       | what                                                              |
//! |--------------|-------------------------------------------------------------------|
//! | `orders`     | place, cancel, look up, list                                      |
//! | `replace`    | put an order in another one's place                               |
//! | `activities` | executions, page by page                                          |
//! | `market`     | assets, clock, quotes                                             |
//! | `bars`       | the sessions before today                                         |
//! | `stream`     | the WebSocket of trade updates, resumed by sequence               |
//! | `trade_file` | the end-of-day file of a session's executions                     |
//! | `execution`  | one execution by its id, also when it was taken back              |
//! | `admin`      | `/sim/…`: faults, prices, steps, the whole truth for comparisons  |
//! | `hand`       | `/sim/…`: what is set by hand                                     |
//! | `parse` `render` | the words of the wire to commands, and rows to the wire       |
//! | `auth` `misbehave` `line` | the key pair; spoiled calls; connections that can be cut |

mod activities;
mod admin;
mod auth;
mod bars;
mod execution;
mod hand;
pub(crate) mod line;
mod market;
mod misbehave;
mod orders;
mod parse;
mod render;
mod replace;
mod stream;
mod trade_file;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use chassis::batch::Batcher;
use chassis::http::ApiError;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use db::PgPool;

use crate::board::Board;
use crate::config::KeyPair;
use crate::core::{Listing, SymbolIx};
use crate::engine::{Command, Refusal, Reply};
use crate::faults::Faults;
use crate::names::Names;
use crate::settings::Settings;

/// What handlers share.
pub(crate) struct Shared {
    pub(crate) engine: Batcher<Command, Reply>,
    pub(crate) pool: PgPool,
    pub(crate) board: Arc<Board>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) listings: Arc<[Listing]>,
    pub(crate) symbols: HashMap<String, SymbolIx>,
    pub(crate) seed: u64,
    pub(crate) names: Names,
    pub(crate) settings: Arc<Settings>,
    pub(crate) ids: SharedIds,
    pub(crate) keys: KeyPair,
    pub(crate) shutdown: Shutdown,
}

/// The handlers' state.
pub(crate) type App = Arc<Shared>;

impl Shared {
    /// Hands a command to the engine and waits for its word.
    pub(crate) async fn ask(&self, command: Command) -> Result<crate::engine::Answer, ApiError> {
        self.engine
            .submit(command)
            .await
            .map_err(ApiError::from)?
            .map_err(refused)
    }
}

/// All routes. The caller adds what surrounds every router of the process.
pub(crate) fn router(app: &App) -> Router {
    let trading = Router::new()
        .route("/v2/orders", post(orders::place).get(orders::list))
        .route(
            "/v2/orders/{id}",
            get(orders::by_id).patch(replace::replace).delete(orders::cancel),
        )
        .route("/v2/orders:by_client_order_id", get(orders::by_client_id))
        .route("/v2/account/activities", get(activities::all))
        .route("/v2/account/activities/{kind}", get(activities::of_kind))
        .route("/v2/assets", get(market::assets))
        .route("/v2/clock", get(market::clock))
        .route("/v2/stocks/quotes/latest", get(market::latest_quotes))
        .route("/v2/stocks/bars", get(bars::bars))
        .route("/trade-files/{date}", get(trade_file::of_session))
        .route("/executions/{id}", get(execution::by_id))
        .layer(from_fn_with_state(app.clone(), auth::require_keys))
        .route("/stream", get(stream::open))
        .route("/quotes", get(market::quotes_page))
        .route("/quotes/{symbol}", get(market::quote_line))
        .layer(from_fn_with_state(app.clone(), hand::unless_out));
    let own = Router::new()
        .route(
            "/sim/faults",
            post(admin::add_fault).get(admin::faults).delete(admin::clear_faults),
        )
        .route("/sim/clock", post(hand::set_clock).get(hand::clock))
        .route("/sim/outage", post(hand::set_outage).get(hand::outage))
        .route("/sim/closures", post(hand::close_day).get(hand::closures))
        .route("/sim/closures/{day}", delete(hand::open_day))
        .route("/sim/halt", post(hand::set_halt).get(hand::halts))
        .route("/sim/late-print", post(admin::late_print))
        .route("/sim/bust", post(admin::bust))
        .route("/sim/price", post(admin::price))
        .route("/sim/step", post(admin::step))
        .route("/sim/orders", get(admin::orders))
        .route("/sim/executions", get(admin::executions));
    trading.merge(own).with_state(app.clone())
}

fn refused(refusal: Refusal) -> ApiError {
    let text = refusal.to_string();
    match refusal {
        Refusal::DuplicateKey => ApiError::parameter(text),
        Refusal::NoSuchOrder(_) | Refusal::NoSuchExecution(_) => ApiError::not_found(text),
        Refusal::NotOpen(_)
        | Refusal::NotSentYet
        | Refusal::TooLateToReplace
        | Refusal::FractionalReplace
        | Refusal::LessThanFilled
        | Refusal::NothingLeft(_)
        | Refusal::NoSession => ApiError::rule(text),
        Refusal::Storage => ApiError::unavailable(text, 1),
    }
}

/// A failed read: the cause goes to the log, the caller may try again.
fn db_failed(error: db::DbError) -> ApiError {
    tracing::warn!(%error, "a read failed");
    ApiError::unavailable("the exchange's database is away, try again", 1)
}
