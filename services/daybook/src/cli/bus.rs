//! The commands about the event log.

use clap::Subcommand;
use domain::Timestamp;

/// The event log.
#[derive(Debug, Subcommand)]
pub enum Bus {
    /// The engine in force, and how far each group is on each topic.
    Status {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Has the relay ship rows again, for a broker that lost its data. Consumers skip what they have handled.
    Replay {
        /// Rows appended at this time or later: 2026-11-23T14:30:00Z. Refused where some of them were dropped.
        #[arg(long, required_unless_present = "oldest")]
        since: Option<Timestamp>,
        /// All rows that are left.
        #[arg(long, conflicts_with = "since")]
        oldest: bool,
    },
}
