//! The commands about how much customers may ask for.

use clap::{Args, Subcommand, ValueEnum};
use identity::limits::Class;

/// Request limits and the churn rule: what is in force, and changes, which are felt within a second.
#[derive(Debug, Subcommand)]
pub enum Limits {
    /// What is set; for an account what is in force for it, and what it does.
    Show {
        /// The customer's account id or account number.
        account: Option<String>,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Puts a customer into a tier: `standard`, `unlimited`, or one that has limits of its own.
    Tier {
        /// The customer's account id or account number.
        account: String,
        /// The tier's name.
        tier: String,
    },
    /// Sets how many requests of a class a tier may make, or one customer.
    Set(SetLimit),
    /// Lets a customer follow the tier again in a class.
    Clear {
        /// The customer's account id or account number.
        account: String,
        /// Which requests.
        #[arg(long, value_enum)]
        class: ClassName,
    },
    /// Sets when canceling is too much in a tier.
    Churn(SetChurn),
    /// Ends a customer's cool-off, and forgets what led to it.
    Forgive {
        /// The customer's account id or account number.
        account: String,
        /// In this symbol only.
        #[arg(long)]
        symbol: Option<String>,
        /// Why; kept with the act.
        #[arg(long)]
        reason: String,
    },
}

/// A limit as an operator types it.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
#[command(group = clap::ArgGroup::new("how_many").required(true))]
pub struct SetLimit {
    /// The customer's account id or account number.
    #[arg(long, group = "whose")]
    pub account: Option<String>,
    /// The tier's name; a new one begins with this.
    #[arg(long, group = "whose")]
    pub tier: Option<String>,
    /// Which requests.
    #[arg(long, value_enum)]
    pub class: ClassName,
    /// Requests a minute in the long run.
    #[arg(long, group = "how_many", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub per_minute: Option<u32>,
    /// Requests at once; as many as a minute's without it.
    #[arg(long, requires = "per_minute", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub burst: Option<u32>,
    /// No limit.
    #[arg(long, group = "how_many")]
    pub unlimited: bool,
}

/// A churn rule as an operator types it.
#[derive(Debug, Clone, Args)]
pub struct SetChurn {
    /// The tier's name.
    pub tier: String,
    /// More cancels of an account in a symbol within a minute,
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cancels_per_minute: u32,
    /// and more for each fill within ten minutes: no new orders.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub cancels_per_fill: u32,
    /// Seconds of the first cool-off; each further one is twice as long.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub cool_off: u32,
    /// Seconds of the longest.
    #[arg(long, default_value_t = 3_600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub cool_off_most: u32,
    /// No such rule for this tier.
    #[arg(long, conflicts_with_all = ["cancels_per_minute", "cancels_per_fill", "cool_off", "cool_off_most"])]
    pub off: bool,
}

/// Kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ClassName {
    /// Placing and replacing orders, closing positions.
    OrderEntry,
    /// Canceling orders; never refused, but slowed down beyond it.
    Cancel,
    /// Looking.
    Read,
    /// Opening a stream.
    Stream,
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::OrderEntry => Class::OrderEntry,
            ClassName::Cancel => Class::Cancel,
            ClassName::Read => Class::Read,
            ClassName::Stream => Class::Stream,
        }
    }
}
