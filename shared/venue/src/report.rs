//! What a venue tells by itself: updates of orders and executions.

use crate::order::VenueOrderView;
use domain::order::EndKind;
use domain::{ExecId, Price, Qty, Side, Symbol, Timestamp, VenueOrderId};

/// One change of an order, told as it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueUpdate {
    /// Its place in the venue's stream, for `since`; venues without replay have none.
    pub event_id: Option<String>,
    /// What happened.
    pub kind: UpdateKind,
    /// The order after it.
    pub order: VenueOrderView,
    /// When it happened there.
    pub at: Timestamp,
    /// Why, for a person, where the venue says.
    pub reason: Option<String>,
}

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateKind {
    /// The venue has it.
    Acknowledged,
    /// An execution.
    Filled {
        /// The venue's name for it.
        exec_id: ExecId,
        /// Shares.
        qty: Qty,
        /// Dollars a share.
        price: Price,
    },
    /// An execution is taken back.
    Busted {
        /// The venue's name for it.
        exec_id: ExecId,
        /// Shares.
        qty: Qty,
        /// Dollars a share.
        price: Price,
    },
    /// An execution was for another quantity or price than it was told.
    Corrected {
        /// The venue's name for it.
        exec_id: ExecId,
        /// Shares, as they really were.
        qty: Qty,
        /// Dollars a share, as they really were.
        price: Price,
    },
    /// It is over; the order's `filled_qty` is the venue's count. When it was replaced, `replaced_by` names the order
    /// that goes on; that one's acknowledgement follows.
    Ended(EndKind),
    /// Its day is over, it trades again next session.
    DoneForDay,
    /// A cancel was refused.
    CancelRefused,
    /// A replacement that had been taken was refused: told of the order that goes on. The replacement itself is told to
    /// have ended as rejected.
    ReplaceRefused,
    /// A word that changes nothing for us, such as `pending_cancel`.
    Other(String),
}

/// One execution of the venue's record, which the stream may have missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueExecution {
    /// Its place in the record, for [`crate::Venue::executions_after`].
    pub cursor: String,
    /// The venue's name for it, the same as in the stream.
    pub exec_id: ExecId,
    /// The order's name at the venue.
    pub venue_order_id: VenueOrderId,
    /// Ticker.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
    /// When it happened.
    pub at: Timestamp,
}

/// An execution and whether it still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionView {
    /// What happened.
    pub execution: VenueExecution,
    /// When the venue took it back, if it did.
    pub busted_at: Option<Timestamp>,
}

/// A stretch of the venue's record of executions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecutionPage {
    /// Oldest first.
    pub executions: Vec<VenueExecution>,
    /// Whether there may be more after the last one.
    pub more: bool,
}
