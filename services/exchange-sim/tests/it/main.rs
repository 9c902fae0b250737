//! The exchange over HTTP and WebSocket, on a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bars;
mod by_hand;
mod faults;
mod fractions;
mod prints;
mod replace;
mod replace_faults;
mod restart;
mod rig;
mod stream;
mod trade_file;
mod trading;
