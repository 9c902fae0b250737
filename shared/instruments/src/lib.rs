//! What can be traded, what it last cost and how much of it trades: assets, last quotes, average volumes.
//!
//! market-data writes the three tables; every process that needs them keeps a copy in memory ([`Instruments`]) and
//! refreshes it now and then, so that checking an order's symbol or valuing a position asks no database.

mod cache;
mod store;

pub use cache::Instruments;
pub use store::{load_assets, load_quotes, load_volumes, save_assets, save_quotes, save_volumes};

use chrono::NaiveDate;
use domain::{AssetId, Price, Symbol, Timestamp};

/// Something that can be traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its id, the venue's.
    pub asset_id: AssetId,
    /// Ticker.
    pub symbol: Symbol,
    /// The company's name.
    pub name: String,
    /// Where it is listed.
    pub exchange: String,
    /// `active` or `inactive`.
    pub status: String,
    /// Whether orders are taken.
    pub tradable: bool,
    /// Whether parts of a share can be traded.
    pub fractionable: bool,
}

/// The last quote of a symbol, in dollars a share; a side nobody quotes has no price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Ticker.
    pub symbol: Symbol,
    /// What a buyer offers.
    pub bid: Option<Price>,
    /// What a seller asks.
    pub ask: Option<Price>,
    /// When it was quoted.
    pub at: Timestamp,
}

/// How many shares of a symbol trade in a session, on average (RSK-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AverageVolume {
    /// Ticker.
    pub symbol: Symbol,
    /// Whole shares a session, rounded down.
    pub average: u64,
    /// How many sessions were averaged.
    pub sessions: u32,
    /// The last of them.
    pub through: NaiveDate,
}

impl Quote {
    /// What one share is valued at: the bid, since that is what a holder could get now; else the ask.
    pub fn value(&self) -> Option<Price> {
        self.bid.or(self.ask)
    }
}
