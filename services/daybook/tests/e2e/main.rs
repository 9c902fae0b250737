//! The whole product in one process: customers over HTTP, the exchange over HTTP and WebSocket, a real Postgres.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../harness/mod.rs"]
mod harness;

mod admin;
mod audit;
mod calendar;
mod closing;
mod contract;
mod faults;
mod fractions;
mod house;
mod operator;
mod orders;
mod parked;
mod processes;
mod reconcile;
mod replace;
mod restart;
mod risk;
mod streams;
mod traces;
mod venue;
mod week;
