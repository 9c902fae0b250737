//! What came of a call: yes, no, or not known.

use crate::order::VenueOrderView;
use std::time::Duration;
use thiserror::Error;

/// What came of handing in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The venue has it, as asked; perhaps from an earlier call under the same key.
    Acknowledged(VenueOrderView),
    /// The venue said no.
    Refused(Refusal),
    /// The order may be live. Look it up by key before anything else.
    Unknown(Fault),
}

/// A definite no, with the venue's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The venue's error code.
    pub code: i64,
    /// Why, for a person.
    pub reason: String,
}

/// What came of asking to put an order in another one's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacing {
    /// The venue has the replacement, as asked; perhaps from an earlier call under the same key. Whether it took the
    /// old order's place is in its status: [`crate::VenueStatus::PendingReplace`] is not decided yet, and one that ended
    /// as rejected came too late.
    Replaced(VenueOrderView),
    /// The venue said no: the old order goes on as it was.
    Refused(Refusal),
    /// The replacement may be live. Look it up by its key before anything else.
    Unknown(Fault),
}

/// What a key names at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// This order.
    Found(VenueOrderView),
    /// Nothing, at this moment: a request may still be on its way.
    NotFound,
    /// No usable answer.
    Unknown(Fault),
}

/// What came of asking to end an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canceling {
    /// The venue will try; the outcome is heard later.
    Taken,
    /// It is over already.
    TooLate(Refusal),
    /// The venue knows no such order.
    NotFound,
    /// No usable answer.
    Unknown(Fault),
}

/// Why an outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The whole time allowed for the call is over.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke with the request out.
    #[error("connection lost: {0}")]
    Connection(String),
    /// The connection never stood, so nothing was sent.
    #[error("not reachable: {0}")]
    NotSent(String),
    /// A 5xx or another status that says nothing about the order.
    #[error("answered {0}")]
    Status(u16),
    /// Too many calls; nothing was done.
    #[error("too many calls, again after {retry_after:?}")]
    Throttled {
        /// How long to leave the venue alone.
        retry_after: Duration,
    },
    /// The venue does not know our key pair; nothing was done.
    #[error("our key pair is refused")]
    Unauthorized,
    /// Not what the dialect says.
    #[error("unreadable answer: {0}")]
    Garbage(String),
    /// Readable, but about something else than was asked.
    #[error("the answer differs from what was asked: {0}")]
    Mismatch(String),
    /// It is not there yet, the venue says; ask later.
    #[error("not yet: {0}")]
    NotYet(String),
    /// This venue has no such thing to ask for.
    #[error("this venue has no {0}")]
    NotOffered(&'static str),
}

impl Fault {
    /// Whether it is certain that the call changed nothing at the venue; it is no attempt then.
    pub const fn not_applied(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::NotSent(_) | Self::Unauthorized)
    }

    /// Whether it says that the venue is down or out of reach, and nothing of the call itself.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Timeout | Self::Connection(_) | Self::NotSent(_) | Self::Unauthorized => true,
            Self::Status(status) => *status >= 500,
            _ => false,
        }
    }

    /// A word for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection(_) => "connection",
            Self::NotSent(_) => "not_sent",
            Self::Status(_) => "status",
            Self::Throttled { .. } => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Garbage(_) => "garbage",
            Self::Mismatch(_) => "mismatch",
            Self::NotYet(_) => "not_yet",
            Self::NotOffered(_) => "not_offered",
        }
    }
}
