//! The client's door over HTTP, on a real Postgres. Executor and exchange are not there: what they do to an order is
//! written by the tests themselves where it matters.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod calendar;
mod canceling;
mod churn;
mod closing;
mod concurrency;
mod configuring;
mod document;
mod examples;
mod history;
mod house;
mod limits;
mod market;
mod matrix;
mod placing;
mod promised;
mod reading;
mod refusing;
mod replacing;
mod replacing_risk;
mod risk_controls;
mod sizes;
mod streams;
mod street;
mod times;
mod volumes;
