//! The commands about ends of days.

use chrono::NaiveDate;
use clap::Subcommand;

/// Ends of days.
#[derive(Debug, Subcommand)]
pub enum Eod {
    /// The latest dates: how far each is, and what is unresolved.
    List {
        /// Most dates to show.
        #[arg(long, default_value_t = 20)]
        limit: i64,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One date: its twelve steps, its proof, and its unresolved orders.
    Show {
        /// The business date: 2026-11-23.
        date: NaiveDate,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Lets a date close although orders of it are unresolved; they keep their holds.
    ///
    /// Lets it go on, too, without a trade file that is missing or a proof that is not clean, if that had failed before the
    /// override was given. For what fails later, give another one: it replaces the one before.
    Override {
        /// The business date: 2026-11-23.
        date: NaiveDate,
        /// Why; it is kept with the date.
        #[arg(long)]
        reason: String,
    },
}
