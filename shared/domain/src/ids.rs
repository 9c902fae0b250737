//! Typed identifiers: an order id cannot be handed in where an account id is meant.

use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use uuid::Uuid;

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
                if text.is_empty() {
                    return Err(IdError::Empty);
                }
                if text.chars().count() > $max {
                    return Err(IdError::TooLong { most: $max });
                }
                if text.chars().any(char::is_control) { Err(IdError::Control) } else { Ok(Self(text.into())) }
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
text_id!(
    /// Follows one request from its HTTP answer to the fill, in rows, events and logs.
    RequestId, 128
);
