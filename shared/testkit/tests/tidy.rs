//! Habits of the whole tree, checked instead of repeated in review: dependency arrows, module docs, file
//! lengths, table owners, banned calls, a crash test for each failpoint, a runbook for each alert, and pages
//! whose code is that of the suites.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/failpoints.rs"]
mod failpoints;
#[path = "tidy/passages.rs"]
mod passages;
#[path = "tidy/runbooks.rs"]
mod runbooks;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/sql.rs"]
mod sql;

use source::{Source, rust_sources};

/// Beyond this a file holds more than one idea.
const LONGEST_FILE: usize = 700;

/// What reads the wall clock or draws randomness: only `chassis` may, all else is handed a clock and ids.
const BANNED_CALLS: [&str; 9] = [
    "Utc::now(",
    "Local::now(",
    "SystemTime::now(",
    "Uuid::new_v4(",
    "Uuid::now_v7(",
    "rand::rng(",
    "rand::random(",
    "rand::random_range(",
    "thread_rng(",
];

/// Fails with one line for each offence, all at once.
fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

fn offences(files: &[Source], offence: impl Fn(&Source) -> Option<String>) -> Vec<String> {
    files
        .iter()
        .filter_map(|file| Some(format!("{}: {}", file.path, offence(file)?)))
        .collect()
}

#[test]
fn each_file_opens_by_saying_what_it_is() {
    let silent = |file: &Source| {
        let first = file
            .text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        (!first.starts_with("//!")).then(|| first.to_owned())
    };
    assert_none("a file opens with //!", &offences(&rust_sources(), silent));
}

#[test]
fn no_file_is_longer_than_a_reader_bears() {
    let too_long = |file: &Source| {
        let lines = file.text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{lines} lines"))
    };
    assert_none("a file has at most 700 lines", &offences(&rust_sources(), too_long));
}

#[test]
fn time_and_randomness_are_passed_in() {
    let calls = |file: &Source| {
        let is_source_of_time = file.path.starts_with("shared/chassis/src/");
        let found: Vec<&str> = BANNED_CALLS
            .into_iter()
            .filter(|call| file.code.contains(call))
            .collect();
        (!is_source_of_time && !found.is_empty()).then(|| found.join(" "))
    };
    assert_none("use chassis::Clock and chassis::Ids", &offences(&rust_sources(), calls));
}
