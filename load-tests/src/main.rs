//! Benchmarks over the wire: what a whole Daybook on this machine does, measured from where its customers stand.
//!
//! ```text
//! cargo run --release -p load-tests -- place [--connections 512 | --rate 2000] --seconds 20 --json
//! cargo run --release -p load-tests -- fill --rate 1000 --seconds 30
//! cargo run --release -p load-tests -- place --compare-batch-of-one
//! cargo run --release -p load-tests -- open --orders 50000 --json
//! cargo run --release -p load-tests -- streams --connections 5000 --idle --json
//! cargo run --release -p load-tests -- churn --json
//! cargo run --release -p load-tests -- expire --orders 1000000 --json
//! cargo run --release -p load-tests -- fill --rate 1000 --compare-engines --json
//! cargo run --release -p load-tests -- relay --rows 1000000 --json
//! ```
//!
//! Each run starts a PostgreSQL of its own with durable settings, Daybook's release binary and the bundled exchange as
//! separate processes, in a temporary folder; and stops all of it, whatever happens.
//!
//! | module         | what                                                                       |
//! |----------------|----------------------------------------------------------------------------|
//! | `cli`          | what can be asked for                                                      |
//! | `installation` | starts and stops what is measured; `process` and `binary` help              |
//! | `customers`    | accounts, money, keys, pinned prices                                       |
//! | `orders`       | which orders are sent                                                      |
//! | `schedule`     | when: closed loop, or open loop with intended start times                  |
//! | `drive` `http` | sends them and counts answers                                              |
//! | `latency`      | the histogram, and numbers as they are printed                             |
//! | `bookings`     | what became of the orders, read from the database; backlog and drain       |
//! | `usage` `database` `machine` | processor time a process, counters, and what machine this is     |
//! | `scenario`     | one benchmark from start to audit; `compare` alternates two settings       |
//! | `open`         | the orders of a night at the bell; `arrivals` reads how the exchange got them |
//! | `expiry` `book` | the end of a whole book of open orders, and writing such a book            |
//! | `streams` `listener` | connections that listen: their memory, and how soon they hear          |
//! | `relay`        | how fast the relay ships what waits in the outbox                          |
//! | `churn` `attack` | what a customer who churns costs the others                               |
//! | `report`       | the JSON object and the table                                              |

mod arrivals;
mod attack;
mod binary;
mod book;
mod bookings;
mod churn;
mod cli;
mod compare;
mod customers;
mod database;
mod drive;
mod expiry;
mod http;
mod installation;
mod latency;
mod listener;
mod machine;
mod open;
mod orders;
mod process;
mod relay;
mod report;
mod scenario;
mod schedule;
mod streams;
mod usage;

use std::process::ExitCode;

use clap::Parser;

/// One thread: it shares the machine with what it measures, and wake-ups across threads cost both of them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = cli::Cli::parse();
    match measured(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measured(options: cli::Cli) -> anyhow::Result<()> {
    let binary = binary::daybook(options.common(), options.needs_kafka()).await?;
    if let cli::Scenario::Expire {
        orders,
        whole_way,
        rate,
        ..
    } = options.scenario
    {
        let plan = expiry::Plan {
            orders,
            whole_way,
            rate,
        };
        let report = expiry::run(&options, plan, &binary).await?;
        report.print(options.common().json);
        return report.verdict();
    }
    if let cli::Scenario::Churn { rate, attack_rate, .. } = options.scenario {
        let plan = churn::Plan {
            rate,
            attack: attack_rate,
        };
        let report = churn::run(&options, plan, &binary).await?;
        report.print(options.common().json);
        return report.verdict();
    }
    if let cli::Scenario::Open { orders, .. } = options.scenario {
        let report = open::run(&options, orders, &binary).await?;
        report.print(options.common().json);
        return report.verdict();
    }
    if let cli::Scenario::Streams { idle, protocol, .. } = options.scenario {
        let report = streams::run(&options, idle, protocol, &binary).await?;
        report.print(options.common().json);
        return report.verdict();
    }
    if let cli::Scenario::Relay { rows, .. } = options.scenario {
        let report = relay::run(&options, rows, &binary).await?;
        report.print(options.common().json);
        return report.verdict();
    }
    let other = match options.common() {
        common if common.compare_batch_of_one => Some(compare::Other::BatchesOfOne),
        common if common.compare_engines => Some(compare::Other::PostgresEngine),
        _ => None,
    };
    let report = match other {
        Some(other) => compare::run(&options, other, &binary).await?,
        None => scenario::run(&options, &binary, None).await?,
    };
    report.print(options.common().json);
    report.verdict()
}
