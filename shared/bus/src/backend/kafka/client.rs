//! Clients of the broker: how they are set up, and what they tell of their group.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::{Bus, BusError, KafkaSettings, PARTITIONS, Topic};

/// How long a question to the broker may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a reader that ends waits for its group.
const GOODBYE: Duration = Duration::from_secs(2);

/// The topic's name at the broker.
pub(crate) fn topic_name(settings: &KafkaSettings, topic: Topic) -> String {
    format!("{}{topic}", settings.prefix)
}

/// What all clients have in common.
pub(crate) fn basics(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    config.set("client.id", settings.instance.as_deref().unwrap_or("daybook"));
    // A broker that comes back is found soon.
    config.set("reconnect.backoff.max.ms", "1000");
    // And so is a topic that was just made.
    config.set("topic.metadata.refresh.interval.ms", "2000");
    config
}

/// What the client library has to say. That a setting is what it is is no news.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info => tracing::debug!("librdkafka: {facility} {text}"),
        _ if facility == "CONFWARN" => tracing::debug!("librdkafka: {facility} {text}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Warning => tracing::info!("librdkafka: {facility} {text}"),
        _ => tracing::warn!("librdkafka: {facility} {text}"),
    }
}

/// Leaves the group, if that goes quickly: in the middle of a rebalance it may wait for other members, and a process
/// that stops cannot. Whoever could not say goodbye is missed after its session's time.
pub(super) fn close(client: Arc<Client>) {
    let (closing, closed) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        drop(client);
        drop(closing);
    });
    // Ends with the other side.
    let _ = closed.recv_timeout(GOODBYE);
}

/// What a client of a reader knows of itself.
pub(super) type Client = BaseConsumer<Context>;

/// The partitions that the group gave to one member.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    pub(super) partitions: BTreeSet<i16>,
    /// Given since they were last claimed: whoever has them, it is not theirs any more.
    pub(super) fresh: BTreeSet<i16>,
    /// Something of this is news.
    pub(super) changed: bool,
}

/// Listens to what the client library says.
pub(super) struct Context {
    pub(super) group: &'static str,
    pub(super) topic: Topic,
    assignment: Arc<Mutex<Assignment>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(topic = %self.topic, "the way to Kafka: {error}: {reason}");
    }
}

impl ConsumerContext for Context {
    fn post_rebalance(&self, _client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let (what, partitions) = match rebalance {
            Rebalance::Assign(list) => ("assigned", partitions(list)),
            Rebalance::Revoke(list) => ("revoked", partitions(list)),
            Rebalance::Error(_) => ("failed", BTreeSet::new()),
        };
        metrics::counter!("daybook_bus_rebalances_total", "consumer_group" => self.group,
            "topic" => self.topic.as_str(), "what" => what)
        .increment(1);
        let mut assignment = lock(&self.assignment);
        assignment.changed = true;
        if what == "assigned" {
            assignment.fresh.extend(&partitions);
            assignment.partitions.extend(&partitions);
        } else {
            assignment.fresh.retain(|one| !partitions.contains(one));
            assignment.partitions.retain(|one| !partitions.contains(one));
        }
    }
}

/// Who reads.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// A member of a group, with its name among the equals of this process.
    Member { group: &'static str, ordinal: usize },
    /// Nobody's member.
    Follower,
}

impl Role {
    /// For logs and metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Role::Member { group, .. } => group,
            Role::Follower => "followers",
        }
    }
}

/// Makes a client that rings the topic's loops whenever something comes.
pub(super) fn connect(
    bus: &Bus,
    settings: &KafkaSettings,
    topic: Topic,
    role: &Role,
    assignment: &Arc<Mutex<Assignment>>,
) -> Result<Client, BusError> {
    let context = Context {
        group: role.name(),
        topic,
        assignment: assignment.clone(),
    };
    let mut client: Client = config(settings, topic, role).create_with_context(context)?;
    let bus = bus.clone();
    client.set_nonempty_callback(move || bus.wake(topic));
    if let Role::Member { .. } = role {
        client.subscribe(&[&topic_name(settings, topic)])?;
    }
    Ok(client)
}

/// Offsets at the broker are a hint where to begin, and what its tools show: the positions in Postgres decide.
fn config(settings: &KafkaSettings, topic: Topic, role: &Role) -> ClientConfig {
    let mut config = basics(settings);
    // A group of its own for each topic: members of one that read different topics would rebalance each other.
    config.set("group.id", format!("{}{}.{topic}", settings.prefix, role.name()));
    config.set("auto.offset.reset", "earliest");
    config.set("enable.auto.offset.store", "false");
    config.set("queued.max.messages.kbytes", "16384");
    // A topic that somebody fills again is found when its broker is back.
    config.set("fetch.error.backoff.ms", "100");
    match role {
        Role::Follower => {
            config.set("enable.auto.commit", "false");
        }
        Role::Member { group, ordinal } => {
            let session = settings.session;
            config.set("partition.assignment.strategy", "cooperative-sticky");
            config.set("session.timeout.ms", session.as_millis().to_string());
            config.set("heartbeat.interval.ms", (session / 5).as_millis().to_string());
            // Who is stuck in a step is replaced, too.
            config.set("max.poll.interval.ms", (session * 3).as_millis().to_string());
            config.set("enable.auto.commit", "true");
            config.set("auto.commit.interval.ms", "1000");
            if let Some(instance) = &settings.instance {
                config.set("group.instance.id", format!("{instance}-{group}-{ordinal}"));
            }
        }
    }
    config
}

/// Where each partition ends. Waits for the broker's answer: not for a loop's own thread.
pub(super) fn ends(client: &Client, topic: &str) -> Result<TopicPartitionList, KafkaError> {
    let mut ends = TopicPartitionList::new();
    for partition in 0..i32::from(PARTITIONS) {
        let (_, end) = client.fetch_watermarks(topic, partition, PATIENCE)?;
        ends.add_partition_offset(topic, partition, Offset::Offset(end))?;
    }
    Ok(ends)
}

fn partitions(list: &TopicPartitionList) -> BTreeSet<i16> {
    let elements = list.elements();
    elements
        .iter()
        .filter_map(|one| i16::try_from(one.partition()).ok())
        .collect()
}

/// Nothing in here can be half done, so a poisoned lock is as good as another.
pub(super) fn lock(assignment: &Mutex<Assignment>) -> MutexGuard<'_, Assignment> {
    assignment.lock().unwrap_or_else(PoisonError::into_inner)
}
