//! The same benchmark as set and with batches of one, in turns, so that what drifts on the machine drifts for both.

use std::path::Path;

use anyhow::Context;

use crate::cli::Cli;
use crate::latency::{Fixed, median};
use crate::report::{Comparison, Pair, Report};
use crate::scenario;

/// What turns batches off.
const BATCHES_OF_ONE: (&str, &str) = ("DAYBOOK_BATCH_MAX", "1");

/// Rounds, unless said otherwise.
const ROUNDS: usize = 3;

/// Runs the rounds; the report is that of the last round as set, with the comparison.
///
/// # Errors
/// A round that fails, or that broke an invariant.
pub async fn run(options: &Cli, binary: &Path) -> anyhow::Result<Report> {
    let (mut pairs, mut last) = (Vec::new(), None);
    for round in 1..=options.common().rounds.unwrap_or(ROUNDS).max(1) {
        let batches = scenario::run(options, binary, None).await?;
        let ones = scenario::run(options, binary, Some(BATCHES_OF_ONE)).await?;
        batches.verdict()?;
        ones.verdict()?;
        let pair = pair(&batches, &ones);
        eprintln!(
            "round {round}: {} orders a second, {} with batches of one",
            pair.batches, pair.batches_of_one
        );
        pairs.push(pair);
        last = Some(batches);
    }
    let ratio = median(pairs.iter().map(|pair| pair.ratio).collect()).context("no round")?;
    let mut report = last.context("no round")?;
    report.comparison = Some(Comparison {
        ratio_to_batches_of_one: ratio,
        pairs,
    });
    Ok(report)
}

fn pair(batches: &Report, ones: &Report) -> Pair {
    let (batches, batches_of_one): (Fixed, Fixed) = (batches.orders_per_second, ones.orders_per_second);
    Pair {
        batches,
        batches_of_one,
        ratio: batches.over(batches_of_one),
    }
}
