//! What a venue trades, what it last quoted, and how much of it trades.

use chrono::NaiveDate;
use domain::{AssetId, Price, Symbol, Timestamp};

/// The last quote of a symbol; a side without orders has no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueQuote {
    /// Ticker.
    pub symbol: Symbol,
    /// What a buyer offers.
    pub bid: Option<Price>,
    /// What a seller asks.
    pub ask: Option<Price>,
    /// When it was quoted.
    pub at: Timestamp,
}

/// How many shares of a symbol trade in a session, on average.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueVolume {
    /// Ticker.
    pub symbol: Symbol,
    /// Whole shares a session, rounded down.
    pub average: u64,
    /// How many sessions were averaged.
    pub sessions: usize,
    /// The last of them.
    pub through: NaiveDate,
}

/// Something the venue trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueAsset {
    /// Its id at the venue.
    pub id: AssetId,
    /// Ticker.
    pub symbol: Symbol,
    /// The company's name.
    pub name: String,
    /// Where it is listed.
    pub exchange: String,
    /// Whether it is listed at all (`active`).
    pub active: bool,
    /// Whether orders are taken.
    pub tradable: bool,
    /// Whether parts of a share are traded.
    pub fractionable: bool,
}
