//! Dependency arrows point down only: executable, services, stores, ground, domain.

use std::collections::BTreeMap;
use std::fs;

use crate::assert_none;
use crate::source::root;

/// Crates nobody else depends on, and which may use anything.
const TOP: [&str; 2] = ["daybook", "load-tests"];
/// Each knows one subject; a service joins them in one transaction.
const STORES: [&str; 9] = [
    "audit",
    "bus",
    "identity",
    "instruments",
    "ledger",
    "orders",
    "risk",
    "sessions",
    "venue",
];
/// No brokerage words (`wire` has those of the dialect).
const GROUND: [&str; 3] = ["chassis", "db", "wire"];

/// What the flow rules out, beyond the levels.
const ABSENCES: [(&str, &str, &str); 8] = [
    (
        "order-manager",
        "venue",
        "it records wishes and never calls the exchange",
    ),
    ("executor", "ledger", "it moves no money"),
    ("exchange-sim", "bus", "it is a third party"),
    ("exchange-sim", "orders", "it is a third party"),
    ("exchange-sim", "ledger", "it is a third party"),
    ("exchange-sim", "identity", "it is a third party"),
    ("exchange-sim", "instruments", "it is a third party"),
    ("exchange-sim", "venue", "it is a third party"),
];

/// What makes a crate impure.
const IMPURE: [&str; 9] = [
    "tokio",
    "sqlx",
    "axum",
    "serde",
    "serde_json",
    "reqwest",
    "tracing",
    "metrics",
    "rand",
];

/// Each crate with its `[dependencies]`; those for tests do not count.
fn crates() -> BTreeMap<String, Vec<String>> {
    let folders = ["services", "shared"].map(|level| root().join(level));
    let folders = folders
        .iter()
        .flat_map(|level| fs::read_dir(level).unwrap().map(|entry| entry.unwrap().path()));
    let manifests = folders
        .chain([root().join("load-tests")])
        .filter(|folder| folder.join("Cargo.toml").is_file());
    let name = |folder: &std::path::Path| folder.file_name().unwrap().to_string_lossy().into_owned();
    manifests
        .map(|folder| {
            (
                name(&folder),
                dependencies(&fs::read_to_string(folder.join("Cargo.toml")).unwrap()),
            )
        })
        .collect()
}

fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut within = false;
    for line in manifest.lines() {
        if let Some(section) = line.trim().strip_prefix('[') {
            within = section.starts_with("dependencies]");
            // [dependencies.tokio]
            let single = section
                .strip_prefix("dependencies.")
                .and_then(|rest| rest.split(']').next());
            found.extend(single.map(str::to_owned));
        } else if within && let Some((name, _)) = line.split_once(['=', '.']) {
            found.push(name.trim().to_owned());
        }
    }
    found
}

/// How far up a crate stands; it may use what stands lower only.
fn level(name: &str) -> u8 {
    match name {
        "domain" => 0,
        name if GROUND.contains(&name) => 1,
        name if STORES.contains(&name) => 2,
        // Everything below the services, and for tests only.
        "testkit" => 3,
        name if TOP.contains(&name) => 5,
        _ => 4,
    }
}

#[test]
fn arrows_point_down_only() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (from, uses) in &crates {
        for to in uses.iter().filter(|to| crates.contains_key(*to)) {
            if level(to) >= level(from) || to == "testkit" {
                wrong.push(format!("{from} -> {to}"));
            }
        }
    }
    assert_none(
        "a crate uses what stands below it, never its neighbour, and testkit is for tests",
        &wrong,
    );
}

#[test]
fn the_flow_rules_some_arrows_out() {
    let crates = crates();
    let there = ABSENCES
        .iter()
        .filter(|(from, to, _)| crates[*from].iter().any(|used| used == to));
    let wrong: Vec<String> = there.map(|(from, to, why)| format!("{from} -> {to}: {why}")).collect();
    assert_none("an arrow against the flow", &wrong);
}

#[test]
fn the_domain_is_pure_and_the_ground_has_no_brokerage_words() {
    let crates = crates();
    let wrong: Vec<String> = crates["domain"]
        .iter()
        .filter(|name| IMPURE.contains(&name.as_str()))
        .cloned()
        .collect();
    assert_none("domain does no I/O and reads no clock", &wrong);
    let wrong = ["chassis", "db"]
        .into_iter()
        .filter(|name| crates[*name].iter().any(|used| used == "domain"));
    assert_none(
        "chassis and db do not know what an order is",
        &wrong.map(str::to_owned).collect::<Vec<_>>(),
    );
}

#[test]
fn dependencies_are_read_from_each_form() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nb = { workspace = true }\nc.workspace = true\n[dependencies.d]\nversion = \"1\"\n[dev-dependencies]\ne = \"1\"\n";
    assert_eq!(dependencies(manifest), ["b", "c", "d"]);
}
