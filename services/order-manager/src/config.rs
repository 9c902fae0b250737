//! Settings. The defaults serve customers; load tests raise the limits.

use std::time::Duration;

use chassis::batch::BatchSettings;
use identity::RingSettings;
use rust_decimal::Decimal;

use crate::limits::LimitSettings;
use crate::stream::StreamSettings;

/// How this part is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Batchers that place orders, each with a connection of its own while it works: fewer for latency, more for
    /// saturation. An account always meets the same one.
    pub place_shards: usize,
    /// Batchers that take cancels.
    pub cancel_shards: usize,
    /// Size and patience of each.
    pub batch: BatchSettings,
    /// How far from the reference price a market order may reach, as a fraction of 1 (PX-7).
    pub market_collar: Decimal,
    /// How long closing all positions waits for the orders it canceled.
    pub close_wait: Duration,
    /// How often closing prices are looked at.
    pub closing_every: Duration,
    /// Most orders of one account that wait for their batch: a share of the queue, so that nobody fills it (RSK-10).
    pub account_share: usize,
    /// Limits of every account, as far as the firm, its tier and its own settings say nothing else (RSK-3).
    pub risk: risk::Settings,
    /// The exchange that orders go to, by its name: what a kill switch of a venue stops.
    pub venue: String,
    /// How long keys are remembered.
    pub keys: RingSettings,
    /// How much anybody may ask for (RSK-7).
    pub limits: LimitSettings,
    /// Limits and times of the streams.
    pub streams: StreamSettings,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            place_shards: 2,
            cancel_shards: 1,
            batch: BatchSettings::default(),
            market_collar: Decimal::new(5, 2),
            close_wait: Duration::from_secs(5),
            closing_every: Duration::from_secs(30),
            account_share: 512,
            risk: risk::Settings::default(),
            venue: "exchange".to_owned(),
            keys: RingSettings::default(),
            limits: LimitSettings::default(),
            streams: StreamSettings::default(),
        }
    }
}
