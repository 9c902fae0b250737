//! What the tests of the whole product share: customers over HTTP, the exchange's own truth, and whether both agree.
#![expect(dead_code, reason = "each test binary uses its part of it")]

pub mod clocks;
pub mod collector;
pub mod customer;
pub mod listener;
pub mod market;
pub mod truth;

pub use customer::Customer;
pub use market::Market;
