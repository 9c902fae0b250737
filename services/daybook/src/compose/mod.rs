//! What runs in which process, and in which order it starts and stops.
//!
//! Start: the door is bound · the bundled exchange · pools, log, partitions · what is known of the instruments ·
//! market-data · status-updater · executor · notifier · scheduler · order-manager · the door opens.
//! Stop, in the reverse order, one layer after the other:
//!
//! | layer      | what                                                        | why in this place                              |
//! |------------|-------------------------------------------------------------|------------------------------------------------|
//! | `front`    | the doors, order-manager, readiness                         | nothing new is promised                        |
//! | `middle`   | scheduler, notifier, executor, status-updater, market-data, relay, observing | calls that are out get their answer recorded |
//! | –          | leases are given back                                       | nobody has to wait for their end               |
//! | `exchange` | the bundled exchange                                        | it answered to the end                         |
//! | –          | the last spans are sent                                     | all of them have ended                         |
//!
//! A task that fails begins the stop, and the process ends with an exit code other than 0.

mod calendar;
mod observe;
mod parts;
mod ready;
pub(crate) mod time;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bus::Bus;
use chassis::shutdown::Shutdown;
use exchange_sim::Exchange;
use tracing::info;

use crate::config::Settings;

/// How long each layer has to drain; together less than what the first signal allows.
const LAYER_PATIENCE: Duration = Duration::from_secs(9);

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything, the bundled exchange included.
    All,
    /// The customers' door.
    OrderManager,
    /// Takes orders to the exchange.
    Executor,
    /// Moves orders.
    StatusUpdater,
    /// Jobs.
    Scheduler,
    /// Customers' notices.
    Notifier,
    /// Assets and quotes.
    MarketData,
    /// Ships the event log to Kafka.
    Relay,
    /// The bundled exchange alone.
    ExchangeSim,
}

impl Part {
    /// Whether a process of this part does the work of `other`.
    fn does(self, other: Part) -> bool {
        self == Part::All || self == other
    }

    /// Its word on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::All => "all",
            Part::OrderManager => "order-manager",
            Part::Executor => "executor",
            Part::StatusUpdater => "status-updater",
            Part::Scheduler => "scheduler",
            Part::Notifier => "notifier",
            Part::MarketData => "market-data",
            Part::Relay => "relay",
            Part::ExchangeSim => "exchange-sim",
        }
    }

    /// Whether it talks to the exchange.
    fn needs_venue(self) -> bool {
        matches!(
            self,
            Part::All | Part::Executor | Part::StatusUpdater | Part::Scheduler | Part::MarketData
        )
    }
}

/// The switches of a process, one a layer.
#[derive(Debug, Clone, Default)]
struct Layers {
    front: Shutdown,
    middle: Shutdown,
    exchange: Shutdown,
}

impl Layers {
    /// Ends when one of them begins to drain: by itself only after a failure.
    async fn any_draining(&self) {
        tokio::select! {
            () = self.front.wait() => {}
            () = self.middle.wait() => {}
            () = self.exchange.wait() => {}
        }
    }

    /// Begins to drain all of them and does not wait.
    fn begin(&self) {
        for layer in [&self.front, &self.middle, &self.exchange] {
            layer.begin();
        }
    }

    /// Drains one after the other and tells the first failure.
    async fn stop(&self, bus: Option<&Bus>) -> anyhow::Result<()> {
        let front = self.front.drain(LAYER_PATIENCE).await;
        let middle = self.middle.drain(LAYER_PATIENCE).await;
        if let Some(bus) = bus
            && let Err(error) = bus.release().await
        {
            // They run out by themselves.
            tracing::warn!(%error, "leases could not be given back");
        }
        let exchange = self.exchange.drain(LAYER_PATIENCE).await;
        if let Some(bus) = bus {
            bus.tracer().stop().await;
        }
        front
            .and(middle)
            .and(exchange)
            .context("the process did not stop cleanly")
    }
}

/// A running process.
pub struct Running {
    /// The door: the trading interface (where this part has one) and `/livez`, `/readyz`, `/metrics`.
    pub address: SocketAddr,
    /// The bundled exchange, where this process runs it.
    pub exchange: Option<Exchange>,
    /// The operator's listener, where this process has it.
    pub admin_address: Option<SocketAddr>,
    layers: Layers,
    bus: Option<Bus>,
}

impl Running {
    /// The door's base address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends when a task has failed.
    pub async fn failed(&self) {
        self.layers.any_draining().await;
    }

    /// Stops everything, in the written order.
    ///
    /// # Errors
    /// The first task that failed or did not end in time.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.layers.stop(self.bus.as_ref()).await
    }
}

/// Who lets go of it without waiting leaves nothing behind that goes on for ever.
impl Drop for Running {
    fn drop(&mut self) {
        self.layers.begin();
    }
}

/// Runs a process until a signal or a failure ends it.
///
/// # Errors
/// What kept it from starting, or the task that failed.
pub async fn run(part: Part, settings: Settings) -> anyhow::Result<()> {
    let signals = Shutdown::new();
    signals.listen_for_signals();
    let running = tokio::select! {
        running = start(part, &settings) => running?,
        () = signals.wait() => return Ok(()),
    };
    info!(address = %running.address, "daybook is up at {}", running.url());
    tokio::select! {
        () = signals.wait() => {}
        () = running.failed() => {}
    }
    running.stop().await?;
    info!("stopped");
    Ok(())
}

/// Starts a process, in the written order.
///
/// # Errors
/// What kept it from starting; what had started by then is stopped.
pub async fn start(part: Part, settings: &Settings) -> anyhow::Result<Running> {
    chassis::metrics::install();
    let layers = Layers::default();
    match parts::assemble(part, settings, &layers).await {
        Ok(running) => Ok(running),
        Err(error) => {
            // The cause of this is `error`; what stopping says comes from it.
            let _ = layers.stop(None).await;
            Err(error)
        }
    }
}
