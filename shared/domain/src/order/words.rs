//! The closed vocabularies of an order, spelt as the wire spells them.

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// Buy or sell. Shorting is refused elsewhere, so a sell always delivers shares the account holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Display, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Side {
    /// Pays cash, receives shares.
    Buy,
    /// Delivers shares, receives cash.
    Sell,
}

/// What a customer wrote about the price. The exchange is asked for a limit in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum OrderType {
    /// At this price or better.
    Limit,
    /// At once; it goes out as a limit at the collar (PX-7).
    Market,
}

/// How long an order works (TIF-1 to TIF-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TimeInForce {
    /// Until the session's end.
    Day,
    /// Until canceled, at most 90 days.
    Gtc,
    /// What is possible at once, the rest is canceled.
    Ioc,
    /// All at once or nothing.
    Fok,
}

/// Where an order stands; the words of the wire (domain rules 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum OrderStatus {
    /// Committed with its hold; no word from the venue yet.
    Accepted,
    /// The submission is in doubt.
    PendingNew,
    /// The venue has it.
    New,
    /// Some of it is filled.
    PartiallyFilled,
    /// All of it is filled.
    Filled,
    /// Its day is over, it trades again next session.
    DoneForDay,
    /// Ended unfilled or in part, on wish or by the venue.
    Canceled,
    /// Ended by its time in force.
    Expired,
    /// The venue refused it.
    Rejected,
    /// Another order took its place.
    Replaced,
    /// A cancel is asked for and not answered yet; shown only, never stored.
    PendingCancel,
    /// A replace is asked for and not answered yet; shown only, never stored.
    PendingReplace,
}

impl OrderStatus {
    /// The word, for SQL and the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the order may still trade (`status=open` in lists).
    pub const fn is_open(self) -> bool {
        !matches!(
            self,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Replaced
        )
    }
}

impl Side {
    /// The word, for SQL and the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl OrderType {
    /// The word, for SQL and the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl TimeInForce {
    /// The word, for SQL and the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
