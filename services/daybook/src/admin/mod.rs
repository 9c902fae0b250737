//! An operator's acts. Each is one transaction with its row in `admin_acts` (V16), and money moves once per movement id.
//!
//! | module      | what                                                     |
//! |-------------|----------------------------------------------------------|
//! | `bus`       | how far the event log was read; a broker filled again    |
//! | `calendar`  | days the market is closed, or closes early (CAL-4)       |
//! | `closing`   | fees, settlement, accounts out of debt again             |
//! | `customers` | accounts: opened, listed, blocked                        |
//! | `keys`      | API keys                                                 |
//! | `limits`    | how much customers may ask for                           |
//! | `money`     | deposits and withdrawals (LED-1, 2, 5)                   |
//! | `show`      | a customer's ledger, an order's life                     |
//! | `parked`    | messages that could not be handled                       |
//! | `jobs`      | schedules, runs, alerts                                  |
//! | `notices`   | what a customer was told                                 |
//! | `eod`       | ends of days                                             |
//! | `reconcile` | breaks, suspense, reports set aside                      |
//! | `kill`      | kill switches: set by one person, lifted by two (RSK-6)  |
//! | `risk`      | risk limits, restricted symbols                          |
//! | `venue`     | exchanges that are left alone                            |
//! | `seed`      | the demo customers                                       |
//! | `table`     | columns for people                                       |

mod bus;
pub mod calendar;
pub mod closing;
pub mod customers;
pub mod eod;
pub mod jobs;
pub mod keys;
pub mod kill;
pub mod limits;
pub mod money;
mod notices;
pub mod parked;
pub mod reason;
pub mod reconcile;
pub mod risk;
pub mod seed;
mod show;
mod show_jobs;
mod show_reconcile;
mod table;
pub mod venue;

use std::sync::Arc;

use anyhow::{Context, bail};
use chassis::clock::{OffsetClock, SharedClock};
use chassis::ids::{SharedIds, SystemIds};
use db::{DbError, PgConnection, PgPool, PoolSettings, Tx};
use domain::{AccountId, Timestamp};
use identity::acts::{self, Act};
use uuid::Uuid;

use crate::cli::{Admin, Customer, DepositStep, Key, WithdrawStep};
use crate::config::Settings;

/// Where an operator acts from: the database, and who the operator is.
#[derive(Clone)]
pub struct Desk {
    pool: PgPool,
    ids: SharedIds,
    clock: SharedClock,
    actor: String,
}

impl Desk {
    /// A desk on this database for `actor`.
    pub fn new(pool: PgPool, ids: SharedIds, clock: SharedClock, actor: impl Into<String>) -> Self {
        Desk {
            pool,
            ids,
            clock,
            actor: actor.into(),
        }
    }

    /// The database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn begin(&self) -> anyhow::Result<Tx> {
        Ok(db::begin(&self.pool).await?)
    }

    async fn write_down(
        &self,
        conn: &mut PgConnection,
        act: &str,
        subject: String,
        detail: String,
    ) -> Result<(), DbError> {
        let act = Act {
            actor: self.actor.clone(),
            act: act.to_owned(),
            subject,
            detail,
        };
        acts::record(conn, &*self.ids, self.now(), &act).await?;
        Ok(())
    }
}

/// The account that a person names by id or by number.
///
/// # Errors
/// No such account, and where to look.
pub async fn find_account(conn: &mut PgConnection, named: &str) -> anyhow::Result<AccountId> {
    let found = match named.parse::<Uuid>() {
        Ok(id) => identity::accounts::get(conn, AccountId::new(id))
            .await?
            .map(|account| account.id),
        Err(_) => sqlx::query_scalar!("select account_id from accounts where account_number = $1", named)
            .fetch_optional(conn)
            .await?
            .map(AccountId::new),
    };
    found.with_context(|| format!("no account {named}: `daybook admin customer list` shows all, by id and by number"))
}

/// Does what the command says.
pub async fn run(command: Admin, settings: &Settings) -> anyhow::Result<()> {
    let desk = open_desk(settings).await?;
    let outcome = dispatch(command, settings, &desk).await;
    desk.pool.close().await;
    outcome
}

async fn open_desk(settings: &Settings) -> anyhow::Result<Desk> {
    let pool_settings = PoolSettings {
        max_connections: 2,
        application_name: "daybook-admin".to_owned(),
        // A person waits, and a table may be long.
        statement_timeout_ms: 60_000,
        idle_in_transaction_timeout_ms: 10_000,
        ..PoolSettings::default()
    };
    let pool = db::connect(settings.database_url(), pool_settings).await.context(
        "the database cannot be reached; does the installation run? (DAYBOOK_DATABASE_URL, DAYBOOK_DATA_DIR)",
    )?;
    let offset = db::database_offset(&mut *pool.acquire().await?).await?;
    let clock: SharedClock = Arc::new(OffsetClock::new(offset));
    Ok(Desk::new(pool, Arc::new(SystemIds::new(clock.clone())), clock, actor()))
}

/// The operating system's user, behind `sudo` too.
fn actor() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|key| std::env::var(key).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "operator".to_owned())
}

async fn dispatch(command: Admin, settings: &Settings, desk: &Desk) -> anyhow::Result<()> {
    match command {
        Admin::Customer(Customer::Create { name, kind }) => {
            let account = desk.create_customer(&name, kind.into()).await?;
            println!("account {} number {}", account.id, account.number);
        }
        Admin::Customer(Customer::List { json }) => show::customers(desk, json).await?,
        Admin::Key(Key::Issue { account }) => {
            let (key_id, secret) = desk.issue_key(&account).await?;
            println!(
                "APCA_API_KEY_ID={key_id}\nAPCA_API_SECRET_KEY={}",
                keys::expose(&secret)
            );
            eprintln!("The secret is shown this once and stored nowhere.");
        }
        Admin::Key(Key::Revoke { key_id }) => desk.revoke_key(&key_id).await?,
        Admin::Key(Key::List { account }) => show::keys(desk, &account).await?,
        Admin::Deposit(deposit) => match (deposit.step, deposit.start) {
            (Some(DepositStep::Collect { id }), _) => say(desk.collect_deposit(id).await?),
            (None, Some(start)) => say(desk
                .deposit(&start.account, start.amount, start.id, deposit.pending)
                .await?),
            (None, None) => bail!("usage: daybook admin deposit ACCOUNT AMOUNT, or deposit collect ID"),
        },
        Admin::Withdraw(withdraw) => match (withdraw.step, withdraw.start) {
            (Some(WithdrawStep::Paid { id }), _) => say(desk.withdrawal_paid(id).await?),
            (Some(WithdrawStep::Failed { id }), _) => say(desk.withdrawal_failed(id).await?),
            (None, Some(start)) => say(desk.withdraw(&start.account, start.amount, start.id).await?),
            (None, None) => bail!("usage: daybook admin withdraw ACCOUNT AMOUNT, or withdraw paid|failed ID"),
        },
        Admin::Ledger { account, limit, json } => show::ledger(desk, &account, limit, json).await?,
        Admin::Order { order, json } => show::order(desk, order, json).await?,
        Admin::Notices { account, limit, json } => notices::notices(desk, &account, limit, json).await?,
        Admin::Block { account } => desk.block(&account, true).await?,
        Admin::Unblock { account } => desk.block(&account, false).await?,
        Admin::LiftClosingOnly { account, reason } => {
            let account = desk.lift_closing_only(&account, &reason).await?;
            println!("account {account} may buy again");
        }
        Admin::Fees(command) => closing::fees(desk, command).await?,
        Admin::Settle(command) => closing::settle(desk, command).await?,
        Admin::Parked(command) => parked::run(desk, command).await?,
        Admin::Bus(command) => self::bus::run(desk, command).await?,
        Admin::Jobs(command) => jobs::jobs(desk, command).await?,
        Admin::Alerts(command) => jobs::alerts(desk, command).await?,
        Admin::Limits(command) => limits::run(desk, settings, command).await?,
        Admin::Calendar(command) => calendar::run(desk, &settings.sessions()?, command).await?,
        Admin::Eod(command) => eod::eod(desk, command).await?,
        Admin::Reconcile(command) => reconcile::run(desk, &settings.sessions()?, command).await?,
        Admin::SetAside(command) => reconcile::set_aside(desk, command).await?,
        Admin::Kill(command) => kill::run(desk, command).await?,
        Admin::Venue(command) => venue::run(desk, command).await?,
        Admin::Risk(command) => risk::run(desk, settings.risk()?, command).await?,
        Admin::SeedDemo => seed::seed(desk, settings).await?,
    }
    Ok(())
}

fn say(moved: money::Moved) {
    println!("{moved}");
}
