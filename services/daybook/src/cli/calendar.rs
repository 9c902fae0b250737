//! The commands about the trading calendar.

use chrono::{NaiveDate, NaiveTime};
use clap::Subcommand;

/// Days that are not as the trading calendar's rule says; in force everywhere within about a second.
#[derive(Debug, Subcommand)]
pub enum Calendar {
    /// No session on this day; today's, too, while it is under way.
    Close {
        /// The day, such as 2026-12-01.
        day: NaiveDate,
        /// Why, for the records.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// The session of this day ends early.
    EarlyClose {
        /// The day, such as 2026-12-01.
        day: NaiveDate,
        /// When, in New York, such as 14:00.
        #[arg(value_parser = time_of_day)]
        time: NaiveTime,
        /// Why, for the records.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// This day is as usual again.
    Reopen {
        /// The day, such as 2026-12-01.
        day: NaiveDate,
    },
    /// The sessions with their settlement days, and the exceptions.
    Show {
        /// The first day; today unless given.
        #[arg(long)]
        from: Option<NaiveDate>,
        /// The last day; thirty days later unless given.
        #[arg(long)]
        to: Option<NaiveDate>,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "write hours and minutes such as 14:00".to_owned())
}
