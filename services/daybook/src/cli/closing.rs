//! The commands about fees and settlement.

use chrono::NaiveDate;
use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;

/// Fees: the rates, and what a date came to.
#[derive(Debug, Subcommand)]
pub enum Fees {
    /// The effective-dated rates.
    #[command(subcommand)]
    Rates(Rates),
    /// What was accrued and posted for a trade date.
    Show {
        /// The trade date: 2026-11-23.
        date: NaiveDate,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// The effective-dated rates.
#[derive(Debug, Subcommand)]
pub enum Rates {
    /// All of them, by kind and date.
    List {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Adds one. It ends the rate that is in force until further notice, if it begins after today.
    Add(AddRate),
}

/// A rate as an operator types it.
#[derive(Debug, Clone, Args)]
pub struct AddRate {
    /// Which fee.
    #[arg(value_enum)]
    pub kind: Kind,
    /// First trade date.
    #[arg(long)]
    pub from: NaiveDate,
    /// Last trade date; left out: until further notice.
    #[arg(long)]
    pub to: Option<NaiveDate>,
    /// Dollars per dollar of principal (sec) or per share (taf, cat): 0.0000206.
    #[arg(long)]
    pub rate: Decimal,
    /// Most dollars of one execution.
    #[arg(long)]
    pub cap: Option<Decimal>,
    /// Executions of up to so many dollars pay nothing.
    #[arg(long)]
    pub waived_dollars: Option<Decimal>,
    /// Executions of up to so many shares pay nothing.
    #[arg(long)]
    pub waived_shares: Option<Decimal>,
    /// The document that sets it.
    #[arg(long)]
    pub source: String,
}

/// Which fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Section 31, on the principal of sales.
    Sec,
    /// FINRA's trading activity fee, on shares sold.
    Taf,
    /// The consolidated audit trail, on shares bought and sold.
    Cat,
}

/// Settlement.
#[derive(Debug, Subcommand)]
pub enum Settle {
    /// What settles on a date and what has, and what is overdue.
    Show {
        /// The settlement date: 2026-11-24.
        date: NaiveDate,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}
