//! A venue that speaks the Alpaca dialect: the bundled exchange, a paper-trading account, another Daybook.
//!
//! | file | what |
//! |---|---|
//! | `client.rs` | the calls: one total deadline and one body limit each, none repeated |
//! | `classify.rs` | status and body of an answer → outcome; pure |
//! | `parse.rs` | wire types → the trait's words, strictly; pure |
//! | `stream.rs` | the WebSocket of trade updates |

mod classify;
mod client;
mod parse;
mod stream;

pub use client::AlpacaVenue;

use secrecy::SecretString;
use std::time::Duration;

/// Where the venue is and how patient we are with it.
#[derive(Debug, Clone)]
pub struct AlpacaSettings {
    /// The venue's name in reports; never changed once it has fills.
    pub name: String,
    /// Scheme, host and port of the trading interface, without a path.
    pub base_url: String,
    /// The same of market data, where it is another host.
    pub data_url: Option<String>,
    /// Our key.
    pub key_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// Until the last byte of an answer.
    pub timeout: Duration,
    /// Until the connection stands.
    pub connect_timeout: Duration,
    /// The longest answer that is read.
    pub body_limit: usize,
    /// Whether the venue answers `GET /v2/orders?client_order_ids=a,b`, as the bundled exchange does. A venue that
    /// ignores the parameter would seem to deny every order, so this is never guessed.
    pub bulk_lookup: bool,
    /// Whether the venue has `GET /trade-files/{date}` and `GET /executions/{id}`, as the bundled exchange does. They
    /// are no part of the dialect.
    pub trade_files: bool,
    /// The longest trade file that is read: a day's executions in one answer.
    pub trade_file_limit: usize,
    /// Until the last byte of a trade file.
    pub trade_file_timeout: Duration,
    /// The longest silence of the stream, pongs included, before it is given up.
    pub stream_silence: Duration,
}

impl AlpacaSettings {
    /// A venue at this address, with the usual patience.
    pub fn new(name: &str, base_url: &str, key_id: &str, secret: SecretString) -> Self {
        Self {
            name: name.to_owned(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            data_url: None,
            key_id: key_id.to_owned(),
            secret,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            body_limit: 4 << 20,
            bulk_lookup: false,
            trade_files: false,
            trade_file_limit: 256 << 20,
            trade_file_timeout: Duration::from_secs(120),
            stream_silence: Duration::from_secs(10),
        }
    }
}
