//! The same benchmark as set and with another setting, in turns, so that what drifts on the machine drifts for both.

use std::path::Path;

use anyhow::Context;

use crate::cli::Cli;
use crate::installation::ON_KAFKA;
use crate::latency::{Percentiles, median};
use crate::report::{Comparison, Pair, Ratio, Report};
use crate::scenario;

/// Rounds, unless said otherwise.
const ROUNDS: usize = 3;

/// What the rounds are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Batches of one order.
    BatchesOfOne,
    /// The Kafka engine with the Postgres engine.
    PostgresEngine,
}

/// Runs the rounds; the report is that of the last round as set, with the comparison.
///
/// # Errors
/// A round that fails, or that broke an invariant.
pub async fn run(options: &Cli, other: Other, binary: &Path) -> anyhow::Result<Report> {
    let (as_set, extra) = match other {
        Other::BatchesOfOne => (None, Some(("DAYBOOK_BATCH_MAX", "1"))),
        Other::PostgresEngine => (Some(ON_KAFKA), None),
    };
    let (mut pairs, mut last) = (Vec::new(), None);
    for round in 1..=options.common().rounds.unwrap_or(ROUNDS).max(1) {
        let first = scenario::run(options, binary, as_set).await?;
        let second = scenario::run(options, binary, extra).await?;
        first.verdict()?;
        second.verdict()?;
        let pair = pair(&first, &second);
        eprintln!(
            "round {round}: {} orders a second, {} of {other:?}",
            pair.as_set, pair.other
        );
        pairs.push(pair);
        last = Some(first);
    }
    let ratio = median(pairs.iter().map(|pair| pair.ratio).collect()).context("no round")?;
    let ratio = match other {
        Other::BatchesOfOne => Ratio::ToBatchesOfOne(ratio),
        Other::PostgresEngine => Ratio::ToPostgresEngine(ratio),
    };
    let mut report = last.context("no round")?;
    report.comparison = Some(Comparison { ratio, pairs });
    Ok(report)
}

fn dispatch(report: &Report) -> Option<Percentiles> {
    Some(report.booked.as_ref()?.stages.dispatch)
}

fn pair(first: &Report, second: &Report) -> Pair {
    let (as_set, other) = (first.throughput(), second.throughput());
    Pair {
        as_set,
        other,
        ratio: as_set.over(other),
        dispatch_as_set: dispatch(first),
        dispatch_other: dispatch(second),
    }
}
