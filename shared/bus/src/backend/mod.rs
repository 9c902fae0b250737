//! What differs between engines: which partitions are a member's, and how the next events come to it.
//!
//! Everything else is Postgres on every engine, since it belongs to the effect's transaction: appending, storing a
//! position with its epoch check, parking. An event's [`crate::Position`] is its outbox row's, whatever carried it here:
//! that makes engines switchable, and it is how a message that comes twice is known.

#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub(crate) mod postgres;

use std::time::Duration;

use sqlx::PgPool;

use crate::positions::{Member, Place};
use crate::{Bus, BusError, Fetched, Topic};

/// What a member owns after a look at the leases.
pub(crate) struct Settled {
    pub(crate) places: Vec<Place>,
    /// It has its whole share; else it looks again sooner.
    pub(crate) complete: bool,
}

/// The seam: where one reader's partitions and events come from.
pub(crate) enum Source {
    /// The outbox itself.
    Postgres,
    /// A broker, and the outbox for what it has not.
    #[cfg(feature = "kafka")]
    Kafka(Box<kafka::Reader>),
}

impl Source {
    /// Of a member of a group, on the engine of its process.
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "only Kafka has to know"))]
    pub(crate) fn of_member(bus: &Bus, group: &'static str, topic: Topic) -> Self {
        #[cfg(feature = "kafka")]
        if let Some(settings) = bus.kafka() {
            return Source::Kafka(Box::new(kafka::Reader::member(bus.clone(), settings, group, topic)));
        }
        Source::Postgres
    }

    /// Of a reader outside all groups.
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "only Kafka has to know"))]
    pub(crate) fn of_follower(bus: &Bus, topic: Topic) -> Self {
        #[cfg(feature = "kafka")]
        if let Some(settings) = bus.kafka() {
            return Source::Kafka(Box::new(kafka::Reader::follower(bus.clone(), settings, topic)));
        }
        Source::Postgres
    }

    /// Whether the leases have to be looked at before that is due. Never waits.
    pub(crate) fn is_restless(&mut self) -> Result<bool, BusError> {
        match self {
            Source::Postgres => Ok(false),
            #[cfg(feature = "kafka")]
            Source::Kafka(reader) => reader.is_restless(),
        }
    }

    /// Takes part in the group: brings what the member owns in line with what is its share.
    pub(crate) async fn settle(&mut self, pool: &PgPool, member: Member, lease: Duration) -> Result<Settled, BusError> {
        match self {
            Source::Postgres => postgres::settle(pool, member, lease).await,
            #[cfg(feature = "kafka")]
            Source::Kafka(reader) => reader.settle(pool, member, lease).await,
        }
    }

    /// For a follower: whatever is published after this has returned will come.
    pub(crate) async fn begin(&mut self) -> Result<(), BusError> {
        match self {
            Source::Postgres => Ok(()),
            #[cfg(feature = "kafka")]
            Source::Kafka(reader) => reader.begin().await,
        }
    }

    /// The next events after each place, at most `limit`, in order within each partition. What was not followed by
    /// [`Source::done`] comes again.
    pub(crate) async fn fetch(
        &mut self,
        pool: &PgPool,
        topic: Topic,
        places: &[Place],
        limit: i64,
    ) -> Result<Fetched, BusError> {
        match self {
            Source::Postgres => postgres::fetch(pool, topic, places, limit).await,
            #[cfg(feature = "kafka")]
            Source::Kafka(reader) => reader.fetch(pool, places, limit).await,
        }
    }

    /// Everything up to these places has been handled.
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "only Kafka has to know"))]
    pub(crate) fn done(&mut self, places: &[Place]) {
        #[cfg(feature = "kafka")]
        if let Source::Kafka(reader) = self {
            reader.done(places);
        }
    }
}
