//! The copy in memory that every process decides by.

use arc_swap::ArcSwap;
use domain::calendar::Calendar;
use std::sync::Arc;

/// The calendar in force. Cheap to clone, clones share it; reading never waits.
#[derive(Clone)]
pub struct Sessions {
    in_force: Arc<ArcSwap<Calendar>>,
}

impl Sessions {
    /// This calendar, for ever.
    pub fn fixed(calendar: Calendar) -> Self {
        Self {
            in_force: Arc::new(ArcSwap::from_pointee(calendar)),
        }
    }

    /// The calendar as it is now. Taken once for each request or step, so that all its answers agree.
    pub fn calendar(&self) -> Arc<Calendar> {
        self.in_force.load_full()
    }
}
