//! The order's life as tables: the exchange's published vectors, the legal moves, what the stream says.

use crate::script::{check, refuses, says};
use domain::order::IllegalMove;
use rstest::rstest;

#[test]
fn a_fill_at_a_better_price_leaves_the_rest_working() {
    check(
        "buy 10 @ 5.00; ack; fill 3 @ 4.90",
        "partially_filled, filled 3, leaves 7, average 4.9",
    );
}

/// B.1.b of the vectors: a cancel is asked for and the order goes on trading.
#[test]
fn ord_4_a_partial_fill_does_not_hide_the_pending_cancel() {
    check(
        "buy 10000 @ 5; ack; fill 2000 @ 5; cancel",
        "pending_cancel, filled 2000, leaves 8000, average 5",
    );
    check(
        "buy 10000 @ 5; ack; fill 2000 @ 5; cancel; fill 5000 @ 5",
        "pending_cancel, filled 7000, leaves 3000, average 5",
    );
    check(
        "buy 10000 @ 5; ack; fill 2000 @ 5; cancel; fill 5000 @ 5; canceled",
        "canceled, filled 7000, leaves 0, average 5",
    );
}

/// B.1.c: the whole rest trades while the cancel is pending. We do not wait for the venue's "too late".
#[test]
fn ord_4_a_full_fill_ends_the_order_whatever_is_asked() {
    let script = "buy 10000 @ 5; ack; fill 2000 @ 5; cancel; fill 8000 @ 5";
    check(script, "filled, filled 10000, leaves 0, average 5");
    check(
        &format!("{script}; refused"),
        "filled, filled 10000, leaves 0, average 5",
    );
    says(script, "new partial_fill fill");
}

#[test]
fn ord_4_a_refused_cancel_shows_what_was_hidden() {
    check("buy 10 @ 5; ack; cancel; refused", "new, filled 0, leaves 10");
    check(
        "buy 10 @ 5; ack; fill 4 @ 5; cancel; refused",
        "partially_filled, filled 4, leaves 6, average 5",
    );
}

/// D34: average price over fills, busts and corrections, step by step.
#[rstest]
#[case("", "filled, filled 10000, leaves 0, average 109")]
#[case("; bust 1", "partially_filled, filled 9000, leaves 1000, average 110")]
#[case(
    "; bust 1; correct 2 to 9000 @ 100",
    "partially_filled, filled 9000, leaves 1000, average 100"
)]
#[case(
    "; bust 1; correct 2 to 9000 @ 100; fill 1000 @ 120",
    "filled, filled 10000, leaves 0, average 102"
)]
#[case(
    "; bust 1; correct 2 to 9000 @ 100; fill 1000 @ 120; correct 3 to 9000 @ 120",
    "filled, filled 10000, leaves 0, average 120"
)]
#[case(
    "; bust 1; correct 2 to 9000 @ 100; fill 1000 @ 120; correct 3 to 9000 @ 120; quantity 12000; correct 5 to 9500 @ 120",
    "partially_filled, filled 10500, leaves 1500, average 120"
)]
fn ord_5_the_average_follows_busts_and_corrections(#[case] more: &str, #[case] expected: &str) {
    check(
        &format!("buy 10000 @ 120; ack; fill 1000 @ 100; fill 9000 @ 110{more}"),
        expected,
    );
}

#[test]
fn ord_5_the_average_is_exact_inside_and_half_even_outside() {
    check(
        "buy 3 @ 10; fill 1 @ 10; fill 2 @ 10.01",
        "filled, filled 3, leaves 0, average 10.006667",
    );
    check(
        "buy 2 @ 1; fill 1 @ 0.000001; fill 1 @ 0.000002",
        "filled, filled 2, leaves 0, average 0.000002",
    );
    check(
        "buy 2 @ 1; fill 1 @ 0.000002; fill 1 @ 0.000003",
        "filled, filled 2, leaves 0, average 0.000002",
    );
}

/// D13: a replace to what is filled already, or less, means "cancel the rest".
#[test]
fn ord_9_a_quantity_that_fills_overtook_makes_the_order_filled() {
    let before = "buy 10000 @ 5; ack; fill 1000 @ 5; replace; fill 8000 @ 5";
    check(before, "pending_replace, filled 9000, leaves 1000, average 5");
    check(
        &format!("{before}; quantity 8000"),
        "filled, filled 9000, leaves 0, average 5",
    );
    check(
        &format!("{before}; quantity 9000"),
        "filled, filled 9000, leaves 0, average 5",
    );
    check(
        &format!("{before}; quantity 9500; refused"),
        "partially_filled, filled 9000, leaves 500, average 5",
    );
    refuses("buy 10 @ 5; ack; quantity 0");
    refuses("buy 10 @ 5; ack; canceled; quantity 12");
}

/// J.1.b: the order is canceled, a trade comes late, and is then taken back.
#[rstest]
#[case("ord_11", "canceled; fill 4000 @ 5", "canceled, filled 4000, leaves 0, average 5")]
#[case("ord_12", "canceled; fill 4000 @ 5; bust 1", "canceled, filled 0, leaves 0")]
#[case(
    "ord_11",
    "canceled; fill 4000 @ 5; fill 6000 @ 5",
    "filled, filled 10000, leaves 0, average 5"
)]
#[case(
    "ord_12",
    "canceled; fill 4000 @ 5; fill 6000 @ 5; bust 2",
    "canceled, filled 4000, leaves 0, average 5"
)]
#[case("ord_11", "expired; fill 4000 @ 5", "expired, filled 4000, leaves 0, average 5")]
#[case(
    "ord_12",
    "fill 10000 @ 5; expired after 10000; bust 1",
    "expired, filled 0, leaves 0"
)]
#[case(
    "ord_12",
    "fill 4000 @ 5; fill 6000 @ 5; bust 2",
    "partially_filled, filled 4000, leaves 6000, average 5"
)]
fn late_fills_and_busts_after_the_end(#[case] rule: &str, #[case] then: &str, #[case] expected: &str) {
    eprintln!("{rule}");
    check(&format!("buy 10000 @ 5; ack; {then}"), expected);
}

#[test]
fn ord_2_an_over_fill_is_refused_whole_and_never_clipped() {
    let refusal = refuses("buy 10 @ 5; ack; fill 7 @ 5; fill 4 @ 5");
    assert!(matches!(refusal, IllegalMove::OverFill { .. }));
    assert_eq!(refusal.to_string(), "fills of 11 would exceed the ordered 10");
    refuses("buy 10 @ 5; fill 10 @ 5; fill 1 @ 5");
    refuses("buy 10 @ 5; fill 7 @ 5; canceled; fill 4 @ 5");
}

#[test]
fn a_count_beyond_the_quantity_is_no_end() {
    refuses("buy 10 @ 5; ack; canceled after 11");
    check("buy 10 @ 5; ack; canceled after 10", "new, filled 0, leaves 10");
}

#[rstest]
#[case("buy 10 @ 5; fill 3 @ 5; ack", "partially_filled, filled 3, leaves 7, average 5")]
#[case("buy 10 @ 5; fill 10 @ 5; ack", "filled, filled 10, leaves 0, average 5")]
#[case("buy 10 @ 5; canceled; ack", "canceled, filled 0, leaves 0")]
#[case(
    "buy 10 @ 5; doubt; fill 3 @ 5; ack; doubt",
    "partially_filled, filled 3, leaves 7, average 5"
)]
fn ord_7_a_late_acknowledgement_never_moves_an_order_back(#[case] script: &str, #[case] expected: &str) {
    check(script, expected);
}

#[test]
fn an_end_counts_only_once_the_fills_the_venue_counted_are_here() {
    let script = "buy 10 @ 5; ack; canceled after 7; fill 3 @ 5";
    check(script, "partially_filled, filled 3, leaves 7, average 5");
    check(
        &format!("{script}; fill 4 @ 5"),
        "canceled, filled 7, leaves 0, average 5",
    );
    says(
        &format!("{script}; fill 4 @ 5"),
        "new partial_fill partial_fill canceled",
    );
    check(
        &format!("{script}; bust unseen 4"),
        "canceled, filled 3, leaves 0, average 5",
    );
    check(
        &format!("{script}; bust 1; fill 4 @ 5"),
        "canceled, filled 4, leaves 0, average 5",
    );
}

#[test]
fn the_first_end_stands() {
    check(
        "buy 10 @ 5; ack; canceled; expired; rejected",
        "canceled, filled 0, leaves 0",
    );
    says("buy 10 @ 5; ack; canceled; canceled; expired", "new canceled");
}

#[test]
fn ord_8_a_replaced_order_stays_replaced_whatever_fills_late() {
    check(
        "buy 10 @ 5; ack; fill 4 @ 5; replaced; fill 6 @ 5",
        "replaced, filled 10, leaves 0, average 5",
    );
    check(
        "buy 10 @ 5; ack; fill 4 @ 5; fill 6 @ 5; replaced after 4",
        "replaced, filled 10, leaves 0, average 5",
    );
    says(
        "buy 10 @ 5; ack; fill 4 @ 5; replaced; fill 6 @ 5",
        "new partial_fill replaced fill",
    );
}

/// ORD-8: its total is the chain's; what was filled before it took over counts, and is not its own.
#[test]
fn ord_8_a_replacement_works_its_total_less_what_was_filled_before() {
    check("replacement 12 @ 5", "pending_new, filled 0, leaves 12");
    check("replacement 12 @ 5; took over 4", "new, filled 0, leaves 8");
    check(
        "replacement 12 @ 5; took over 4; took over 4; fill 8 @ 5",
        "filled, filled 8, leaves 0, average 5",
    );
    check(
        "replacement 12 @ 5; took over 4; fill 3 @ 5; canceled",
        "canceled, filled 3, leaves 0, average 5",
    );
    says("replacement 12 @ 5; took over 4; fill 8 @ 5", "new fill");
    refuses("replacement 12 @ 5; took over 4; fill 9 @ 5");
    // Its own fills were heard of before the news that it took over.
    check(
        "replacement 12 @ 5; fill 8 @ 5; took over 4",
        "filled, filled 8, leaves 0, average 5",
    );
    says("replacement 12 @ 5; fill 8 @ 5; took over 4", "partial_fill fill");
    check("replacement 12 @ 5; rejected", "rejected, filled 0, leaves 0");
}

/// ORD-9: fills overtook the replace, and the venue did it nevertheless: nothing is left to do.
#[test]
fn ord_9_a_replacement_that_has_nothing_left_is_filled_with_what_there_is() {
    check("replacement 5 @ 5; took over 6", "filled, filled 0, leaves 0");
    says("replacement 5 @ 5; took over 6", "new fill");
}

/// ORD-3: cancel before replace before the rest; an end before every wish; a job's wish is not the customer's.
#[rstest]
#[case("buy 10 @ 5; cancel", "pending_cancel")]
#[case("buy 10 @ 5; doubt; cancel", "pending_cancel")]
#[case("buy 10 @ 5; ack; replace", "pending_replace")]
#[case("buy 10 @ 5; ack; replace; cancel", "pending_cancel")]
#[case("buy 10 @ 5; ack; done for day; cancel", "pending_cancel")]
#[case("buy 10 @ 5; ack; done for day; replace", "pending_replace")]
#[case("buy 10 @ 5; ack; cancel; expired", "expired")]
#[case("buy 10 @ 5; cancel; rejected", "rejected")]
#[case("buy 10 @ 5; ack; cancel; replaced", "replaced")]
#[case("buy 10 @ 5; ack; replace; replaced", "replaced")]
#[case("buy 10 @ 5; ack; expire", "new")]
#[case("buy 10 @ 5; ack; fill 1 @ 5; expire", "partially_filled")]
fn ord_3_the_highest_precedence_is_shown(#[case] script: &str, #[case] status: &str) {
    let shown = crate::script::play(script).map(|life| life.shown());
    assert!(
        shown
            .as_ref()
            .is_ok_and(|shown| shown.starts_with(&format!("{status},"))),
        "{script}: {shown:?}"
    );
}

#[rstest]
#[case("buy 10 @ 5; doubt; doubt; ack; ack", "pending_new new")]
#[case("buy 10 @ 5; fill 4 @ 5; fill 6 @ 5; ack", "partial_fill fill")]
#[case("buy 10 @ 5; ack; fill 4 @ 5; expired", "new partial_fill expired")]
#[case("buy 10 @ 5; rejected", "rejected")]
#[case("buy 10 @ 5; ack; fill 10 @ 5; canceled", "new fill")]
#[case("buy 10 @ 5; ack; canceled; fill 10 @ 5", "new canceled fill")]
#[case("buy 10 @ 5; ack; fill 4 @ 5; bust 1", "new partial_fill trade_bust")]
#[case("buy 10 @ 5; bust unseen 4", "new")]
#[case("buy 10 @ 5; ack; fill 4 @ 5; correct 1 to 4 @ 4", "new partial_fill trade_correct")]
#[case(
    "buy 10 @ 5; ack; done for day; done for day; resumed; resumed",
    "new done_for_day restated"
)]
fn the_stream_says_each_change_once(#[case] script: &str, #[case] words: &str) {
    says(script, words);
}

#[test]
fn a_bust_of_what_was_never_booked_is_refused() {
    refuses("buy 10 @ 5; ack; fill 3 @ 5; bust 1; bust 1");
}

/// ORD-12: a correction is one change. It counts no share as busted, and an end does not wait for shares that never were.
#[rstest]
#[case(
    "buy 10 @ 5; ack; fill 10 @ 5; correct 1 to 8 @ 5",
    "partially_filled, filled 8, leaves 2, average 5"
)]
#[case(
    "buy 10 @ 5; ack; fill 4 @ 5; canceled; correct 1 to 3 @ 4",
    "canceled, filled 3, leaves 0, average 4"
)]
#[case(
    "buy 10 @ 5; ack; fill 4 @ 5; canceled; correct 1 to 10 @ 5",
    "filled, filled 10, leaves 0, average 5"
)]
#[case(
    "buy 10 @ 5; ack; fill 4 @ 5; expired after 6; correct 1 to 3 @ 5; fill 2 @ 5",
    "expired, filled 5, leaves 0, average 5"
)]
fn ord_12_a_correction_is_one_change(#[case] script: &str, #[case] shown: &str) {
    check(script, shown);
}

#[test]
fn ord_2_a_correction_to_more_than_was_ordered_is_refused() {
    let refusal = refuses("buy 10 @ 5; ack; fill 4 @ 5; fill 5 @ 5; correct 1 to 6 @ 5");
    assert!(matches!(refusal, IllegalMove::OverFill { .. }), "{refusal}");
}
