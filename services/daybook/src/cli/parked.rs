//! The commands about messages that could not be handled.

use clap::{Args, Subcommand};
use uuid::Uuid;

/// Messages that could not be handled: look, have them handled again, throw them away.
#[derive(Debug, Subcommand)]
pub enum Parked {
    /// Shows them with their cause, oldest first.
    List {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// What one order waits for: each message with its cause and its payload.
    Show {
        /// The order's id.
        order: Uuid,
        /// JSON instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Has an order's messages handled again, from the first on. The cause should be gone.
    Requeue {
        /// The order's id.
        order: Uuid,
        /// Whose messages, where more than one consumer group has some.
        #[arg(long)]
        group: Option<String>,
    },
    /// Throws the message away that an order waits for; those behind it are handled then.
    Discard(Discard),
}

/// What is thrown away, and why.
#[derive(Debug, Args)]
pub struct Discard {
    /// The order's id.
    pub order: Uuid,
    /// Whose messages, where more than one consumer group has some.
    #[arg(long)]
    pub group: Option<String>,
    /// All of the order's messages, also those that only wait behind the first.
    #[arg(long)]
    pub all: bool,
    /// Why; kept with the act.
    #[arg(long)]
    pub reason: String,
}
