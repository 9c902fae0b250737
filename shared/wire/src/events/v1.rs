//! Version 1 of the bus events. Amounts are decimal text, times RFC 3339, ids hyphenated UUIDs.
//!
//! A field may be added with a default; anything else is a version 2 beside this one.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An order was accepted with its hold; the executor files it and sends it when its time comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderAccepted {
    /// Our order id, also its key at the venue.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: String,
    /// Shares.
    pub qty: Decimal,
    /// Dollars a share.
    pub limit_price: Decimal,
    /// `day`, `gtc`, `ioc` or `fok`.
    pub time_in_force: String,
    /// The session it belongs to.
    pub session_date: NaiveDate,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// Not to be sent before; none: when its session opens.
    #[serde(default)]
    pub submit_at: Option<DateTime<Utc>>,
    /// When a job will end it, apart from its session's close: a `gtc` order's age, or what was asked for.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

impl OrderAccepted {
    /// The event's name on the bus.
    pub const KIND: &'static str = "order_accepted.v1";
}

/// An order is to take the place of another one at the venue; the executor files it and asks the venue for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaceRequested {
    /// The order that is to take the place, as it was accepted. Its `qty` is the new total of its chain.
    #[serde(flatten)]
    pub order: OrderAccepted,
    /// The order whose place it is to take.
    pub replaces: Uuid,
    /// The venue's name for that order: its readers may know it before the executor has an answer of its own.
    #[serde(default)]
    pub at_venue: Option<String>,
}

impl ReplaceRequested {
    /// The event's name on the bus.
    pub const KIND: &'static str = "replace_requested.v1";
}

/// Somebody wishes an order to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// The order.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// `customer`, or the job that asks.
    pub asked_by: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
}

impl CancelRequested {
    /// The event's name on the bus.
    pub const KIND: &'static str = "cancel_requested.v1";
}

/// An order that waits for its time may not be sent any more (TIF-7). One that was sent meanwhile goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectRequested {
    /// The order.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// The job that asks.
    pub asked_by: String,
    /// Why, in words a customer can read.
    pub reason: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
}

impl RejectRequested {
    /// The event's name on the bus.
    pub const KIND: &'static str = "reject_requested.v1";
}

/// Somebody doubts what is known of an order: the executor asks the venue under the order's key and reports what it
/// says. It changes nothing by itself, so asking twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookUpRequested {
    /// The order.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// The job that asks.
    pub asked_by: String,
    /// What looks wrong, in words an operator can read.
    pub why: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
}

impl LookUpRequested {
    /// The event's name on the bus.
    pub const KIND: &'static str = "look_up_requested.v1";
}

/// Something was heard from the venue about an order, or is known for want of ever sending it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueReport {
    /// Which venue; with `exec_id` it identifies an execution.
    pub venue: String,
    /// Our order.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// What was heard.
    #[serde(flatten)]
    pub fact: Fact,
    /// Where from: `submit`, `stream`, `poll`, `lookup`, `saga`, `never_sent`, `end_of_day`, `recon`.
    pub source: String,
    /// When we heard it.
    pub received_at: DateTime<Utc>,
}

impl VenueReport {
    /// The event's name on the bus.
    pub const KIND: &'static str = "venue_report.v1";
}

/// One fact about an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// Whether the venue has it is not known.
    InDoubt,
    /// The venue has it.
    Acknowledged {
        /// Its name there.
        venue_order_id: String,
        /// When the venue took it.
        at: DateTime<Utc>,
    },
    /// An execution.
    Filled {
        /// The venue's name for it.
        exec_id: String,
        /// The order's name at the venue.
        venue_order_id: String,
        /// Shares.
        qty: Decimal,
        /// Dollars a share.
        price: Decimal,
        /// When it happened there.
        at: DateTime<Utc>,
    },
    /// An execution is taken back.
    Busted {
        /// The venue's name for it.
        exec_id: String,
        /// Shares.
        qty: Decimal,
        /// Dollars a share.
        price: Decimal,
        /// When it was taken back.
        at: DateTime<Utc>,
    },
    /// An execution was for another quantity or price than it was told (LED-17).
    Corrected {
        /// The venue's name for it.
        exec_id: String,
        /// Shares, as they really were.
        qty: Decimal,
        /// Dollars a share, as they really were.
        price: Decimal,
        /// When it was corrected; of two corrections the later one counts.
        at: DateTime<Utc>,
    },
    /// An execution for an order that is none of ours; it waits in suspense (LED-20).
    Unmatched {
        /// The venue's name for it.
        exec_id: String,
        /// The order's name at the venue.
        venue_order_id: String,
        /// Ticker.
        symbol: String,
        /// `buy` or `sell`.
        side: String,
        /// Shares.
        qty: Decimal,
        /// Dollars a share.
        price: Decimal,
        /// When it happened there.
        at: DateTime<Utc>,
    },
    /// The order is over.
    Ended {
        /// How.
        end: End,
        /// Shares filled by then, by the venue's count.
        filled_qty: Decimal,
        /// Why, in words a customer can read.
        reason: Option<String>,
        /// When.
        at: DateTime<Utc>,
        /// The venue's name for the order that took its place, where it was replaced and that is known.
        #[serde(default)]
        replaced_by: Option<String>,
    },
    /// The venue shows it filled and works it no more. Its executions tell what was filled; of a replacement only the
    /// reader knows whether the count makes it whole (ORD-8).
    Completed {
        /// Shares filled by then, its own, by the venue's count.
        filled_qty: Decimal,
        /// When.
        at: DateTime<Utc>,
    },
    /// The venue refused the cancel, e.g. because it came too late.
    CancelRefused {
        /// Why.
        reason: String,
    },
    /// The venue will not put a replacement in the order's place. The order goes on as it was.
    ReplaceRefused {
        /// The replacement, which never lived.
        replacement_id: Uuid,
        /// Why.
        reason: String,
        /// Shares of the order that were filled by then, by the venue's count, where it is known.
        filled_qty: Option<Decimal>,
    },
    /// Its day is over, it trades again next session.
    DoneForDay,
    /// The next session began for an order whose day was over.
    Resumed,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Canceled at the venue, or its key burnt, or withdrawn before it was ever sent.
    Canceled,
    /// Its time in force ran out.
    Expired,
    /// The venue refused it.
    Rejected,
    /// Another order took its place.
    Replaced,
}

/// An order changed: a wake-up that points to the row of `order_events`, which says how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdated {
    /// The order.
    pub order_id: Uuid,
    /// Whose order.
    pub account_id: Uuid,
    /// Place in the account's sequence.
    pub seq: i64,
    /// The stream's word for it.
    pub event: String,
}

impl OrderUpdated {
    /// The event's name on the bus.
    pub const KIND: &'static str = "order_updated.v1";
}
