//! The commands about reconciliation and reports that were set aside.

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use uuid::Uuid;

/// Our books against the exchange's.
#[derive(Debug, Subcommand)]
pub enum Reconcile {
    /// A day: the file, both sides added up, and the breaks.
    Show {
        /// The session: 2026-11-23.
        date: NaiveDate,
        /// Closed breaks too.
        #[arg(long)]
        all: bool,
        /// JSON instead of tables.
        #[arg(long)]
        json: bool,
    },
    /// Compares a day, again if need be, as soon as a worker is free.
    Run {
        /// The session: 2026-11-23.
        date: NaiveDate,
    },
    /// What is in suspense, and since when.
    Suspense {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Says whose work a break is.
    Own {
        /// The break's number.
        number: i64,
        /// Who.
        name: String,
    },
    /// Says what a break is about; it is explained then.
    Explain {
        /// The break's number.
        number: i64,
        /// What was found out.
        text: String,
    },
    /// Closes a break that has nothing in suspense.
    Close {
        /// The break's number.
        number: i64,
        /// Why nothing more is to be done.
        #[arg(long)]
        reason: String,
    },
    /// Proposes what becomes of what a break has in suspense; somebody else has to approve it.
    Adjust(Adjust),
    /// Approves what somebody else proposed, and does it.
    Approve {
        /// The break's number.
        number: i64,
        /// Who approves, if not the user of this command.
        #[arg(long)]
        by: Option<String>,
    },
}

/// What should become of what is in suspense.
#[derive(Debug, Args)]
pub struct Adjust {
    /// The break's number.
    pub number: i64,
    /// An execution nobody knew is this customer's: account id or account number.
    #[arg(long, group = "to")]
    pub assign: Option<String>,
    /// The firm takes it into its error account.
    #[arg(long, group = "to")]
    pub firm_error: bool,
    /// The venue gave notice that it took it back.
    #[arg(long, group = "to")]
    pub bust: bool,
    /// Why.
    #[arg(long)]
    pub reason: String,
    /// Who proposes it, if not the user of this command.
    #[arg(long)]
    pub by: Option<String>,
}

/// Reports of the exchange that no rule allows.
#[derive(Debug, Subcommand)]
pub enum SetAside {
    /// Those that wait, oldest first.
    List {
        /// Settled ones too.
        #[arg(long)]
        all: bool,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// One of them, as it came.
    Show {
        /// The report.
        report: Uuid,
    },
    /// Nothing more is to be done about it. An execution in suspense is decided by `reconcile adjust` instead.
    Settle {
        /// The report.
        report: Uuid,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}
