//! Buckets by name, in bounded memory.
//!
//! A place that would not differ from a new one is forgotten: at leisure, or at once where a shard is full. Callers say
//! what to do when it is full of places that are in use.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shards of a store. With 80 of them a million places are 12,500 a shard, which a table of 16,384 takes with room to
/// spare; with a power of two each would need one twice as large.
const SHARDS: usize = 80;
/// A full shard is looked through at most this often: a flood must not buy a scan with each request.
const SCAN_EVERY: i64 = 1_000_000;

/// What a store keeps.
pub trait Place {
    /// Whether it may be forgotten at leisure.
    fn is_stale(&self, now: i64) -> bool;
    /// Whether it may be forgotten when there is no room: nobody would notice.
    fn is_idle(&self, now: i64) -> bool;
}

/// Places by name.
pub struct Store<K, P> {
    shards: Vec<Mutex<Shard<K, P>>>,
    hasher: RandomState,
    most_in_shard: usize,
    next_to_tidy: AtomicUsize,
}

struct Shard<K, P> {
    places: HashMap<K, P, RandomState>,
    scanned_at: i64,
}

impl<K: Eq + Hash, P: Place> Store<K, P> {
    /// An empty one with room for so many places, or a few more.
    pub fn new(most: usize) -> Self {
        let hasher = RandomState::new();
        let shard = || {
            Mutex::new(Shard {
                places: HashMap::with_hasher(hasher.clone()),
                scanned_at: i64::MIN,
            })
        };
        Store {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            // A sixteenth more: names do not spread evenly.
            most_in_shard: (most + most / 16).div_ceil(SHARDS).max(1),
            next_to_tidy: AtomicUsize::new(0),
            hasher,
        }
    }

    /// What `f` makes of a place that is there.
    pub fn see<R>(&self, name: &K, f: impl FnOnce(&mut P) -> R) -> Option<R> {
        self.shard(name).places.get_mut(name).map(f)
    }

    /// What `f` makes of the place, a new one where there was none. `None` when there is no room for a new one.
    pub fn with<R>(&self, name: K, now: i64, new: impl FnOnce() -> P, f: impl FnOnce(&mut P) -> R) -> Option<R> {
        let mut shard = self.shard(&name);
        if let Some(place) = shard.places.get_mut(&name) {
            return Some(f(place));
        }
        if shard.places.len() >= self.most_in_shard && !shard.make_room(now) {
            return None;
        }
        Some(f(shard.places.entry(name).or_insert_with(new)))
    }

    /// As [`Store::with`], but where there is no room some of the others' places are given away.
    pub fn with_force<R>(&self, name: K, now: i64, new: impl FnOnce() -> P, f: impl FnOnce(&mut P) -> R) -> R {
        let mut shard = self.shard(&name);
        let is_new = !shard.places.contains_key(&name);
        if is_new && shard.places.len() >= self.most_in_shard && !shard.make_room(now) {
            shard.thin_out();
        }
        f(shard.places.entry(name).or_insert_with(new))
    }

    /// Forgets a place.
    pub fn forget(&self, name: &K) {
        self.shard(name).places.remove(name);
    }

    /// Forgets what is stale in one shard, the next one with each call, and gives its memory back.
    pub fn tidy(&self, now: i64) {
        let n = self.next_to_tidy.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = lock(&self.shards[n]);
        let before = shard.places.len();
        shard.places.retain(|_, place| !place.is_stale(now));
        if shard.places.len() < before / 2 {
            shard.places.shrink_to_fit();
        }
    }

    /// How many places there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).places.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory for them, but for what the allocator adds.
    pub fn bytes(&self) -> usize {
        // A table keeps one byte beside each place, and an eighth of it is free at least.
        let each = size_of::<(K, P)>() + 1;
        let of = |shard: &Mutex<Shard<K, P>>| lock(shard).places.capacity() / 7 * 8 * each;
        self.shards.iter().map(of).sum()
    }

    fn shard(&self, name: &K) -> MutexGuard<'_, Shard<K, P>> {
        let spread = self.hasher.hash_one(name) % SHARDS as u64;
        lock(&self.shards[usize::try_from(spread).unwrap_or(0)])
    }
}

impl<K: Eq + Hash, P: Place> Shard<K, P> {
    /// Whether there is room now.
    fn make_room(&mut self, now: i64) -> bool {
        let before = self.places.len();
        if now.abs_diff(self.scanned_at) >= SCAN_EVERY.unsigned_abs() {
            self.scanned_at = now;
            self.keep(|place| !place.is_idle(now));
        }
        self.places.len() < before
    }

    /// Forgets one place of eight, whichever: so many at once that the next ones find room without a look.
    fn thin_out(&mut self) {
        let mut n = 0;
        self.keep(|_| {
            n += 1;
            n % 8 != 0
        });
    }

    /// Into a new table. The old one would grow: the marks that removed places leave count as places.
    fn keep(&mut self, mut stays: impl FnMut(&P) -> bool) {
        let hasher = self.places.hasher().clone();
        let kept = HashMap::with_capacity_and_hasher(self.places.len(), hasher);
        let old = std::mem::replace(&mut self.places, kept);
        self.places.extend(old.into_iter().filter(|(_, place)| stays(place)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// In use until that time.
    struct Until(i64);

    impl Place for Until {
        fn is_stale(&self, now: i64) -> bool {
            now > self.0 + 60 * SECOND
        }

        fn is_idle(&self, now: i64) -> bool {
            now > self.0
        }
    }

    fn put(store: &Store<u32, Until>, name: u32, until: i64, now: i64) -> bool {
        store.with(name, now, || Until(until), |_| ()).is_some()
    }

    #[test]
    fn a_full_store_takes_no_more_places_than_it_may() {
        let store = Store::new(800);
        let taken = (0..10_000).filter(|n| put(&store, *n, SECOND, 0)).count();
        assert!(taken <= 880 && taken == store.len(), "{taken} of 800, {}", store.len());
        assert!(taken > 700, "nearly all shards are full: {taken}");
    }

    #[test]
    fn what_is_not_in_use_makes_room_for_others() {
        let store = Store::new(80);
        for n in 0..10_000 {
            put(&store, n, SECOND, 0);
        }
        let full = store.len();
        let taken = (10_000..20_000)
            .filter(|n| put(&store, *n, 9 * SECOND, 3 * SECOND))
            .count();
        assert_eq!((taken, store.len()), (full, full), "all of the first made room");
    }

    #[test]
    fn one_who_must_have_a_place_gets_another_ones() {
        let store = Store::new(800);
        for n in 0..10_000 {
            put(&store, n, SECOND, 0);
        }
        for n in 10_000..20_000 {
            store.with_force(n, 0, || Until(SECOND), |_| ());
            assert!(store.see(&n, |_| ()).is_some());
        }
        assert!((700..=880).contains(&store.len()), "{}", store.len());
    }

    #[test]
    fn what_is_stale_is_forgotten_shard_by_shard_and_its_memory_given_back() {
        let store = Store::new(100_000);
        for n in 0..50_000 {
            put(&store, n, 0, 0);
        }
        let before = store.bytes();
        for _ in 0..SHARDS {
            store.tidy(61 * SECOND);
        }
        assert!(
            store.is_empty() && store.bytes() < before / 10,
            "{} of {before}",
            store.bytes()
        );
    }
}
