//! One member of a consumer group: its partitions, the next batch, the position.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use domain::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::backend::{Settled, Source};
use crate::lease::Term;
use crate::positions::{self, Member, Place};
use crate::{Bus, BusError, Event, PARTITIONS, Position, Topic, engine, parked};

/// A partition this member owns, and the epoch under which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Which one.
    pub partition: i16,
    /// Higher than that of any owner before.
    pub epoch: i64,
}

/// What changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseChange {
    /// Newly owned, or owned again after somebody else had it.
    pub gained: Vec<i16>,
    /// No longer owned under the epoch there was.
    pub lost: Vec<i16>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// In order within each partition.
    pub events: Vec<Event>,
    /// Nothing may be taken yet, but there is something: look again in about a millisecond.
    pub held_back: bool,
}

/// A member of a consumer group. Not shared: one loop has it.
pub struct Consumer {
    bus: Bus,
    member: Member,
    term: Term,
    places: Vec<Place>,
    owned: Vec<Partition>,
    parked: HashSet<OrderId>,
    /// Positions in memory are not to be trusted.
    stale: bool,
    /// Gone since the last [`LeaseChange`].
    lost: Vec<i16>,
    /// Where the next batch begins, so that a partition with a backlog starves nobody.
    turn: i16,
    registered: bool,
    look_for_requeued: bool,
    source: Source,
}

impl Consumer {
    pub(crate) fn new(bus: Bus, group: &'static str, topic: Topic, owner: Uuid, source: Source) -> Self {
        let term = Term::new(bus.settings().lease);
        Consumer {
            bus,
            member: Member { group, topic, owner },
            term,
            places: Vec::new(),
            owned: Vec::new(),
            parked: HashSet::new(),
            stale: false,
            lost: Vec::new(),
            turn: 0,
            registered: false,
            look_for_requeued: false,
            source,
        }
    }

    /// Its group.
    pub fn group(&self) -> &'static str {
        self.member.group
    }

    /// Its topic.
    pub fn topic(&self) -> Topic {
        self.member.topic
    }

    /// The bus it belongs to.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Renews what it has and takes or gives what is its share, when that is due; else it does nothing.
    ///
    /// Call it before each batch. What is gained or lost changes only here, except that [`Consumer::owned`] is empty
    /// while the lease is about to end by this process' own clock.
    pub async fn keep_leases(&mut self) -> Result<LeaseChange, BusError> {
        if self.source.is_restless()? {
            self.term.look_now();
        }
        let asked = Instant::now();
        if !self.term.is_due(asked) {
            return Ok(LeaseChange::default());
        }
        let (pool, lease) = (self.bus.pool().clone(), self.bus.settings().lease);
        engine::require(&pool, self.bus.engine()).await?;
        if !self.registered {
            positions::register(&pool, self.member).await?;
            self.registered = true;
        }
        let Settled { places, complete } = self.source.settle(&pool, self.member, lease).await?;
        let change = self.take_over(places).await?;
        self.term.renewed(asked, complete);
        Ok(change)
    }

    /// Has the next [`Consumer::keep_leases`] ask the database, due or not.
    pub fn look_now(&mut self) {
        self.term.look_now();
    }

    /// The partitions it may work on now.
    pub fn owned(&self) -> &[Partition] {
        if self.term.may_act(Instant::now()) {
            &self.owned
        } else {
            &[]
        }
    }

    /// The next events of its partitions: committed for good, after the positions in memory, at most `limit`.
    ///
    /// Events of parked orders are among them, see [`Consumer::join_parked`].
    pub async fn fetch(&mut self, limit: i64) -> Result<Fetched, BusError> {
        if self.stale {
            self.reload().await?;
        }
        let places = self.places_in_turn();
        if places.is_empty() {
            return Ok(Fetched::default());
        }
        let fetched = self
            .source
            .fetch(self.bus.pool(), self.member.topic, &places, limit)
            .await?;
        fail::fail_point!("consumer::fetched");
        if let Some(last) = fetched.events.last() {
            self.turn = (last.partition + 1) % PARTITIONS;
        }
        Ok(fetched)
    }

    /// Stores the position behind `events`, in the transaction of their effect: both happen or neither.
    ///
    /// `events` is what was fetched, or a first part of it. Best called before the effect: the row stays locked, so
    /// that a takeover waits for this transaction, and the loser of one learns it before it has done anything.
    ///
    /// # Errors
    /// [`BusError::Fenced`] when somebody else owns one of the partitions or the position is another one. Drop the
    /// transaction then.
    pub async fn store(&self, conn: &mut PgConnection, events: &[Event]) -> Result<(), BusError> {
        let ends = ends(events);
        if ends.is_empty() {
            return Ok(());
        }
        let mut from = Vec::with_capacity(ends.len());
        for partition in ends.keys() {
            from.push(self.place(*partition).ok_or(BusError::Fenced)?);
        }
        let to: Vec<Position> = ends.into_values().collect();
        positions::store(conn, self.member, &from, &to).await
    }

    /// Makes sure of partitions whose position does not move, until the transaction ends: for effects that no event of
    /// the log caused, such as the answer to a call.
    ///
    /// # Errors
    /// [`BusError::Fenced`] when somebody else owns one of them.
    pub async fn fence(&self, conn: &mut PgConnection, partitions: &[i16]) -> Result<(), BusError> {
        let places: Option<Vec<Place>> = partitions.iter().map(|partition| self.place(*partition)).collect();
        positions::hold(conn, self.member, &places.ok_or(BusError::Fenced)?).await
    }

    /// Remembers, after the commit, what [`Consumer::store`] stored.
    pub fn advance(&mut self, events: &[Event]) {
        let ends = ends(events);
        for place in &mut self.places {
            if let Some(end) = ends.get(&place.partition) {
                place.position = *end;
            }
        }
        self.source.done(&self.places);
    }

    /// After a commit of unknown outcome, or a fence: positions are read again before the next fetch.
    pub fn rewind(&mut self) {
        self.stale = true;
    }

    /// Sets a message aside with its cause, in the transaction that stores the position behind it. Later messages of
    /// its order have to join it.
    pub async fn park(&mut self, conn: &mut PgConnection, event: &Event, cause: &str) -> Result<(), BusError> {
        parked::insert(conn, self.member, std::slice::from_ref(event), cause).await?;
        self.parked.insert(event.order_id);
        Ok(())
    }

    /// Whether messages of this order were parked when last looked at. May still say so for an order that an operator
    /// freed a moment ago; [`Consumer::join_parked`] asks.
    pub fn is_parked(&self, order: OrderId) -> bool {
        self.parked.contains(&order)
    }

    /// Moves events of parked orders behind those that wait already and answers the rest. Call it after
    /// [`Consumer::store`]: the locked position row keeps an operator's requeue from slipping in between.
    pub async fn join_parked<'a>(
        &mut self,
        conn: &mut PgConnection,
        events: &'a [Event],
    ) -> Result<std::borrow::Cow<'a, [Event]>, BusError> {
        let suspects: HashSet<OrderId> = events
            .iter()
            .map(|event| event.order_id)
            .filter(|order| self.parked.contains(order))
            .collect();
        if suspects.is_empty() {
            return Ok(events.into());
        }
        let still = parked::still_parked(conn, self.member, &suspects).await?;
        self.parked
            .retain(|order| !suspects.contains(order) || still.contains(order));
        let (join, rest): (Vec<Event>, Vec<Event>) = events
            .iter()
            .cloned()
            .partition(|event| still.contains(&event.order_id));
        parked::insert(conn, self.member, &join, parked::JOINED).await?;
        Ok(rest.into())
    }

    /// The first message that an operator wants handled again, if it is time to look for one: after each real look at
    /// the leases, until there is none left. [`crate::Runner`] does all this by itself.
    pub async fn next_requeued(&mut self) -> Result<Option<Event>, BusError> {
        if !self.look_for_requeued || self.owned().is_empty() {
            return Ok(None);
        }
        let partitions: Vec<i16> = self.places.iter().map(|place| place.partition).collect();
        let next = parked::next_requeued(self.bus.pool(), self.member, &partitions).await?;
        self.look_for_requeued = next.is_some();
        Ok(next)
    }

    /// Takes a requeued message out, in the transaction that handles it; false: it is gone already, do nothing. The
    /// position stays where it is, so neither [`Consumer::store`] nor [`Consumer::advance`] for this event.
    pub async fn take_requeued(&self, conn: &mut PgConnection, event: &Event) -> Result<bool, BusError> {
        self.fence(conn, &[event.partition]).await?;
        parked::remove(conn, self.member, event).await
    }

    /// A requeued message failed again: its order waits again, with the new cause.
    pub async fn park_again(&self, conn: &mut PgConnection, event: &Event, cause: &str) -> Result<(), BusError> {
        self.fence(conn, &[event.partition]).await?;
        parked::wait_again(conn, self.member, event, cause).await
    }

    /// A requeued message cannot be handled right now: not before the next look at the leases.
    pub fn requeued_later(&mut self) {
        self.look_for_requeued = false;
    }

    /// What the member owns is now this: finds out what that changes.
    async fn take_over(&mut self, places: Vec<Place>) -> Result<LeaseChange, BusError> {
        let epochs = |places: &[Place]| places.iter().map(|place| (place.partition, place.epoch)).collect();
        let (before, after): (BTreeMap<i16, i64>, BTreeMap<i16, i64>) = (epochs(&self.places), epochs(&places));
        let differs = |this: &BTreeMap<i16, i64>, that: &BTreeMap<i16, i64>| {
            let mut keys: Vec<i16> = this.keys().copied().collect();
            keys.retain(|key| this.get(key) != that.get(key));
            keys
        };
        let gained = differs(&after, &before);
        if !gained.is_empty() || !self.parked.is_empty() {
            let partitions: Vec<i16> = after.keys().copied().collect();
            self.parked = parked::orders(self.bus.pool(), self.member, &partitions).await?;
            self.look_for_requeued = !self.parked.is_empty();
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.extend(differs(&before, &after));
        self.set_places(places);
        self.stale = false;
        if !gained.is_empty() {
            fail::fail_point!("lease::loaded");
        }
        Ok(LeaseChange { gained, lost })
    }

    /// Positions as stored, after their memory was given up. Partitions gained meanwhile wait for `keep_leases`, which
    /// tells of them.
    async fn reload(&mut self) -> Result<(), BusError> {
        let stored = positions::renew(self.bus.pool(), self.member, self.bus.settings().lease).await?;
        let known = std::mem::take(&mut self.places);
        let (kept, gone): (Vec<Place>, Vec<Place>) = known.into_iter().partition(|place| {
            stored
                .iter()
                .any(|row| (row.partition, row.epoch) == (place.partition, place.epoch))
        });
        self.lost.extend(gone.iter().map(|place| place.partition));
        let still = |row: &Place| kept.iter().any(|place| place.partition == row.partition);
        self.set_places(stored.into_iter().filter(still).collect());
        if !gone.is_empty() {
            self.term.look_now();
        }
        self.stale = false;
        Ok(())
    }

    fn set_places(&mut self, places: Vec<Place>) {
        self.owned = places
            .iter()
            .map(|place| Partition {
                partition: place.partition,
                epoch: place.epoch,
            })
            .collect();
        self.places = places;
    }

    pub(crate) fn place(&self, partition: i16) -> Option<Place> {
        self.places.iter().find(|place| place.partition == partition).copied()
    }

    /// What it may work on, beginning where the last batch ended.
    fn places_in_turn(&self) -> Vec<Place> {
        if self.owned().is_empty() {
            return Vec::new();
        }
        let (later, first): (Vec<Place>, Vec<Place>) = self
            .places
            .iter()
            .copied()
            .partition(|place| place.partition < self.turn);
        first.into_iter().chain(later).collect()
    }
}

/// The last position of each partition.
fn ends(events: &[Event]) -> BTreeMap<i16, Position> {
    let mut ends = BTreeMap::new();
    for event in events {
        let end = ends.entry(event.partition).or_insert(event.position);
        *end = event.position.max(*end);
    }
    ends
}
