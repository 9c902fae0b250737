//! What the engine shows the rest of the exchange: quotes, and the committed reports.
//!
//! Reports are published after their commit, in sequence. A listener that falls behind, or that was not there, reads
//! what it missed from the table: sequence numbers have no gaps, so it always knows that something is missing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use domain::Timestamp;
use tokio::sync::broadcast;

use crate::core::{Quote, SymbolIx};
use crate::store::rows::{EventRow, OrderRow};

/// Commits that a slow listener may fall behind before it has to read the table.
const BACKLOG: usize = 1_024;

/// One report with the order it is about.
pub type Report = (EventRow, Arc<OrderRow>);

/// The engine's shop window.
#[derive(Debug)]
pub struct Board {
    quotes: RwLock<(Vec<Quote>, Option<Timestamp>)>,
    head: AtomicI64,
    reports: broadcast::Sender<Arc<[Report]>>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            quotes: RwLock::default(),
            head: AtomicI64::new(0),
            reports: broadcast::channel(BACKLOG).0,
        }
    }
}

impl Board {
    /// All quotes in the order of the list, and when they were set.
    pub fn quotes(&self) -> (Vec<Quote>, Option<Timestamp>) {
        self.quotes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows new quotes.
    pub(crate) fn set_quotes(&self, quotes: Vec<Quote>, at: Timestamp) {
        *self.quotes.write().unwrap_or_else(PoisonError::into_inner) = (quotes, Some(at));
    }

    /// Replaces some of the quotes.
    pub(crate) fn update_quotes(&self, quotes: impl Iterator<Item = (SymbolIx, Quote)>, at: Timestamp) {
        let mut shown = self.quotes.write().unwrap_or_else(PoisonError::into_inner);
        for (symbol, quote) in quotes {
            if let Some(place) = shown.0.get_mut(symbol.0) {
                *place = quote;
            }
        }
        shown.1 = Some(at);
    }

    /// The number of the last committed report.
    pub fn head(&self) -> i64 {
        self.head.load(Ordering::Acquire)
    }

    /// Starts, or goes on, at this number.
    pub(crate) fn set_head(&self, head: i64) {
        self.head.store(head, Ordering::Release);
    }

    /// Listens to reports from now on. Listen first and read [`Board::head`] then, so that nothing falls between.
    pub fn listen(&self) -> broadcast::Receiver<Arc<[Report]>> {
        self.reports.subscribe()
    }

    /// Publishes the reports of one commit.
    pub(crate) fn publish(&self, reports: Vec<Report>) {
        let Some(last) = reports.last() else { return };
        self.set_head(last.0.no);
        // Nobody listening is fine: the table has them all.
        let _ = self.reports.send(reports.into());
    }
}
