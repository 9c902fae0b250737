//! The engine: one task that owns the books and is the only writer of the exchange's tables.
//!
//! It takes everything that is queued, looks up what the batch needs, matches in memory, writes orders, executions
//! and reports in one transaction, and only then shows and answers. Its connection holds the advisory lock of the
//! one engine, so losing the connection is losing the right to write. If anything fails, memory is thrown away and
//! the next batch starts from the tables: what was not committed never happened, and what was is found by key.

mod batch;
mod command;
mod live;

pub use command::{Answer, Change, Command, Print, Refusal, Reply, Ticket};

use std::sync::Arc;

use chassis::batch::BatchWork;
use chassis::health::Gate;
use db::{DbError, PgPool};

use crate::board::Board;
use crate::core::Listing;
use crate::faults::Faults;
use crate::names::Names;
use crate::settings::Settings;
use live::Live;

/// What an engine is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) settings: Arc<Settings>,
    pub(crate) listings: Arc<[Listing]>,
    pub(crate) names: Names,
    pub(crate) seed: u64,
    pub(crate) largest_quote: i64,
    pub(crate) round_max: usize,
    pub(crate) board: Arc<Board>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) gate: Gate,
}

/// The worker behind the queue.
pub(crate) struct Engine {
    parts: Parts,
    live: Option<Live>,
}

impl Engine {
    /// An engine whose first batch loads the tables.
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, live: None }
    }

    /// Loads the tables if memory is empty.
    pub(crate) async fn ready(&mut self) -> Result<(), DbError> {
        self.live().await.map(|_| ())
    }

    async fn live(&mut self) -> Result<&mut Live, DbError> {
        if self.live.is_none() {
            let live = Live::load(&self.parts).await?;
            self.parts.gate.ready();
            return Ok(self.live.insert(live));
        }
        self.live.as_mut().ok_or(DbError::Stale)
    }

    async fn work(&mut self, commands: &[Command]) -> Result<Vec<Reply>, DbError> {
        self.ready().await?;
        // Out of its place while at work: a task that is dropped in the middle leaves no half-changed books behind.
        let mut live = self.live.take().ok_or(DbError::Stale)?;
        let replies = batch::run(&self.parts, &mut live, commands).await?;
        self.live = Some(live);
        Ok(replies)
    }
}

impl BatchWork for Engine {
    type Item = Command;
    type Reply = Reply;

    async fn run(&mut self, commands: Vec<Command>) -> Vec<Reply> {
        match self.work(&commands).await {
            Ok(replies) => replies,
            Err(error) => {
                tracing::warn!(%error, orders = commands.len(), "a batch failed, the books are loaded anew");
                self.parts.gate.not_ready("the books are being loaded");
                commands.iter().map(|_| Err(Refusal::Storage)).collect()
            }
        }
    }
}
