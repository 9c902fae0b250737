//! The account as clients see it.

use super::{Text, Word};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// `GET /v2/account`. The margin members are there because SDKs insist on them; here they are zero.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The account's id.
    pub id: Uuid,
    /// The number a person quotes.
    #[serde(default)]
    pub account_number: String,
    /// `ACTIVE` for a usable account.
    #[schema(value_type = String)]
    pub status: Word,
    /// Always `INACTIVE`: no crypto here.
    #[serde(default)]
    #[schema(value_type = String)]
    pub crypto_status: Word,
    /// `USD`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub currency: Word,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// No orders for now.
    #[serde(default)]
    pub trading_blocked: bool,
    /// No money in or out for now.
    #[serde(default)]
    pub transfers_blocked: bool,
    /// Nothing at all for now.
    #[serde(default)]
    pub account_blocked: bool,
    /// The customer paused trading.
    #[serde(default)]
    pub trade_suspended_by_user: bool,
    /// Always false.
    #[serde(default)]
    pub shorting_enabled: bool,
    /// Retired by the rules of 2026; always false.
    #[serde(default)]
    pub pattern_day_trader: bool,
    /// Trade-date cash, holds included.
    #[serde(default)]
    pub cash: Text,
    /// What a new buy may cost (BP-11).
    #[serde(default)]
    pub buying_power: Text,
    /// The same.
    #[serde(default)]
    pub regt_buying_power: Text,
    /// Zero.
    #[serde(default)]
    pub daytrading_buying_power: Text,
    /// The same as `buying_power`.
    #[serde(default)]
    pub effective_buying_power: Text,
    /// The same as `buying_power`.
    #[serde(default)]
    pub non_marginable_buying_power: Text,
    /// Zero: no options here.
    #[serde(default)]
    pub options_buying_power: Text,
    /// Zero.
    #[serde(default)]
    pub bod_dtbp: Text,
    /// Today's fees not posted yet.
    #[serde(default)]
    pub accrued_fees: Text,
    /// Deposits on their way.
    #[serde(default)]
    pub pending_transfer_in: Text,
    /// Withdrawals on their way.
    #[serde(default)]
    pub pending_transfer_out: Text,
    /// The same as `equity`.
    #[serde(default)]
    pub portfolio_value: Text,
    /// Cash and positions at their last prices.
    #[serde(default)]
    pub equity: Text,
    /// `equity` at the previous close.
    #[serde(default)]
    pub last_equity: Text,
    /// Positions at their last prices.
    #[serde(default)]
    pub long_market_value: Text,
    /// Zero.
    #[serde(default)]
    pub short_market_value: Text,
    /// The same as `long_market_value`.
    #[serde(default)]
    pub position_market_value: Text,
    /// Zero.
    #[serde(default)]
    pub initial_margin: Text,
    /// Zero.
    #[serde(default)]
    pub maintenance_margin: Text,
    /// Zero.
    #[serde(default)]
    pub last_maintenance_margin: Text,
    /// Zero.
    #[serde(default)]
    pub sma: Text,
    /// Zero.
    #[serde(default)]
    pub intraday_adjustments: Text,
    /// Zero until fees are accrued.
    #[serde(default)]
    pub pending_reg_taf_fees: Text,
    /// `"1"`: no borrowing.
    #[serde(default)]
    pub multiplier: Text,
    /// Zero.
    #[serde(default)]
    pub daytrade_count: i32,
    /// Zero.
    #[serde(default)]
    pub crypto_tier: i32,
    /// Zero.
    #[serde(default)]
    pub options_approved_level: i32,
    /// Zero.
    #[serde(default)]
    pub options_trading_level: i32,
    /// The trading day before today, to which the `last_` members refer.
    #[serde(default)]
    pub balance_asof: Option<NaiveDate>,
}
