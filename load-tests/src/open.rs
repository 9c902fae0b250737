//! The bell. Orders are placed in the night, wait at the executor, and go when the session opens. Both clocks, the
//! database's and the exchange's, are moved to a moment before the open; the bell itself comes by time alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use chassis::clock::{Clock, SystemClock};
use chrono::TimeDelta;
use db::PgPool;
use domain::Timestamp;
use domain::calendar::Calendar;
use serde::Serialize;
use tokio::time::Instant;

use crate::arrivals::{self, Arrival};
use crate::bookings;
use crate::cli::Cli;
use crate::customers;
use crate::drive::Load;
use crate::http::{Connection, request};
use crate::installation::Installation;
use crate::latency::{Fixed, Latencies, Percentiles};
use crate::machine::{self, Origin};
use crate::orders::{Flow, Kind};
use crate::report::Audit;
use crate::scenario::{audit, on_its_own, settings};
use crate::schedule::Pace;
use crate::usage::{self, Pids, Spent};

/// Sessions, for Daybook and the exchange.
const CALENDAR: (&str, &str) = ("DAYBOOK_CALENDAR", "nyse");
/// The night, before the open.
const NIGHT: TimeDelta = TimeDelta::hours(3);
/// From the moved clocks to the bell: every process follows within a second.
const BEFORE_THE_BELL: TimeDelta = TimeDelta::seconds(5);
/// Between two looks at the exchange.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The executor's window for one symbol.
const WINDOW: usize = 16;
/// Longest time for placing.
const PLACED_WITHIN: Duration = Duration::from_secs(1_800);

/// What the bell showed.
#[derive(Debug, Clone, Serialize)]
pub struct OpenReport {
    scenario: &'static str,
    /// Orders that waited.
    orders: u64,
    /// From the bell until the exchange had the last of them.
    bell_to_last_ms: Fixed,
    /// From the bell until the exchange had it, over all orders.
    bell_to_exchange: Percentiles,
    /// From the bell until Daybook had recorded the last acknowledgement and moved its order, looked at often.
    bell_to_recorded_ms: Fixed,
    /// Orders a second, bell to last.
    sent_per_second: Fixed,
    /// By how many later orders of its symbol any order was overtaken, at most.
    largest_displacement: usize,
    /// What it may be.
    window: usize,
    /// Orders whose first submission stayed without an answer; they leave their line.
    in_doubt: u64,
    /// How fast they had been placed.
    placed_per_second: Fixed,
    audit: Audit,
    /// From the bell until the exchange had the last.
    usage: Spent,
    #[serde(flatten)]
    origin: Origin,
}

/// Measures the bell on an installation of its own.
///
/// # Errors
/// What keeps it from being measured.
pub async fn run(options: &Cli, orders: u64, binary: &Path) -> anyhow::Result<OpenReport> {
    let measure = async |installation: &mut Installation| measure(options, orders, installation).await;
    on_its_own(options, binary, Some(CALENDAR), measure).await
}

async fn measure(options: &Cli, orders: u64, installation: &mut Installation) -> anyhow::Result<OpenReport> {
    let load_average = machine::load_average();
    let night = Night::begin(options, installation).await?;
    let placed_per_second = night.place(options, installation, orders).await?;
    night.wait_until_queued(orders, options.common().drain_seconds).await?;
    let rung = night.ring(options, installation, orders).await?;
    installation.still_runs()?;
    let arrivals = arrivals::read(&night.pool, &night.exchange).await?;
    let in_doubt = sqlx::query_scalar!(r#"select count(*) as "count!" from venue_submissions where attempts > 1"#)
        .fetch_one(&night.pool)
        .await?;
    let (bell_to_exchange, last) = since(night.bell, &arrivals);
    Ok(OpenReport {
        scenario: options.name(),
        orders,
        bell_to_last_ms: Fixed::millis(micros(last)),
        bell_to_exchange,
        bell_to_recorded_ms: Fixed::millis(micros(rung.recorded)),
        sent_per_second: Fixed::per_second(orders, last),
        largest_displacement: arrivals::largest_displacement(&arrivals),
        window: WINDOW,
        in_doubt: in_doubt.unsigned_abs(),
        placed_per_second,
        audit: audit(options, installation, true).await,
        usage: rung.spent,
        origin: Origin::of(installation.folder(), settings(options, Some(CALENDAR), &load_average)),
    })
}

/// An installation some time before the open.
struct Night {
    pool: PgPool,
    superuser: PgPool,
    exchange: PgPool,
    pids: Pids,
    bell: Timestamp,
    flow: Flow,
}

struct Rung {
    recorded: Duration,
    spent: Spent,
}

impl Night {
    async fn begin(options: &Cli, installation: &mut Installation) -> anyhow::Result<Self> {
        let common = options.common();
        installation.start_database(common).await?;
        let pool = installation.pool("daybook", "daybook").await?;
        let superuser = installation.pool("postgres", "daybook").await?;
        let bell = Calendar::nyse().next_open(SystemClock.now() + NIGHT)?;
        let offset = bell - NIGHT - SystemClock.now();
        move_database(&superuser, offset).await?;
        let customers = customers::open(&pool, common.customers).await?;
        installation.start_services().await?;
        move_exchange(installation, offset).await?;
        let symbols = customers::symbols(&pool).await?;
        customers::pin_prices(installation.exchange_address(), &symbols).await?;
        let kind = Kind::Resting;
        Ok(Night {
            pool,
            superuser,
            exchange: installation.pool("exchange", "exchange").await?,
            pids: installation.pids().await?,
            bell,
            flow: Flow {
                kind,
                customers,
                symbols,
                first: 0,
            },
        })
    }

    /// Places the orders; how many a second.
    async fn place(&self, options: &Cli, installation: &Installation, orders: u64) -> anyhow::Result<Fixed> {
        let load = Load {
            address: installation.address(),
            flow: self.flow.clone(),
            pace: Pace::Closed,
            connections: options.common().connections,
            warm_up: Duration::ZERO,
            measured: PLACED_WITHIN,
            most: orders,
            placed: Arc::default(),
        };
        let began = Instant::now();
        let tally = load.run(began).await;
        ensure!(
            tally.placed_in_all == orders,
            "only {} orders could be placed: {:?}",
            tally.placed_in_all,
            tally.samples
        );
        Ok(Fixed::per_second(orders, began.elapsed()))
    }

    async fn wait_until_queued(&self, orders: u64, seconds: u64) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let queued =
                sqlx::query_scalar!(r#"select count(*) as "count!" from venue_submissions where state = 'queued'"#)
                    .fetch_one(&self.pool)
                    .await?
                    .unsigned_abs();
            if queued == orders {
                break;
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(seconds),
                "only {queued} orders wait for the bell"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        ensure!(
            arrivals::count(&self.exchange).await? == 0,
            "orders went before the bell"
        );
        Ok(())
    }

    /// Moves the clocks and waits until all orders are where they belong.
    async fn ring(&self, options: &Cli, installation: &Installation, orders: u64) -> anyhow::Result<Rung> {
        let offset = self.bell - BEFORE_THE_BELL - SystemClock.now();
        move_exchange(installation, offset).await?;
        move_database(&self.superuser, offset).await?;
        let wait = (self.bell - offset - SystemClock.now())
            .to_std()
            .context("too late for the bell")?;
        let bell = Instant::now() + wait;
        tokio::time::sleep_until(bell).await;
        let before = usage::read(&self.superuser, &self.pids).await?;
        let most = Duration::from_secs(options.common().drain_seconds);
        loop {
            let there = arrivals::count(&self.exchange).await?;
            if there == orders {
                break;
            }
            ensure!(
                bell.elapsed() < most,
                "the exchange has {there} orders only\n{}",
                installation.last_words()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let spent = usage::read(&self.superuser, &self.pids).await?.since(&before, orders);
        let (_, drained) = bookings::drain(&self.pool, &options.scenario, most).await?;
        ensure!(drained, "not every acknowledgement was recorded");
        Ok(Rung {
            recorded: bell.elapsed(),
            spent,
        })
    }
}

async fn move_database(superuser: &PgPool, offset: TimeDelta) -> anyhow::Result<()> {
    db::shift_database_time(&mut *superuser.acquire().await?, offset).await?;
    Ok(())
}

async fn move_exchange(installation: &Installation, offset: TimeDelta) -> anyhow::Result<()> {
    let (mut connection, mut buffer) = (Connection::open(installation.exchange_address()).await?, Vec::new());
    let body = format!(r#"{{"offset_ms":{}}}"#, offset.num_milliseconds());
    request(&mut buffer, "POST", "/sim/clock", "", &body);
    let answer = connection.call(&buffer).await?;
    ensure!(answer.status == 200, "/sim/clock: {}", answer.status);
    Ok(())
}

/// Latencies from the bell, and the last of them.
fn since(bell: Timestamp, arrivals: &[Arrival]) -> (Percentiles, Duration) {
    let mut all = Latencies::default();
    let mut last = Duration::ZERO;
    for arrival in arrivals {
        let took = (arrival.at - bell).to_std().unwrap_or_default();
        all.record(took);
        last = last.max(took);
    }
    (all.percentiles(), last)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl OpenReport {
    /// Prints it.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).expect("plain data"));
            return;
        }
        println!(
            "open: {} orders, the last at the exchange {} ms after the bell ({} a second)",
            self.orders, self.bell_to_last_ms, self.sent_per_second
        );
        println!("  {}", self.bell_to_exchange);
        println!("  recorded after {} ms", self.bell_to_recorded_ms);
        println!(
            "  overtaken by {} at most (window {}), {} in doubt",
            self.largest_displacement, self.window, self.in_doubt
        );
        for (name, micros) in &self.usage.cpu_us_per_order {
            println!("  cpu {name}: {micros} us an order");
        }
        println!("  audit {}", if self.audit.passed { "passed" } else { "FAILED" });
    }

    /// Whether the run shows what it should.
    ///
    /// # Errors
    /// An invariant or TIF-8 is broken.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let complaint = self.audit.complaint.as_deref().unwrap_or_default();
        ensure!(self.audit.passed, "the audit failed: {complaint}");
        ensure!(
            self.largest_displacement <= self.window || self.in_doubt > 0,
            "an order was overtaken by {}",
            self.largest_displacement
        );
        Ok(())
    }
}
