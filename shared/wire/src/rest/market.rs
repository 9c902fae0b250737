//! Instruments, the market clock and the calendar.

use super::Word;
use super::schema::{AssetClass, AssetStatus};
use super::text::{self, Text};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An instrument. Its class is called `class` here and `asset_class` everywhere else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Asset {
    /// Its id.
    pub id: Uuid,
    /// `us_equity`.
    #[serde(default)]
    #[schema(value_type = AssetClass)]
    pub class: Word,
    /// Where it is listed.
    #[serde(default)]
    #[schema(value_type = String)]
    pub exchange: Word,
    /// Its ticker.
    pub symbol: String,
    /// The company's name.
    #[serde(default)]
    pub name: String,
    /// `active` or `inactive`.
    #[serde(default)]
    #[schema(value_type = AssetStatus)]
    pub status: Word,
    /// Whether orders are taken.
    #[serde(default)]
    pub tradable: bool,
    /// Always false: no borrowing here.
    #[serde(default)]
    pub marginable: bool,
    /// Always false.
    #[serde(default)]
    pub shortable: bool,
    /// Always false.
    #[serde(default)]
    pub easy_to_borrow: bool,
    /// Whether parts of a share are traded.
    #[serde(default)]
    pub fractionable: bool,
    /// A JSON integer, in per cent.
    #[serde(default)]
    pub maintenance_margin_requirement: i32,
    /// Further properties by name.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Smallest order; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub min_order_size: Option<Text>,
    /// Step of quantities; left out where it is one share.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub min_trade_increment: Option<Text>,
    /// Step of prices; left out where the general tick rule holds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub price_increment: Option<Text>,
}

/// `GET /v2/clock`, with the New York offset.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Clock {
    /// Now.
    pub timestamp: DateTime<FixedOffset>,
    /// Whether the regular session is on.
    pub is_open: bool,
    /// When the next session starts.
    pub next_open: DateTime<FixedOffset>,
    /// When this session, or the next one, ends.
    pub next_close: DateTime<FixedOffset>,
}

/// One trading day of `GET /v2/calendar`; times are New York's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarDay {
    /// The day.
    pub date: NaiveDate,
    /// Start of the regular session, `HH:MM`.
    pub open: String,
    /// Its end, `HH:MM`.
    pub close: String,
    /// Start of the extended session, `HHMM`.
    #[serde(default)]
    pub session_open: String,
    /// Its end, `HHMM`.
    #[serde(default)]
    pub session_close: String,
    /// When trades of the day settle.
    #[serde(default)]
    pub settlement_date: Option<NaiveDate>,
}
