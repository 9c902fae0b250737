//! What the intake remembers to spare look-ups. All of it is bounded and may be forgotten at any time.

use super::Owner;
use domain::{OrderId, Timestamp, VenueOrderId};
use orders::VenueExec;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Entries of each kind; a few seconds of a busy market.
const MOST: usize = 20_000;

#[derive(Default)]
pub(super) struct Memory {
    /// Executions that went onto the bus a moment ago and may not be booked yet.
    told: Ring<VenueExec>,
    owners: HashMap<OrderId, Owner>,
    owner_order: VecDeque<OrderId>,
    names: HashMap<VenueOrderId, Option<OrderId>>,
    name_order: VecDeque<VenueOrderId>,
    /// Names that the venue did not know when it was asked, and since when.
    unfound: HashMap<VenueOrderId, Timestamp>,
}

impl Memory {
    pub(super) fn told(&mut self, executions: Vec<VenueExec>) {
        executions.into_iter().for_each(|execution| self.told.insert(execution));
    }

    pub(super) fn was_told(&self, execution: &VenueExec) -> bool {
        self.told.contains(execution)
    }

    pub(super) fn own(&mut self, order: OrderId, owner: Owner) {
        keep(&mut self.owners, &mut self.owner_order, order, owner);
    }

    pub(super) fn owner(&self, order: OrderId) -> Option<&Owner> {
        self.owners.get(&order)
    }

    /// Which of our orders carries the venue's name; inner `None` is none of ours.
    pub(super) fn key(&self, name: &VenueOrderId) -> Option<Option<OrderId>> {
        self.names.get(name).copied()
    }

    pub(super) fn name(&mut self, name: VenueOrderId, key: Option<OrderId>) {
        self.unfound.remove(&name);
        keep(&mut self.names, &mut self.name_order, name, key);
    }

    /// Notes that the venue does not know a name; since when that is so.
    pub(super) fn unfound(&mut self, name: &VenueOrderId, now: Timestamp) -> Timestamp {
        *self.unfound.entry(name.clone()).or_insert(now)
    }

    /// Forgets the unknown names that nobody asks for any more.
    pub(super) fn keep_unfound(&mut self, asked: &BTreeSet<VenueOrderId>) {
        self.unfound.retain(|name, _| asked.contains(name));
    }
}

fn keep<K: Hash + Eq + Clone, T>(map: &mut HashMap<K, T>, order: &mut VecDeque<K>, key: K, value: T) {
    if map.insert(key.clone(), value).is_some() {
        return;
    }
    order.push_back(key);
    if order.len() > MOST
        && let Some(oldest) = order.pop_front()
    {
        map.remove(&oldest);
    }
}

/// The last so many things.
struct Ring<T> {
    set: HashSet<T>,
    order: VecDeque<T>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            set: HashSet::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Hash + Eq + Clone> Ring<T> {
    fn insert(&mut self, thing: T) {
        if self.set.insert(thing.clone()) {
            self.order.push_back(thing);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }

    fn contains(&self, thing: &T) -> bool {
        self.set.contains(thing)
    }
}
