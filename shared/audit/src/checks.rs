//! The list of checks: one SQL file each, of two statements. The first counts the rows looked at, the second gives a
//! row (`subject`, `problem`) for each violation.

/// One thing that must hold.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Which invariant it is part of.
    pub invariant: &'static str,
    /// What must hold, as a sentence.
    pub title: &'static str,
    /// What the rows looked at are.
    pub unit: &'static str,
    /// Whether a running system breaks it all the time, so that it counts only at rest.
    pub at_rest: bool,
    sql: &'static str,
}

impl Check {
    /// The statement that counts the rows.
    pub fn rows_sql(&self) -> &'static str {
        self.parts().0
    }

    /// The statement that finds the violations.
    pub fn violations_sql(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &'static str) {
        let (rows, violations) = self
            .sql
            .split_once("-- violations\n")
            .expect("every file of checks/ has this line");
        (rows.trim_start_matches("-- rows\n"), violations)
    }
}

macro_rules! check {
    ($invariant:literal, $file:literal, $unit:literal, $title:literal) => {
        Check {
            invariant: $invariant,
            title: $title,
            unit: $unit,
            at_rest: false,
            sql: include_str!(concat!("checks/", $file, ".sql")),
        }
    };
    (at rest: $invariant:literal, $file:literal, $unit:literal, $title:literal) => {
        Check {
            at_rest: true,
            ..check!($invariant, $file, $unit, $title)
        }
    };
}

/// Every check, in the order they are told.
pub const CHECKS: &[Check] = &[
    check!("V1", "v1_transfers", "entries", "each transfer sums to zero per asset"),
    check!("V1", "v1_ledger", "entries", "the whole ledger sums to zero per asset"),
    check!("V1", "v1_entries", "transfers", "transfers and entries belong together"),
    check!(
        "V1",
        "v1_cash_balances",
        "accounts",
        "running cash balances are the sums of their entries"
    ),
    check!(
        "V1",
        "v1_share_balances",
        "positions",
        "running share balances are the sums of their entries"
    ),
    check!(
        "V1",
        "v1_accrued_fees",
        "accounts",
        "running sums of fees to come are the sums of their accruals"
    ),
    check!(
        "V2",
        "v2_not_below_zero",
        "balances",
        "no balance is below zero unless its account is flagged"
    ),
    check!(
        "V2",
        "v2_cash_held",
        "accounts",
        "held cash is what the open buys can still cost (BP-3)"
    ),
    check!(
        "V2",
        "v2_shares_held",
        "positions",
        "held shares are what the open sells can still deliver"
    ),
    check!(
        "V2",
        "v2_order_holds",
        "orders",
        "each open order holds what it can still cost, an ended one nothing"
    ),
    check!(
        "V2",
        "v2_unsettled",
        "accounts",
        "unsettled proceeds are those of sales that have not settled (BP-8)"
    ),
    check!(
        "V3",
        "v3_orders",
        "orders",
        "each order has its client id, its hold as asked and its first event"
    ),
    check!(
        "V3",
        "v3_client_ids",
        "client ids",
        "each client_order_id names exactly one order"
    ),
    check!(
        "V4",
        "v4_open_orders",
        "open orders",
        "the open orders are listed and counted, and no others"
    ),
    check!(
        "V4",
        "v4_open_times",
        "open orders",
        "each open order is found by its own session and deadline"
    ),
    check!(
        "V4",
        "v4_chains",
        "replacements",
        "an order and the one that replaces it name each other, and one of them has the place"
    ),
    check!("V4", "v4_status", "orders", "each status follows from fills and end"),
    check!(
        "V4",
        "v4_transitions",
        "events",
        "only legal moves happened, and none but executions after an end"
    ),
    check!(
        "V4",
        "v4_last_event",
        "orders",
        "each order's last event shows it as it is"
    ),
    check!(
        "V5",
        "v5_submissions",
        "submissions",
        "each submission asks what its order asked"
    ),
    check!(
        "V5",
        "v5_venue_ids",
        "orders",
        "no order of the venue stands for two of ours"
    ),
    check!(at rest: "V5", "v5_filed", "orders", "each order was filed, and none ended while it could still be sent"),
    check!(
        "V6",
        "v6_fills",
        "fills",
        "quantities, cost and booked cash of orders are those of their fills"
    ),
    check!(
        "V6",
        "v6_fill_terms",
        "fills",
        "each fill is its order's, at its limit or better"
    ),
    check!(
        "V6",
        "v6_fill_transfers",
        "fills",
        "each fill is booked once, each busted one taken back"
    ),
    check!(at rest: "V6", "v6_set_aside", "reports", "no report of the venue waits for an operator"),
    check!(
        "V7",
        "v7_cash",
        "accounts",
        "cash is money in - out - bought + sold - fees"
    ),
    check!("V7", "v7_positions", "positions", "positions are the sums of fills"),
    check!(
        "V7",
        "v7_accruals",
        "trades",
        "each trade accrues its fees by the rates of its date (FEE-3, FEE-4)"
    ),
    check!(
        "V7",
        "v7_fees",
        "days of accounts",
        "each posted fee is what its day accrued, up to the cent (FEE-2)"
    ),
    check!(
        "V7",
        "v7_settlement",
        "trades",
        "each trade settled once, on its day or later (LED-13, LED-14)"
    ),
    check!(
        "V7",
        "v7_street_cash",
        "trades",
        "cash due and settled at the street is that of the trades"
    ),
    check!(
        "V7",
        "v7_street_shares",
        "positions",
        "customers' shares and the firm's are the street's (LED-I5)"
    ),
    check!(at rest: "V8", "v8_read", "positions of consumers", "every consumer has read everything"),
    check!(at rest: "V8", "v8_parked", "parked messages", "no message is parked"),
    check!(
        "V9",
        "v9_sequence",
        "events",
        "each account's events are numbered 1 to n"
    ),
    check!(
        "V9",
        "v9_pointers",
        "messages",
        "each message about an event points to it, once"
    ),
    check!(
        "V10",
        "v10_owners",
        "leases",
        "each owner has an epoch of this incarnation"
    ),
    check!(
        "V12",
        "v12_parked",
        "parked messages",
        "each parked message has its cause"
    ),
    check!(
        "V12",
        "v12_submissions",
        "submissions",
        "each unfinished submission is listed for its owner"
    ),
    check!(
        "CAL-7",
        "cal_7_sessions",
        "sessions",
        "the sessions are those that the operators left"
    ),
    check!(at rest: "V14", "v14_notices", "changes", "each end of an order, bust and correction has its notice"),
    check!(
        "V14",
        "v14_events",
        "notices",
        "each notice tells of a change that happened"
    ),
    check!(at rest: "V15", "v15_breaks", "breaks", "each break is closed or has its case, and what is in suspense has a break"),
    check!(
        "V15",
        "v15_suspense",
        "entries in suspense",
        "suspense holds what is open there, no more and no less"
    ),
    check!(
        "V13",
        "v13_dates",
        "dates",
        "each closed date has its steps, its proof, and an answer for what is unresolved"
    ),
    check!(
        "V16",
        "v16_proofs",
        "proofs",
        "each proof of a date follows from its content and the one before"
    ),
    CHAIN,
];

/// The chain of sealed acts.
pub(crate) const CHAIN: Check = check!(
    "V16",
    "v16_chain",
    "sealed acts",
    "each act of an operator is in the chain, as it was and in its place"
);

/// What one database cannot show, and where it is shown.
pub const NOT_HERE: &[(&str, &str)] = &[
    ("V11", "linearizability is a property of histories: the tests check it"),
    (
        "V13",
        "that each tick had its run only the calendar can say: the tests check it",
    ),
    (
        "V16",
        "that no act was taken off the chain's end only a copy of its head can say: `daybook audit --chain --head`",
    ),
    ("V17", "time to serve again is measured by the tests"),
];

#[cfg(test)]
mod tests {
    //! The files are what the list says.
    use super::*;

    #[test]
    fn every_file_has_both_statements_and_is_in_the_list() {
        for check in CHECKS {
            assert!(check.rows_sql().trim_start().starts_with("select"), "{}", check.title);
            assert!(check.violations_sql().contains("as problem"), "{}", check.title);
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checks");
        let files = std::fs::read_dir(folder).expect("the folder of the checks").count();
        assert_eq!(files, CHECKS.len(), "files and list differ");
    }
}
