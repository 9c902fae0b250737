//! Test-only helpers: a database per test, fake clock and ids, waiting, ports, processes that die.
//!
//! `tests/tidy.rs` checks the habits of the whole tree: dependency arrows, table owners, banned calls.

mod database;
mod port;
pub mod victim;
mod wait;

use std::sync::Arc;

use chassis::clock::ManualClock;
use chassis::ids::{SeededIds, SharedIds};
use chrono::{DateTime, Utc};

pub use database::TestDb;
pub use port::free_port;
pub use wait::wait_until;

/// When tests begin: a Monday, 10:00 in New York, half an hour into a session.
pub fn start_of_time() -> DateTime<Utc> {
    "2026-11-23T15:00:00Z".parse().expect("a literal of this file")
}

/// A clock that shows [`start_of_time`] until it is moved.
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(start_of_time()))
}

/// Ids of a seed, stamped with a clock that stands at [`start_of_time`].
pub fn ids(seed: u64) -> SharedIds {
    Arc::new(SeededIds::new(seed, clock()))
}
