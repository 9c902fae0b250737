//! Notices on a real Postgres: once each, whatever is delivered twice, out of order, or cut off in the middle.
#![expect(clippy::unwrap_used, reason = "tests")]

mod crashes;
mod notices;
mod world;
