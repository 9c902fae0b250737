//! Takes accepted orders and cancels to the venue, once each.
//!
//! Owns `venue_submissions`, `venue_open_submissions`, `venue_saga_steps` and `venue_breakers`. Consumes the topic `orders`, reports to
//! `venue-reports`; never moves an order.
//!
//! | module | what |
//! |---|---|
//! | `executor` | the step: one transaction, then the calls |
//! | `book` | every decision; no I/O |
//! | `calls` | the calls that are out |
//! | `store` | the SQL |
//! | `traces` | a span for each call |
//! | `breakers` | which venues are left alone: the row that executors share, and what an operator does to it |
//!
//! | an order is | because | until |
//! |---|---|---|
//! | `queued` | filed by bus position, never sent | its time, then its turn in its symbol's line |
//! | `sending` | the intent is committed | the answer |
//! | `in_doubt` | no usable answer, or the owner died | asked by key: found, or denied twice and sent again |
//! | `working` | the venue has it | a cancel is wanted |
//! | `burning` | it cannot be handed in | its end is seen at the venue and told |
//! | `ended`, `withdrawn` | the venue's word; never sent | (for ever) |

mod book;
pub mod breakers;
mod calls;
mod config;
mod executor;
mod metrics;
mod store;
mod traces;

pub use book::{BreakerWord, Credit, InFlight};
pub use config::Config;
pub use executor::{Executor, GROUP};

use std::sync::Arc;

use bus::Bus;
use chassis::clock::SharedClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step, StepError, run_loop};
use db::PgPool;
use sessions::Sessions;
use venue::Venue;

/// What the executor works with.
pub struct Deps<V> {
    /// The product's database.
    pub pool: PgPool,
    /// The event log.
    pub bus: Bus,
    /// Where orders go.
    pub venue: Arc<V>,
    /// The time.
    pub clock: SharedClock,
    /// Ids and jitter.
    pub ids: SharedIds,
    /// Sessions.
    pub sessions: Sessions,
}

/// Runs until the process drains; then waits for the calls that are out and records their answers, so that the next
/// owner has nothing to ask about.
///
/// # Errors
/// When the last answers could not be recorded. Nothing is lost by that: the next owner asks by key.
pub async fn run<V: Venue>(config: Config, deps: Deps<V>, shutdown: Shutdown) -> Result<(), DrainError> {
    let poll = config.poll;
    let mut executor = Executor::new(config, deps);
    let wake = executor.wake();
    run_loop(Borrowed(&mut executor), wake, poll, shutdown).await;
    executor.drain();
    executor.calls_settled().await;
    while executor.step().await.map_err(DrainError)? == Progress::Worked {}
    Ok(())
}

/// The last answers of a draining executor were not recorded.
#[derive(Debug, thiserror::Error)]
#[error("the last answers of the venue could not be recorded: {0}")]
pub struct DrainError(StepError);

/// A step that is had back when the loop ends.
struct Borrowed<'a, V>(&'a mut Executor<V>);

impl<V: Venue> Step for Borrowed<'_, V> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        self.0.step().await
    }
}
