//! The executable and composition root: the only crate that knows every service and reads the environment.
//!
//! | module    | what                                                                                |
//! |-----------|-------------------------------------------------------------------------------------|
//! | `cli`     | the commands as a person types them                                                 |
//! | `config`  | the settings: environment, then `$DAYBOOK_DATA_DIR/daybook.env`, checked at the start |
//! | `compose` | what runs in which process, in which order it starts and stops                      |
//! | `engine`  | what carries events: the setting, and the change from one engine to the other       |
//! | `limits`  | how much anybody may ask for where no row says otherwise                            |
//! | `migrate` | both lists of migrations                                                            |
//! | `admin`   | an operator's acts, each written down in its own transaction                        |
//! | `operator` | jobs and alerts over HTTP, on a port of its own                                     |
//! | `traces`  | where spans go                                                                      |
//! | `audit`   | proves in SQL what a database can show of the invariants                            |

pub mod admin;
mod audit;
pub mod cli;
pub mod compose;
pub mod config;
mod engine;
mod limits;
mod migrate;
pub mod operator;
mod traces;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use cli::{Cli, Command};
use config::Settings;

/// Reads the command line and the environment, does what they say, and turns the outcome into an exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if let Some(text) = printed(&command) {
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::load()?;
    chassis::telemetry::init(settings.telemetry(&command)).context("DAYBOOK_LOG")?;
    chassis::http_client::install_crypto();
    chassis::failpoint::setup();
    chassis::open_files::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(command, settings))
}

/// What needs no settings to be told.
fn printed(command: &Command) -> Option<String> {
    match command {
        Command::Version => Some(format!("daybook {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Openapi => Some(order_manager::openapi()),
        Command::Refusals => Some(order_manager::refusals()),
        Command::Run(_) | Command::Migrate | Command::Admin(_) | Command::Audit(_) => None,
    }
}

async fn dispatch(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(part) => compose::run(part.into(), settings).await?,
        Command::Migrate => migrate::migrate(&settings).await?,
        Command::Admin(command) => admin::run(command, &settings).await?,
        Command::Audit(options) => return audit::run(options, &settings).await,
        Command::Version | Command::Openapi | Command::Refusals => {}
    }
    Ok(ExitCode::SUCCESS)
}
