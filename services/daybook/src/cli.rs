//! The commands as a person types them.

mod bus;
mod calendar;
mod closing;
mod eod;
mod jobs;
mod limits;
mod parked;
mod reconcile;
mod risk;
mod venue;

pub use self::bus::Bus;
pub use self::risk::{Kill, KillLevel, KillMode, Lift, NewKill, Restrict, Risk, Who};
pub use calendar::Calendar;
pub use closing::{AddRate, Fees, Kind as FeeName, Rates, Settle};
pub use eod::Eod;
pub use jobs::{AddJob, Alerts, Due, Jobs};
pub use limits::{ClassName, Limits, SetChurn, SetLimit};
pub use parked::{Discard, Parked};
pub use reconcile::{Adjust, Reconcile, SetAside};
pub use venue::Venue;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::Money;
use uuid::Uuid;

use crate::compose::Part;

/// A limit-order brokerage in one executable.
#[derive(Debug, Parser)]
#[command(name = "daybook", disable_version_flag = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the executable can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the brokerage, or one part of it.
    #[command(flatten)]
    Run(Running),
    /// Brings the databases up to date.
    Migrate,
    /// Customers, keys, money, and a look inside.
    #[command(subcommand)]
    Admin(Admin),
    /// Proves the invariants that a database can show; exit code 1 and the first offending rows when one is broken.
    Audit(AuditOptions),
    /// Prints the OpenAPI document of the client dialect, as docs/openapi.json has it.
    Openapi,
    /// Prints the table of every refusal, as docs/refusals.md has it.
    Refusals,
    /// Says which version this is.
    Version,
}

/// The parts that can be a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Running {
    /// Everything in one process, the bundled exchange included.
    All,
    /// The customers' door: REST.
    OrderManager,
    /// Takes orders and cancels to the exchange.
    Executor,
    /// Moves orders by what the exchange reports.
    StatusUpdater,
    /// Jobs by schedule, and the sweep of orders in doubt.
    Scheduler,
    /// Writes customers' notices.
    Notifier,
    /// Keeps assets and last quotes.
    MarketData,
    /// Ships the event log to Kafka.
    Relay,
    /// The bundled exchange alone.
    ExchangeSim,
}

impl From<Running> for Part {
    fn from(running: Running) -> Self {
        match running {
            Running::All => Part::All,
            Running::OrderManager => Part::OrderManager,
            Running::Executor => Part::Executor,
            Running::StatusUpdater => Part::StatusUpdater,
            Running::Scheduler => Part::Scheduler,
            Running::Notifier => Part::Notifier,
            Running::MarketData => Part::MarketData,
            Running::Relay => Part::Relay,
            Running::ExchangeSim => Part::ExchangeSim,
        }
    }
}

/// How `daybook audit` looks and tells.
#[derive(Debug, Clone, Default, Args)]
pub struct AuditOptions {
    /// The system rests: every consumer must have read everything, and nothing may be parked or set aside.
    #[arg(long)]
    pub at_rest: bool,
    /// Proves the sealed acts of operators alone, names the first that was changed, and tells where the chain ends.
    #[arg(long, conflicts_with_all = ["at_rest", "json"])]
    pub chain: bool,
    /// Where the chain ended when somebody noted it, as `--chain` and the job told it: it must still hold there.
    #[arg(long, value_name = "NUMBER:HASH", requires = "chain")]
    pub head: Option<String>,
    /// JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// An operator's commands.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Customers.
    #[command(subcommand)]
    Customer(Customer),
    /// API keys.
    #[command(subcommand)]
    Key(Key),
    /// Money in: `deposit ACCOUNT AMOUNT`, or `deposit collect ID` for one that was left pending.
    Deposit(Deposit),
    /// Money out: `withdraw ACCOUNT AMOUNT`, then `withdraw paid ID` or `withdraw failed ID`.
    Withdraw(Withdraw),
    /// A customer's ledger, newest first, with the balances it adds up to.
    Ledger {
        /// The customer's account id or account number.
        account: String,
        /// Most transfers to show.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Everything that happened to an order: its time line, its submission, its saga.
    Order {
        /// The order's id.
        order: Uuid,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// What a customer was told about orders, newest first.
    Notices {
        /// The customer's account id or account number.
        account: String,
        /// Most notices to show.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Stops an account from placing orders; cancels still work.
    Block {
        /// The customer's account id or account number.
        account: String,
    },
    /// Takes a block back.
    Unblock {
        /// The customer's account id or account number.
        account: String,
    },
    /// Lets an account buy again that a late execution or a bust had left in debit, once the debit is paid.
    LiftClosingOnly {
        /// The customer's account id or account number.
        account: String,
        /// Why; kept with the act.
        #[arg(long)]
        reason: String,
    },
    /// Messages that could not be handled: look, have them handled again, throw them away.
    #[command(subcommand)]
    Parked(Parked),
    /// The event log: how far each consumer is, what Kafka is sent again.
    #[command(subcommand)]
    Bus(Bus),
    /// Fees: the rates, and what a date came to.
    #[command(subcommand)]
    Fees(Fees),
    /// Settlement: what is due and what has settled.
    #[command(subcommand)]
    Settle(Settle),
    /// Jobs: their schedules, runs and logs.
    #[command(subcommand)]
    Jobs(Jobs),
    /// How much customers may ask for: tiers, request limits, the churn rule.
    #[command(subcommand)]
    Limits(Limits),
    /// What an operator has to know.
    #[command(subcommand)]
    Alerts(Alerts),
    /// Days that are not as the trading calendar's rule says.
    #[command(subcommand)]
    Calendar(Calendar),
    /// Ends of days: where they are, and what could not be resolved.
    #[command(subcommand)]
    Eod(Eod),
    /// Our books against the exchange's: a day's report, breaks, what is in suspense.
    #[command(subcommand)]
    Reconcile(Reconcile),
    /// Reports of the exchange that no rule allows.
    #[command(subcommand)]
    SetAside(SetAside),
    /// Kill switches: for a symbol, an account, an exchange or everything.
    #[command(subcommand)]
    Kill(Kill),
    /// Exchanges that are left alone: whether and why, and by hand.
    #[command(subcommand)]
    Venue(Venue),
    /// Risk limits of the firm, a tier and an account, restricted symbols, and what surveillance should see.
    #[command(subcommand)]
    Risk(Risk),
    /// Two customers with money, and `demo.env` with the key of the first. Repeatable.
    SeedDemo,
}

/// Customers.
#[derive(Debug, Subcommand)]
pub enum Customer {
    /// Opens an account and prints its id.
    Create {
        /// The customer's name.
        name: String,
        /// Whether sale proceeds can be spent before they settle.
        #[arg(long, value_enum, default_value_t = Kind::LimitedMargin)]
        kind: Kind,
    },
    /// All customers with their money.
    List {
        /// JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// How an account may buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// Sale proceeds may be spent at once.
    LimitedMargin,
    /// Sale proceeds wait for settlement.
    CashStrict,
}

/// API keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Issues a key pair; its secret is printed once and stored nowhere.
    Issue {
        /// The customer's account id or account number.
        account: String,
    },
    /// Makes a key useless within a second.
    Revoke {
        /// The key's public half.
        key_id: String,
    },
    /// An account's keys.
    List {
        /// The customer's account id or account number.
        account: String,
    },
}

/// Money in.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Deposit {
    /// What became of an earlier one.
    #[command(subcommand)]
    pub step: Option<DepositStep>,
    /// A new one.
    #[command(flatten)]
    pub start: Option<Start>,
    /// Leave it on its way: it cannot be spent before `deposit collect`.
    #[arg(long)]
    pub pending: bool,
}

/// What became of a deposit.
#[derive(Debug, Subcommand)]
pub enum DepositStep {
    /// It arrived.
    Collect {
        /// The id that `deposit` printed.
        id: Uuid,
    },
}

/// Money out.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Withdraw {
    /// What became of an earlier one.
    #[command(subcommand)]
    pub step: Option<WithdrawStep>,
    /// A new one.
    #[command(flatten)]
    pub start: Option<Start>,
}

/// What became of a withdrawal.
#[derive(Debug, Subcommand)]
pub enum WithdrawStep {
    /// The bank paid it.
    Paid {
        /// The id that `withdraw` printed.
        id: Uuid,
    },
    /// The bank refused it; the money is back.
    Failed {
        /// The id that `withdraw` printed.
        id: Uuid,
    },
}

/// A movement of money that begins.
#[derive(Debug, Clone, Args)]
pub struct Start {
    /// The customer's account id or account number.
    pub account: String,
    /// Dollars, such as 1000.00.
    #[arg(value_parser = dollars)]
    pub amount: Money,
    /// Names this movement: repeating the command with it moves the money once.
    #[arg(long)]
    pub id: Option<Uuid>,
}

fn dollars(text: &str) -> Result<Money, String> {
    Money::parse(text).map_err(|error| format!("{error}; write dollars such as 1000.00"))
}
