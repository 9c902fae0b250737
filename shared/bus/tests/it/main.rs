//! The bus on a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cursor;
mod following;
mod housekeeping;
mod leases;
mod named_leases;
mod observing;
mod parking;
mod positions;
mod running;
mod support;
mod tracing;
