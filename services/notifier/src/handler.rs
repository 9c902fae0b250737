//! A batch of `order-updates`: read what they point to, word it, store it. The runner stores the position and commits
//! in the same transaction.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Event, HandleError, Handler};
use chassis::clock::SharedClock;
use db::PgConnection;
use domain::{AccountId, Timestamp};
use wire::events::v1::OrderUpdated;

use crate::facts::{self, Fact};
use crate::store;
use crate::words::{self, Notice};

/// The consumer group.
pub const GROUP: &str = "notifier";

/// The handler behind the runner.
pub struct Notifier {
    clock: SharedClock,
    /// What the batch under way will be told about once it is committed.
    written: Vec<String>,
    /// How long the first of its changes waited.
    delay: Option<Duration>,
}

impl Notifier {
    /// A handler that dates its notices by this clock.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            written: Vec::new(),
            delay: None,
        }
    }

    async fn write(&mut self, conn: &mut PgConnection, events: &[Event]) -> Result<(), HandleError> {
        let pointers = pointers(events)?;
        let facts = facts::read(conn, &Vec::from_iter(pointers.iter().copied())).await?;
        if facts.len() < pointers.len() {
            // The change was committed with its message, so this one never happened.
            return Err(HandleError::Poison(format!(
                "{} of {} changes are not in their accounts' histories",
                pointers.len() - facts.len(),
                pointers.len()
            )));
        }
        fail::fail_point!("notify::read_not_sent");
        let notices: Vec<(&Fact, Notice)> = facts
            .iter()
            .filter_map(|fact| Some((fact, words::notice(fact)?)))
            .collect();
        let now = self.clock.now();
        self.written = store::insert(conn, &notices, now).await?;
        fail::fail_point!("notify::sent_not_marked");
        self.delay = longest_wait(&notices, now).filter(|_| !self.written.is_empty());
        Ok(())
    }
}

impl Handler for Notifier {
    async fn handle(&mut self, conn: &mut PgConnection, events: &[Event]) -> Result<(), HandleError> {
        self.write(conn, events).await
    }

    /// Customers read notices later.
    fn can_wait(&self, _events: &[Event]) -> bool {
        true
    }

    fn word(&self, event: &Event) -> Option<String> {
        event.decode().ok().map(|update: OrderUpdated| update.event)
    }

    fn committed(&mut self) {
        for kind in self.written.drain(..) {
            metrics::counter!("daybook_notifier_notices_total", "kind" => kind).increment(1);
        }
        if let Some(delay) = self.delay.take() {
            metrics::histogram!("daybook_notifier_delay_seconds").record(delay);
        }
    }

    fn rolled_back(&mut self) {
        self.written.clear();
        self.delay = None;
    }
}

/// The changes that the messages point to, each once and in the order of the accounts' histories.
fn pointers(events: &[Event]) -> Result<BTreeSet<(AccountId, i64)>, HandleError> {
    let pointer = |event: &Event| {
        let update: OrderUpdated = event.decode()?;
        Ok((AccountId::new(update.account_id), update.seq))
    };
    events.iter().map(pointer).collect()
}

fn longest_wait(notices: &[(&Fact, Notice)], now: Timestamp) -> Option<Duration> {
    let first = notices.iter().map(|(fact, _)| fact.at).min()?;
    // A clock that was put back makes no negative wait.
    Some((now - first).to_std().unwrap_or_default())
}
