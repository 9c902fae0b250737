//! The product as processes that are killed: with -9 under load, and at each failpoint. Nothing that was acknowledged is
//! lost, nothing is done twice, and the books agree with the exchange to the share and cent.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../harness/mod.rs"]
mod harness;

#[cfg(feature = "failpoints")]
mod close;
mod cluster;
#[cfg(feature = "failpoints")]
mod failpoints;
mod load;
mod process;
mod rounds;
#[cfg(feature = "kafka")]
mod scale_out;
