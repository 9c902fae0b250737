//! The exchange's tables. Only this crate writes them; functions that write take the caller's transaction.
//!
//! | module  | what                                                        |
//! |---------|-------------------------------------------------------------|
//! | `rows`  | the rows, and how they read as the words of the wire        |
//! | `read`  | orders, executions and events by key, number or filter       |
//! | `write` | one batch of the engine, set-based                           |
//! | `state` | what a start needs: salt, last numbers, open orders, walks   |

pub mod read;
pub mod rows;
pub mod state;
pub mod write;

use sqlx::migrate::Migrator;

/// The exchange's own migrations, counted in a table of their own.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
