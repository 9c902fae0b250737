//! What can be traded and what it last cost: assets and last quotes.
//!
//! market-data writes both tables; every process that needs them keeps a copy in memory ([`Instruments`]) and
//! refreshes it now and then, so that checking an order's symbol or valuing a position asks no database.

mod cache;
mod store;

pub use cache::Instruments;
pub use store::{load_assets, load_quotes, save_assets, save_quotes};

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

impl Quote {
    /// What one share is valued at: the bid, since that is what a holder could get now; else the ask.
    pub fn value(&self) -> Option<Price> {
        self.bid.or(self.ask)
    }
}
