//! The end of very many orders at once: how fast, beside one raw update of the same table, and what placing notices.
//!
//! | measured                  | from                                  | to                                     |
//! |---------------------------|---------------------------------------|----------------------------------------|
//! | `raw_update`              | `update orders set status = ..`       | its commit                             |
//! | `ended`                   | reports of the ends are in the log    | the last order is `expired`, hold released |
//! | `beside_placing`          | the same, orders being placed         | the load's end: what ended until then   |
//! | `whole_way`               | the orders' time has come             | the last one is `expired`: wish, tombstone, report, end |

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use chassis::clock::{Clock, SystemClock};
use db::PgPool;
use serde::Serialize;
use tokio::time::Instant;

use crate::book::{self, Kind, Open, Writer};
use crate::cli::{Cli, Common};
use crate::customers;
use crate::database;
use crate::drive::{Load, Tally};
use crate::installation::Installation;
use crate::latency::{Fixed, Percentiles};
use crate::machine::{self, Origin};
use crate::orders::{self, Flow};
use crate::report::{Audit, Database, Statement};
use crate::scenario::{audit, on_its_own, settings};
use crate::usage::{self, Pids, Spent};

/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Numbers of a load's orders begin here, phase by phase, so that no caller's order id comes twice.
const PHASE: u64 = 1_000_000_000;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Orders that end by a report.
    pub orders: usize,
    /// Orders that go the whole way.
    pub whole_way: usize,
    /// Orders placed a second meanwhile.
    pub rate: u64,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `expire`.
    pub scenario: &'static str,
    /// Open orders to begin with, those of the whole way included.
    pub orders: usize,
    /// Accounts they belong to.
    pub accounts: u16,
    /// One statement over all of them.
    pub raw_update: Speed,
    /// Half of those with a report, nothing else going on.
    pub ended: Speed,
    /// `ended` to `raw_update`.
    pub ratio_to_raw_update: Fixed,
    /// The other half, while orders are placed.
    pub beside_placing: Speed,
    /// Whether there were ends to write until the last order of the load was answered.
    pub busy_throughout: bool,
    /// Orders placed a second, at the same time and before.
    pub place_rate: u64,
    /// Answers to them before.
    pub place_before: Percentiles,
    /// And while orders ended.
    pub place_beside: Percentiles,
    /// p99 of the one to p99 of the other.
    pub place_p99_ratio: Fixed,
    /// Answers that were no order.
    pub place_errors: BTreeMap<String, u64>,
    /// From the wish to the end.
    pub whole_way: Speed,
    /// `whole_way` to `raw_update`.
    pub whole_way_ratio_to_raw_update: Fixed,
    /// What an order of `ended` cost.
    pub usage: Spent,
    /// And in the database.
    pub database: Database,
    /// The dearest statements of it, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
    /// The invariants afterwards.
    pub audit: Audit,
    /// Where, when and from what.
    #[serde(flatten)]
    pub origin: Origin,
}

/// So many in so much time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Speed {
    /// Orders.
    pub orders: u64,
    /// Seconds.
    pub seconds: Fixed,
    /// Orders a second.
    pub rows_per_second: Fixed,
}

impl Speed {
    fn of(orders: u64, time: Duration) -> Self {
        Speed {
            orders,
            seconds: Fixed::seconds(time),
            rows_per_second: Fixed::per_second(orders, time),
        }
    }

    fn to(self, other: Speed) -> Fixed {
        self.rows_per_second.over(other.rows_per_second)
    }
}

/// Runs it on an installation of its own.
///
/// # Errors
/// What keeps it from being measured. Nothing is left running either way.
pub async fn run(options: &Cli, plan: Plan, binary: &Path) -> anyhow::Result<Report> {
    let measure = async |installation: &mut Installation| measure(options, plan, installation).await;
    on_its_own(options, binary, None, measure).await
}

async fn measure(options: &Cli, plan: Plan, installation: &mut Installation) -> anyhow::Result<Report> {
    let common = options.common();
    let load_average = machine::load_average();
    installation.start_database(common).await?;
    let pool = installation.pool("daybook", "daybook").await?;
    let superuser = installation.pool("postgres", "daybook").await?;
    let customers = customers::open(&pool, common.customers).await?;
    installation.start_services().await?;
    let symbols = customers::symbols(&pool).await?;
    customers::pin_prices(installation.exchange_address(), &symbols).await?;
    let bench = Bench {
        pids: installation.pids().await?,
        address: installation.address(),
        flow: Flow {
            kind: orders::Kind::Resting,
            customers,
            symbols,
            first: 0,
        },
        common,
        plan,
        writer: Writer::new(&pool).await?,
        pool,
        superuser,
    };
    let found = bench.run().await?;
    installation.still_runs()?;
    let audit = audit(options, installation, false).await;
    let origin = Origin::of(installation.folder(), settings(options, None, &load_average));
    Ok(found.report(plan, common, audit, origin))
}

struct Bench<'a> {
    pids: Pids,
    address: std::net::SocketAddr,
    flow: Flow,
    common: &'a Common,
    plan: Plan,
    writer: Writer,
    pool: PgPool,
    superuser: PgPool,
}

/// The figures.
struct Found {
    raw_update: Speed,
    ended: Speed,
    beside_placing: Speed,
    busy_throughout: bool,
    before: Tally,
    beside: Tally,
    whole_way: Speed,
    usage: Spent,
    database: Database,
    statements: Vec<Statement>,
}

impl Bench<'_> {
    async fn run(mut self) -> anyhow::Result<Found> {
        let mut open = self.writer.write(&self.pool, Kind::Withdrawn, self.plan.orders).await?;
        // As the jobs ask: account by account.
        open.sort_unstable_by_key(|order| (order.account, order.order));
        let queued = self.writer.write(&self.pool, Kind::Queued, self.plan.whole_way).await?;
        self.until_filed(queued.len()).await?;
        let raw_update = self.raw_update().await?;
        let before = self.load(0).await;
        let (alone, during) = open.split_at(open.len() / 2);
        let counters = database::counters(&self.superuser).await?;
        database::forget_statements(&self.superuser, self.common.statements).await?;
        let spent = usage::read(&self.superuser, &self.pids).await?;
        let ended = self.ended(alone).await?;
        let usage = usage::read(&self.superuser, &self.pids)
            .await?
            .since(&spent, ended.orders);
        let counted = database::counters(&self.superuser).await?;
        let database = counted.since(&counters, ended.orders, Duration::from_secs(1));
        let statements = database::statements(&self.superuser, self.common.statements).await?;
        let (beside_placing, beside, busy_throughout) = self.beside_placing(during).await?;
        let whole_way = self.whole_way(&queued).await?;
        Ok(Found {
            raw_update,
            ended,
            beside_placing,
            busy_throughout,
            before,
            beside,
            whole_way,
            usage,
            database,
            statements,
        })
    }

    /// One statement over the table as it then is, and the table left as before.
    async fn raw_update(&self) -> anyhow::Result<Speed> {
        self.settle().await?;
        let begun = Instant::now();
        let updated = sqlx::query("update orders set status = 'accepted'")
            .execute(&self.superuser)
            .await?;
        let took = begun.elapsed();
        self.settle().await?;
        Ok(Speed::of(updated.rows_affected(), took))
    }

    /// Statistics, free space and a checkpoint: every measurement begins with the same debts, none.
    async fn settle(&self) -> anyhow::Result<()> {
        for statement in ["vacuum (analyze)", "checkpoint"] {
            sqlx::query(statement).execute(&self.superuser).await?;
        }
        Ok(())
    }

    async fn ended(&self, orders: &[Open]) -> anyhow::Result<Speed> {
        let left = self.open_orders().await? - i64::try_from(orders.len())?;
        self.writer.report_ends(&self.pool, orders).await?;
        let begun = Instant::now();
        self.until_open(left).await?;
        Ok(Speed::of(orders.len() as u64, begun.elapsed()))
    }

    async fn beside_placing(&self, orders: &[Open]) -> anyhow::Result<(Speed, Tally, bool)> {
        self.settle().await?;
        let at_first = self.open_orders().await?;
        self.writer.report_ends(&self.pool, orders).await?;
        let begun = Instant::now();
        let tally = self.load(PHASE).await;
        let took = begun.elapsed();
        let placed = i64::try_from(tally.placed_in_all)?;
        let ended = (at_first + placed - self.open_orders().await?).unsigned_abs();
        self.until_open(at_first + placed - i64::try_from(orders.len())?)
            .await?;
        let busy_throughout = ended < orders.len() as u64;
        Ok((Speed::of(ended, took), tally, busy_throughout))
    }

    async fn whole_way(&self, orders: &[Open]) -> anyhow::Result<Speed> {
        self.settle().await?;
        let left = self.open_orders().await? - i64::try_from(orders.len())?;
        book::let_time_pass(&self.superuser, orders, SystemClock.now()).await?;
        let begun = Instant::now();
        self.until_open(left).await?;
        Ok(Speed::of(orders.len() as u64, begun.elapsed()))
    }

    /// Places orders at the plan's rate.
    async fn load(&self, first: u64) -> Tally {
        let flow = Flow {
            first,
            ..self.flow.clone()
        };
        Load::steady(self.address, flow, self.plan.rate, self.common)
            .run(Instant::now())
            .await
    }

    /// Open orders by the accounts' own count: a few thousand rows instead of all orders.
    async fn open_orders(&self) -> anyhow::Result<i64> {
        let count = sqlx::query_scalar("select coalesce(sum(open_orders), 0)::bigint from account_sequences");
        Ok(count.fetch_one(&self.pool).await?)
    }

    async fn until_open(&self, left: i64) -> anyhow::Result<()> {
        let (begun, most) = (Instant::now(), Duration::from_secs(self.common.drain_seconds));
        loop {
            let open = self.open_orders().await?;
            if open <= left {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < most,
                "{} orders did not end within {most:?}",
                open - left
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn until_filed(&self, count: usize) -> anyhow::Result<()> {
        let (begun, most) = (Instant::now(), Duration::from_secs(self.common.drain_seconds));
        loop {
            let filed = sqlx::query_scalar("select count(*) from venue_submissions where state = 'queued'");
            let filed: i64 = filed.fetch_one(&self.pool).await?;
            if filed >= i64::try_from(count)? {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < most,
                "only {filed} of {count} orders were filed within {most:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Found {
    fn report(self, plan: Plan, common: &Common, audit: Audit, origin: Origin) -> Report {
        let (place_before, place_beside) = (self.before.placed.percentiles(), self.beside.placed.percentiles());
        let mut place_errors = self.before.errors;
        for (code, count) in self.beside.errors {
            *place_errors.entry(code).or_default() += count;
        }
        Report {
            scenario: "expire",
            orders: plan.orders + plan.whole_way,
            accounts: common.customers,
            raw_update: self.raw_update,
            ended: self.ended,
            ratio_to_raw_update: self.ended.to(self.raw_update),
            beside_placing: self.beside_placing,
            busy_throughout: self.busy_throughout,
            place_rate: plan.rate,
            place_before,
            place_beside,
            place_p99_ratio: place_beside.p99_ms.over(place_before.p99_ms),
            place_errors,
            whole_way: self.whole_way,
            whole_way_ratio_to_raw_update: self.whole_way.to(self.raw_update),
            usage: self.usage,
            database: self.database,
            statements: self.statements,
            audit,
            origin,
        }
    }
}

impl Report {
    /// Writes it to standard output: one line of JSON, or the same laid out for people.
    pub fn print(&self, as_json: bool) {
        let text = if as_json {
            serde_json::to_string(self)
        } else {
            serde_json::to_string_pretty(self)
        };
        println!("{}", text.unwrap_or_default());
    }

    /// Fails when the run proves nothing.
    ///
    /// # Errors
    /// Why.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let complaint = self.audit.complaint.as_deref().unwrap_or_default();
        ensure!(
            self.audit.passed,
            "the invariants do not hold after the ends:\n{complaint}"
        );
        Ok(())
    }
}
