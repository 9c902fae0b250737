//! Identifiers and randomness, passed in: real ones from the operating system, or a seed's for a test.
//!
//! Ids are UUIDs of version 7 (RFC 9562): the milliseconds of the injected clock, then its microseconds
//! in the twelve bits that the RFC leaves for them (method 3), then 62 random bits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::TryRng;
use uuid::{Builder, Uuid};

use crate::clock::SharedClock;

/// Where a program takes identifiers, secrets and jitter from.
pub trait Ids: Send + Sync {
    /// A new id, sorted by the time it was made.
    fn uuid(&self) -> Uuid;
    /// 256 bits nobody can guess.
    fn secret(&self) -> [u8; 32];
    /// A number from `0` up to but not including `below`; 0 when `below` is 0.
    fn jitter(&self, below: u64) -> u64;
}

/// Ids as they are handed around.
pub type SharedIds = Arc<dyn Ids>;

/// The real thing: the clock it is given and the randomness of the operating system.
#[derive(Clone)]
pub struct SystemIds {
    clock: SharedClock,
}

impl SystemIds {
    /// Ids stamped with this clock.
    pub fn new(clock: SharedClock) -> Self {
        SystemIds { clock }
    }
}

impl Ids for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one source of randomness, handed around as Ids"
    )]
    fn uuid(&self) -> Uuid {
        version_7(&self.clock, rand::random())
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        // Straight from the kernel, without a generator of ours between.
        rand::rngs::SysRng
            .try_fill_bytes(&mut secret)
            .expect("without its randomness the system cannot issue a key");
        secret
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one source of randomness, handed around as Ids"
    )]
    fn jitter(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { rand::random_range(0..below) }
    }
}

/// The same ids for the same seed, in the same order of calls. For tests and the simulation only.
pub struct SeededIds {
    seed: u64,
    drawn: AtomicU64,
    clock: SharedClock,
}

impl SeededIds {
    /// Ids of `seed`, stamped with this clock.
    pub fn new(seed: u64, clock: SharedClock) -> Self {
        SeededIds {
            seed: mix(seed),
            drawn: AtomicU64::new(0),
            clock,
        }
    }

    /// The next word of the seed's sequence. `mix` is one to one, so no two draws of a seed are equal.
    fn draw(&self) -> u64 {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        mix(self.seed.wrapping_add(n.wrapping_mul(GOLDEN)))
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> Uuid {
        version_7(&self.clock, self.draw())
    }

    fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        for word in secret.chunks_exact_mut(8) {
            word.copy_from_slice(&self.draw().to_be_bytes());
        }
        secret
    }

    fn jitter(&self, below: u64) -> u64 {
        self.draw().checked_rem(below).unwrap_or(0)
    }
}

/// Odd, so that its multiples run through all of `u64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finisher of SplitMix64: a one-to-one scramble of 64 bits.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn version_7(clock: &SharedClock, random: u64) -> Uuid {
    let now = clock.now();
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    let micros = u16::try_from(now.timestamp_subsec_micros() % 1_000).unwrap_or(0);
    let mut tail = [0; 10];
    // 0..999 microseconds spread over the twelve bits 0..4095, as RFC 9562 method 3 says.
    tail[..2].copy_from_slice(&(micros * 4).to_be_bytes());
    tail[2..].copy_from_slice(&random.to_be_bytes());
    Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(
            "2026-11-23T15:00:00Z".parse().expect("a literal of this file"),
        ))
    }

    #[test]
    fn one_seed_gives_one_run() {
        let run = |seed| {
            let clock = clock();
            let ids = SeededIds::new(seed, clock.clone());
            let first = ids.uuid();
            clock.advance(Duration::from_millis(5));
            (first, ids.uuid(), ids.secret(), ids.jitter(1_000_000))
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn ids_of_a_seed_never_repeat_although_its_clock_stands() {
        let ids = SeededIds::new(1, clock());
        let made: HashSet<Uuid> = (0..10_000).map(|_| ids.uuid()).collect();
        assert_eq!(made.len(), 10_000);
    }

    #[test]
    fn both_kinds_make_version_7_ids_in_the_order_of_the_clock() {
        let clock = clock();
        let kinds: [SharedIds; 2] = [
            Arc::new(SystemIds::new(clock.clone())),
            Arc::new(SeededIds::new(3, clock.clone())),
        ];
        for ids in kinds {
            let earlier = ids.uuid();
            clock.advance(Duration::from_micros(1));
            let later = ids.uuid();
            assert_eq!(earlier.get_version_num(), 7);
            assert_eq!(earlier.get_variant(), uuid::Variant::RFC4122);
            assert!(earlier < later, "{earlier} was made before {later}");
        }
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        let ids = SeededIds::new(9, clock());
        assert!((0..1_000).all(|_| ids.jitter(10) < 10));
        assert_eq!(ids.jitter(0), 0);
        assert_eq!(SystemIds::new(clock()).jitter(1), 0);
    }

    #[test]
    fn secrets_differ() {
        let ids = SystemIds::new(clock());
        assert_ne!(ids.secret(), ids.secret());
    }
}
