//! The commands about kill switches and risk limits.

use clap::{Args, Subcommand, ValueEnum};

/// Kill switches.
#[derive(Debug, Subcommand)]
pub enum Kill {
    /// Stops new orders within a second; cancels still work.
    Set(NewKill),
    /// Proposes to lift a switch, or lifts one that somebody else proposed to lift: two persons, the command once each.
    Lift(Lift),
    /// The switches in force.
    List {
        /// Lifted ones too.
        #[arg(long)]
        all: bool,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// How much a switch stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum KillLevel {
    /// One symbol, for everybody.
    Symbol,
    /// One account.
    Account,
    /// Everything that goes to one exchange.
    Venue,
    /// Everything.
    Firm,
}

/// What a switch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum KillMode {
    /// No new orders; what was not sent yet waits.
    BlockNew,
    /// No new orders, and every open one is canceled.
    BlockNewAndCancelAll,
}

/// A switch to be set.
#[derive(Debug, Args)]
pub struct NewKill {
    /// How much it stops.
    #[arg(value_enum)]
    pub level: KillLevel,
    /// Which: the symbol, the account's id or number, the exchange's name; nothing for the firm.
    pub subject: Option<String>,
    /// What it does.
    #[arg(long, value_enum, default_value_t = KillMode::BlockNew)]
    pub mode: KillMode,
    /// Why; kept with the switch.
    #[arg(long)]
    pub reason: String,
    /// Who sets it, if not the user of this command.
    #[arg(long)]
    pub by: Option<String>,
}

/// A switch to be lifted.
#[derive(Debug, Args)]
pub struct Lift {
    /// How much it stops.
    #[arg(value_enum)]
    pub level: KillLevel,
    /// Which: the symbol, the account's id or number, the exchange's name; nothing for the firm.
    pub subject: Option<String>,
    /// Why; kept with the switch.
    #[arg(long)]
    pub reason: String,
    /// Who lifts it, if not the user of this command.
    #[arg(long)]
    pub by: Option<String>,
}

/// Risk limits.
#[derive(Debug, Subcommand)]
pub enum Risk {
    /// The limits: of everybody, or as they count for one tier or account, and who says so.
    Show {
        /// For whom.
        #[command(flatten)]
        who: Who,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Sets limits for the firm, a tier or an account; felt within a second.
    Set {
        /// For whom.
        #[command(flatten)]
        who: Who,
        /// Such as `max-order-value=500000`; `=default` takes one back.
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<String>,
    },
    /// Symbols in which nobody, or one account, may place orders.
    #[command(subcommand)]
    Restrict(Restrict),
    /// What surveillance should see of orders that were taken, newest first.
    Flags {
        /// Of one account: its id or number.
        #[arg(long)]
        account: Option<String>,
        /// Most to show.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// Whom limits are for.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct Who {
    /// Everybody.
    #[arg(long)]
    pub firm: bool,
    /// The accounts of a tier.
    #[arg(long)]
    pub tier: Option<String>,
    /// One account: its id or number.
    #[arg(long)]
    pub account: Option<String>,
}

/// The restricted list.
#[derive(Debug, Subcommand)]
pub enum Restrict {
    /// Puts a symbol on the list.
    Add {
        /// The symbol.
        symbol: String,
        /// For one account only: its id or number.
        #[arg(long)]
        account: Option<String>,
        /// Why; kept with the list.
        #[arg(long)]
        reason: String,
    },
    /// Takes a symbol off the list.
    Remove {
        /// The symbol.
        symbol: String,
        /// As it was put there.
        #[arg(long)]
        account: Option<String>,
    },
    /// The list.
    List {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}
