//! The order: its words, its state machine, and what an execution does to it.

mod execution;
mod state;
mod words;

pub use execution::{ExecEffect, ExecFact, ExecState, absorb};
pub use state::{EndKind, IllegalMove, OrderEvent, OrderState, Shown, StreamEvent, Wish, average_price};
pub use words::{OrderStatus, OrderType, Side, TimeInForce};
