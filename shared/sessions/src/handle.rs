//! The copy in memory that every process decides by.

use crate::exceptions;
use arc_swap::ArcSwap;
use db::{DbError, PgConnection};
use domain::calendar::Calendar;
use std::sync::Arc;

/// The calendar in force. Cheap to clone, clones share it; reading never waits.
#[derive(Clone)]
pub struct Sessions {
    in_force: Arc<ArcSwap<Calendar>>,
}

impl Sessions {
    /// This calendar, until it is refreshed.
    pub fn fixed(calendar: Calendar) -> Self {
        Self {
            in_force: Arc::new(ArcSwap::from_pointee(calendar)),
        }
    }

    /// The calendar as it is now. Taken once for each request or step, so that all its answers agree.
    pub fn calendar(&self) -> Arc<Calendar> {
        self.in_force.load_full()
    }

    /// Takes the operators' exceptions as committed; true if that changed anything. Called every second or so by one
    /// task of a process; an error keeps the calendar as it was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn refresh(&self, conn: &mut PgConnection) -> Result<bool, DbError> {
        let before = self.in_force.load();
        let now = exceptions::in_force(conn, &before).await?;
        let changed = **before != now;
        if changed {
            self.in_force.store(Arc::new(now));
        }
        Ok(changed)
    }
}
