//! The event log: every event is born in the `outbox` table, in the transaction of its cause, and reaches each
//! consumer group once, in order.
//!
//! | module         | what                                                                              |
//! |----------------|-----------------------------------------------------------------------------------|
//! | `topic`        | the topics, and which partition a key belongs to, for ever                        |
//! | `event`        | what is appended ([`NewEvent`]) and what comes out ([`Event`])                    |
//! | `outbox`       | [`append`], the only way to publish                                               |
//! | `hub`          | [`Bus`]: what a process shares, wake-ups included                                 |
//! | `consumer`     | [`Consumer`]: leases, next batch, position                                        |
//! | `follower`     | [`Follower`]: reading along outside any group, from now on                        |
//! | `runner`       | [`Runner`]: a consumer and a [`Handler`] as a step, poison messages parked        |
//! | `positions`    | a group's place in each partition and who may move it, one row for both           |
//! | `backend`      | what differs between engines: which events come next, who gets which partition    |
//! | `engine`       | [`Engine`]: which one is in force, and how an installation changes it             |
//! | `relay`        | `Relay`: ships the outbox to Kafka; with the feature `kafka`                      |
//! | `parked`       | messages that could not be handled; list, requeue, discard                        |
//! | `lease`        | [`NamedLease`]: one owner for work that is not a partition                        |
//! | `way`          | who goes first: what somebody waits for, before what nobody does                  |
//! | `traces`       | a span for each traced event that is handled or shipped                           |
//! | `housekeeping` | daily partitions of the outbox made ahead and dropped when read                   |
//! | `observe`      | the metrics                                                                       |
//!
//! What order means: an event committed before another's request arrived comes first; events of one order come in
//! the order of their commits. Two transactions that overlap may swap, so whoever needs an account's exact sequence
//! reads `order_events`.

mod backend;
mod consumer;
pub mod engine;
mod error;
mod event;
mod follower;
mod housekeeping;
mod hub;
pub mod lease;
pub mod observe;
mod outbox;
pub mod parked;
mod positions;
#[cfg(feature = "kafka")]
mod relay;
mod rows;
mod runner;
mod topic;
mod traces;
mod way;

pub use consumer::{Consumer, Fetched, LeaseChange, Partition};
pub use engine::{Engine, KafkaSettings};
pub use error::BusError;
pub use event::{Event, NewEvent, Position};
pub use follower::Follower;
pub use housekeeping::{drop_outbox_partitions, ensure_outbox_partitions};
pub use hub::{Bus, BusSettings};
pub use lease::NamedLease;
pub use observe::observe;
pub use outbox::append;
#[cfg(feature = "kafka")]
pub use relay::Relay;
pub use runner::{HandleError, Handler, Runner};
pub use topic::{PARTITIONS, Topic, partition_of};
pub use way::Hurry;
