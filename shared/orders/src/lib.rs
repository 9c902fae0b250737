//! The stored order: insert, advance, fills, history.
//!
//! Writers hold the locks: existing orders by id first ([`lock`]), then accounts by id (the ledger's lock); the
//! account's sequence and counters ([`sequences`]) belong to the account's lock. All writing is set-based.

pub mod churn;
mod events;
mod fills;
pub mod history;
pub mod read;
mod sequence;
mod stored;
mod wishes;
mod write;

pub use events::{Execution, NewOrderEvent, append_events};
pub use fills::{CorrectedFill, KnownFill, NewFill, VenueExec, correct_fills, insert_fills, known_fills, mark_busted};
pub use sequence::{Sequence, open_sequence, open_value_of_all, sequences, store_sequences};
pub use stored::{Chain, RefusedReplace, StoredOrder, open_value};
pub use wishes::{Expiring, WishKind, clear_cancel_wishes, wish_to_end, wish_to_expire, wish_to_replace};
pub use write::{NewOrder, Replaces, advance, insert, lock, lock_chains, taken_client_ids};
