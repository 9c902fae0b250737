//! The client's door: place and cancel orders, close positions, read orders, account, positions, activities and the market's
//! calendar, in the dialect that published SDKs speak.
//!
//! | module    | what                                                                                     |
//! |-----------|------------------------------------------------------------------------------------------|
//! | `draft`   | from a request body as written to a [`draft::DraftOrder`], pure                          |
//! | `place`   | the batched path: many commands, one transaction; `place::decide` is the rule, pure      |
//! | `batch`   | one bad item never fails its neighbours                                                  |
//! | `tries`   | a transaction that stores orders: tried again, and looked up when its COMMIT is in doubt |
//! | `cancel`  | wishes to end an order, batched alike                                                    |
//! | `close`   | closing positions: sells at the market                                                   |
//! | `configure` | what customers set about their accounts                                                |
//! | `query`   | reads: lists with keyset paging, balances, activities                                    |
//! | `firm`    | what all open orders of the firm are worth, about                                        |
//! | `prices`  | reference prices, for collars, and closing prices                                        |
//! | `stream`  | trade updates as they happen, over WebSocket and server-sent events                      |
//! | `present` | from stored nouns to wire types                                                          |
//! | `http`    | routes, who is calling, and what each refusal looks like                                 |
//!
//! It checks, holds the money and answers; it never calls the exchange and never moves an order after acceptance.
//! Whatever it promised with a 200 is committed: order, hold, event and outbox row together.

mod app;
mod batch;
mod cancel;
mod close;
mod config;
mod configure;
pub mod draft;
pub mod error;
mod firm;
mod http;
pub mod limits;
pub mod place;
mod present;
pub mod prices;
mod query;
mod replace;
mod stream;
mod tries;

pub use app::{App, Deps, run};
pub use config::Config;
pub use http::{openapi, refusals, router};
pub use stream::StreamSettings;
