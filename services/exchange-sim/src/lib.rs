//! The bundled exchange: price-time matching, sessions, a trade stream, faults on request.
//!
//! A program of its own even in the same process: reached over HTTP and WebSocket only, with a database of its own. It
//! speaks the Alpaca dialect (a part of it) as a venue for one omnibus account, acknowledges only after its commit,
//! and survives kill -9 with books and sequences intact.
//!
//! | module   | what                                                                     |
//! |----------|--------------------------------------------------------------------------|
//! | `core`   | books, matching, walks, the market maker: pure                           |
//! | `engine` | the one task that owns the books and writes the tables, batch by batch   |
//! | `store`  | the tables                                                               |
//! | `http`   | the dialect, the quotes, the admin API                                   |
//! | `faults` | misbehaviour on request                                                  |
//! | `settings` | the clock and an outage, set by hand                                   |
//! | `names`  | the ids others see                                                       |

mod board;
pub mod config;
pub mod core;
pub mod engine;
pub mod faults;
mod http;
pub mod names;
pub mod settings;
mod start;
pub mod store;

pub use config::{Config, KeyPair};
pub use start::{Deps, Exchange, StartError, run};
pub use store::MIGRATOR;
