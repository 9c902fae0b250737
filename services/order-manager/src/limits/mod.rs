//! How much anybody may ask for: a token bucket per key and per address, in front of everything else (RSK-7).
//!
//! | module    | what                                                   |
//! |-----------|--------------------------------------------------------|
//! | `bucket`  | one token bucket, pure                                 |
//! | `store`   | very many of them, in bounded memory                   |
//! | `meter`   | which buckets a request is measured by                 |
//! | `sign_in` | buckets and keys together: who calls, if they may      |
//! | `follow`  | keeps up with what operators set                       |
//! | `flights` | cancels of one order that come at the same time (RSK-8) |
//! | `share`   | how much of a queue one account may take (RSK-10)      |
//!
//! Who shows a pair of key and secret that was good before is measured by the key's own buckets, before anything is
//! looked up. Anybody else is a stranger: measured by the address they come from, and charged for each request that
//! turns out to be nobody's. So no name that a stranger makes up ever takes memory, and guessing keys, a new one each
//! time, empties one and the same bucket.

pub mod bucket;
pub(crate) mod flights;
pub(crate) mod follow;
pub mod meter;
pub(crate) mod share;
pub(crate) mod sign_in;
pub mod store;

use identity::limits::{Rate, Usual};

pub use meter::Meter;

/// How requests are measured.
#[derive(Debug, Clone)]
pub struct LimitSettings {
    /// Keys, where no row of the database says otherwise.
    pub usual: Usual,
    /// Requests of one address that are nobody's: without a key, or with a wrong one.
    pub strangers: Rate,
    /// All requests of one address, but for cancels and for keys without limits.
    pub address: Rate,
    /// Most keys remembered.
    pub most_keys: usize,
    /// Most addresses remembered; more than that share one bucket.
    pub most_addresses: usize,
    /// Who may say, by `X-Forwarded-For`, for whom a request is.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings {
            usual: Usual::default(),
            strangers: Rate::per_minute(60),
            address: Rate::per_minute(6_000),
            most_keys: 1_000_000,
            most_addresses: 100_000,
            trusted_proxies: Vec::new(),
        }
    }
}
