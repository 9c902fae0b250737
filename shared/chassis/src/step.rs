//! A service's work as steps: take one batch, do it, say whether there was anything. The running service
//! is a loop around that; a test calls `step()` itself, in the order it likes.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::shutdown::{Shutdown, with_causes};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// First pause after a failed step; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Short enough to be back soon after a restart of the database.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It did something; there may be more.
    Worked,
    /// There was nothing to do.
    Idle,
    /// There is something that may be taken only in a moment, e.g. above the horizon of the event log.
    Soon(Duration),
}

/// Why a step failed. The loop logs it once and tries again: nothing else can be done about it there.
///
/// Made by `?` from any error (which is why it is not an `Error` itself).
pub struct StepError(BoxError);

impl StepError {
    /// A failure in words.
    pub fn msg(text: impl Into<String>) -> Self {
        StepError(text.into().into())
    }

    /// The error inside.
    pub fn into_inner(self) -> BoxError {
        self.0
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        StepError(Box::new(error))
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(&*self.0))
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Work done bit by bit.
pub trait Step: Send {
    /// For logs and metrics: `executor`, `status-updater-intake`.
    fn name(&self) -> &'static str;
    /// Takes one batch and does it, in one transaction: a step that fails has done nothing.
    fn step(&mut self) -> impl Future<Output = Result<Progress, StepError>> + Send;
}

/// Tells one loop that there may be work. Any number of wakes before the loop looks count as one, and a
/// wake while it works is not lost.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// A notifier that nobody has rung.
    pub fn new() -> Self {
        Wake::default()
    }

    /// Rings; cheap, and never waits.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Ends at the next ring, at once if it rang since the last time.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Runs `step` until the process drains: again at once while there is work, else on a wake or after
/// `poll`, so a lost wake only costs time. A step under way is finished, never cut off.
pub async fn run_loop<S: Step>(mut step: S, wake: Wake, poll: Duration, shutdown: Shutdown) {
    let mut failures = Failures {
        name: step.name(),
        in_a_row: 0,
    };
    while !shutdown.is_draining() {
        let begun = Instant::now();
        let outcome = step.step().await;
        measure(step.name(), &outcome, begun.elapsed());
        let pause = match outcome {
            Ok(progress) => {
                failures.over();
                match progress {
                    Progress::Worked => {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    Progress::Idle => poll,
                    Progress::Soon(wait) => wait.min(poll),
                }
            }
            Err(error) => {
                sleep_or_drain(failures.one_more(&error), &shutdown).await;
                continue;
            }
        };
        tokio::select! {
            () = wake.woken() => {}
            () = sleep_or_drain(pause, &shutdown) => {}
        }
    }
    debug!(step = step.name(), "{} has stopped", step.name());
}

/// A row of failures is logged at its begin and its end, not at each turn.
struct Failures {
    name: &'static str,
    in_a_row: u32,
}

impl Failures {
    fn one_more(&mut self, error: &StepError) -> Duration {
        let name = self.name;
        self.in_a_row += 1;
        if self.in_a_row == 1 {
            warn!(step = name, "{name} failed, trying again: {error}");
        } else {
            debug!(step = name, in_a_row = self.in_a_row, "{name} failed again: {error}");
        }
        let doublings = (self.in_a_row - 1).min(10);
        (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE)
    }

    fn over(&mut self) {
        if self.in_a_row > 0 {
            info!(
                step = self.name,
                "{} works again after {} failures", self.name, self.in_a_row
            );
            self.in_a_row = 0;
        }
    }
}

async fn sleep_or_drain(pause: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = shutdown.wait() => {}
    }
}

fn measure(name: &'static str, outcome: &Result<Progress, StepError>, took: Duration) {
    let what = match outcome {
        Ok(Progress::Worked) => "worked",
        Ok(Progress::Idle) => "idle",
        Ok(Progress::Soon(_)) => "soon",
        Err(_) => "failed",
    };
    metrics::counter!("daybook_steps_total", "step" => name, "outcome" => what).increment(1);
    if what == "worked" {
        metrics::histogram!("daybook_step_seconds", "step" => name).record(took);
    }
}
