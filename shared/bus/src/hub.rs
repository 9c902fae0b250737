//! What the consumers of one process share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::ids::SharedIds;
use chassis::step::Wake;
use chassis::trace::Tracer;
use sqlx::PgPool;
use strum::VariantArray;
use uuid::Uuid;

use crate::backend::Source;
use crate::way::{Hurry, Turn, Way};
use crate::{BusError, Consumer, Engine, Follower, KafkaSettings, NamedLease, Topic, lease, positions};

/// How a process takes part.
#[derive(Debug, Clone, Copy)]
pub struct BusSettings {
    /// How long an owner may be silent before others take over. Renewed at a third of it; an owner stops acting when
    /// four fifths are over by its own clock.
    pub lease: Duration,
    /// Most events of one batch. An order brings two reports (taken, filled), and a consumer that has fallen behind
    /// competes for the accounts' locks with the batches that accept: it has to do as much a turn as they do.
    pub batch: i64,
    /// Tries of a message that fails, before it is parked with its order.
    pub tries: u32,
}

impl Default for BusSettings {
    fn default() -> Self {
        BusSettings {
            lease: Duration::from_secs(10),
            batch: 1_024,
            tries: 3,
        }
    }
}

/// The log as one process sees it; clones share it.
#[derive(Clone)]
pub struct Bus(Arc<Shared>, Tracer);

struct Shared {
    pool: PgPool,
    ids: SharedIds,
    settings: BusSettings,
    engine: Engine,
    wakes: Vec<Mutex<Vec<Wake>>>,
    owners: Mutex<Vec<Uuid>>,
    way: Way,
    #[cfg(feature = "kafka")]
    members: Mutex<Vec<(&'static str, Topic)>>,
}

impl Bus {
    /// A bus on this database, which carries events itself.
    pub fn new(pool: PgPool, ids: SharedIds, settings: BusSettings) -> Self {
        Bus::build(pool, ids, settings, Engine::Postgres)
    }

    /// A bus on this database and with this engine.
    ///
    /// # Errors
    /// [`BusError::NoKafka`] when this executable cannot speak to a broker.
    pub fn with_engine(pool: PgPool, ids: SharedIds, settings: BusSettings, engine: Engine) -> Result<Self, BusError> {
        if matches!(engine, Engine::Kafka(_)) && !cfg!(feature = "kafka") {
            return Err(BusError::NoKafka);
        }
        Ok(Bus::build(pool, ids, settings, engine))
    }

    fn build(pool: PgPool, ids: SharedIds, settings: BusSettings, engine: Engine) -> Self {
        let wakes = Topic::VARIANTS.iter().map(|_| Mutex::default()).collect();
        let shared = Arc::new(Shared {
            pool,
            ids,
            settings,
            engine,
            wakes,
            owners: Mutex::default(),
            way: Way::default(),
            #[cfg(feature = "kafka")]
            members: Mutex::default(),
        });
        Bus(shared, Tracer::default())
    }

    /// The same bus, for parts whose work is traced: what caused an event goes along with it, and so does the way to show it.
    #[must_use]
    pub fn traced(self, tracer: Tracer) -> Self {
        Bus(self.0, tracer)
    }

    /// Makes the spans of whoever works on this bus; off unless it was [`Bus::traced`].
    pub fn tracer(&self) -> &Tracer {
        &self.1
    }

    /// Tells this process' consumers of a topic that something was committed. Cheap, never waits. Other processes
    /// find out by polling.
    pub fn wake(&self, topic: Topic) {
        for wake in lock(&self.0.wakes[topic.index()]).iter() {
            wake.wake();
        }
    }

    /// While somebody waits for what this process does: turns of work that can wait begin when it is over.
    pub fn hurry(&self) -> Hurry<'_> {
        self.0.way.hurry()
    }

    /// Whether somebody waited for this process a moment ago.
    pub(crate) fn is_hurried(&self) -> bool {
        self.0.way.is_in_use()
    }

    /// A turn of work that can wait, when it is time for one.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        self.0.way.turn().await
    }

    /// A wake-up of its own for one loop.
    pub fn waker(&self, topic: Topic) -> Wake {
        let wake = Wake::new();
        lock(&self.0.wakes[topic.index()]).push(wake.clone());
        wake
    }

    /// A member of a consumer group. Groups read independently of each other; members of one share its partitions.
    /// A group that is new starts with the oldest event kept.
    pub fn consumer(&self, group: &'static str, topic: Topic) -> Consumer {
        let source = Source::of_member(self, group, topic);
        Consumer::new(self.clone(), group, topic, self.new_owner(), source)
    }

    /// A member of a group that reads the outbox itself, whatever the engine.
    #[cfg(feature = "kafka")]
    pub(crate) fn outbox_consumer(&self, group: &'static str, topic: Topic) -> Consumer {
        Consumer::new(self.clone(), group, topic, self.new_owner(), Source::Postgres)
    }

    /// A reader of a topic from now on, beside all groups.
    pub fn follower(&self, topic: Topic) -> Follower {
        Follower::new(self.clone(), topic)
    }

    /// A contender for the lease of this name.
    pub fn lease(&self, name: impl Into<String>) -> NamedLease {
        NamedLease::new(self.clone(), name.into(), self.new_owner())
    }

    /// Gives back every lease taken through this bus, so that nobody has to wait for its end. To be called when the
    /// loops have stopped.
    pub async fn release(&self) -> Result<(), BusError> {
        fail::fail_point!("lease::release");
        let owners = lock(&self.0.owners).clone();
        positions::release_all(&self.0.pool, &owners).await?;
        lease::release_all(&self.0.pool, &owners).await
    }

    /// Frees every lease of the log, whoever had it: for the start of a process that is the only one of its
    /// installation, so that it does not wait for the leases of its own dead predecessor to run out. Harmless if somebody
    /// lives after all: the next owner raises the epoch, so the former one's writes fail, and what it sent carries its key.
    pub async fn take_over(&self) -> Result<(), BusError> {
        let owners = positions::owners(&self.0.pool).await?;
        positions::release_all(&self.0.pool, &owners).await?;
        lease::release_all(&self.0.pool, &owners).await
    }

    /// The pool behind it.
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// How it was set up.
    pub fn settings(&self) -> BusSettings {
        self.0.settings
    }

    /// The name of its engine.
    pub fn engine(&self) -> &'static str {
        self.0.engine.as_str()
    }

    /// Where the broker is, if there is one.
    pub fn kafka(&self) -> Option<&KafkaSettings> {
        match &self.0.engine {
            Engine::Postgres => None,
            Engine::Kafka(settings) => Some(settings),
        }
    }

    /// Numbers the members of one group in this process, in the same way after a restart.
    #[cfg(feature = "kafka")]
    pub(crate) fn ordinal(&self, group: &'static str, topic: Topic) -> usize {
        let mut members = lock(&self.0.members);
        members.push((group, topic));
        members.iter().filter(|one| **one == (group, topic)).count()
    }

    fn new_owner(&self) -> Uuid {
        let owner = self.0.ids.uuid();
        lock(&self.0.owners).push(owner);
        owner
    }
}

/// Nothing in here can be half done, so a poisoned lock is as good as another.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
