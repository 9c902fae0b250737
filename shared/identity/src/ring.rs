//! From key and secret to the caller.
//!
//! Every request passes here, so what the database said is kept for a moment: at most 500 ms by default, which makes
//! a revocation effective within a second. However many requests of one key come at once, one of them reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use db::{DbError, PgPool};
use domain::AccountId;
use subtle::ConstantTimeEq;

use crate::keys::{KeyId, hash};

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account the key belongs to.
    pub account: AccountId,
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
    reads: AtomicU64,
    last_sweep: Mutex<Option<Instant>>,
}

/// One key's place: what is known of it, and a lock that lets one request read for all that wait.
#[derive(Default)]
struct Slot {
    known: Mutex<Option<Known>>,
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Known {
    at: Instant,
    key: Option<LiveKey>,
}

#[derive(Clone, Copy)]
struct LiveKey {
    account: AccountId,
    secret_hash: [u8; 32],
}

impl Slot {
    /// What is known and not too old.
    fn fresh(&self, max_age: Duration) -> Option<Known> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|known| known.at.elapsed() < max_age)
    }

    fn learn(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl KeyRing {
    /// A ring over the keys of this database.
    pub fn new(pool: PgPool, settings: RingSettings) -> Self {
        KeyRing(Arc::new(Inner {
            pool,
            settings,
            slots: DashMap::new(),
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
        let expected = key.map_or([0; 32], |key| key.secret_hash);
        let equal = bool::from(presented.ct_eq(&expected));
        match key {
            Some(key) if equal => Ok(Caller {
                account: key.account,
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
        let max_age = self.0.settings.max_age;
        let slot = self.slot(key_id);
        if let Some(known) = slot.fresh(max_age) {
            return Ok(known.key);
        }
        let _one_reader = slot.reading.lock().await;
        if let Some(known) = slot.fresh(max_age) {
            return Ok(known.key);
        }
        // The age counts from before the read: a revocation that commits meanwhile is not missed for longer.
        let at = Instant::now();
        let key = self.read(key_id).await?;
        slot.learn(Known { at, key });
        Ok(key)
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
            .retain(|_, slot| slot.fresh(max_age).is_some_and(|known| known.key.is_some()));
    }

    async fn read(&self, key_id: &KeyId) -> Result<Option<LiveKey>, DbError> {
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        let mut conn = self.0.pool.acquire().await?;
        let row = sqlx::query!(
            "select account_id, secret_hash
               from api_keys
              where key_id = $1
                and revoked_at is null",
            key_id.as_str(),
        )
        .fetch_optional(&mut *conn)
        .await?;
        row.map(|row| {
            let secret_hash = row.secret_hash.try_into().map_err(|_| DbError::Inconsistent {
                table: "api_keys",
                what: format!("{key_id}: the hash is not 32 bytes long"),
            })?;
            Ok(LiveKey {
                account: AccountId::new(row.account_id),
                secret_hash,
            })
        })
        .transpose()
    }
}
