//! What happened to an account: executions and everything else that moved cash or shares.

use super::Word;
use super::schema::{FillKind, FillType, MovementType, OrderStatus, Side};
use super::text::{self, Text};
use chrono::{DateTime, NaiveDate, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// One entry of `GET /v2/account/activities`. The list is a bare array of both shapes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Activity {
    /// An execution (`FILL`).
    Fill(FillActivity),
    /// Anything else.
    Other(OtherActivity),
}

impl<'de> Deserialize<'de> for Activity {
    /// Told apart by `activity_type`. By hand, since the derived reader buffers and would lose a number's text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Kind {
            activity_type: String,
        }
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let kind = serde_json::from_str::<Kind>(raw.get()).map_err(D::Error::custom)?;
        if kind.activity_type == "FILL" {
            serde_json::from_str(raw.get())
                .map(Self::Fill)
                .map_err(D::Error::custom)
        } else {
            serde_json::from_str(raw.get())
                .map(Self::Other)
                .map_err(D::Error::custom)
        }
    }
}

/// One execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FillActivity {
    /// `YYYYMMDDHHMMSSmmm::<uuid>`, sorts by time.
    pub id: String,
    /// `FILL`.
    #[schema(value_type = FillType)]
    pub activity_type: Word,
    /// When it traded.
    pub transaction_time: DateTime<Utc>,
    /// `fill` for the execution that completed its order, else `partial_fill`.
    #[serde(rename = "type", default)]
    #[schema(value_type = FillKind)]
    pub kind: Word,
    /// Dollars a share.
    pub price: Text,
    /// Shares of this execution.
    pub qty: Text,
    /// Shares of the order traded with it.
    #[serde(default)]
    pub cum_qty: Text,
    /// Shares of the order left after it.
    #[serde(default)]
    pub leaves_qty: Text,
    /// `buy` or `sell`.
    #[serde(default)]
    #[schema(value_type = Side)]
    pub side: Word,
    /// The ticker.
    pub symbol: String,
    /// The order.
    pub order_id: Uuid,
    /// The order's status after it.
    #[serde(default)]
    #[schema(value_type = OrderStatus)]
    pub order_status: Word,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
}

/// A deposit (`CSD`), withdrawal (`CSW`), journal (`JNLC`), fee, dividend and so on. Members that do not apply are
/// left out: an empty string in their place breaks clients.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OtherActivity {
    /// `YYYYMMDDHHMMSSmmm::<uuid>`, sorts by time.
    pub id: String,
    /// `CSD` and so on.
    #[schema(value_type = MovementType)]
    pub activity_type: Word,
    /// The day it counts for.
    pub date: NaiveDate,
    /// Dollars in (above zero) or out.
    pub net_amount: Text,
    /// For a person.
    #[serde(default)]
    pub description: String,
    /// `executed`, `correct` or `canceled`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub status: Word,
    /// The ticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Shares.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub qty: Option<Text>,
    /// Dollars a share.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "text::present")]
    pub per_share_amount: Option<Text>,
    /// When it was booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// `USD`.
    #[serde(default)]
    #[schema(value_type = String)]
    pub currency: Word,
}
