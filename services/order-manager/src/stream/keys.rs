//! A revoked key closes what it opened, within a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chassis::step::{Progress, Step, StepError, Wake};
use db::PgPool;
use identity::KeyId;
use tokio_util::sync::CancellationToken;

/// The keys that opened connections; clones share them.
#[derive(Clone, Default)]
pub(super) struct KeyWatch(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: Mutex<HashMap<KeyId, Watched>>,
    wake: Wake,
}

struct Watched {
    revoked: CancellationToken,
    connections: usize,
}

/// One connection's watch over its key. Dropped, it is over.
pub(super) struct Key {
    watch: KeyWatch,
    key_id: KeyId,
    revoked: CancellationToken,
}

impl Key {
    /// Ends when the key is revoked.
    pub(super) async fn revoked(&self) {
        self.revoked.cancelled().await;
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let mut keys = self.watch.keys();
        if let Some(watched) = keys.get_mut(&self.key_id) {
            watched.connections -= 1;
            if watched.connections == 0 {
                keys.remove(&self.key_id);
            }
        }
    }
}

impl KeyWatch {
    /// Watches the key for one more connection.
    pub(super) fn over(&self, key_id: &KeyId) -> Key {
        let mut keys = self.keys();
        let watched = keys.entry(key_id.clone()).or_insert_with(|| Watched {
            revoked: CancellationToken::new(),
            connections: 0,
        });
        watched.connections += 1;
        Key {
            watch: self.clone(),
            key_id: key_id.clone(),
            revoked: watched.revoked.clone(),
        }
    }

    /// Rings the loop that looks for revoked keys.
    pub(super) fn wake(&self) -> Wake {
        self.0.wake.clone()
    }

    fn ids(&self) -> Vec<KeyId> {
        self.keys().keys().cloned().collect()
    }

    /// The connections of this key are told. They take themselves off the list.
    fn end(&self, key_id: &KeyId) {
        if let Some(watched) = self.keys().get(key_id) {
            watched.revoked.cancel();
        }
    }

    /// Nothing in here can be half done, so a poisoned lock is as good as another.
    fn keys(&self) -> MutexGuard<'_, HashMap<KeyId, Watched>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks which of the keys in use are revoked: one statement for all of them.
pub(super) struct Revoked {
    watch: KeyWatch,
    pool: PgPool,
}

impl Revoked {
    pub(super) fn new(watch: KeyWatch, pool: PgPool) -> Self {
        Revoked { watch, pool }
    }
}

impl Step for Revoked {
    fn name(&self) -> &'static str {
        "stream-keys"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let ids = self.watch.ids();
        if ids.is_empty() {
            return Ok(Progress::Idle);
        }
        let mut conn = self.pool.acquire().await?;
        for key_id in identity::revoked_among(&mut conn, &ids).await? {
            self.watch.end(&key_id);
        }
        Ok(Progress::Idle)
    }
}
