//! The Kafka engine on librdkafka's mock cluster and a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

mod broker;
mod cell;
mod reading;
mod relaying;
mod sharing;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the crate")]
mod support;
mod switching;
