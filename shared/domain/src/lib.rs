//! The brokerage's nouns and rules, pure: no I/O, no clock, no randomness.
//!
//! Outside input becomes one of these types by parsing; after that nothing re-validates. Money is [`Money`],
//! a price is [`Price`], a share count is [`Qty`]: exact decimals with only the arithmetic that means something.

pub mod amount;
pub mod calendar;
pub mod collar;
pub mod ids;
pub mod order;
pub mod symbol;
pub mod trace;

pub use amount::{AmountError, Money, Price, Qty};
pub use ids::{AccountId, AssetId, ClientOrderId, ExecId, OrderId, RequestId, VenueOrderId};
pub use order::{OrderStatus, OrderType, Side, TimeInForce};
pub use symbol::Symbol;
pub use trace::TraceContext;

/// A moment in UTC, at microsecond precision (what Postgres keeps).
pub type Timestamp = chrono::DateTime<chrono::Utc>;
