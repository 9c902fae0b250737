//! The job scheduler, on Postgres.
//!
//! | module     | what                                                                              |
//! |------------|-----------------------------------------------------------------------------------|
//! | `job`      | what a job is: the trait, its run, how an attempt ends                             |
//! | `when`     | time specs: cron in New York, edges of the session, once, by hand; pure            |
//! | `schedule` | which kind of job is due when, made by configuration                               |
//! | `planner`  | ticks to runs                                                                     |
//! | `worker`   | claims a run, runs it, reports                                                    |
//! | `watch`    | runs over time, left behind, or never claimed; old history                         |
//! | `outcome`  | what an attempt's end does to its run                                             |
//! | `alerts`   | what an operator has to know                                                       |
//! | `webhook`  | tells it to the operator's webhook                                                 |
//! | `desk`     | an operator's acts and looks                                                       |
//!
//! A tick has one run, however many processes plan. A run is claimed under an epoch that rises each time, by the database's
//! clock, and a run whose worker went silent is claimed again: at least once, and never two at a time, since a job checks its
//! epoch in each transaction. An attempt is counted when it begins, so a job that takes the process with it ends as dead.

pub mod alerts;
pub mod desk;
pub mod job;
mod outcome;
mod planner;
mod schedule;
mod watch;
mod webhook;
pub mod when;
mod worker;

pub use job::{Done, Job, JobError, Run};
pub use planner::Planner;
pub use schedule::{Configured, Jobs, NewSchedule, OverTime};
pub use webhook::Webhook;
pub use when::{Missed, When};
pub use worker::Worker;

use std::time::Duration;

use chassis::metrics::{describe_counter, describe_gauge, describe_histogram};

/// The kinds of alert that the engine raises itself; each has its page in `docs/runbooks`.
pub mod alert_kinds {
    /// A run has used up its attempts, or said that no further one makes sense.
    pub const JOB_DEAD: &str = "job_dead";
    /// An attempt takes longer than its limit.
    pub const JOB_OVER_TIME: &str = "job_over_time";
    /// A run is due for long and no worker has claimed it.
    pub const JOB_LATE: &str = "job_late";
    /// Nobody can tell when a schedule is due.
    pub const SCHEDULE_UNPLANNABLE: &str = "schedule_unplannable";
    /// The operator's webhook does not take alerts.
    pub const WEBHOOK_FAILING: &str = "webhook_failing";
}

/// How the engine works.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Runs at a time in this process.
    pub workers: usize,
    /// How long a silent worker keeps its run.
    pub lease: Duration,
    /// From one look at the schedules to the next.
    pub plan_every: Duration,
    /// From one look for a run to the next, without a wake-up.
    pub claim_every: Duration,
    /// How soon a run may come again at the earliest, whatever time its job names.
    pub again_after: Duration,
    /// The pause after a first failure; it doubles.
    pub backoff_first: Duration,
    /// The longest pause.
    pub backoff_longest: Duration,
    /// How old a tick may be to be on time, where missed ones are skipped.
    pub on_time: Duration,
    /// A run that is due for so long and was not claimed is an alert.
    pub late_after: Duration,
    /// How long ended runs and alerts are kept.
    pub keep_history: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Settings {
            workers: 4,
            lease: 10 * second,
            plan_every: second,
            claim_every: second,
            again_after: Duration::from_millis(250),
            backoff_first: 5 * second,
            backoff_longest: 300 * second,
            on_time: 60 * second,
            late_after: 600 * second,
            keep_history: 90 * 24 * 3_600 * second,
        }
    }
}

/// Says what the metrics mean.
pub(crate) fn describe() {
    describe_counter("daybook_scheduler_ticks_total", "Due ticks that became runs.");
    describe_counter(
        "daybook_scheduler_runs_total",
        "Attempts of jobs, by job and how they ended.",
    );
    describe_histogram("daybook_scheduler_run_seconds", "Length of an attempt, by job.");
    describe_gauge(
        "daybook_scheduler_runs_open",
        "Runs that wait or are under way, by state.",
    );
    describe_counter("daybook_scheduler_alerts_total", "Alerts raised, by kind.");
    describe_gauge("daybook_scheduler_alerts_open", "Alerts that nobody has taken note of.");
    describe_counter(
        "daybook_scheduler_webhook_total",
        "Calls of the operator's webhook, by what came of them.",
    );
    describe_gauge(
        "daybook_scheduler_webhook_waiting",
        "Alerts that the operator's webhook has not taken yet.",
    );
}
