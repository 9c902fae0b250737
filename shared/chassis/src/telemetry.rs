//! Logs: readable lines or JSON on standard error, and what happens on a panic.
//!
//! Standard output stays free for what a command prints (`daybook audit`, `daybook admin`).

use std::backtrace::Backtrace;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people: one line each, fields after the text.
    #[default]
    Readable,
    /// For machines: one JSON object a line.
    Json,
}

/// What to log, and how.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// Readable or JSON.
    pub format: LogFormat,
    /// `info`, or `info,executor=debug`: the filter of `tracing-subscriber`.
    pub filter: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        TelemetryConfig {
            format: LogFormat::Readable,
            filter: "info".to_owned(),
        }
    }
}

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter {filter:?}: {why}")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// Called twice in one process.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log, and makes a panic end the process. Called once, by `main`; tests leave it out, so
/// that a failing assertion fails its own test only.
pub fn init(config: TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| TelemetryError::Filter {
        filter: config.filter.clone(),
        why: error.to_string(),
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for people who watch; in a file they are noise.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Readable => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(log_and_abort));
    Ok(())
}

/// Half a process is worse than none: other tasks would go on with a step that stopped in the middle,
/// while the recovery of a whole dead process is known and tested.
fn log_and_abort(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = panic.payload_as_str().unwrap_or("a panic without a text");
    let backtrace = Backtrace::capture();
    tracing::error!(place, %backtrace, "panic, the process ends: {what}");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named() {
        let config = TelemetryConfig {
            filter: "info,executor=loud".to_owned(),
            ..TelemetryConfig::default()
        };
        let error = init(config).expect_err("loud is no level");
        assert!(error.to_string().contains("executor=loud"), "{error}");
    }
}
