//! How a process ends: the first signal drains, the second or a timeout stops; a task that fails takes
//! the whole process with it, since the others would go on around a hole.
//!
//! Order of stopping: `drain` cancels the token; servers stop to accept and finish what is under way;
//! batchers close their queues and work them off; loops end after their current step.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// After the first signal the process ends within this time, whatever hangs.
const HARD_STOP_AFTER: Duration = Duration::from_secs(30);

/// Why a process did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// A task failed; the first one that did.
    #[error("{task} failed: {why}")]
    TaskFailed {
        /// Its name.
        task: &'static str,
        /// Its error and the causes of it.
        why: String,
    },
    /// Some tasks did not end in time.
    #[error("still running after {after:?}: {}", .tasks.join(", "))]
    Unfinished {
        /// How long they had.
        after: Duration,
        /// Their names.
        tasks: Vec<&'static str>,
    },
}

/// What a spawned task may give back: nothing, or a result whose error ends the process.
pub trait TaskOutcome {
    /// The failure, if it is one.
    fn failure(self) -> Option<BoxError>;
}

impl TaskOutcome for () {
    fn failure(self) -> Option<BoxError> {
        None
    }
}

impl<E: Into<BoxError>> TaskOutcome for Result<(), E> {
    fn failure(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

/// The one stop switch of a process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    token: CancellationToken,
    tasks: TaskTracker,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    running: BTreeMap<&'static str, usize>,
    failure: Option<(&'static str, String)>,
}

impl Shutdown {
    /// A switch that is off.
    pub fn new() -> Self {
        Shutdown::default()
    }

    /// Cancelled when draining begins; for `select!`.
    pub fn token(&self) -> CancellationToken {
        self.0.token.clone()
    }

    /// True once draining began.
    pub fn is_draining(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// Begins to drain and returns at once; [`Shutdown::drain`] also waits.
    pub fn begin(&self) {
        self.0.token.cancel();
    }

    /// Ends when draining begins.
    pub async fn wait(&self) {
        self.0.token.cancelled().await;
    }

    /// Runs a task of this process. When it ends with an error or panics, the process drains, and
    /// [`Shutdown::drain`] says so.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future + Send + 'static,
        F::Output: TaskOutcome + Send,
    {
        *self.book().running.entry(name).or_default() += 1;
        let switch = self.clone();
        self.0.tasks.spawn(async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            switch.ended(name, outcome);
        });
    }

    /// Watches for SIGINT and SIGTERM: the first drains, the second, or a drain of more than 30 s,
    /// ends the process at once.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn listen_for_signals(&self) {
        // Installed before this returns: from here on no signal ends the process unheard.
        let mut signals = Signals::install();
        let switch = self.clone();
        tokio::spawn(async move {
            let name = signals.next().await;
            info!("{name}: draining, once more to stop at once");
            switch.begin();
            tokio::select! {
                name = signals.next() => warn!("{name} again: stopping at once"),
                () = tokio::time::sleep(HARD_STOP_AFTER) => warn!("not drained after {HARD_STOP_AFTER:?}: stopping"),
            }
            std::process::exit(130);
        });
    }

    /// Drains: stops all tasks and waits for them. Fails with the first task's failure, or when some
    /// did not end within `timeout`.
    pub async fn drain(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.begin();
        self.0.tasks.close();
        let in_time = tokio::time::timeout(timeout, self.0.tasks.wait()).await.is_ok();
        let book = self.book();
        match &book.failure {
            Some((task, why)) => Err(ShutdownError::TaskFailed { task, why: why.clone() }),
            None if in_time => Ok(()),
            None => Err(ShutdownError::Unfinished {
                after: timeout,
                tasks: book.running.keys().copied().collect(),
            }),
        }
    }

    fn ended<O: TaskOutcome>(&self, name: &'static str, outcome: Result<O, Box<dyn std::any::Any + Send>>) {
        let failure = match outcome {
            Ok(outcome) => outcome.failure().map(|error| with_causes(&*error)),
            Err(_) => Some("panicked".to_owned()),
        };
        let mut book = self.book();
        strike_off(&mut book.running, name);
        if let Some(why) = failure {
            error!(task = name, "{name} failed, the process stops: {why}");
            book.failure.get_or_insert((name, why));
            self.begin();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn strike_off(running: &mut BTreeMap<&'static str, usize>, name: &'static str) {
    if let Some(left) = running.get_mut(name) {
        *left -= 1;
        if *left == 0 {
            running.remove(name);
        }
    }
}

/// An error and what caused it, on one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Transparent errors repeat their cause's words.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The two signals by which a process is asked to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn install() -> Self {
        let listen = |kind| signal(kind).expect("a process may listen to its own signals");
        Signals {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
        }
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
