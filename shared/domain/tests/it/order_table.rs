//! Every cell of the table of moves: from each stored status, what each report leads to. The same table is printed in
//! docs/order-lifecycle.md; `-` means refused.

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

const TABLE: &str = "
    from             | doubt | ack | fill 2 @ 5 | fill 10 @ 5 | fill 6 @ 5 | bust 1 | bust unseen 1 | canceled | expired | rejected | replaced | done for day | resumed | quantity 12
    accepted         | D     | N   | P          | F           | P          | .      | N             | C        | E       | R        | X        | -            | A       | A
    pending_new      | D     | N   | P          | F           | P          | .      | N             | C        | E       | R        | X        | -            | D       | D
    new              | N     | N   | P          | F           | P          | .      | N             | C        | E       | R        | X        | T            | N       | N
    partially_filled | P     | P   | P          | -           | F          | N      | P             | C        | E       | -        | X        | T            | P       | P
    done_for_day     | T     | T   | T          | F           | T          | .      | T             | C        | E       | -        | X        | T            | N       | T
    done_for_day+4   | T     | T   | T          | -           | F          | T      | T             | C        | E       | -        | X        | T            | P       | T
    filled           | F     | F   | -          | -           | -          | N      | F             | F        | F       | -        | -        | F            | F       | P
    canceled         | C     | C   | C          | F           | C          | .      | C             | C        | C       | C        | C        | C            | C       | -
    canceled+4       | C     | C   | C          | -           | F          | C      | C             | C        | C       | C        | C        | C            | C       | -
    expired          | E     | E   | E          | F           | E          | .      | E             | E        | E       | E        | E        | E            | E       | -
    replaced+4       | X     | X   | X          | -           | X          | X      | X             | X        | X       | X        | X        | X            | X       | -
    rejected         | R     | R   | -          | -           | -          | .      | R             | R        | R       | R        | R        | -            | R       | -
";

#[test]
fn every_move_of_the_table_is_as_written_and_every_other_is_refused() {
    let mut lines = TABLE
        .trim()
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let reports = lines.next().unwrap_or_default();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), FROM.len());
    for (row, (name, script)) in rows.iter().zip(FROM) {
        assert_eq!((row[0], row.len()), (name, reports.len()));
        row.iter()
            .zip(&reports)
            .skip(1)
            .for_each(|(cell, report)| check_cell(script, report, cell));
    }
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
                .find(|(letter, _)| cell.starts_with(*letter))
                .map(|(_, word)| *word);
            let reached = play(&whole).map(|life| life.state.status.as_str());
            assert_eq!(reached.ok(), expected, "{whole}");
        }
    }
}
