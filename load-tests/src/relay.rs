//! How fast the relay ships what waits: real rows, of orders that were placed, many times over.
//!
//! A Daybook on the Postgres engine places orders; its rows of the outbox are repeated until there are as many as asked
//! for; then it stops, and a relay alone, on the Kafka engine and with an empty broker, ships them all.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use db::PgPool;
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::Cli;
use crate::drive::Load;
use crate::installation::Installation;
use crate::latency::Fixed;
use crate::machine::{self, Origin};
use crate::orders::{Flow, Kind};
use crate::scenario::{BREATH, Market, on_its_own, open_market, settings};
use crate::schedule::Pace;
use crate::usage::memory_mib;

/// Orders whose rows are repeated.
const ORDERS: u64 = 2_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Real rows a second: what the relay is meant to ship.
const AIM: u64 = 50_000;

/// What it found.
#[derive(Debug, Clone, Serialize)]
pub struct RelayReport {
    scenario: &'static str,
    rows: u64,
    bytes_per_row: u64,
    seconds: Fixed,
    rows_per_second: Fixed,
    aim_rows_per_second: u64,
    relay_mib: u64,
    kafka_mib: u64,
    #[serde(flatten)]
    origin: Origin,
}

/// Measures it on an installation of its own.
///
/// # Errors
/// What keeps it from being measured.
pub async fn run(options: &Cli, rows: u64, binary: &Path) -> anyhow::Result<RelayReport> {
    let measure = async |installation: &mut Installation| measure(options, rows, installation).await;
    on_its_own(options, binary, None, measure).await
}

async fn measure(options: &Cli, rows: u64, installation: &mut Installation) -> anyhow::Result<RelayReport> {
    let load_average = machine::load_average();
    let pool = place(options, installation).await?;
    let superuser = installation.pool("postgres", "daybook").await?;
    installation.stop_daybook().await;
    let (waiting, bytes_per_row) = repeat(&superuser, rows).await?;
    installation.start_broker().await?;
    let begun = Instant::now();
    installation.start_daybook("relay").await?;
    let most = Duration::from_secs(options.common().drain_seconds);
    while !is_shipped(&pool).await? {
        installation.still_runs()?;
        ensure!(begun.elapsed() < most, "not everything was shipped within {most:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = begun.elapsed();
    let memory = memory_mib(&installation.pids().await?);
    Ok(RelayReport {
        scenario: options.name(),
        rows: waiting,
        bytes_per_row,
        seconds: Fixed::seconds(took),
        rows_per_second: Fixed::per_second(waiting, took),
        aim_rows_per_second: AIM,
        relay_mib: memory.get("relay").copied().unwrap_or(0),
        kafka_mib: memory.get("kafka").copied().unwrap_or(0),
        origin: Origin::of(installation.folder(), settings(options, None, &load_average)),
    })
}

/// Orders of many customers, on the Postgres engine.
async fn place(options: &Cli, installation: &mut Installation) -> anyhow::Result<PgPool> {
    let Market {
        pool,
        customers,
        symbols,
    } = open_market(options.common(), installation).await?;
    let load = Load {
        address: installation.address(),
        flow: Flow {
            kind: Kind::Resting,
            customers,
            symbols,
            first: 0,
        },
        pace: Pace::Closed,
        connections: 64,
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(60),
        most: ORDERS,
        placed: std::sync::Arc::default(),
    };
    let tally = load.run(Instant::now() + BREATH).await;
    ensure!(
        tally.placed_in_all == ORDERS,
        "orders were refused: {:?}",
        tally.samples
    );
    Ok(pool)
}

/// Repeats the rows until there are about so many more, and answers how many, and how long their payloads are.
async fn repeat(superuser: &PgPool, rows: u64) -> anyhow::Result<(u64, u64)> {
    let (there, bytes) =
        sqlx::query_as::<_, (i64, i64)>("select count(*), coalesce(avg(octet_length(payload)), 0)::bigint from outbox")
            .fetch_one(superuser)
            .await?;
    ensure!(there > 0, "there is nothing to repeat");
    let times = i64::try_from(rows)? / there + 1;
    let made = sqlx::query(
        "insert into outbox (topic, partition, order_id, kind, payload, request_id, created_at)
         select o.topic, o.partition, o.order_id, o.kind, o.payload, o.request_id, daybook_now()
           from outbox o
          cross join generate_series(1, $1) n",
    )
    .bind(times)
    .execute(superuser)
    .await?;
    sqlx::query("analyze outbox").execute(superuser).await?;
    Ok((made.rows_affected(), bytes.unsigned_abs()))
}

/// Whether the relay's position is behind everything, in each partition.
async fn is_shipped(pool: &PgPool) -> anyhow::Result<bool> {
    let left = sqlx::query_scalar::<_, bool>(
        "select count(p) = 0
                or bool_or(exists (select from outbox o
                                    where o.topic = p.topic
                                      and o.partition = p.partition
                                      and (o.xid, o.id) > (p.xid, p.id)))
           from bus_positions p
          where p.consumer_group = 'relay'",
    );
    Ok(!left.fetch_one(pool).await?)
}

impl RelayReport {
    /// Writes it to standard output.
    pub fn print(&self, as_json: bool) {
        match serde_json::to_string(self) {
            Ok(json) if as_json => println!("{json}"),
            _ => println!(
                "{} rows of {} bytes in {} s: {} a second (aim {AIM}); relay {} MiB, broker {} MiB",
                self.rows, self.bytes_per_row, self.seconds, self.rows_per_second, self.relay_mib, self.kafka_mib
            ),
        }
    }

    /// Fails when the run proves nothing.
    ///
    /// # Errors
    /// Why.
    pub fn verdict(&self) -> anyhow::Result<()> {
        ensure!(self.rows > 0, "not one row was shipped");
        Ok(())
    }
}
