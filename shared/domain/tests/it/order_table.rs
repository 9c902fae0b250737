//! Every cell of the table of moves: from each stored status, what each report leads to. The table itself is the one
//! printed in docs/order-lifecycle.md, so that page and code cannot part; `-` means refused.

use crate::script::{play, refuses};

/// How to reach each status with 10 ordered. What is filled by then is one fill, so that `bust 1` names it.
const FROM: [(&str, &str); 12] = [
    ("accepted", "buy 10 @ 5"),
    ("pending_new", "buy 10 @ 5; doubt"),
    ("new", "buy 10 @ 5; ack"),
    ("partially_filled", "buy 10 @ 5; ack; fill 4 @ 5"),
    ("done_for_day", "buy 10 @ 5; ack; done for day"),
    ("done_for_day+4", "buy 10 @ 5; ack; fill 4 @ 5; done for day"),
    ("filled", "buy 10 @ 5; ack; fill 10 @ 5"),
    ("canceled", "buy 10 @ 5; ack; canceled"),
    ("canceled+4", "buy 10 @ 5; ack; fill 4 @ 5; canceled"),
    ("expired", "buy 10 @ 5; ack; expired"),
    ("replaced+4", "buy 10 @ 5; ack; fill 4 @ 5; replaced"),
    ("rejected", "buy 10 @ 5; rejected"),
];

/// One letter for each status, to keep the table narrow.
const WORDS: [(char, &str); 10] = [
    ('A', "accepted"),
    ('D', "pending_new"),
    ('N', "new"),
    ('P', "partially_filled"),
    ('T', "done_for_day"),
    ('F', "filled"),
    ('C', "canceled"),
    ('E', "expired"),
    ('R', "rejected"),
    ('X', "replaced"),
];

const PAGE: &str = include_str!("../../../../docs/order-lifecycle.md");

#[test]
fn every_move_of_the_table_is_as_written_and_every_other_is_refused() {
    let mut lines = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| from"))
        .take_while(|line| line.starts_with('|'));
    let reports = cells(lines.next().expect("the page has the table"));
    let rows: Vec<_> = lines.skip(1).map(cells).collect();
    assert_eq!(rows.len(), FROM.len());
    for (row, (name, script)) in rows.iter().zip(FROM) {
        assert_eq!((row[0], row.len()), (name, reports.len()));
        row.iter()
            .zip(&reports)
            .skip(1)
            .for_each(|(cell, report)| check_cell(script, report, cell));
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// `.` marks the busts of orders that have no fill to name.
fn check_cell(script: &str, report: &str, cell: &str) {
    let whole = format!("{script}; {report}");
    match cell {
        "." => {}
        "-" => drop(refuses(&whole)),
        _ => {
            let expected = WORDS
                .iter()
                .find(|(letter, _)| cell.chars().eq([*letter]))
                .map(|(_, word)| *word);
            let reached = play(&whole).map(|life| life.state.status.as_str());
            assert_eq!(reached.ok(), expected, "{whole}");
        }
    }
}
