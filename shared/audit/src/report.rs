//! What an audit found, for people and programs.

use std::fmt;

use serde_json::{Value, json};

use crate::checks::{Check, NOT_HERE};

/// A row that breaks a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// Which row.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What one check found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// Rows looked at.
    pub rows: i64,
    /// How many break it.
    pub violations: i64,
    /// The first of them.
    pub first: Vec<Offence>,
}

/// What an audit found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether the system was said to rest.
    pub at_rest: bool,
    /// Check by check.
    pub findings: Vec<Finding>,
}

impl Report {
    /// True when nothing is broken.
    pub fn is_clean(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The checks that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| self.is_broken(finding))
    }

    /// What a running system has not done yet is no violation.
    fn is_broken(&self, finding: &Finding) -> bool {
        finding.violations > 0 && (self.at_rest || !finding.check.at_rest)
    }

    fn verdict(&self, finding: &Finding) -> &'static str {
        match (finding.violations, self.is_broken(finding)) {
            (0, _) => "ok",
            (_, true) => "VIOLATED",
            (_, false) => "under way",
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self.findings.iter().map(|finding| self.finding_json(finding)).collect();
        let elsewhere: Vec<Value> = NOT_HERE
            .iter()
            .map(|(invariant, why)| json!({"invariant": invariant, "why": why}))
            .collect();
        json!({"ok": self.is_clean(), "at_rest": self.at_rest, "checks": checks, "not_checked": elsewhere})
    }

    fn finding_json(&self, finding: &Finding) -> Value {
        let offences: Vec<Value> = finding
            .first
            .iter()
            .map(|row| json!({"subject": row.subject, "problem": row.problem}))
            .collect();
        json!({
            "invariant": finding.check.invariant, "title": finding.check.title, "rows": finding.rows,
            "unit": finding.check.unit, "verdict": self.verdict(finding), "violations": finding.violations,
            "first": offences,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let Finding {
                check,
                rows,
                violations,
                first,
            } = finding;
            write!(
                f,
                "{:<4} {:<76} {:<9} {rows} {}",
                check.invariant,
                check.title,
                self.verdict(finding),
                check.unit
            )?;
            if *violations > 0 {
                write!(f, ", {violations} of them not so")?;
            }
            writeln!(f)?;
            for row in first {
                writeln!(f, "       {}: {}", row.subject, row.problem)?;
            }
        }
        for (invariant, why) in NOT_HERE {
            writeln!(f, "{invariant:<4} not checked: {why}")?;
        }
        match self.broken().count() {
            0 => write!(f, "All {} checks hold.", self.findings.len()),
            broken => write!(f, "{broken} of {} checks are VIOLATED.", self.findings.len()),
        }
    }
}
