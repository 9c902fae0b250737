//! A position as clients see it.

use super::Word;
use super::schema::{AssetClass, PositionSide};
use super::text::{self, Text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One holding. The nullable members are null until there is a quote; `*pc` and `change_today` are fractions of 1.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// The instrument.
    pub asset_id: Uuid,
    /// Its ticker.
    pub symbol: String,
    /// Where it is listed.
    #[serde(default)]
    #[schema(value_type = String)]
    pub exchange: Word,
    /// `us_equity`.
    #[serde(default)]
    #[schema(value_type = AssetClass)]
    pub asset_class: Word,
    /// Whether it could be bought on margin.
    #[serde(default)]
    pub asset_marginable: bool,
    /// Shares owned.
    pub qty: Text,
    /// Shares owned less those in open sells.
    #[serde(default)]
    pub qty_available: Text,
    /// Average dollars paid a share.
    #[serde(default)]
    pub avg_entry_price: Text,
    /// `long`.
    #[serde(default)]
    #[schema(value_type = PositionSide)]
    pub side: Word,
    /// Shares at their last price.
    #[serde(default, deserialize_with = "text::present")]
    pub market_value: Option<Text>,
    /// Dollars paid for the shares.
    #[serde(default)]
    pub cost_basis: Text,
    /// Gain since bought.
    #[serde(default, deserialize_with = "text::present")]
    pub unrealized_pl: Option<Text>,
    /// The same, as a fraction of the cost.
    #[serde(default, deserialize_with = "text::present")]
    pub unrealized_plpc: Option<Text>,
    /// Gain today.
    #[serde(default, deserialize_with = "text::present")]
    pub unrealized_intraday_pl: Option<Text>,
    /// The same, as a fraction.
    #[serde(default, deserialize_with = "text::present")]
    pub unrealized_intraday_plpc: Option<Text>,
    /// Last price.
    #[serde(default, deserialize_with = "text::present")]
    pub current_price: Option<Text>,
    /// Price at the previous close.
    #[serde(default, deserialize_with = "text::present")]
    pub lastday_price: Option<Text>,
    /// Change of the price today, as a fraction.
    #[serde(default, deserialize_with = "text::present")]
    pub change_today: Option<Text>,
}
