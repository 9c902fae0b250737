//! Postgres without brokerage words: pool, transactions, migrations.
//!
//! | module  | what                                                             |
//! |---------|------------------------------------------------------------------|
//! | `durable` | settings with which commits may be lost                        |
//! | `error` | `DbError`: what a caller can do differently, one variant each    |
//! | `pool`  | `connect` with the short timeouts of a hot role, `begin`         |
//! | `retry` | a whole transaction again after a fault that is likely to pass   |
//! | `rows`  | "this statement changed exactly one row"                         |
//! | `time`  | the database's clock, which tests can move                       |
//!
//! Functions that write take `&mut PgConnection`: the caller owns the transaction.

mod durable;
mod error;
mod migrate;
mod pool;
mod retry;
mod rows;
mod time;

pub use durable::forgetful_settings;
pub use error::{DbError, OnConstraint};
pub use migrate::{MIGRATOR, migrate};
pub use pool::{PoolSettings, begin, connect};
pub use retry::{Transient, with_retry};
pub use rows::ExactlyOne;
pub use sqlx::{PgConnection, PgPool};
pub use time::{advance_database_time, database_offset, database_time, shift_database_time};

/// A transaction on a pooled connection; rolls back unless committed.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;
