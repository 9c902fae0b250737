//! The executor on a real Postgres with the scripted venue, driven step by step; the test owns the clock.
#![expect(clippy::unwrap_used, reason = "tests")]

mod breaker;
mod calendar;
mod cancel;
mod close;
mod doubt;
mod kill;
mod order;
mod property;
mod release;
mod replace;
mod retries;
mod saga;
mod takeover;
mod world;
