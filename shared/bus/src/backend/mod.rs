//! What differs between engines.
//!
//! The rest of the crate does not know how rows are fetched. A second engine provides the same four functions as
//! [`postgres`] does, chosen in `consumer`:
//!
//! - `join`: take part in a group, and say how many of its partitions are this member's;
//! - `claim`: which partitions that nobody owns it may take now, their epoch raised in `bus_positions`;
//! - `events_after`: the next events of the owned partitions, each after its place, order kept per partition. An
//!   event's [`crate::Position`] must be the outbox row's, whatever carried it here: that makes engines switchable,
//!   and it is how a message that comes twice is known;
//! - `held_back`: whether there is more that may be taken only in a moment.
//!
//! Appending, storing a position with its epoch check, and parking are Postgres for every engine, since they belong
//! to the effect's transaction. There is one engine so far, hence no trait.

pub(crate) mod postgres;
