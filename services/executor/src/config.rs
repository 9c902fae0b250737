//! Settings of the executor, with defaults that suit a venue that answers within milliseconds.

use std::time::Duration;

/// How the executor treats the venue.
#[derive(Debug, Clone)]
pub struct Config {
    /// Events taken in one step.
    pub batch: i64,
    /// Answers of the venue recorded in one step.
    pub answers: usize,
    /// Orders that leave their lines in one step, sent or not: at the end of a session all of them want to.
    pub leave: usize,
    /// Open submissions read at once when partitions are taken over.
    pub load_page: i64,
    /// Submits in flight for one symbol.
    pub symbol_window: usize,
    /// Calls in flight over all, cancels apart.
    pub venue_window: usize,
    /// Cancels in flight.
    pub cancel_window: usize,
    /// Keys in one bulk look-up.
    pub lookup_chunk: usize,
    /// Submits of one order that may reach the venue, before it is ended by its key.
    pub max_attempts: i32,
    /// Time after the first submit, in which an order the venue denies is sent again.
    pub max_age: Duration,
    /// How long a request may be on its way: time between two negative answers.
    pub settle: Duration,
    /// Time from a doubt to the first question; doubles with each vain one.
    pub first_ask: Duration,
    /// The longest time between tries.
    pub longest_backoff: Duration,
    /// Calls in a row that must fail before the venue is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone then; doubles with each vain probe.
    pub first_outage: Duration,
    /// The longest of these times.
    pub longest_outage: Duration,
    /// How often to read whether other executors leave it alone.
    pub breaker_look: Duration,
    /// Tries of one saga step before somebody is called.
    pub saga_tries: i32,
    /// How often to look without being woken.
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch: 512,
            answers: 1_000,
            leave: 1_000,
            load_page: 5_000,
            symbol_window: 16,
            venue_window: 512,
            cancel_window: 64,
            lookup_chunk: 100,
            max_attempts: 5,
            max_age: Duration::from_secs(300),
            settle: Duration::from_secs(2),
            first_ask: Duration::from_millis(100),
            longest_backoff: Duration::from_secs(5),
            breaker_failures: 5,
            first_outage: Duration::from_millis(100),
            longest_outage: Duration::from_secs(5),
            breaker_look: Duration::from_millis(250),
            saga_tries: 8,
            poll: Duration::from_millis(250),
        }
    }
}
