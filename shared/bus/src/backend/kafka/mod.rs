//! The Kafka engine: a relay ships the outbox, readers take from the broker.
//!
//! The broker only carries. Who may move a group's place, and where that place is, stands in `bus_positions` as on the
//! other engine; whatever the broker repeats is dropped, and whatever it lost is read from the outbox ([`buffer`]). So
//! neither its data nor its offsets are ever the truth: a broker with an empty disk heals by itself.
//!
//! Kafka's group says who gets which partition. A partition that was just assigned is claimed at once, whoever had it:
//! its epoch fences the former owner, whose transaction under way is waited for at the row. One that was assigned
//! before and is somebody else's in the table is left alone until that lease is over.

mod buffer;
pub(crate) mod client;
pub(crate) mod message;
mod reader;
pub(crate) mod topics;

pub(crate) use reader::Reader;
