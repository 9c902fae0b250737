//! Tells customers what became of their orders.
//!
//! ```text
//!  bus: order-updates ─▶ Notifier ─▶ facts (order_events, orders) ─▶ words ─▶ notices     one commit a batch
//! ```
//!
//! | module | what |
//! |---|---|
//! | `facts` | what a message points to, as it stands in the account's history |
//! | `words` | which notice that makes, and its text: pure |
//! | `store` | the table |
//! | `handler` | a batch: read, word, write; the runner stores the position in the same transaction |
//!
//! A notice has its id from order, kind and execution, so a message that comes twice, out of order, or again after a
//! crash changes nothing (V14, EOD-2). Messages are wake-ups: the facts are read from `order_events`.

mod config;
pub mod facts;
mod handler;
pub mod store;
pub mod words;

pub use config::{Config, Deps, run};
pub use handler::{GROUP, Notifier};
