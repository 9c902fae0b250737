//! What a customer who churns costs the others: accept latencies with and without the attack, in turns (RSK-10).
//!
//! The others are many customers without request limits, who place at a steady rate; the attacker is one key of the
//! standard tier that asks a hundred times as much as it may. Rounds alternate, so that what drifts on the machine
//! drifts for both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::time::Instant;

use crate::attack::{Answers, Attack};
use crate::cli::{Cli, Common};
use crate::customers::{self, Customer};
use crate::drive::{Load, Tally};
use crate::installation::Installation;
use crate::latency::{Fixed, Percentiles, median};
use crate::machine::{self, Origin};
use crate::orders::{Flow, Kind};
use crate::report::Audit;
use crate::scenario::{audit, on_its_own, settings};

/// The limit that the attacker breaks: the default one, which load tests turn off otherwise.
const LIMIT: (&str, &str) = ("DAYBOOK_REQUESTS_PER_MINUTE", "200");
/// Numbers of a round's orders begin here, so that no caller's order id comes twice.
const ROUND: u64 = 1_000_000_000;
/// Pairs of rounds, unless said otherwise.
const ROUNDS: usize = 5;
/// Connections of the attacker.
const ATTACKING: usize = 32;
/// The aim for the median of the rounds' ratios, in the p99 of the others.
const AIM: &str = "1.500";

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Orders a second of the others, together.
    pub rate: u64,
    /// Requests a second of the attacker.
    pub attack: u64,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `churn`.
    pub scenario: &'static str,
    /// The median of the rounds' ratios: p99 of the others' answers with the attack to that without.
    pub p99_ratio: Fixed,
    /// At most this is wanted.
    pub aim: &'static str,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Orders a second of the others.
    pub rate: u64,
    /// Requests a second of the attacker.
    pub attack_rate: u64,
    /// The others' orders, and what else they were answered.
    pub orders: u64,
    /// Answers to the others that were no order.
    pub errors: BTreeMap<String, u64>,
    /// The attacker's answers, of all rounds.
    pub attacker: Answers,
    /// The invariants afterwards.
    pub audit: Audit,
    /// Where, when and from what.
    #[serde(flatten)]
    pub origin: Origin,
}

/// One pair.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Round {
    /// The others alone.
    pub quiet: Percentiles,
    /// And beside the attack.
    pub attacked: Percentiles,
    /// p99 of the one to p99 of the other.
    pub p99_ratio: Fixed,
}

/// Runs it on an installation of its own.
///
/// # Errors
/// What keeps it from being measured. Nothing is left running either way.
pub async fn run(options: &Cli, plan: Plan, binary: &Path) -> anyhow::Result<Report> {
    let measure = async |installation: &mut Installation| measure(options, plan, installation).await;
    on_its_own(options, binary, Some(LIMIT), measure).await
}

async fn measure(options: &Cli, plan: Plan, installation: &mut Installation) -> anyhow::Result<Report> {
    let common = options.common();
    let load_average = machine::load_average();
    installation.start_database(common).await?;
    let pool = installation.pool("daybook", "daybook").await?;
    let customers = customers::open(&pool, common.customers).await?;
    let attacker = customers::open_standard(&pool).await?;
    installation.start_services().await?;
    let symbols = customers::symbols(&pool).await?;
    customers::pin_prices(installation.exchange_address(), &symbols).await?;
    let bench = Bench {
        address: installation.address(),
        flow: Flow {
            kind: Kind::Resting,
            customers,
            symbols,
            first: 0,
        },
        attacker,
        common,
        plan,
    };
    let found = bench.rounds().await?;
    installation.still_runs()?;
    let audit = audit(options, installation, false).await;
    let ratios = found.rounds.iter().map(|round| round.p99_ratio).collect();
    Ok(Report {
        scenario: "churn",
        p99_ratio: median(ratios).context("no round")?,
        aim: AIM,
        rounds: found.rounds,
        rate: plan.rate,
        attack_rate: plan.attack,
        orders: found.orders,
        errors: found.errors,
        attacker: found.attacker,
        audit,
        origin: Origin::of(installation.folder(), settings(options, Some(LIMIT), &load_average)),
    })
}

struct Bench<'a> {
    address: SocketAddr,
    flow: Flow,
    attacker: Customer,
    common: &'a Common,
    plan: Plan,
}

#[derive(Default)]
struct Found {
    rounds: Vec<Round>,
    orders: u64,
    errors: BTreeMap<String, u64>,
    attacker: Answers,
}

impl Bench<'_> {
    async fn rounds(&self) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for number in 0..self.common.rounds.unwrap_or(ROUNDS).max(1) {
            let first = 2 * number as u64 * ROUND;
            let quiet = self.load(first, Instant::now()).await;
            let began = Instant::now();
            let attack = self.attack(first).run(began);
            let (attacked, answers) = tokio::join!(self.load(first + ROUND, began), attack);
            let round = round(&quiet, &attacked);
            eprintln!(
                "round {}: {} alone, {} beside {} requests of the attacker",
                number + 1,
                round.quiet,
                round.attacked,
                answers.count()
            );
            found.rounds.push(round);
            found.attacker.add(answers);
            for tally in [&quiet, &attacked] {
                found.orders += tally.placed.count();
                for (code, count) in &tally.errors {
                    *found.errors.entry(code.clone()).or_default() += count;
                }
            }
        }
        Ok(found)
    }

    /// The others.
    async fn load(&self, first: u64, began: Instant) -> Tally {
        let flow = Flow {
            first,
            ..self.flow.clone()
        };
        Load::steady(self.address, flow, self.plan.rate, self.common)
            .run(began)
            .await
    }

    /// As long as the others' round.
    fn attack(&self, first: u64) -> Attack {
        Attack {
            address: self.address,
            who: self.attacker.clone(),
            symbol: self.flow.symbols[0].clone(),
            rate: self.plan.attack,
            connections: ATTACKING,
            lasts: Duration::from_secs(self.common.warm_up + self.common.seconds),
            first,
        }
    }
}

fn round(quiet: &Tally, attacked: &Tally) -> Round {
    let (quiet, attacked) = (quiet.placed.percentiles(), attacked.placed.percentiles());
    Round {
        quiet,
        attacked,
        p99_ratio: attacked.p99_ms.over(quiet.p99_ms),
    }
}

impl Report {
    /// The object, or a few lines.
    pub fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", serde_json::to_string_pretty(self).unwrap_or_default());
            return;
        }
        for round in &self.rounds {
            println!(
                "alone    {}\nattacked {}  ratio {}",
                round.quiet, round.attacked, round.p99_ratio
            );
        }
        println!(
            "p99 with the attack to p99 without, median: {} (aim: {})",
            self.p99_ratio, self.aim
        );
        println!(
            "attacker: orders {:?}, cancels {:?}",
            self.attacker.orders, self.attacker.cancels
        );
    }

    /// What no speed excuses: an invariant broken, an order of the others refused, a cancel of the attacker refused.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verdict(&self) -> anyhow::Result<()> {
        ensure!(self.audit.passed, "the audit failed: {:?}", self.audit.complaint);
        ensure!(self.errors.is_empty(), "the others were refused: {:?}", self.errors);
        ensure!(
            !self.attacker.cancels.contains_key("429"),
            "cancels were refused: {:?}",
            self.attacker.cancels
        );
        ensure!(
            self.attacker.orders.contains_key("429"),
            "nothing was refused: that was no attack"
        );
        Ok(())
    }
}
