//! Connections that listen to trade updates: what an idle one costs in memory, and how soon an update is heard.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cli::{Cli, Protocol};
use crate::customers::Customer;
use crate::drive::Load;
use crate::installation::Installation;
use crate::latency::{Fixed, Percentiles};
use crate::listener::{Heard, Listener};
use crate::machine::{self, Origin};
use crate::orders::{Flow, Kind};
use crate::report::Audit;
use crate::scenario::{Market, audit, on_its_own, open_market, settings};
use crate::schedule::Pace;
use crate::usage::resident_kib;

/// What a connection may cost.
const LIMIT_KIB: u64 = 64;
/// Connections opened at the same time.
const OPENED_AT_ONCE: usize = 64;
/// Connections that come and go before anything is measured, so that what is made once is not counted.
const WARM_UP: usize = 400;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// More than a heartbeat: each connection has been written to, and has answered, when memory is read again.
const SETTLE: Duration = Duration::from_secs(20);

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct StreamsReport {
    scenario: &'static str,
    /// Connections that were opened.
    connections: usize,
    /// WebSockets among them; the others are server-sent events.
    websockets: usize,
    /// Accounts they belong to.
    accounts: u16,
    /// Resident memory of Daybook's process before the first, and after all of them had been quiet for a while.
    memory_before_kib: u64,
    memory_after_kib: u64,
    /// The difference, for each connection.
    kib_per_connection: Fixed,
    /// What it may be.
    limit_kib: u64,
    /// Opened a second.
    opened_per_second: Fixed,
    /// Connections that were still there in the end.
    alive: usize,
    /// From an order's acceptance to its update at the client, over all connections; none where all stayed idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<Percentiles>,
    audit: Audit,
    #[serde(flatten)]
    origin: Origin,
}

/// Measures it on an installation of its own.
///
/// # Errors
/// What keeps it from being measured.
pub async fn run(options: &Cli, idle: bool, protocol: Protocol, binary: &Path) -> anyhow::Result<StreamsReport> {
    chassis::open_files::raise();
    let measure = async |installation: &mut Installation| measure(options, idle, protocol, installation).await;
    on_its_own(options, binary, None, measure).await
}

async fn measure(
    options: &Cli,
    idle: bool,
    protocol: Protocol,
    installation: &mut Installation,
) -> anyhow::Result<StreamsReport> {
    let common = options.common();
    let load_average = machine::load_average();
    let Market { customers, symbols, .. } = open_market(common, installation).await?;
    let daybook = installation.pids().await?.door().context("Daybook does not run")?;
    let heard = Arc::new(Heard::default());
    let crowd = Crowd {
        installation,
        customers: &customers,
        protocol,
        heard: heard.clone(),
    };
    crowd.open(WARM_UP).await?.shutdown().await;
    tokio::time::sleep(SETTLE / 4).await;
    let memory_before_kib = resident_kib(daybook)?;
    let begun = Instant::now();
    let mut listeners = crowd.open(common.connections).await?;
    let opened_per_second = Fixed::per_second(common.connections as u64, begun.elapsed());
    tokio::time::sleep(SETTLE).await;
    let memory_after_kib = resident_kib(daybook)?;
    if !idle {
        let flow = Flow {
            kind: Kind::Resting,
            customers: customers.clone(),
            symbols,
            first: 0,
        };
        tell_everybody(options, installation, flow, &heard).await?;
    }
    installation.still_runs()?;
    while listeners.try_join_next().is_some() {}
    let grown = memory_after_kib.saturating_sub(memory_before_kib);
    let report = StreamsReport {
        scenario: options.name(),
        connections: common.connections,
        websockets: (0..common.connections).filter(|n| protocol.is_websocket(*n)).count(),
        accounts: common.customers,
        memory_before_kib,
        memory_after_kib,
        kib_per_connection: Fixed::ratio(grown, common.connections as u64),
        limit_kib: LIMIT_KIB,
        opened_per_second,
        alive: listeners.len(),
        heard: (!idle).then(|| heard.percentiles()),
        audit: audit(options, installation, false).await,
        origin: Origin::of(installation.folder(), settings(options, None, &load_average)),
    };
    listeners.shutdown().await;
    Ok(report)
}

/// Who listens.
struct Crowd<'a> {
    installation: &'a Installation,
    customers: &'a [Customer],
    protocol: Protocol,
    heard: Arc<Heard>,
}

impl Crowd<'_> {
    /// Opens so many connections, in turns over the customers; each is a task that ends with its connection.
    async fn open(&self, count: usize) -> anyhow::Result<JoinSet<()>> {
        let (mut listening, mut opening) = (JoinSet::new(), JoinSet::new());
        for n in 0..count {
            if opening.len() == OPENED_AT_ONCE {
                self.welcome(&mut opening, &mut listening).await?;
            }
            let customer = self.customers[n % self.customers.len()].clone();
            let (address, websocket) = (self.installation.address(), self.protocol.is_websocket(n));
            opening.spawn(async move { Listener::open(address, &customer, websocket).await });
        }
        while !opening.is_empty() {
            self.welcome(&mut opening, &mut listening).await?;
        }
        Ok(listening)
    }

    async fn welcome(
        &self,
        opening: &mut JoinSet<anyhow::Result<Listener>>,
        listening: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        let opened = opening.join_next().await.context("somebody is opening")??;
        listening.spawn(opened?.listen(self.heard.clone()));
        Ok(())
    }
}

/// One order of each customer's; waits until every connection has heard of its acceptance.
async fn tell_everybody(options: &Cli, installation: &Installation, flow: Flow, heard: &Heard) -> anyhow::Result<()> {
    let common = options.common();
    let orders = u64::from(common.customers);
    let load = Load {
        address: installation.address(),
        flow,
        pace: Pace::Closed,
        connections: 8,
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(common.drain_seconds),
        most: orders,
        placed: Arc::default(),
    };
    let tally = load.run(Instant::now()).await;
    ensure!(
        tally.placed_in_all == orders,
        "orders were refused: {:?}",
        tally.samples
    );
    let begun = Instant::now();
    while heard.accepted() < common.connections as u64 {
        ensure!(
            begun.elapsed() < Duration::from_secs(common.drain_seconds),
            "only {} of {} connections heard of their order",
            heard.accepted(),
            common.connections
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

impl StreamsReport {
    /// Prints it.
    pub fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::to_string(self).expect("plain data"));
            return;
        }
        println!(
            "streams: {} connections ({} WebSockets) of {} accounts, {} opened a second, {} alive",
            self.connections, self.websockets, self.accounts, self.opened_per_second, self.alive
        );
        println!(
            "  {} KiB a connection (at most {}): {} KiB before, {} KiB after",
            self.kib_per_connection, self.limit_kib, self.memory_before_kib, self.memory_after_kib
        );
        if let Some(heard) = &self.heard {
            println!("  acceptance to client {heard}");
        }
        println!("  audit {}", if self.audit.passed { "passed" } else { "FAILED" });
    }

    /// Whether the run shows what it should.
    ///
    /// # Errors
    /// A connection was lost, or they cost too much.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let complaint = self.audit.complaint.as_deref().unwrap_or_default();
        ensure!(self.audit.passed, "the audit failed: {complaint}");
        ensure!(
            self.alive == self.connections,
            "only {} connections are alive",
            self.alive
        );
        let most = Fixed::ratio(self.limit_kib, 1);
        ensure!(
            self.kib_per_connection <= most,
            "a connection costs {} KiB, {most} are allowed",
            self.kib_per_connection
        );
        Ok(())
    }
}
