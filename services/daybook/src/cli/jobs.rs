//! The commands about jobs and alerts.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// Jobs: their schedules, runs and logs.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// All schedules, with the next tick and how the last run went.
    List {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One schedule with its latest runs.
    Show {
        /// The schedule.
        name: String,
        /// Most runs to show.
        #[arg(long, default_value_t = 20)]
        limit: i64,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Runs a job as soon as a worker is free, whatever its schedule says.
    Run {
        /// The schedule.
        name: String,
        /// The business date to run for: 2026-11-23.
        #[arg(long)]
        date: Option<chrono::NaiveDate>,
        /// A further argument, as KEY=VALUE; may be repeated.
        #[arg(long = "argument", value_parser = pair)]
        arguments: Vec<(String, String)>,
    },
    /// Lets a schedule rest: no new runs but by hand; one under way goes on.
    Pause {
        /// The schedule.
        name: String,
    },
    /// Takes a pause back; what was missed runs by the schedule's policy.
    Resume {
        /// The schedule.
        name: String,
    },
    /// The log lines of a run.
    Logs {
        /// The run, as `jobs show` tells it.
        run: Uuid,
        /// JSON instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Makes a schedule of a kind of job that the configuration knows.
    Add(Box<AddJob>),
    /// Takes a schedule away that was made with `add`.
    Remove {
        /// The schedule.
        name: String,
    },
}

/// A schedule to be made.
#[derive(Debug, Args)]
pub struct AddJob {
    /// Its name.
    pub name: String,
    /// The kind of job; `jobs list` shows them.
    #[arg(long)]
    pub job: String,
    /// When it is due.
    #[command(flatten)]
    pub due: Due,
    /// What each run is given, as KEY=VALUE; may be repeated.
    #[arg(long = "argument", value_parser = pair)]
    pub arguments: Vec<(String, String)>,
    /// What a missed tick is worth: each, last or skip.
    #[arg(long, default_value = "each")]
    pub missed: String,
    /// Attempts of a run before it is dead.
    #[arg(long, default_value_t = 5)]
    pub attempts: i32,
    /// How many seconds an attempt may take.
    #[arg(long)]
    pub time_limit: Option<i64>,
    /// What happens then: alert or kill.
    #[arg(long, default_value = "alert")]
    pub over_time: String,
}

/// When a schedule is due: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Due {
    /// Cron text, by the clock on the wall in New York.
    #[arg(long)]
    pub cron: Option<String>,
    /// Once, such as 2026-11-23T21:00:00Z.
    #[arg(long)]
    pub at: Option<String>,
    /// With each session, such as "open - 5m" or "close + 10m".
    #[arg(long)]
    pub session: Option<String>,
}

impl Due {
    /// As the engine reads it.
    pub fn text(self) -> String {
        let at = self.at.map(|at| format!("at {at}"));
        self.cron.or(at).or(self.session).unwrap_or_default()
    }
}

/// What an operator has to know.
#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// Alerts that nobody has taken note of, newest first.
    List {
        /// Those that are settled, too.
        #[arg(long)]
        all: bool,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Takes note of one: it is not sent to the operator's webhook any more.
    Ack {
        /// The alert, as `alerts list` tells it.
        alert: Uuid,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
