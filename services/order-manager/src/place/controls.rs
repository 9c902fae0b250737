//! What orders are measured by besides the books: risk settings and switches in force, the firm's open value, and the orders of
//! the last two seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use db::{DbError, PgConnection};
use domain::calendar::Calendar;
use domain::{AccountId, Money, Timestamp};
use risk::{InForce, Risk, Settings};
use tracing::error;

use super::decide::recent::{LOOK_BACK, Recent, remembered};
use super::decide::{Books, Given};
use super::look;
use super::taken::Taken;
use crate::config::Config;
use crate::error::PlaceOrderError;
use crate::firm::FirmOpen;
use crate::tries::Fault;

/// Shared by all batchers of a process.
#[derive(Clone)]
pub(crate) struct Controls {
    risk: Risk,
    defaults: Settings,
    venue: Arc<str>,
    firm: FirmOpen,
    recent: Arc<Mutex<Recent>>,
}

/// What counts for one batch.
pub(crate) struct Measures {
    /// Settings, lists and switches.
    pub(crate) risk: Arc<InForce>,
    /// Limits of every account, where nothing else is set.
    pub(crate) defaults: Settings,
    venue: Arc<str>,
    firm_open: Money,
}

impl Controls {
    /// Nothing is known yet: the first batch reads.
    pub(crate) fn new(config: &Config, firm: FirmOpen) -> Self {
        Controls {
            risk: Risk::new(),
            defaults: config.risk,
            venue: config.venue.as_str().into(),
            firm,
            recent: Arc::default(),
        }
    }

    /// What is in force. Read under the accounts' locks, so that a long wait for one makes it no older.
    pub(crate) async fn in_force(&self, conn: &mut PgConnection) -> Result<Measures, Fault> {
        let risk = self.risk.current(conn).await.map_err(|error| {
            if error.is_transient() {
                Fault::Failed(error)
            } else {
                Fault::NoRisk(error)
            }
        })?;
        Ok(Measures {
            risk,
            defaults: self.defaults,
            venue: Arc::clone(&self.venue),
            firm_open: self.firm.about(conn).await?,
        })
    }

    /// Orders of the last two seconds.
    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers recent orders that somebody else took, of the accounts that have any. Under the accounts' locks, so that
    /// none is missed.
    pub(super) async fn catch_up(&self, conn: &mut PgConnection, books: &Books, now: Timestamp) -> Result<(), DbError> {
        let unknown: Vec<(AccountId, Timestamp)> = {
            let recent = self.recent();
            let lasts = books
                .accounts
                .iter()
                .map(|(id, book)| (*id, book.sequence.last_submitted_at));
            let unknown = lasts.filter(|(account, last)| !recent.knows(*account, *last, now));
            unknown.filter_map(|(account, last)| Some((account, last?))).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let accounts: Vec<AccountId> = unknown.iter().map(|(account, _)| *account).collect();
        let orders = look::submitted_after(conn, &accounts, now - LOOK_BACK).await?;
        let mut recent = self.recent();
        recent.remember(remembered(orders), now);
        // The account's last one may be a replacement, which is not among them.
        for (account, last) in unknown {
            recent.known_to(account, last, now);
        }
        Ok(())
    }

    /// What later orders are measured by, once these are committed.
    pub(super) fn remember(&self, taken: Taken, now: Timestamp) {
        taken.tell();
        self.firm.add(taken.value);
        self.recent().remember(taken.orders, now);
    }

    /// The same for a replacement, which equals no order.
    pub(crate) fn remember_value(&self, value: Money) {
        self.firm.add(value);
    }
}

impl Measures {
    /// As the decisions take it.
    pub(crate) fn given<'a>(&'a self, now: Timestamp, calendar: &'a Calendar, recent: &'a Recent) -> Given<'a> {
        Given {
            now,
            calendar,
            risk: &self.risk,
            venue: &self.venue,
            firm_open: self.firm_open,
            recent,
        }
    }
}

/// What customers are told while nobody can read which switches are in force (RSK-6).
pub(crate) fn unreadable(error: &DbError) -> PlaceOrderError {
    error!(%error, "the risk controls cannot be read, so no order is taken: {error}");
    PlaceOrderError::NotReady("the risk controls cannot be read")
}
