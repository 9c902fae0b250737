//! Orders: the object, the request to place one, the answers to a bulk cancel, and the error body.

use super::Word;
use super::loose::{self, Loose};
use super::schema::{
    AmountAsked, AssetAsked, AssetClass, ClientOrderId, ClientOrderIdAsked, Empty, FlagAsked, MomentAsked, Nothing,
    OrderClass, OrderClassAsked, OrderStatus, OrderType, PositionIntent, PositionIntentAsked, RestingAsked, Side,
    TimeInForce,
};
use super::text::{self, Text};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order as clients see it. Written with every key; read from whatever of them a peer sends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The order's id.
    pub id: Uuid,
    /// The customer's own name for it.
    #[schema(value_type = ClientOrderId)]
    pub client_order_id: String,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was accepted; unique per account and growing, lists are paged by it (ORD-16).
    pub submitted_at: DateTime<Utc>,
    /// When the last share traded.
    #[serde(default)]
    pub filled_at: Option<DateTime<Utc>>,
    /// When its time ran out.
    #[serde(default)]
    pub expired_at: Option<DateTime<Utc>>,
    /// When its time will run out.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it goes to the exchange at the earliest (Daybook's own); left out unless it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_at: Option<DateTime<Utc>>,
    /// When it was canceled.
    #[serde(default)]
    pub canceled_at: Option<DateTime<Utc>>,
    /// When the venue refused it.
    #[serde(default)]
    pub failed_at: Option<DateTime<Utc>>,
    /// When another order took its place.
    #[serde(default)]
    pub replaced_at: Option<DateTime<Utc>>,
    /// The order that took its place.
    #[serde(default)]
    pub replaced_by: Option<Uuid>,
    /// The order whose place it took.
    #[serde(default)]
    pub replaces: Option<Uuid>,
    /// The instrument.
    #[serde(default)]
    pub asset_id: Option<Uuid>,
    /// The instrument's ticker.
    pub symbol: String,
    /// `us_equity`.
    #[serde(default)]
    #[schema(value_type = AssetClass)]
    pub asset_class: Word,
    /// Dollars asked for; then `qty` is null.
    #[serde(default, deserialize_with = "text::present")]
    pub notional: Option<Text>,
    /// Shares asked for.
    #[serde(default, deserialize_with = "text::present")]
    pub qty: Option<Text>,
    /// Shares traded; `"0"` at first.
    #[serde(default)]
    pub filled_qty: Text,
    /// Average dollars a share over its fills.
    #[serde(default, deserialize_with = "text::present")]
    pub filled_avg_price: Option<Text>,
    /// `simple`, or empty, which means the same.
    #[serde(default)]
    #[schema(value_type = OrderClass)]
    pub order_class: Word,
    /// Deprecated copy of `type`.
    #[serde(default)]
    #[schema(value_type = OrderType)]
    pub order_type: Word,
    /// `limit` or one of the other types.
    #[serde(rename = "type", default)]
    #[schema(value_type = OrderType)]
    pub kind: Word,
    /// `buy` or `sell`.
    #[serde(default)]
    #[schema(value_type = Side)]
    pub side: Word,
    /// `buy_to_open`, `sell_to_close` and so on.
    #[serde(default)]
    #[schema(value_type = Option<PositionIntent>)]
    pub position_intent: Option<Word>,
    /// `day`, `gtc`, `ioc`, `fok`.
    #[serde(default)]
    #[schema(value_type = TimeInForce)]
    pub time_in_force: Word,
    /// The worst price a share may trade at.
    #[serde(default, deserialize_with = "text::present")]
    pub limit_price: Option<Text>,
    /// Of the stop types.
    #[serde(default, deserialize_with = "text::present")]
    pub stop_price: Option<Text>,
    /// Where it stands.
    #[schema(value_type = OrderStatus)]
    pub status: Word,
    /// Whether it may trade outside the regular session.
    #[serde(default)]
    pub extended_hours: bool,
    /// Legs of a compound order; always null here.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    pub legs: Option<Box<RawValue>>,
    /// Of trailing stops.
    #[serde(default, deserialize_with = "text::present")]
    pub trail_percent: Option<Text>,
    /// Of trailing stops.
    #[serde(default, deserialize_with = "text::present")]
    pub trail_price: Option<Text>,
    /// High-water mark of trailing stops.
    #[serde(default, deserialize_with = "text::present")]
    pub hwm: Option<Text>,
    /// Of multi-leg orders.
    #[serde(default, deserialize_with = "text::present")]
    pub ratio_qty: Option<Text>,
    /// Free tag.
    #[serde(default)]
    pub subtag: Option<String>,
    /// Which client it came from.
    #[serde(default)]
    pub source: Option<String>,
}

/// The body of `POST /v2/orders`, every field as the caller wrote it. Null, `""` and absent are the same; unknown
/// fields are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct PlaceOrder {
    /// Symbol or asset id.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = AssetAsked, required)]
    pub symbol: Option<Loose>,
    /// Shares.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<AmountAsked>)]
    pub qty: Option<Loose>,
    /// Dollars, instead of `qty`.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<AmountAsked>)]
    pub notional: Option<Loose>,
    /// `buy` or `sell`.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Side, required)]
    pub side: Option<Loose>,
    /// `limit` and so on.
    #[serde(rename = "type", default, deserialize_with = "loose::present")]
    #[schema(value_type = OrderType, required)]
    pub kind: Option<Loose>,
    /// `day` and so on.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = TimeInForce, required)]
    pub time_in_force: Option<Loose>,
    /// Dollars a share.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<AmountAsked>)]
    pub limit_price: Option<Loose>,
    /// Of the stop types.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Nothing>)]
    pub stop_price: Option<Loose>,
    /// Of trailing stops.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Nothing>)]
    pub trail_price: Option<Loose>,
    /// Of trailing stops.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Nothing>)]
    pub trail_percent: Option<Loose>,
    /// Whether it may trade outside the regular session.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<FlagAsked>)]
    pub extended_hours: Option<Loose>,
    /// The caller's own name for the order.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<ClientOrderIdAsked>)]
    pub client_order_id: Option<Loose>,
    /// `simple` and so on.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<OrderClassAsked>)]
    pub order_class: Option<Loose>,
    /// Of bracket orders.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Empty>)]
    pub take_profit: Option<Loose>,
    /// Of bracket orders.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Empty>)]
    pub stop_loss: Option<Loose>,
    /// Of multi-leg orders.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Empty>)]
    pub legs: Option<Loose>,
    /// `buy_to_open` and so on; must agree with the side.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<PositionIntentAsked>)]
    pub position_intent: Option<Loose>,
    /// When the order shall end (Daybook's own).
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<MomentAsked>)]
    pub expires_at: Option<Loose>,
    /// When the order shall be sent (Daybook's own).
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<MomentAsked>)]
    pub submit_at: Option<Loose>,
}

/// The body of `PATCH /v2/orders/{id}`, every field as the caller wrote it. Null, `""` and absent are the same: the
/// replacement has what the order has. Unknown fields are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub struct ReplaceOrder {
    /// Shares: the new total, those already traded included.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<AmountAsked>)]
    pub qty: Option<Loose>,
    /// Dollars a share.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<AmountAsked>)]
    pub limit_price: Option<Loose>,
    /// Of the stop types.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Nothing>)]
    pub stop_price: Option<Loose>,
    /// Of trailing stops.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<Nothing>)]
    pub trail: Option<Loose>,
    /// `day` and so on.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<RestingAsked>)]
    pub time_in_force: Option<Loose>,
    /// The caller's own name for the replacement; it is an order of its own.
    #[serde(default, deserialize_with = "loose::present")]
    #[schema(value_type = Option<ClientOrderIdAsked>)]
    pub client_order_id: Option<Loose>,
}

/// The body of `POST /v2/orders` as we send it to a venue: a simple limit order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubmitOrder {
    /// The ticker.
    pub symbol: String,
    /// Shares.
    pub qty: Text,
    /// `buy` or `sell`.
    pub side: Word,
    /// `limit`.
    #[serde(rename = "type")]
    pub kind: Word,
    /// `day`, `gtc`, `ioc`, `fok`.
    pub time_in_force: Word,
    /// Dollars a share.
    pub limit_price: Text,
    /// The idempotency key: our order's id (ORD-15).
    pub client_order_id: String,
    /// Whether it may trade outside the regular session.
    pub extended_hours: bool,
    /// `simple`.
    pub order_class: Word,
}

/// The body of `PATCH /v2/orders/{id}` as we send it to a venue. All of it is said, also what stays: what the venue
/// takes over by itself could have changed there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubmitReplacement {
    /// Shares: the new total, those already traded included.
    pub qty: Text,
    /// Dollars a share.
    pub limit_price: Text,
    /// `day`, `gtc`, `ioc`, `fok`.
    pub time_in_force: Word,
    /// The idempotency key: the replacement's id, not the old order's (ORD-15).
    pub client_order_id: String,
}

/// One entry of the answer to `DELETE /v2/orders`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CancelResult {
    /// The order.
    pub id: Uuid,
    /// 200 when the cancel was taken, else the status of the error.
    pub status: u16,
    /// The error; left out on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ErrorBody>,
}

/// One entry of the answer to `DELETE /v2/positions`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CloseResult {
    /// The ticker.
    pub symbol: String,
    /// 200 when the closing order was taken, else the status of the error.
    pub status: u16,
    /// The closing order, or the error.
    pub body: CloseBody,
}

/// What came of closing one position.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CloseBody {
    /// The closing order.
    Order(Box<Order>),
    /// Why there is none.
    Error(ErrorBody),
}

/// The body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// Status class and cause, such as 40310000.
    #[serde(default)]
    pub code: i64,
    /// What was wrong, for a person.
    #[serde(default)]
    pub message: String,
    /// Further keys, such as `buying_power`.
    #[serde(flatten)]
    pub context: serde_json::Map<String, serde_json::Value>,
}
