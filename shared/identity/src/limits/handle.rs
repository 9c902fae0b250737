//! The copy in memory that every request is measured by.

use std::sync::Arc;

use arc_swap::ArcSwap;
use db::{DbError, PgConnection};

use super::{LimitTable, Usual, load};

/// The limits in force. Cheap to clone, clones share it; reading never waits.
///
/// While the database is away the last known limits stay: an outage lifts none.
#[derive(Clone)]
pub struct Limits(Arc<ArcSwap<LimitTable>>);

impl Limits {
    /// What holds without rows, until it is refreshed.
    pub fn new(usual: Usual) -> Self {
        Limits(Arc::new(ArcSwap::from_pointee(LimitTable::of(usual))))
    }

    /// The limits as they are now. Taken once a request or batch, so that its answers agree.
    pub fn table(&self) -> Arc<LimitTable> {
        self.0.load_full()
    }

    /// Takes the rows as committed; true if that changed anything. Called twice a second by one task of a process.
    ///
    /// # Errors
    /// What the database says; the limits stay as they were.
    pub async fn refresh(&self, conn: &mut PgConnection) -> Result<bool, DbError> {
        let before = self.0.load();
        let now = load(conn, before.usual).await?;
        let changed = **before != now;
        if changed {
            self.0.store(Arc::new(now));
        }
        Ok(changed)
    }
}
