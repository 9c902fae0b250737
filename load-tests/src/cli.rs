//! What can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures a whole Daybook on this machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "load-tests", disable_version_flag = true)]
pub struct Cli {
    /// What is measured.
    #[command(subcommand)]
    pub scenario: Scenario,
}

/// What can be measured.
#[derive(Debug, Clone, Subcommand)]
pub enum Scenario {
    /// Accepting: orders that rest far from the market, all checks in, everything behind it running.
    Place {
        /// Orders a second, open loop; without it `--connections` in a closed loop.
        #[arg(long)]
        rate: Option<u64>,
        /// The rest.
        #[command(flatten)]
        common: Common,
    },
    /// The end of very many open orders at once, beside one raw update of their table, and placing meanwhile.
    Expire {
        /// Open orders that end by a report.
        #[arg(long, default_value_t = 100_000)]
        orders: usize,
        /// Open orders that go the whole way: wish, tombstone, report, end.
        #[arg(long, default_value_t = 20_000)]
        whole_way: usize,
        /// Orders placed a second meanwhile, open loop.
        #[arg(long, default_value_t = 200)]
        rate: u64,
        /// The rest.
        #[command(flatten)]
        common: Common,
    },
    /// Connections that listen to trade updates: `--connections` of them, in turns over the customers.
    Streams {
        /// Nothing is placed: only memory is measured.
        #[arg(long)]
        idle: bool,
        /// Which kind.
        #[arg(long, value_enum, default_value_t)]
        protocol: Protocol,
        /// The rest.
        #[command(flatten)]
        common: Common,
    },
    /// Accept, exchange, fill, booked: orders that trade at once.
    Fill {
        /// Orders a second, open loop.
        #[arg(long, default_value_t = 500)]
        rate: u64,
        /// The rest.
        #[command(flatten)]
        common: Common,
    },
    /// A customer who places and cancels a hundred times as much as allowed, and what the others notice.
    Churn {
        /// Orders a second of the others, open loop.
        #[arg(long, default_value_t = 200)]
        rate: u64,
        /// Requests a second of the attacker, open loop.
        #[arg(long, default_value_t = 334)]
        attack_rate: u64,
        /// The rest.
        #[command(flatten)]
        common: Common,
    },
    /// The relay alone: rows of real orders, many times over, from the outbox to the broker.
    Relay {
        /// Rows that wait when it starts.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// The rest; rates and rounds mean nothing here.
        #[command(flatten)]
        common: Common,
    },
    /// The bell: orders of the night go to the exchange, from the open until it has the last of them.
    Open {
        /// Orders that wait for the bell.
        #[arg(long, default_value_t = 50_000)]
        orders: u64,
        /// The rest; seconds, rounds and the like mean nothing here.
        #[command(flatten)]
        common: Common,
    },
}

/// How connections listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Protocol {
    /// `/stream`.
    Websocket,
    /// `/v2/events/trades`.
    Events,
    /// Half of them the one, half the other.
    #[default]
    Both,
}

impl Protocol {
    /// Whether the n-th connection is a WebSocket.
    pub fn is_websocket(self, number: usize) -> bool {
        match self {
            Protocol::Websocket => true,
            Protocol::Events => false,
            Protocol::Both => number.is_multiple_of(2),
        }
    }
}

/// What carries the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Engine {
    /// PostgreSQL.
    #[default]
    Postgres,
    /// A relay and a broker of the run's own.
    Kafka,
}

/// What all need.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Connections kept alive; in the open loop the most that are in use at once.
    #[arg(long, default_value_t = 512)]
    pub connections: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Seconds before that, under the same load and not counted.
    #[arg(long, default_value_t = 5)]
    pub warm_up: u64,
    /// Customers, each with money and a key.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..))]
    pub customers: u16,
    /// Symbols of the bundled exchange.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(2..=1_000))]
    pub symbols: u16,
    /// One JSON object on standard output instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Alternating rounds, as set and with `DAYBOOK_BATCH_MAX=1`; adds `ratio_to_batches_of_one`.
    #[arg(long)]
    pub compare_batch_of_one: bool,
    /// What carries the events.
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Alternating rounds on the Kafka and on the Postgres engine; adds `ratio_to_postgres_engine`.
    #[arg(long, conflicts_with_all = ["compare_batch_of_one", "engine"])]
    pub compare_engines: bool,
    /// Each part of Daybook as a process of its own, as `deploy/kafka` has them, instead of one process that is all of them.
    #[arg(long)]
    pub separate: bool,
    /// Rounds of each setting in a comparison: 3 of batches and engines, 5 of an attack, unless said otherwise.
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Adds what PostgreSQL's statements cost. Costs a little itself.
    #[arg(long)]
    pub statements: bool,
    /// A setting of PostgreSQL's, `name=value`, to try what it does. Repeatable.
    #[arg(long, value_parser = name_and_value)]
    pub postgres: Vec<(String, String)>,
    /// A daybook that is built already.
    #[arg(long)]
    pub binary: Option<PathBuf>,
    /// Longest wait, after the load, for the rest to be worked off.
    #[arg(long, default_value_t = 120)]
    pub drain_seconds: u64,
    /// Where the temporary folder goes; it should be on the disk that is meant.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Keeps the logs of a run in this folder.
    #[arg(long)]
    pub keep_logs: Option<PathBuf>,
}

fn name_and_value(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    if name.is_empty() || !text.chars().all(|c| is_plain(c) || c == '=') {
        return Err("only letters, digits, dots and underscores");
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl Cli {
    /// What all scenarios share.
    pub fn common(&self) -> &Common {
        match &self.scenario {
            Scenario::Place { common, .. }
            | Scenario::Fill { common, .. }
            | Scenario::Open { common, .. }
            | Scenario::Streams { common, .. }
            | Scenario::Churn { common, .. }
            | Scenario::Relay { common, .. }
            | Scenario::Expire { common, .. } => common,
        }
    }

    /// Whether a part of it runs on the Kafka engine.
    pub fn needs_kafka(&self) -> bool {
        let common = self.common();
        common.engine == Engine::Kafka || common.compare_engines || matches!(self.scenario, Scenario::Relay { .. })
    }

    /// Orders a second, where the loop is open.
    pub fn rate(&self) -> Option<u64> {
        match &self.scenario {
            Scenario::Place { rate, .. } => *rate,
            Scenario::Fill { rate, .. } | Scenario::Expire { rate, .. } | Scenario::Churn { rate, .. } => Some(*rate),
            Scenario::Open { .. } | Scenario::Streams { .. } | Scenario::Relay { .. } => None,
        }
    }

    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self.scenario {
            Scenario::Place { .. } => "place",
            Scenario::Fill { .. } => "fill",
            Scenario::Open { .. } => "open",
            Scenario::Streams { .. } => "streams",
            Scenario::Expire { .. } => "expire",
            Scenario::Churn { .. } => "churn",
            Scenario::Relay { .. } => "relay",
        }
    }
}

#[cfg(test)]
mod tests {
    //! The command lines of the documentation.
    use super::*;

    #[test]
    fn the_documented_command_lines_are_understood() {
        let read = |line: &str| Cli::try_parse_from(line.split_whitespace()).expect("a documented line");
        let place = read("load-tests place --connections 512 --seconds 20 --json");
        assert_eq!(
            (place.rate(), place.common().connections, place.common().json),
            (None, 512, true)
        );
        assert_eq!(read("load-tests place --rate 2000 --seconds 5").rate(), Some(2_000));
        let streams = read("load-tests streams --connections 5000 --idle --json");
        assert!(matches!(
            streams.scenario,
            Scenario::Streams {
                idle: true,
                protocol: Protocol::Both,
                ..
            }
        ));
        let open = read("load-tests open --orders 50000 --json");
        assert!(matches!(open.scenario, Scenario::Open { orders: 50_000, .. }));
        assert_eq!(
            read("load-tests fill").rate(),
            Some(500),
            "filling is always an open loop"
        );
        let expire = read("load-tests expire --orders 1000000 --json");
        assert!(matches!(expire.scenario, Scenario::Expire { orders: 1_000_000, .. }));
        let churn = read("load-tests churn --json");
        assert!(matches!(churn.scenario, Scenario::Churn { attack_rate: 334, .. }));
        let separate = read("load-tests fill --engine kafka --separate");
        assert!(separate.common().separate && separate.needs_kafka());
        assert!(
            read("load-tests place --compare-batch-of-one")
                .common()
                .compare_batch_of_one
        );
    }
}
