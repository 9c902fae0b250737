//! Which buckets a request is measured by.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError, RwLock};

use chassis::clock::SharedClock;
use domain::AccountId;
use identity::limits::{Class, Limits, Rate};
use identity::{Caller, KeyId, Tier};

use super::LimitSettings;
use super::bucket::{Bucket, Standing};
use super::store::{Place, Store};

/// Half a second in microseconds: how long what is known of a key is believed when it says no.
const TICK: i64 = 500_000;
/// A key that was not used for an hour is a stranger's again.
const STALE_TICKS: u32 = 2 * 3_600;

/// Everybody's buckets.
pub struct Meter {
    settings: LimitSettings,
    limits: Limits,
    clock: SharedClock,
    keys: Store<KeyName, KeyPlace>,
    addresses: Store<IpAddr, AddressPlace>,
    /// For addresses that there is no room for.
    elsewhere: Mutex<AddressPlace>,
    tiers: Words,
    secrets: RandomState,
}

/// Which bucket decided; a word of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The key's own.
    Key,
    /// That of all requests of an address.
    Address,
    /// That of strangers' requests of an address.
    Stranger,
}

impl By {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            By::Key => "key",
            By::Address => "address",
            By::Stranger => "stranger",
        }
    }
}

/// What came of measuring a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The bucket, for the answer's headers.
    pub standing: Standing,
    /// Which.
    pub by: By,
}

impl Measured {
    /// Whether the request may pass.
    pub const fn passes(&self) -> bool {
        self.standing.passes()
    }
}

/// A key id in sixteen bytes: twenty letters and digits are less than 104 bits.
type KeyName = (u64, u64);

/// What is kept of a key whose pair was good.
struct KeyPlace {
    buckets: [Bucket; Class::COUNT],
    account: AccountId,
    secret: u32,
    seen: u32,
    checked: u32,
    tier: u16,
}

impl Place for KeyPlace {
    fn is_stale(&self, now: i64) -> bool {
        self.is_idle(now) && tick(now).saturating_sub(self.seen) > STALE_TICKS
    }

    fn is_idle(&self, now: i64) -> bool {
        self.buckets.iter().all(|bucket| bucket.is_full(now))
    }
}

#[derive(Default)]
struct AddressPlace {
    all: Bucket,
    strangers: Bucket,
}

impl Place for AddressPlace {
    fn is_stale(&self, now: i64) -> bool {
        self.is_idle(now)
    }

    fn is_idle(&self, now: i64) -> bool {
        self.all.is_full(now) && self.strangers.is_full(now)
    }
}

impl Meter {
    /// One that knows nobody yet.
    pub fn new(settings: LimitSettings, limits: Limits, clock: SharedClock) -> Self {
        Meter {
            keys: Store::new(settings.most_keys),
            addresses: Store::new(settings.most_addresses),
            elsewhere: Mutex::default(),
            tiers: Words::default(),
            secrets: RandomState::new(),
            settings,
            limits,
            clock,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &LimitSettings {
        &self.settings
    }

    /// Measures a request by its key, where the pair was good before. `None`: it is a stranger's so far.
    pub fn known(&self, key_id: &KeyId, secret: &str, class: Class, from: IpAddr) -> Option<Measured> {
        let (now, mark, table) = (self.now(), self.mark(secret), self.limits.table());
        let rate = self.keys.see(&name(key_id), |place| {
            let is_same = place.secret == mark;
            is_same.then(|| table.rate(place.account, &self.tiers.word(place.tier), class))
        })??;
        Some(self.take(key_id, rate, class, from, now))
    }

    /// Whether a key that was refused may have got another limit meanwhile: true twice a second at most.
    pub fn is_due(&self, key_id: &KeyId) -> bool {
        let now = tick(self.now());
        let due = self.keys.see(&name(key_id), |place| {
            let due = place.checked != now;
            place.checked = now;
            due
        });
        due.unwrap_or(true)
    }

    /// Remembers a pair that is good, and measures its request.
    pub fn welcome(&self, caller: &Caller, secret: &str, class: Class, from: IpAddr) -> Measured {
        self.learn(caller, secret);
        let rate = self.limits.table().rate(caller.account, caller.tier.as_str(), class);
        self.take(&caller.key_id, rate, class, from, self.now())
    }

    /// Remembers a pair that is good.
    pub fn learn(&self, caller: &Caller, secret: &str) {
        let (now, mark, tier) = (self.now(), self.mark(secret), self.tiers.number(caller.tier.as_str()));
        let new = || KeyPlace {
            buckets: Default::default(),
            account: caller.account,
            secret: mark,
            seen: tick(now),
            checked: tick(now),
            tier,
        };
        self.keys.with_force(name(&caller.key_id), now, new, |place| {
            (place.account, place.secret, place.tier) = (caller.account, mark, tier);
            (place.seen, place.checked) = (tick(now), tick(now));
        });
    }

    /// Whether a stranger may ask at all. Nothing is taken yet: the request may turn out to be a customer's.
    pub fn stranger(&self, from: IpAddr) -> Measured {
        let (now, rate) = (self.now(), self.settings.strangers);
        self.address(from, now, |place| Measured {
            standing: place.strangers.look(rate, now),
            by: By::Stranger,
        })
    }

    /// Takes one of the address's tokens, for a request that shows no key.
    pub fn nobody(&self, from: IpAddr) -> Measured {
        let (now, rate) = (self.now(), self.settings.address);
        self.address(from, now, |place| Measured {
            standing: place.all.take(rate, now),
            by: By::Address,
        })
    }

    /// Charges a request that turned out to be nobody's: no key, or a wrong one, which then is not known any more.
    pub fn turned_away(&self, key_id: Option<&KeyId>, secret: &str, from: IpAddr) -> Measured {
        if let Some(key_id) = key_id {
            self.disown(key_id, secret);
        }
        let (now, rate) = (self.now(), self.settings.strangers);
        self.address(from, now, |place| {
            place.strangers.charge(rate, now);
            let looked = place.strangers.look(rate, now);
            Measured {
                // This request was let in; the next one will see.
                standing: Standing { wait: None, ..looked },
                by: By::Stranger,
            }
        })
    }

    /// Forgets a pair that was good: its key is revoked. A wrong secret makes nobody forget the right one.
    fn disown(&self, key_id: &KeyId, secret: &str) {
        let (name, mark) = (name(key_id), self.mark(secret));
        if self.keys.see(&name, |place| place.secret == mark) == Some(true) {
            self.keys.forget(&name);
        }
    }

    /// Forgets who was not there for long, a little with each call.
    pub fn tidy(&self) {
        let now = self.now();
        self.keys.tidy(now);
        self.addresses.tidy(now);
    }

    /// How many keys and addresses are remembered.
    pub fn sizes(&self) -> [usize; 2] {
        [self.keys.len(), self.addresses.len()]
    }

    /// Bytes of memory for them.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.addresses.bytes()
    }

    fn take(&self, key_id: &KeyId, rate: Option<Rate>, class: Class, from: IpAddr, now: i64) -> Measured {
        let Some(rate) = rate else {
            let standing = Standing::unlimited(now);
            return Measured { standing, by: By::Key };
        };
        let taken = self
            .keys
            .see(&name(key_id), |place| place.buckets[class as usize].take(rate, now));
        let own = Measured {
            // Somebody else was given its place this very moment.
            standing: taken.unwrap_or_else(|| Bucket::default().take(rate, now)),
            by: By::Key,
        };
        // A cancel competes with nothing, and what a key asks beyond its own takes nothing from its neighbours.
        if class == Class::Cancel || !own.passes() {
            return own;
        }
        let of_address = self.nobody(from);
        if of_address.passes() { own } else { of_address }
    }

    fn address<R>(&self, from: IpAddr, now: i64, f: impl Fn(&mut AddressPlace) -> R) -> R {
        let found = self.addresses.with(network(from), now, AddressPlace::default, &f);
        found.unwrap_or_else(|| f(&mut self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_micros()
    }

    /// Tells this secret from others, and tells nobody else anything: the hash is keyed anew in each process. That two
    /// have the same is as good as never so, and then a stranger empties a customer's bucket, no more.
    fn mark(&self, secret: &str) -> u32 {
        u32::try_from(self.secrets.hash_one(secret) >> 32).unwrap_or(0)
    }
}

/// Whoever has an address of version 6 has 2⁶⁴ of them.
pub(crate) fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

fn tick(now: i64) -> u32 {
    u32::try_from(now.max(0) / TICK).unwrap_or(u32::MAX)
}

fn name(key_id: &KeyId) -> KeyName {
    let number = key_id.as_str().bytes().fold(0_u128, |number, letter| {
        let digit = if letter.is_ascii_digit() {
            letter - b'0'
        } else {
            letter.wrapping_sub(b'A').wrapping_add(10)
        };
        number.wrapping_mul(36).wrapping_add(u128::from(digit))
    });
    let low = number & u128::from(u64::MAX);
    let half = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    (half(number >> 64), half(low))
}

/// Few words, many who have one: a number instead of each.
#[derive(Default)]
struct Words(RwLock<Vec<String>>);

impl Words {
    fn number(&self, word: &str) -> u16 {
        let find = |words: &[String]| words.iter().position(|known| known == word);
        let known = find(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let number = known.unwrap_or_else(|| {
            let mut words = self.0.write().unwrap_or_else(PoisonError::into_inner);
            find(&words).unwrap_or_else(|| {
                words.push(word.to_owned());
                words.len() - 1
            })
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    fn word(&self, number: u16) -> String {
        let words = self.0.read().unwrap_or_else(PoisonError::into_inner);
        words
            .get(usize::from(number))
            .cloned()
            .unwrap_or_else(|| Tier::STANDARD.to_owned())
    }
}

#[cfg(test)]
mod tests;
