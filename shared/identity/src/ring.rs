//! From key and secret to the caller.
//!
//! Every request passes here, so what the database said is kept for a moment: at most 500 ms by default, which makes
//! a revocation effective within a second. However many requests come at once, one of them reads, for all that wait: a
//! round trip for each would cost a busy service more than the orders behind it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use db::{DbError, PgPool};
use domain::AccountId;
use subtle::ConstantTimeEq;

use crate::accounts::Tier;
use crate::keys::{KeyId, hash};

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account the key belongs to.
    pub account: AccountId,
    /// Which limits the account has.
    pub tier: Tier,
    /// The key's public half.
    pub key_id: KeyId,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Unknown key, wrong secret or revoked: one answer for all, so that none of them can be told apart.
    #[error("request is not authorized")]
    Denied,
    /// Nobody could look it up.
    #[error("keys cannot be read")]
    Unavailable(#[from] DbError),
}

/// How long and how much a [`KeyRing`] remembers.
#[derive(Debug, Clone, Copy)]
pub struct RingSettings {
    /// Longest time an answer of the database is believed.
    pub max_age: Duration,
    /// Most keys remembered; strangers' guesses must not fill the memory.
    pub max_keys: usize,
}

impl Default for RingSettings {
    fn default() -> Self {
        RingSettings {
            max_age: Duration::from_millis(500),
            max_keys: 10_000,
        }
    }
}

/// Checks key pairs; clones share what they remember.
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    pool: PgPool,
    settings: RingSettings,
    slots: DashMap<KeyId, Arc<Slot>>,
    /// Who waits for the next read.
    waiting: Mutex<Vec<(KeyId, Arc<Slot>)>>,
    /// Held by the one that reads.
    reading: tokio::sync::Mutex<()>,
    reads: AtomicU64,
    last_sweep: Mutex<Option<Instant>>,
}

/// One key's place.
#[derive(Default)]
struct Slot(Mutex<Option<Known>>);

#[derive(Clone)]
struct Known {
    /// When the read began.
    at: Instant,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    Key(LiveKey),
    NoKey,
    /// The read failed. Only those that waited for it are told so; the next one tries again.
    Unread,
}

#[derive(Clone)]
struct LiveKey {
    account: AccountId,
    tier: Tier,
    secret_hash: [u8; 32],
}

impl Slot {
    /// What is known and not too old.
    fn fresh(&self, max_age: Duration) -> Option<Option<LiveKey>> {
        let known = self.known().filter(|known| known.at.elapsed() < max_age)?;
        known.answer.key().ok()
    }

    /// What a read said that began since then.
    fn since(&self, asked: Instant) -> Option<Answer> {
        Some(self.known().filter(|known| known.at >= asked)?.answer)
    }

    fn known(&self) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Answer {
    fn key(self) -> Result<Option<LiveKey>, DbError> {
        match self {
            Answer::Key(key) => Ok(Some(key)),
            Answer::NoKey => Ok(None),
            Answer::Unread => Err(DbError::Sqlx(sqlx::Error::PoolTimedOut)),
        }
    }
}

impl KeyRing {
    /// A ring over the keys of this database.
    pub fn new(pool: PgPool, settings: RingSettings) -> Self {
        KeyRing(Arc::new(Inner {
            pool,
            settings,
            slots: DashMap::new(),
            waiting: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            reads: AtomicU64::new(0),
            last_sweep: Mutex::new(None),
        }))
    }

    /// Who holds this key pair.
    ///
    /// # Errors
    /// [`AuthError::Denied`] for any wrong pair, [`AuthError::Unavailable`] when the database is away.
    pub async fn authenticate(&self, key_id: &str, secret: &str) -> Result<Caller, AuthError> {
        // Hashed first and for every request, so that an unknown key takes as long as a wrong secret.
        let presented = hash(secret);
        let key_id = KeyId::parse(key_id).ok_or(AuthError::Denied)?;
        let key = self.live_key(&key_id).await?;
        let expected = key.as_ref().map_or([0; 32], |key| key.secret_hash);
        let equal = bool::from(presented.ct_eq(&expected));
        match key {
            Some(key) if equal => Ok(Caller {
                account: key.account,
                tier: key.tier,
                key_id,
            }),
            _ => Err(AuthError::Denied),
        }
    }

    /// How often the database was asked; for metrics and tests.
    pub fn reads(&self) -> u64 {
        self.0.reads.load(Ordering::Relaxed)
    }

    async fn live_key(&self, key_id: &KeyId) -> Result<Option<LiveKey>, DbError> {
        let (slot, max_age) = (self.slot(key_id), self.0.settings.max_age);
        if let Some(key) = slot.fresh(max_age) {
            return Ok(key);
        }
        let asked = Instant::now();
        self.waiting().push((key_id.clone(), slot.clone()));
        let _one_reader = self.0.reading.lock().await;
        if let Some(key) = slot.fresh(max_age) {
            return Ok(key);
        }
        if let Some(answer) = slot.since(asked) {
            return answer.key();
        }
        let mut wanted = std::mem::take(&mut *self.waiting());
        // Whoever took our place with theirs may have gone away before the answer came.
        wanted.push((key_id.clone(), slot.clone()));
        self.read(&wanted).await?;
        slot.since(asked).unwrap_or(Answer::Unread).key()
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<(KeyId, Arc<Slot>)>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key's place. When the ring is full of fresh keys, a place that is forgotten after this request.
    fn slot(&self, key_id: &KeyId) -> Arc<Slot> {
        if let Some(slot) = self.0.slots.get(key_id) {
            return slot.clone();
        }
        if self.0.slots.len() >= self.0.settings.max_keys {
            self.sweep();
        }
        if self.0.slots.len() >= self.0.settings.max_keys {
            return Arc::default();
        }
        self.0.slots.entry(key_id.clone()).or_default().clone()
    }

    /// Forgets what is too old or nobody's, at most once per `max_age`: a flood of guesses must not buy a scan each.
    fn sweep(&self) {
        let max_age = self.0.settings.max_age;
        {
            let mut last = self.0.last_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at.elapsed() < max_age) {
                return;
            }
            *last = Some(Instant::now());
        }
        self.0
            .slots
            .retain(|_, slot| slot.fresh(max_age).is_some_and(|key| key.is_some()));
    }

    /// Reads all of them, and lets each place know what came of it.
    async fn read(&self, wanted: &[(KeyId, Arc<Slot>)]) -> Result<(), DbError> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        // The age counts from before the read: a revocation that commits meanwhile is not missed for longer.
        let at = Instant::now();
        let keys = self.live_keys(wanted).await;
        for (key_id, slot) in wanted {
            let answer = match &keys {
                Ok(keys) => keys.get(key_id.as_str()).cloned().map_or(Answer::NoKey, Answer::Key),
                Err(_) => Answer::Unread,
            };
            slot.learn(Known { at, answer });
        }
        keys.map(drop)
    }

    async fn live_keys(&self, wanted: &[(KeyId, Arc<Slot>)]) -> Result<HashMap<String, LiveKey>, DbError> {
        let key_ids: Vec<String> = wanted.iter().map(|(key_id, _)| key_id.to_string()).collect();
        let mut conn = self.0.pool.acquire().await?;
        let rows = sqlx::query!(
            "select k.key_id, k.account_id, k.secret_hash, a.tier
               from api_keys k
               join accounts a on a.account_id = k.account_id
              where k.key_id = any($1)
                and k.revoked_at is null",
            &key_ids,
        )
        .fetch_all(&mut *conn)
        .await?;
        let mut keys = HashMap::new();
        for row in rows {
            let secret_hash = row.secret_hash.try_into().map_err(|_| DbError::Inconsistent {
                table: "api_keys",
                what: format!("{}: the hash is not 32 bytes long", row.key_id),
            })?;
            let tier = Tier::new(&row.tier).map_err(|_| DbError::Inconsistent {
                table: "accounts",
                what: format!("{}: tier {}", row.account_id, row.tier),
            })?;
            let live = LiveKey {
                account: AccountId::new(row.account_id),
                tier,
                secret_hash,
            };
            keys.insert(row.key_id, live);
        }
        Ok(keys)
    }
}
