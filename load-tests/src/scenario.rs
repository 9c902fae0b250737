//! One benchmark: set up, load, drain, audit, and stop again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use chassis::clock::{Clock, SystemClock};
use db::PgPool;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::bookings::{self, Backlog, Bookings, Start};
use crate::cli::{Cli, Common, Scenario};
use crate::customers::{self, Customer};
use crate::database;
use crate::drive::{Load, Tally};
use crate::installation::Installation;
use crate::latency::Fixed;
use crate::machine::{self, Origin};
use crate::orders::{Flow, Kind};
use crate::report::{Audit, Report};
use crate::schedule::Pace;
use crate::usage::{self, Pids, Spent};

/// Between the preparation and the first order: by then the prices that were pinned are known.
pub const BREATH: Duration = Duration::from_secs(1);
/// Stock is bought at this many orders a second.
const STOCKING_RATE: u64 = 250;

/// Runs one benchmark on an installation of its own, with one more setting of Daybook's if there is one.
///
/// # Errors
/// What keeps it from being measured. Nothing is left running either way.
pub async fn run(options: &Cli, binary: &Path, extra: Option<(&str, &str)>) -> anyhow::Result<Report> {
    let measure = async |installation: &mut Installation| measure(options, installation, extra).await;
    on_its_own(options, binary, extra, measure).await
}

/// Measures something on an installation of its own, and stops that again whatever happens.
///
/// # Errors
/// What keeps it from being measured.
pub async fn on_its_own<T>(
    options: &Cli,
    binary: &Path,
    extra: Option<(&str, &str)>,
    measure: impl AsyncFnOnce(&mut Installation) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut installation = Installation::new(options.common(), binary, extra.as_slice())?;
    let outcome = tokio::select! {
        outcome = measure(&mut installation) => outcome,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    installation.stop(options.common().keep_logs.as_deref()).await;
    outcome
}

async fn measure(
    options: &Cli,
    installation: &mut Installation,
    extra: Option<(&str, &str)>,
) -> anyhow::Result<Report> {
    let common = options.common();
    let load_average = machine::load_average();
    let Market {
        pool,
        customers,
        symbols,
    } = open_market(common, installation).await?;
    let superuser = installation.pool("postgres", "daybook").await?;
    if matches!(options.scenario, Scenario::Fill { .. }) {
        stock(options, installation, &pool, &customers, &symbols).await?;
    }
    let bench = Bench {
        options,
        pool,
        superuser,
        pids: installation.pids().await?,
    };
    let measured = bench
        .load(
            installation,
            Flow {
                kind: bench.kind(),
                customers,
                symbols,
                first: 0,
            },
        )
        .await?;
    installation.still_runs()?;
    let statements = database::statements(&bench.superuser, common.statements).await?;
    let (drain, drained) = bookings::drain(
        &bench.pool,
        &options.scenario,
        Duration::from_secs(common.drain_seconds),
    )
    .await?;
    let audit = audit(options, installation, drained).await;
    let booked = bench.bookings(&measured).await?;
    let origin = Origin::of(installation.folder(), settings(options, extra, &load_average));
    let mut report = bench.report(measured, audit, booked, (drain, drained), origin);
    report.statements = statements;
    Ok(report)
}

/// What orders need.
pub struct Market {
    /// Daybook's database, by its own role.
    pub pool: PgPool,
    /// Customers with money.
    pub customers: Vec<Customer>,
    /// What trades, at prices that stay.
    pub symbols: Vec<String>,
}

/// Starts everything, with customers, and pins the prices.
///
/// # Errors
/// What does not come up.
pub async fn open_market(common: &Common, installation: &mut Installation) -> anyhow::Result<Market> {
    installation.start_database(common).await?;
    let pool = installation.pool("daybook", "daybook").await?;
    let customers = customers::open(&pool, common.customers).await?;
    installation.start_services().await?;
    let symbols = customers::symbols(&pool).await?;
    customers::pin_prices(installation.exchange_address(), &symbols).await?;
    Ok(Market {
        pool,
        customers,
        symbols,
    })
}

/// Lets each customer buy the shares it will sell, and waits until it has them.
async fn stock(
    options: &Cli,
    installation: &Installation,
    pool: &PgPool,
    customers: &[Customer],
    symbols: &[String],
) -> anyhow::Result<()> {
    let most = customers.len() as u64;
    let flow = Flow {
        kind: Kind::Stocking,
        customers: customers.to_vec(),
        symbols: symbols.to_vec(),
        first: 0,
    };
    let load = Load {
        address: installation.address(),
        flow,
        pace: Pace::Open { rate: STOCKING_RATE },
        connections: 16,
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(most / STOCKING_RATE + 1),
        most,
        placed: Arc::default(),
    };
    let tally = load.run(Instant::now() + BREATH).await;
    ensure!(
        tally.placed_in_all == most,
        "the stock could not be ordered: {:?}",
        tally.samples
    );
    let (_, done) = bookings::drain(
        pool,
        &options.scenario,
        Duration::from_secs(options.common().drain_seconds),
    )
    .await?;
    ensure!(done, "the stock was not bought in time\n{}", installation.last_words());
    Ok(())
}

/// `daybook audit`. Filling ends at rest by its nature; what rests at the exchange may still be on its way there.
pub async fn audit(options: &Cli, installation: &mut Installation, drained: bool) -> Audit {
    let at_rest = drained || matches!(options.scenario, Scenario::Fill { .. });
    let words: &[&str] = if at_rest { &["audit", "--at-rest"] } else { &["audit"] };
    let outcome = match at_rest {
        true => until_read(options, installation).await,
        false => Ok(()),
    };
    let outcome = outcome.and(installation.command(words).await);
    let complaint = outcome.as_ref().err().map(|error| format!("{error:#}"));
    Audit {
        passed: outcome.is_ok(),
        at_rest,
        complaint,
    }
}

/// Waits for the consumers that give way to customers and are behind after a load: at rest nothing is unread (V8).
async fn until_read(options: &Cli, installation: &mut Installation) -> anyhow::Result<()> {
    let pool = installation.pool("daybook", "daybook").await?;
    let most = Duration::from_secs(options.common().drain_seconds);
    ensure!(
        bookings::read_by_all(&pool, most).await?,
        "not every consumer had read everything after {most:?}"
    );
    Ok(())
}

/// What stays the same while one benchmark runs.
struct Bench<'a> {
    options: &'a Cli,
    pool: PgPool,
    superuser: PgPool,
    pids: Pids,
}

/// What the load showed.
struct Measured {
    tally: Tally,
    start: Start,
    backlog: [u64; 3],
    spent: Spent,
    database: crate::report::Database,
}

impl Bench<'_> {
    fn kind(&self) -> Kind {
        match self.options.scenario {
            Scenario::Place { .. }
            | Scenario::Open { .. }
            | Scenario::Streams { .. }
            | Scenario::Expire { .. }
            | Scenario::Relay { .. }
            | Scenario::Churn { .. } => Kind::Resting,
            Scenario::Fill { .. } => Kind::Trading,
        }
    }

    fn pace(&self) -> Pace {
        self.options.rate().map_or(Pace::Closed, |rate| Pace::Open { rate })
    }

    /// Sends the orders, and looks at clocks and counters at the beginning and the end of what is measured.
    async fn load(&self, installation: &Installation, flow: Flow) -> anyhow::Result<Measured> {
        let common = self.options.common();
        let (warm_up, measured) = (Duration::from_secs(common.warm_up), Duration::from_secs(common.seconds));
        let (address, pace, connections) = (installation.address(), self.pace(), common.connections);
        let (at, began) = (SystemClock.now() + BREATH, Instant::now() + BREATH);
        let placed: Arc<AtomicU64> = Arc::default();
        let load = Load {
            address,
            flow,
            pace,
            connections,
            warm_up,
            measured,
            most: u64::MAX,
            placed: placed.clone(),
        };
        let running = tokio::spawn(load.run(began));
        sleep_until(began + warm_up).await;
        let at_start = bookings::on_their_way(&self.pool, &self.options.scenario).await?;
        let (stop, stopped) = oneshot::channel();
        // Counting the orders that rest means reading them all: only what is filled is watched meanwhile.
        let watch = matches!(self.options.scenario, Scenario::Fill { .. }).then(|| {
            tokio::spawn(bookings::watch(
                self.pool.clone(),
                self.options.scenario.clone(),
                stopped,
            ))
        });
        let counters = database::counters(&self.superuser).await?;
        database::forget_statements(&self.superuser, common.statements).await?;
        let placed_before = placed.load(Ordering::Relaxed);
        let before = usage::read(&self.superuser, &self.pids).await?;
        sleep_until(began + warm_up + measured).await;
        let after = usage::read(&self.superuser, &self.pids).await?;
        let orders = placed.load(Ordering::Relaxed) - placed_before;
        let counted = database::counters(&self.superuser).await?;
        let tally = running.await.context("the load broke off")?;
        let at_end = bookings::on_their_way(&self.pool, &self.options.scenario).await?;
        let _ = stop.send(());
        let most = match watch {
            Some(watch) => watch.await.unwrap_or(0),
            None => 0,
        };
        let spent = after.since(&before, orders);
        let database = counted.since(&counters, orders, measured);
        let start = Start { at, pace, warm_up };
        Ok(Measured {
            tally,
            start,
            backlog: [at_start, at_end, most.max(at_start).max(at_end)],
            spent,
            database,
        })
    }

    async fn bookings(&self, measured: &Measured) -> anyhow::Result<Option<Bookings>> {
        match self.options.scenario {
            Scenario::Place { .. }
            | Scenario::Open { .. }
            | Scenario::Streams { .. }
            | Scenario::Expire { .. }
            | Scenario::Relay { .. }
            | Scenario::Churn { .. } => Ok(None),
            Scenario::Fill { .. } => {
                // Without statistics the planner takes these tables for empty ones.
                sqlx::query("analyze").execute(&self.superuser).await?;
                Ok(bookings::read(&self.pool, measured.start).await?)
            }
        }
    }

    fn report(
        &self,
        measured: Measured,
        audit: Audit,
        booked: Option<Bookings>,
        (drain, drained): (Duration, bool),
        origin: Origin,
    ) -> Report {
        let Measured {
            tally,
            backlog: [at_start, at_end, most],
            spent,
            database,
            ..
        } = measured;
        let common = self.options.common();
        let booked_per_second = booked
            .as_ref()
            .map(|booked| Fixed::per_second(booked.orders, tally.took + drain));
        let backlog = Backlog {
            at_start,
            at_end,
            most,
            drain_seconds: Fixed::seconds(drain),
            drained,
        };
        let sustained = booked.as_ref().zip(self.options.rate()).map(|(booked, rate)| {
            // What arrives within a second may be on its way; more than that has piled up.
            let kept_up = at_end <= rate && tally.took < Duration::from_secs(common.seconds + 1);
            kept_up && tally.errors.is_empty() && tally.not_sent == 0 && booked.orders == tally.placed.count()
        });
        Report {
            scenario: self.options.name(),
            orders_per_second: Fixed::per_second(tally.placed.count(), tally.took),
            answered: tally.placed.percentiles(),
            seconds: Fixed::seconds(tally.took),
            connections: common.connections,
            rate: self.options.rate(),
            orders: tally.placed.count(),
            errors: tally.errors,
            error_samples: tally.samples,
            not_sent: tally.not_sent,
            booked,
            booked_per_second,
            sustained,
            backlog,
            audit,
            usage: spent,
            memory_mib: usage::memory_mib(&self.pids),
            database,
            statements: Vec::new(),
            comparison: None,
            origin,
        }
    }
}

/// How it was set up: what the figures depend on, and Daybook's settings of the caller's environment.
pub fn settings(options: &Cli, extra: Option<(&str, &str)>, load_average: &str) -> BTreeMap<String, String> {
    let common = options.common();
    let fixed = [
        ("customers", common.customers.to_string()),
        ("symbols", common.symbols.to_string()),
        ("warm_up_seconds", common.warm_up.to_string()),
        (
            "postgres",
            "private cluster, fsync and synchronous_commit on, track_commit_timestamp on".to_owned(),
        ),
        ("load_average_before", load_average.to_owned()),
        (
            "processes",
            "client, daybook all, exchange-sim, PostgreSQL: one machine".to_owned(),
        ),
    ];
    let given = std::env::vars().filter(|(key, _)| key.starts_with("DAYBOOK_") && !key.contains("URL"));
    let postgres = common
        .postgres
        .iter()
        .map(|(name, value)| (format!("postgres {name}"), value.clone()));
    let extra = extra.map(|(key, value)| (key.to_owned(), value.to_owned()));
    fixed
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .chain(given)
        .chain(postgres)
        .chain(extra)
        .collect()
}
