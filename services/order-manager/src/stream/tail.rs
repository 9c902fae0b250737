//! The one reader of a process: what is new, for all accounts with listeners at once.
//!
//! The bus tells which accounts have news: its cost follows the events, not the listeners. What the news are is read
//! from `order_events`, one statement for all those accounts. Now and then every listened account is looked at, so
//! nothing that happens to a wake-up loses an update.

use std::sync::Arc;
use std::time::Duration;

use bus::{Event, Fetched, Follower, Topic};
use chassis::step::{Progress, Step, StepError};
use db::DbError;
use domain::AccountId;
use orders::history;
use tokio::time::Instant;
use tracing::error;
use wire::events::v1::OrderUpdated;

use super::hub::Hub;
use super::update::{self, Update};
use crate::app::Deps;

/// Wake-ups read at a time.
const HEARD_AT_ONCE: i64 = 1_024;
/// Accounts read at a time, and updates of each.
const ACCOUNTS_AT_ONCE: usize = 500;
const UPDATES_AT_ONCE: i64 = 64;
/// How soon to look again at what waits above the horizon.
const HELD_BACK: Duration = Duration::from_millis(1);

pub(super) struct Tail {
    hub: Hub,
    deps: Deps,
    heard: Follower,
    sweep_every: Duration,
    swept_at: Instant,
}

impl Tail {
    pub(super) fn new(hub: Hub, deps: Deps, sweep_every: Duration) -> Self {
        Tail {
            heard: deps.bus.follower(Topic::OrderUpdates),
            hub,
            deps,
            sweep_every,
            swept_at: Instant::now(),
        }
    }

    /// Finds accounts that have events nobody rang for.
    async fn sweep(&mut self) -> Result<(), DbError> {
        if self.swept_at.elapsed() < self.sweep_every {
            return Ok(());
        }
        let mut conn = self.deps.pool.acquire().await?;
        let behind = history::with_news(&mut conn, &self.hub.heads()).await?;
        self.hub.more(behind.into_iter());
        self.swept_at = Instant::now();
        Ok(())
    }

    /// Reads what these accounts have and puts it into the queues. What cannot be understood is looked for by halves,
    /// so that one account's trouble is its own.
    async fn deliver(&self, places: &[(AccountId, i64)]) -> Result<(), DbError> {
        let mut todo = vec![places];
        while let Some(part) = todo.pop() {
            match self.read(part).await {
                Ok(updates) => self.put(&updates),
                Err(error) if error.is_transient() => {
                    self.hub.more(places.iter().map(|(account, _)| *account));
                    return Err(error);
                }
                Err(error) => match part {
                    [(account, _)] => {
                        error!(account.id = %account, %error, "the events of {account} cannot be told: {error}");
                        self.hub.give_up(*account);
                    }
                    _ => todo.extend(<[_; 2]>::from(part.split_at(part.len() / 2))),
                },
            }
        }
        Ok(())
    }

    async fn read(&self, places: &[(AccountId, i64)]) -> Result<Vec<Arc<Update>>, DbError> {
        let mut conn = self.deps.pool.acquire().await?;
        let calendar = self.deps.sessions.calendar();
        update::read(&mut conn, places, UPDATES_AT_ONCE, &calendar).await
    }

    fn put(&self, updates: &[Arc<Update>]) {
        self.hub.deliver(updates);
        let of_each = updates.chunk_by(|one, next| one.account == next.account);
        let full = of_each.filter(|updates| i64::try_from(updates.len()) == Ok(UPDATES_AT_ONCE));
        self.hub.more(full.map(|updates| updates[0].account));
        if let Some(oldest) = updates.iter().map(|update| update.at).min() {
            let delay = (self.deps.clock.now() - oldest).to_std().unwrap_or_default();
            metrics::histogram!("daybook_order_manager_stream_delay_seconds").record(delay);
        }
    }
}

impl Step for Tail {
    fn name(&self) -> &'static str {
        "streams"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.hub.observe();
        if self.hub.is_empty() {
            self.heard.rest();
            return Ok(Progress::Idle);
        }
        // Before anything else: what commits after this will ring.
        let Fetched { events, held_back } = self.heard.fetch(HEARD_AT_ONCE).await?;
        self.hub.heard(events.iter().filter_map(account_and_number));
        self.sweep().await?;
        let news = self.hub.take_news(ACCOUNTS_AT_ONCE);
        if !news.is_empty() {
            self.deliver(&news).await?;
        }
        Ok(match (events.is_empty() && news.is_empty(), held_back) {
            (false, _) => Progress::Worked,
            (true, true) => Progress::Soon(HELD_BACK),
            (true, false) => Progress::Idle,
        })
    }
}

/// A wake-up that cannot be read wakes nobody; the next sweep does.
fn account_and_number(event: &Event) -> Option<(AccountId, i64)> {
    let updated: OrderUpdated = event.decode().ok()?;
    Some((AccountId::new(updated.account_id), updated.seq))
}
