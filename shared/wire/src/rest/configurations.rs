//! What a customer can set about an account.

use super::Word;
use super::loose::{self, Loose};
use super::schema::{ConfirmEmail, ConfirmEmailAsked, FlagAsked, MultiplierAsked, OptionsLevelAsked};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /v2/account/configurations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Configurations {
    /// No new orders.
    pub suspend_trade: bool,
    /// The same, under the name the account has for it.
    pub trade_suspended_by_user: bool,
    /// No short sales; none are possible here.
    pub no_shorting: bool,
    /// `all` or `none`.
    #[schema(value_type = ConfirmEmail)]
    pub trade_confirm_email: Word,
    /// Whether parts of a share may be traded.
    pub fractional_trading: bool,
    /// Always `"1"`: nothing is lent.
    #[schema(value_type = String)]
    pub max_margin_multiplier: Word,
    /// Whether partnerships may be traded; none are here.
    pub ptp_no_exception_entry: bool,
    /// Always null: no options here.
    pub max_options_trading_level: Option<i64>,
}

/// The body of `PATCH /v2/account/configurations`: what is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct UpdateConfigurations {
    /// No new orders.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<FlagAsked>)]
    pub suspend_trade: Option<Loose>,
    /// No short sales.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<FlagAsked>)]
    pub no_shorting: Option<Loose>,
    /// `all` or `none`.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<ConfirmEmailAsked>)]
    pub trade_confirm_email: Option<Loose>,
    /// Whether parts of a share may be traded.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<FlagAsked>)]
    pub fractional_trading: Option<Loose>,
    /// Only 1.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<MultiplierAsked>)]
    pub max_margin_multiplier: Option<Loose>,
    /// Whether partnerships may be traded.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<FlagAsked>)]
    pub ptp_no_exception_entry: Option<Loose>,
    /// Only 0.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<OptionsLevelAsked>)]
    pub max_options_trading_level: Option<Loose>,
}
