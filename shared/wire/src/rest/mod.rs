//! The client dialect: every JSON body of the REST interface, and the trade update the streams carry.
//!
//! One set of types for both directions: order-manager writes them, the venue adapter reads them from any server of
//! the same dialect, and the bundled exchange does both. So writing is exact (every documented key is there, amounts
//! are strings) and reading is tolerant (unknown keys are skipped, words are kept as text, an amount may be a number).

mod account;
mod activity;
mod configurations;
mod history;
mod loose;
mod market;
mod order;
mod position;
pub mod schema;
mod text;
mod update;

pub use account::Account;
pub use activity::{Activity, FillActivity, OtherActivity};
pub use configurations::{Configurations, UpdateConfigurations};
pub use history::{Number, PortfolioHistory};
pub use loose::Loose;
pub use market::{Asset, CalendarDay, Clock};
pub use order::{
    CancelResult, CloseBody, CloseResult, ErrorBody, Order, PlaceOrder, ReplaceOrder, SubmitOrder, SubmitReplacement,
};
pub use position::Position;
pub use text::Text;
pub use update::TradeUpdate;

use std::borrow::Cow;

/// A word of a vocabulary: ours are static, a peer's are kept as they came.
pub type Word = Cow<'static, str>;

#[cfg(test)]
mod tests;
