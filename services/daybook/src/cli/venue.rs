//! The commands about exchanges that are left alone.

use clap::Subcommand;

/// Exchanges that are left alone.
#[derive(Debug, Subcommand)]
pub enum Venue {
    /// Whether each exchange is called, and why not.
    Show {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Has all executors leave an exchange alone until `close`: orders wait with what they hold, cancels keep trying.
    Open {
        /// The exchange's name, as `show` tells it.
        venue: String,
        /// Why; kept with the act.
        #[arg(long)]
        reason: String,
    },
    /// Has an exchange called again at once.
    Close {
        /// The exchange's name, as `show` tells it.
        venue: String,
        /// Why; kept with the act.
        #[arg(long)]
        reason: String,
    },
}
