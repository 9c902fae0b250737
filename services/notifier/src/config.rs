//! Settings, what is passed in, and the loop.

use std::time::Duration;

use bus::{Bus, Runner, Topic};
use chassis::clock::SharedClock;
use chassis::metrics::{describe_counter, describe_histogram};
use chassis::shutdown::Shutdown;
use chassis::step::run_loop;

use crate::handler::{GROUP, Notifier};

/// Settings of the service.
#[derive(Debug, Clone)]
pub struct Config {
    /// How long to rest when there is nothing and nobody rings.
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(200),
        }
    }
}

/// What the service is given.
#[derive(Clone)]
pub struct Deps {
    /// The event log, on the database that the notices are in.
    pub bus: Bus,
    /// The time.
    pub clock: SharedClock,
}

impl Deps {
    /// The step that writes notices.
    pub fn notifier(&self) -> Runner<Notifier> {
        let consumer = self.bus.consumer(GROUP, Topic::OrderUpdates);
        Runner::new("notifier", consumer, Notifier::new(self.clock.clone()))
    }
}

/// Runs the service until the process drains.
pub async fn run(config: Config, deps: Deps, shutdown: Shutdown) {
    describe_counter("daybook_notifier_notices_total", "Notices written, by kind.");
    describe_histogram(
        "daybook_notifier_delay_seconds",
        "From an order's change to its notice, the longest of each batch.",
    );
    let wake = deps.bus.waker(Topic::OrderUpdates);
    run_loop(deps.notifier(), wake, config.poll, shutdown).await;
}
