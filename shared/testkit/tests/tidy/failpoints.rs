//! Each failpoint has a row in `docs/crash-matrix.md`, and each row a test that exists.

use std::collections::BTreeSet;
use std::fs;

use crate::assert_none;
use crate::source::{Source, root, rust_sources};

const MATRIX: &str = "docs/crash-matrix.md";

/// A line `| point | kind | what recovery does | test |`.
struct Row {
    points: Vec<String>,
    tests: Vec<String>,
}

/// The rows that name a point, `like::this`; several share a row as `a::b`, `a::c`.
fn rows(matrix: &str) -> Vec<Row> {
    let cells = matrix
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter(|cells| cells.len() >= 6);
    let rows = rows.map(|cells| Row {
        points: quoted(cells[1]),
        tests: quoted(cells[4]),
    });
    rows.filter(|row| row.points.iter().any(|point| point.contains("::")))
        .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names of the failpoints in what ships.
fn points(files: &[Source]) -> BTreeSet<String> {
    let shipped = files.iter().filter(|file| file.ships());
    let calls = shipped.flat_map(|file| file.text.split("fail_point!(").skip(1));
    calls
        .filter_map(|call| call.split('"').nth(1))
        .filter(|name| name.contains("::"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_failpoint_has_a_row_in_the_crash_matrix() {
    let matrix = fs::read_to_string(root().join(MATRIX)).unwrap_or_default();
    let told: BTreeSet<String> = rows(&matrix).into_iter().flat_map(|row| row.points).collect();
    let untold: Vec<String> = points(&rust_sources()).difference(&told).cloned().collect();
    assert_none(&format!("{MATRIX} says what recovery does at each failpoint"), &untold);
}

#[test]
fn each_row_of_the_crash_matrix_names_a_test_that_exists() {
    let matrix = fs::read_to_string(root().join(MATRIX)).unwrap_or_default();
    let files = rust_sources();
    let exists = |test: &String| {
        let name = format!("fn {}(", test.rsplit("::").next().unwrap_or_default());
        files.iter().any(|file| file.code.contains(&name))
    };
    let holes = rows(&matrix)
        .into_iter()
        .filter(|row| row.tests.is_empty() || !row.tests.iter().all(exists));
    let holes: Vec<String> = holes
        .map(|row| format!("{}: {:?}", row.points.join(", "), row.tests))
        .collect();
    assert_none("a row without a test is an open hole", &holes);
}

#[test]
fn rows_are_read_as_they_are_written() {
    let matrix =
        "| point | kind | what recovery does | test |\n|---|---|---|---|\n| `a::b` | K | asks | `it::it_asks` |\n";
    let rows = rows(matrix);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0].points[..], &rows[0].tests[..]),
        (&["a::b".to_owned()][..], &["it::it_asks".to_owned()][..])
    );
}
