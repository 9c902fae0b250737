//! What a run found, as one JSON object or as lines for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::ensure;
use serde::Serialize;

use crate::bookings::{Backlog, Bookings};
use crate::latency::{Fixed, Percentiles};
use crate::machine::{Machine, Origin};
use crate::usage::Spent;

/// One benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `place` or `fill`.
    pub scenario: &'static str,
    /// Orders that were answered with 200, a second.
    pub orders_per_second: Fixed,
    /// From the intended start to the answer.
    #[serde(flatten)]
    pub answered: Percentiles,
    /// How long was measured: to the last answer.
    pub seconds: Fixed,
    /// Connections.
    pub connections: usize,
    /// Orders a second that were asked for; null in the closed loop.
    pub rate: Option<u64>,
    /// Orders behind these figures.
    pub orders: u64,
    /// Other answers, by code.
    pub errors: BTreeMap<String, u64>,
    /// One of each.
    pub error_samples: BTreeMap<String, String>,
    /// Orders that an overrun open loop never sent.
    pub not_sent: u64,
    /// Accept, exchange, fill, booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked: Option<Bookings>,
    /// Those orders a second, until the last of them was booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked_per_second: Option<Fixed>,
    /// Whether the rate can be kept up: all of it was taken without an error, and the backlog did not grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sustained: Option<bool>,
    /// What was still on its way.
    pub backlog: Backlog,
    /// The invariants afterwards.
    pub audit: Audit,
    /// Where the processors' time went.
    pub usage: Spent,
    /// Memory of the processes after the load, PostgreSQL's apart: most of that is shared.
    pub memory_mib: BTreeMap<&'static str, u64>,
    /// What the database did.
    pub database: Database,
    /// The dearest statements, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Statement>,
    /// With another setting, too.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub comparison: Option<Comparison>,
    /// Where, when and from what.
    #[serde(flatten)]
    pub origin: Origin,
}

/// `daybook audit` after the load.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// Whether every invariant held.
    pub passed: bool,
    /// Whether everything had been worked off before.
    pub at_rest: bool,
    /// What it printed, if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
}

/// What the database did, an order.
#[derive(Debug, Clone, Serialize)]
pub struct Database {
    /// Transactions of all databases of the cluster that committed, a second.
    pub commits_per_second: Fixed,
    /// Bytes of write-ahead log an order.
    pub wal_bytes_per_order: u64,
}

/// What a statement cost.
#[derive(Debug, Clone, Serialize)]
pub struct Statement {
    /// Times it ran.
    pub calls: i64,
    /// Milliseconds in all.
    pub total_ms: i64,
    /// Rows in all.
    pub rows: i64,
    /// Its beginning.
    pub query: String,
}

/// Rounds as set against rounds with another setting, in pairs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The median of the pairs' ratios, by what they are compared with.
    #[serde(flatten)]
    pub ratio: Ratio,
    /// Orders a second of each pair.
    pub pairs: Vec<Pair>,
}

/// As set, to something else.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Ratio {
    /// Orders taken, to those taken one by one.
    #[serde(rename = "ratio_to_batches_of_one")]
    ToBatchesOfOne(Fixed),
    /// Orders on the Kafka engine, to those on the Postgres engine: booked ones where they trade, else taken ones.
    #[serde(rename = "ratio_to_postgres_engine")]
    ToPostgresEngine(Fixed),
}

/// Two rounds, one after the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pair {
    /// Orders a second as set.
    pub as_set: Fixed,
    /// Orders a second with the other setting.
    pub other: Fixed,
    /// The one to the other.
    pub ratio: Fixed,
    /// As set: from the commit of an order to the decision of its consumer, the executor, to send it; none where they do not
    /// trade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_as_set: Option<Percentiles>,
    /// The same with the other setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_other: Option<Percentiles>,
}

impl Report {
    /// Writes it to standard output.
    pub fn print(&self, as_json: bool) {
        match serde_json::to_string(self) {
            Ok(json) if as_json => println!("{json}"),
            _ => println!("{}", self.table()),
        }
    }

    /// Fails when the run proves nothing: broken invariants, or no order at all.
    ///
    /// # Errors
    /// Why.
    pub fn verdict(&self) -> anyhow::Result<()> {
        let complaint = self.audit.complaint.as_deref().unwrap_or_default();
        ensure!(
            self.audit.passed,
            "the invariants do not hold after the load:\n{complaint}"
        );
        ensure!(self.orders > 0, "not one order was taken: {:?}", self.error_samples);
        Ok(())
    }

    /// Orders a second: all the way to the booked fill where they trade, else taken.
    pub fn throughput(&self) -> Fixed {
        self.booked_per_second.unwrap_or(self.orders_per_second)
    }

    fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<24}{value}");
        };
        line("scenario", self.scenario.to_owned());
        line("orders a second", self.orders_per_second.to_string());
        line("answered", self.answered.to_string());
        line("over", format!("{} s, {} orders", self.seconds, self.orders));
        let loop_kind = self.rate.map_or_else(
            || "closed loop".to_owned(),
            |rate| format!("{rate} a second, open loop"),
        );
        line("load", format!("{loop_kind}, {} connections", self.connections));
        for (code, count) in &self.errors {
            let sample = self.error_samples.get(code).map_or("", String::as_str);
            line(&format!("not taken: {code}"), format!("{count}, such as: {sample}"));
        }
        if let Some(booked) = &self.booked {
            line(
                "booked",
                format!("{} orders, {}", booked.orders, booked.from_intended_start),
            );
            let stages = &booked.stages;
            for (name, stage) in [
                ("accept", &stages.accept),
                ("dispatch", &stages.dispatch),
                ("exchange", &stages.exchange),
                ("book", &stages.book),
            ] {
                line(&format!("  {name}"), stage.to_string());
            }
        }
        let Backlog {
            at_start,
            at_end,
            most,
            drain_seconds,
            drained,
        } = &self.backlog;
        let rest = if *drained { "" } else { " (not all of it)" };
        line(
            "backlog",
            format!("{at_start} at the start, {at_end} at the end, {most} at most, gone after {drain_seconds} s{rest}"),
        );
        if let Some(sustained) = self.sustained {
            line("sustained", sustained.to_string());
        }
        line(
            "audit",
            if self.audit.passed {
                "passed".to_owned()
            } else {
                "FAILED".to_owned()
            },
        );
        for (name, mib) in &self.memory_mib {
            line(&format!("memory {name}"), format!("{mib} MiB"));
        }
        for (name, micros) in &self.usage.cpu_us_per_order {
            line(&format!("cpu {name}"), format!("{micros} us an order"));
        }
        line(
            "processors",
            format!(
                "{} % busy, {} % waiting for the disk",
                self.usage.busy_percent, self.usage.iowait_percent
            ),
        );
        let Database {
            commits_per_second,
            wal_bytes_per_order,
        } = &self.database;
        line(
            "database",
            format!("{commits_per_second} commits a second, {wal_bytes_per_order} bytes of log an order"),
        );
        for statement in &self.statements {
            let Statement {
                calls,
                total_ms,
                rows,
                query,
            } = statement;
            line(
                "statement",
                format!("{total_ms:>7} ms {calls:>7} calls {rows:>8} rows  {query}"),
            );
        }
        if let Some(comparison) = &self.comparison {
            for pair in &comparison.pairs {
                line(
                    "pair",
                    format!("{} against {}: {}", pair.as_set, pair.other, pair.ratio),
                );
                for (name, dispatch) in [("as set", &pair.dispatch_as_set), ("other", &pair.dispatch_other)] {
                    if let Some(dispatch) = dispatch {
                        line(&format!("  dispatch, {name}"), dispatch.to_string());
                    }
                }
            }
            match comparison.ratio {
                Ratio::ToBatchesOfOne(ratio) => line("to batches of one", ratio.to_string()),
                Ratio::ToPostgresEngine(ratio) => line("to the Postgres engine", ratio.to_string()),
            }
        }
        let Machine {
            cpu, cores, memory_mib, ..
        } = &self.origin.machine;
        line(
            "machine",
            format!(
                "{cpu}, {cores} cores, {memory_mib} MiB; {} at {}",
                self.origin.commit, self.origin.date
            ),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    //! What programs read.
    use super::*;
    use crate::latency::Latencies;
    use serde_json::Value;

    fn report() -> Report {
        let mut answered = Latencies::default();
        answered.record_micros(1_500);
        let none = Fixed::millis(0);
        Report {
            scenario: "place",
            orders_per_second: Fixed::ratio(1_500, 1),
            answered: answered.percentiles(),
            seconds: Fixed::ratio(20, 1),
            connections: 512,
            rate: None,
            orders: 30_000,
            errors: [("503".to_owned(), 2)].into(),
            error_samples: BTreeMap::new(),
            not_sent: 0,
            booked: None,
            booked_per_second: None,
            sustained: None,
            backlog: Backlog {
                at_start: 0,
                at_end: 0,
                most: 0,
                drain_seconds: none,
                drained: true,
            },
            audit: Audit {
                passed: true,
                at_rest: true,
                complaint: None,
            },
            usage: Spent {
                cpu_us_per_order: BTreeMap::new(),
                busy_percent: none,
                iowait_percent: none,
                steal_percent: none,
            },
            memory_mib: BTreeMap::new(),
            database: Database {
                commits_per_second: none,
                wal_bytes_per_order: 0,
            },
            statements: Vec::new(),
            comparison: None,
            origin: Origin {
                machine: Machine::default(),
                date: "2026-11-22T06:00:00+00:00".to_owned(),
                commit: "abc".to_owned(),
                settings: BTreeMap::new(),
            },
        }
    }

    fn json(report: &Report) -> Value {
        let text = serde_json::to_string(report).expect("plain data");
        serde_json::from_str(&text).expect("one JSON object")
    }

    #[test]
    fn the_json_object_has_the_promised_names_on_top() {
        let json = json(&report());
        for name in [
            "orders_per_second",
            "p50_ms",
            "p99_ms",
            "p999_ms",
            "seconds",
            "connections",
            "rate",
            "errors",
        ] {
            assert!(json.get(name).is_some(), "{name}: {json}");
        }
        for name in ["machine", "date", "commit", "settings", "audit"] {
            assert!(json.get(name).is_some(), "{name}: {json}");
        }
        assert_eq!(json["orders_per_second"].as_f64(), Some(1_500.0), "a number, not text");
        assert_eq!(
            (json["p50_ms"].as_f64(), json["errors"]["503"].as_u64()),
            (Some(1.5), Some(2))
        );
        assert_eq!(json.get("ratio_to_batches_of_one"), None, "only a comparison has it");
    }

    #[test]
    fn a_comparison_adds_its_ratio() {
        let pair = Pair {
            as_set: Fixed::ratio(9, 2),
            other: Fixed::ratio(1, 1),
            ratio: Fixed::ratio(9, 2),
            dispatch_as_set: None,
            dispatch_other: Some(report().answered),
        };
        let mut report = report();
        report.comparison = Some(Comparison {
            ratio: Ratio::ToBatchesOfOne(pair.ratio),
            pairs: vec![pair],
        });
        let object = json(&report);
        assert_eq!(object["ratio_to_batches_of_one"].as_f64(), Some(4.5));
        assert_eq!(object["pairs"][0]["dispatch_other"]["p50_ms"].as_f64(), Some(1.5));
        assert_eq!(object["pairs"][0].get("dispatch_as_set"), None, "they did not trade");
        assert!(report.table().contains("dispatch, other"), "{}", report.table());
    }

    #[test]
    fn a_run_that_broke_an_invariant_or_took_no_order_fails() {
        assert!(report().verdict().is_ok());
        let broken = Audit {
            passed: false,
            at_rest: true,
            complaint: Some("V3".to_owned()),
        };
        let complaint = Report {
            audit: broken,
            ..report()
        }
        .verdict()
        .expect_err("V3 is broken")
        .to_string();
        assert!(complaint.contains("V3"), "{complaint}");
        assert!(Report { orders: 0, ..report() }.verdict().is_err());
    }
}
