//! One reader of a topic at the broker: a member of a group, or a follower.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sqlx::PgPool;
use tracing::{error, info, warn};

use super::buffer::{Buffer, Pushed, ROOM};
use super::client::{self, Assignment, Client, Role};
use super::message;
use crate::backend::{Settled, postgres};
use crate::positions::{self, Member, Place};
use crate::{Bus, BusError, Event, Fetched, KafkaSettings, PARTITIONS, Position, Topic};

/// Most messages taken from the client at a time.
const POLLS: usize = 2 * ROOM;

pub(crate) struct Reader {
    bus: Bus,
    settings: KafkaSettings,
    topic: Topic,
    role: Role,
    /// Made at first use, and anew after a fatal error.
    client: Option<Arc<Client>>,
    assignment: Arc<Mutex<Assignment>>,
    buffer: Buffer,
    /// What it may hand out.
    owned: BTreeSet<i16>,
    /// Partitions behind the relay with nothing to read, and their place then.
    idle: BTreeMap<i16, Position>,
    /// Partitions to be read from the outbox, since the broker has nothing for them.
    starved: BTreeSet<i16>,
}

impl Reader {
    pub(crate) fn member(bus: Bus, settings: &KafkaSettings, group: &'static str, topic: Topic) -> Self {
        let ordinal = bus.ordinal(group, topic);
        Reader::new(bus, settings.clone(), topic, Role::Member { group, ordinal })
    }

    pub(crate) fn follower(bus: Bus, settings: &KafkaSettings, topic: Topic) -> Self {
        let mut reader = Reader::new(bus, settings.clone(), topic, Role::Follower);
        reader.owned = (0..PARTITIONS).collect();
        reader
    }

    fn new(bus: Bus, settings: KafkaSettings, topic: Topic, role: Role) -> Self {
        Reader {
            bus,
            settings,
            topic,
            role,
            client: None,
            assignment: Arc::default(),
            buffer: Buffer::default(),
            owned: BTreeSet::new(),
            idle: BTreeMap::new(),
            starved: BTreeSet::new(),
        }
    }

    /// Serves the client, and says whether the group gave or took partitions.
    pub(crate) fn is_restless(&mut self) -> Result<bool, BusError> {
        self.poll()?;
        Ok(std::mem::take(&mut client::lock(&self.assignment).changed))
    }

    /// Claims what the group assigned, and gives up what it took away.
    pub(crate) async fn settle(&mut self, pool: &PgPool, member: Member, lease: Duration) -> Result<Settled, BusError> {
        postgres::announce(pool, member, lease).await?;
        let (assigned, fresh) = {
            let assignment = client::lock(&self.assignment);
            (assignment.partitions.clone(), assignment.fresh.clone())
        };
        let mut places = positions::renew(pool, member, lease).await?;
        let held: BTreeSet<i16> = places.iter().map(|place| place.partition).collect();
        let surplus: Vec<i16> = held.difference(&assigned).copied().collect();
        if !surplus.is_empty() {
            positions::release(pool, member, &surplus).await?;
        }
        let missing: Vec<i16> = assigned.difference(&held).copied().collect();
        if !missing.is_empty() {
            let fresh: Vec<i16> = fresh.iter().copied().collect();
            positions::claim_assigned(pool, member, lease, &missing, &fresh).await?;
        }
        if !(surplus.is_empty() && missing.is_empty()) {
            places = positions::renew(pool, member, lease).await?;
        }
        // What was given in the meantime stays fresh.
        client::lock(&self.assignment).fresh.retain(|one| !fresh.contains(one));
        self.buffer.keep(&assigned);
        self.owned = places.iter().map(|place| place.partition).collect();
        self.look_for_starved(pool, &places).await?;
        let complete = !assigned.is_empty() && self.owned == assigned;
        Ok(Settled { places, complete })
    }

    /// A follower's beginning: the ends of all partitions, as they are now.
    pub(crate) async fn begin(&mut self) -> Result<(), BusError> {
        let client = self.client()?;
        let topic = client::topic_name(&self.settings, self.topic);
        let asked = client.clone();
        let ends = tokio::task::spawn_blocking(move || client::ends(&asked, &topic)).await;
        let ends = ends.map_err(|error| BusError::Kafka(error.to_string()))??;
        self.buffer.clear();
        client.assign(&ends)?;
        Ok(())
    }

    pub(crate) async fn fetch(&mut self, pool: &PgPool, places: &[Place], limit: i64) -> Result<Fetched, BusError> {
        let more = self.poll()?;
        let limit = usize::try_from(limit).unwrap_or(0);
        let (mut events, mut gaps) = (Vec::new(), Vec::new());
        for place in places {
            if events.len() >= limit {
                break;
            }
            let next = self.buffer.next(place, limit - events.len());
            if next.gap || (next.events.is_empty() && self.starved.remove(&place.partition)) {
                gaps.push(*place);
            }
            events.extend(next.events);
        }
        if !gaps.is_empty() && events.len() < limit {
            events.extend(self.fill(pool, &gaps, limit - events.len()).await?);
        }
        let held_back = more && events.is_empty();
        Ok(Fetched { events, held_back })
    }

    pub(crate) fn done(&mut self, places: &[Place]) {
        let mut offsets = TopicPartitionList::new();
        let topic = client::topic_name(&self.settings, self.topic);
        for place in places {
            let Some(offset) = self.buffer.done(place) else {
                continue;
            };
            // Fails for an impossible number only, and then it is a hint that is not given.
            let _ = offsets.add_partition_offset(&topic, place.partition.into(), Offset::Offset(offset));
        }
        if let (Some(client), Role::Member { .. }, true) = (&self.client, &self.role, offsets.count() > 0) {
            // Partitions may be gone meanwhile; their next owner has the positions.
            let _ = client.store_offsets(&offsets);
        }
    }

    /// The rows that the broker has not, from the outbox.
    async fn fill(&self, pool: &PgPool, gaps: &[Place], limit: usize) -> Result<Vec<Event>, BusError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = postgres::events_after(pool, self.topic, gaps, limit).await?;
        let partitions: Vec<i16> = gaps.iter().map(|place| place.partition).collect();
        warn!(consumer_group = self.role.name(), topic = %self.topic, ?partitions,
            "{} rows were missing at the broker and were read from the outbox", rows.len());
        metrics::counter!("daybook_bus_gap_rows_total", "consumer_group" => self.role.name(),
            "topic" => self.topic.as_str())
        .increment(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        Ok(rows)
    }

    /// The relay is beyond us, and for a whole look at the leases nothing came: the broker has it no more.
    async fn look_for_starved(&mut self, pool: &PgPool, places: &[Place]) -> Result<(), BusError> {
        let relay = positions::of_relay(pool, self.topic).await?;
        let before = std::mem::take(&mut self.idle);
        for place in places {
            let behind = relay.get(&place.partition).is_some_and(|relay| *relay > place.position);
            if !behind || !self.buffer.is_empty(place.partition) {
                continue;
            }
            if before.get(&place.partition) == Some(&place.position) {
                self.starved.insert(place.partition);
            }
            self.idle.insert(place.partition, place.position);
        }
        Ok(())
    }

    /// Takes in what came. True: it stopped because there is much of it.
    fn poll(&mut self) -> Result<bool, BusError> {
        let client = self.client()?;
        let mut silent = 0;
        for _ in 0..POLLS {
            if self.buffer.len(&self.owned) >= ROOM {
                return Ok(true);
            }
            match client.poll(Duration::ZERO) {
                // Once may mean that a call-back was served.
                None if silent > 0 => return Ok(false),
                None => silent += 1,
                Some(Ok(message)) => self.take_in(&message),
                Some(Err(failure)) => self.failed(failure)?,
            }
        }
        Ok(true)
    }

    fn take_in(&mut self, message: &BorrowedMessage<'_>) {
        let (group, topic) = (self.role.name(), self.topic.as_str());
        match message::read(self.topic, message) {
            Ok(carried) => {
                if self.buffer.push(carried) == Pushed::Duplicate {
                    metrics::counter!("daybook_bus_duplicates_total", "consumer_group" => group, "topic" => topic)
                        .increment(1);
                }
            }
            Err(why) => {
                // If it was one of ours after all, there is a gap now.
                metrics::counter!("daybook_bus_foreign_messages_total", "consumer_group" => group, "topic" => topic)
                    .increment(1);
                error!(
                    topic,
                    partition = message.partition(),
                    offset = message.offset(),
                    "a message at the broker is not from the relay: {why}"
                );
            }
        }
    }

    /// What the client says of the broker mostly passes. What is fatal ends this client; the next use makes another.
    fn failed(&mut self, failure: KafkaError) -> Result<(), BusError> {
        metrics::counter!("daybook_bus_broker_errors_total", "consumer_group" => self.role.name()).increment(1);
        if let KafkaError::MessageConsumptionFatal(_) = failure {
            self.close();
            self.buffer.clear();
            *client::lock(&self.assignment) = Assignment {
                changed: true,
                ..Assignment::default()
            };
            return Err(BusError::Kafka(format!(
                "{failure}; another process with the same DAYBOOK_INSTANCE does that"
            )));
        }
        info!(consumer_group = self.role.name(), topic = %self.topic, "Kafka says: {failure}");
        Ok(())
    }

    fn client(&mut self) -> Result<Arc<Client>, BusError> {
        if self.client.is_none() {
            let client = client::connect(&self.bus, &self.settings, self.topic, &self.role, &self.assignment)?;
            self.client = Some(Arc::new(client));
        }
        self.client
            .clone()
            .ok_or_else(|| BusError::Kafka("no client".to_owned()))
    }

    fn close(&mut self) {
        if let Some(client) = self.client.take() {
            client::close(client);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}
