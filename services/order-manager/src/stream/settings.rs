//! Limits and times of the streams.

use std::time::Duration;

/// How the streams are set up.
#[derive(Debug, Clone, Copy)]
pub struct StreamSettings {
    /// Most connections of this process, both protocols together.
    pub connections: usize,
    /// Most connections of one account in this process.
    pub connections_per_account: usize,
    /// Most WebSockets that have not said yet who they are.
    pub strangers: usize,
    /// Most of those from one address (for version 6: from its /64 network).
    pub strangers_per_address: usize,
    /// How long those may take.
    pub name_within: Duration,
    /// How often a quiet connection hears that it lives. One that does not answer three times in a row is cut.
    pub heartbeat: Duration,
    /// How long a client may take to read what is sent to it.
    pub read_within: Duration,
    /// How long a client may lag behind its account's events without getting any nearer to the present.
    pub behind_at_most: Duration,
    /// Updates that wait for one connection in memory; one that has more to come reads them from the database.
    pub queue: usize,
    /// How often other processes' commits are looked for when nobody rings.
    pub look_every: Duration,
    /// How often every listened account is looked at, whatever was heard of it.
    pub sweep_every: Duration,
    /// How often revoked keys are looked for.
    pub keys_every: Duration,
}

impl Default for StreamSettings {
    fn default() -> Self {
        StreamSettings {
            connections: 20_000,
            connections_per_account: 250,
            strangers: 1_000,
            strangers_per_address: 100,
            name_within: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            read_within: Duration::from_secs(10),
            behind_at_most: Duration::from_secs(30),
            queue: 256,
            look_every: Duration::from_millis(50),
            sweep_every: Duration::from_secs(10),
            keys_every: Duration::from_millis(400),
        }
    }
}
