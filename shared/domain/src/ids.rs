//! Typed identifiers: an order id cannot be handed in where an account id is meant.

use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

use crate::trace::TraceContext;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that was drawn by the caller's id source or read from a table.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare UUID, for SQL and the wire.
            pub const fn get(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A customer's brokerage account.
    AccountId
);
uuid_id!(
    /// One order of ours; also its idempotency key at the venue, never drawn anew at a retry (ORD-15).
    OrderId
);
uuid_id!(
    /// An instrument in the assets table.
    AssetId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps the text.
            ///
            /// # Errors
            /// Empty, longer than allowed, or holding control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked(text, $max).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than the field allows, in characters.
    #[error("must be no more than {most} characters")]
    TooLong {
        /// The most characters allowed.
        most: usize,
    },
    /// Holds a control character.
    #[error("must not hold control characters")]
    Control,
}

fn checked(text: &str, most: usize) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.chars().count() > most {
        return Err(IdError::TooLong { most });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control);
    }
    Ok(text.into())
}

text_id!(
    /// The customer's own name for an order: unique per account for ever, at most 128 characters (ORD-13).
    ClientOrderId, 128
);
text_id!(
    /// The venue's name for an order.
    VenueOrderId, 128
);
text_id!(
    /// The venue's name for one execution; with the venue it identifies a fill (ORD-6).
    ExecId, 128
);
/// Follows one request from its HTTP answer to the fill, in rows, events and logs; where the request is traced, with its
/// place in the trace, since both go wherever its effects go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    text: Arc<str>,
    trace: Option<TraceContext>,
}

impl RequestId {
    /// Checks and wraps the text; nothing is traced.
    ///
    /// # Errors
    /// Empty, longer than 128 characters, or holding control characters.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let text = checked(text, 128)?;
        Ok(Self { text, trace: None })
    }

    /// The same request, at this place in its trace.
    #[must_use]
    pub fn traced(self, trace: Option<TraceContext>) -> Self {
        Self { trace, ..self }
    }

    /// As [`RequestId::traced`], by the text of a row or a header.
    #[must_use]
    pub fn traced_as(self, text: Option<&str>) -> Self {
        self.traced(text.and_then(TraceContext::parse))
    }

    /// The place in the trace, where there is one.
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace
    }

    /// The place in the trace as rows and headers have it.
    pub fn trace_text(&self) -> Option<String> {
        self.trace.map(|trace| trace.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
