//! The trade update: what the WebSocket and the server-sent events carry about an order.

use super::schema::UpdateEvent;
use super::text::{self, Text};
use super::{Order, Word};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change of an order, with the order as it was after it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TradeUpdate {
    /// What happened: `new`, `partial_fill`, `fill`, `canceled` and so on.
    #[schema(value_type = UpdateEvent)]
    pub event: Word,
    /// Names the event; sorts by time within an account. Left out by servers without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// When it was emitted; strictly grows per account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// The venue's name for the execution; on fills, busts and corrections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// Dollars a share of this execution.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub price: Option<Text>,
    /// Shares of this execution.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub qty: Option<Text>,
    /// Shares owned after it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub position_qty: Option<Text>,
    /// Why, for a person: the reason of a rejection or of an end that nobody asked for (Daybook's own).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The order after the change.
    pub order: Order,
}
