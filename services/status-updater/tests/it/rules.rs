//! What becomes of an order, report by report, without a database.

use crate::script::{ACCOUNT, ORDER, Scene, check, check_told};

#[test]
fn led_8_a_better_price_is_given_back_at_once() {
    check(
        "buy 10 @ 100.00; ack; fill 4 @ 99.90",
        "partially_filled, filled 4, held 600.00, cash -399.60",
    );
    check(
        "buy 10 @ 100.00; ack; fill 10 @ 99.90",
        "filled, filled 10, held 0.00, cash -999.00",
    );
}

#[test]
fn led_9_the_end_gives_the_rest_of_the_hold_back() {
    check(
        "buy 10 @ 100.00; ack; fill 4 @ 99.90; cancel",
        "canceled, filled 4, held 0.00, cash -399.60",
    );
    check(
        "buy 10 @ 100.00; ack; expire",
        "expired, filled 0, held 0.00, cash 0.00",
    );
    check("buy 10 @ 100.00; reject", "rejected, filled 0, held 0.00, cash 0.00");
}

#[test]
fn an_order_whose_day_was_over_comes_back_with_the_next_session() {
    check_told(
        "buy 10 @ 5.00; ack; dfd; resume; resume",
        "new:new done_for_day:done_for_day restated:new",
    );
    check(
        "buy 10 @ 5.00; ack; fill 3 @ 5.00; dfd; resume",
        "partially_filled, filled 3, held 35.00, cash -15.00",
    );
    check_told(
        "buy 10 @ 5.00; ack; fill 3 @ 5.00; dfd; resume",
        "new:new partial_fill:partially_filled done_for_day:done_for_day restated:partially_filled",
    );
    // Resumed after its end, or before its day was over: nothing new.
    check_told(
        "buy 10 @ 5.00; ack; resume; cancel; resume",
        "new:new canceled:canceled",
    );
}

#[test]
fn led_10_and_11_a_sell_holds_and_delivers_shares() {
    check("sell 10 @ 5.00; ack", "new, filled 0, held 10, cash 0.00");
    check(
        "sell 10 @ 5.00; ack; fill 4 @ 5.10",
        "partially_filled, filled 4, held 6, cash 20.40",
    );
    check(
        "sell 10 @ 5.00; ack; fill 4 @ 5.10; cancel",
        "canceled, filled 4, held 0, cash 20.40",
    );
}

#[test]
fn ord_11_a_fill_after_the_cancel_is_still_booked() {
    check(
        "buy 10 @ 5.00; ack; cancel; fill 3 @ 4.90",
        "canceled, filled 3, held 0.00, cash -14.70",
    );
    check(
        "buy 10 @ 5.00; ack; cancel; fill 10 @ 4.90",
        "filled, filled 10, held 0.00, cash -49.00",
    );
}

#[test]
fn ord_7_a_fill_before_the_acknowledgement_counts_and_the_late_one_moves_nothing_back() {
    check(
        "buy 10 @ 5.00; fill 3 @ 5.00; ack",
        "partially_filled, filled 3, held 35.00, cash -15.00",
    );
    check_told(
        "buy 10 @ 5.00; fill 3 @ 5.00; ack",
        "new:new partial_fill:partially_filled",
    );
}

#[test]
fn ord_6_the_same_fill_twice_changes_nothing() {
    let once = "partially_filled, filled 3, held 35.00, cash -15.00";
    check("buy 10 @ 5.00; ack; fill#a 3 @ 5.00; fill#a 3 @ 5.00", once);
    check_told(
        "buy 10 @ 5.00; ack; fill#a 3 @ 5.00; fill#a 3 @ 5.00",
        "new:new partial_fill:partially_filled",
    );
}

#[test]
fn an_end_that_counts_fills_not_yet_here_waits_for_them() {
    let waiting = "buy 10 @ 5.00; ack; cancel 3";
    check(waiting, "new, filled 0, held 50.00, cash 0.00");
    check(
        &format!("{waiting}; fill 3 @ 5.00"),
        "canceled, filled 3, held 0.00, cash -15.00",
    );
    check_told(
        &format!("{waiting}; fill 3 @ 5.00"),
        "new:new partial_fill:partially_filled canceled:canceled",
    );
}

#[test]
fn ord_4_a_fill_while_a_cancel_is_pending_shows_at_once_when_it_completes_the_order() {
    check_told(
        "buy 10 @ 5.00; ack; wish cancel; fill 3 @ 5.00; fill 7 @ 5.00; refuse",
        "new:new partial_fill:pending_cancel fill:filled order_cancel_rejected:filled",
    );
}

#[test]
fn a_refused_cancel_shows_the_former_status_once() {
    let told = "new:new partial_fill:pending_cancel order_cancel_rejected:partially_filled";
    check_told("buy 10 @ 5.00; ack; wish cancel; fill 3 @ 5.00; refuse; refuse", told);
}

#[test]
fn a_refusal_of_an_earlier_cancel_does_not_answer_a_later_one() {
    let mut scene = Scene::of("buy 10 @ 5.00; ack; wish cancel");
    let earlier = testkit::start_of_time();
    let refused = wire::events::v1::Fact::CancelRefused {
        reason: "too late".into(),
    };
    scene.desk.take(&crate::script::report(refused, earlier));
    assert_eq!(scene.summary(), "pending_cancel, filled 0, held 50.00, cash 0.00");
}

#[test]
fn our_own_expiry_answered_canceled_shows_as_expired() {
    check(
        "buy 10 @ 5.00; ack; wish expire; cancel",
        "expired, filled 0, held 0.00, cash 0.00",
    );
    check(
        "buy 10 @ 5.00; ack; wish cancel; wish expire; cancel",
        "canceled, filled 0, held 0.00, cash 0.00",
    );
    check(
        "buy 10 @ 5.00; ack; wish expire; wish cancel; cancel",
        "expired, filled 0, held 0.00, cash 0.00",
    );
    check("buy 10 @ 5.00; ack; cancel", "canceled, filled 0, held 0.00, cash 0.00");
}

#[test]
fn tif_3_the_rest_of_an_ioc_or_fok_is_canceled_whatever_the_venue_calls_it() {
    check(
        "buy 10 @ 5.00 ioc; fill 3 @ 5.00; expire",
        "canceled, filled 3, held 0.00, cash -15.00",
    );
    check("buy 10 @ 5.00 fok; expire", "canceled, filled 0, held 0.00, cash 0.00");
}

#[test]
fn led_16_a_bust_takes_the_fill_back() {
    let busted = "buy 10 @ 5.00; ack; fill#a 4 @ 4.90; bust#a";
    check(busted, "new, filled 0, held 50.00, cash 0.00");
    check(
        &format!("{busted}; bust#a; fill#a 4 @ 4.90"),
        "new, filled 0, held 50.00, cash 0.00",
    );
    check(
        "buy 10 @ 5.00; ack; fill#a 4 @ 4.90; cancel; bust#a",
        "canceled, filled 0, held 0.00, cash 0.00",
    );
}

#[test]
fn ord_12_a_bust_opens_a_filled_order_again_while_the_venue_works_it() {
    let mut scene = Scene::of("buy 10 @ 5.00; ack; fill#a 10 @ 5.00");
    assert_eq!(scene.totals().4, 0, "no open order left");
    scene.step("bust#a");
    assert_eq!(scene.summary(), "new, filled 0, held 50.00, cash 0.00");
    assert_eq!(scene.totals().4, 1, "the order counts as open again");
    assert_eq!(scene.desk.books.orders[&ORDER].filled_at, None);
}

#[test]
fn a_bust_that_overtook_its_fill_wins_over_it() {
    check(
        "buy 10 @ 5.00; ack; bust#a 4 @ 4.90; fill#a 4 @ 4.90",
        "new, filled 0, held 50.00, cash 0.00",
    );
    check(
        "buy 10 @ 5.00; ack; cancel 4; bust#a 4 @ 4.90",
        "canceled, filled 0, held 0.00, cash 0.00",
    );
}

#[test]
fn ord_2_an_over_fill_is_set_aside_whole_and_repeats_change_nothing() {
    let over = "buy 10 @ 5.00; ack; fill 8 @ 5.00; fill#x 3 @ 5.00";
    check(over, "partially_filled, filled 8, held 10.00, cash -40.00, set aside 1");
    check(
        &format!("{over}; fill#x 3 @ 5.00"),
        "partially_filled, filled 8, held 10.00, cash -40.00, set aside 1",
    );
    assert_eq!(
        Scene::of(over).desk.written.transfers.len(),
        2,
        "the fill's and suspense's"
    );
}

#[test]
fn ord_6_an_over_fill_finds_its_place_when_a_bust_makes_room() {
    let over = "buy 10 @ 5.00; ack; fill#a 10 @ 5.00; fill#b 10 @ 4.00";
    check(over, "filled, filled 10, held 0.00, cash -50.00, set aside 1");
    check(&format!("{over}; bust#a"), "filled, filled 10, held 0.00, cash -40.00");
    check(
        &format!("{over}; bust#a; fill#b 10 @ 4.00"),
        "filled, filled 10, held 0.00, cash -40.00",
    );
    check(
        &format!("{over}; bust#b; bust#a"),
        "new, filled 0, held 50.00, cash 0.00",
    );
}

#[test]
fn a_fill_beyond_the_limit_is_set_aside() {
    check(
        "buy 10 @ 5.00; ack; fill 3 @ 5.01",
        "new, filled 0, held 50.00, cash 0.00, set aside 1",
    );
    check(
        "sell 10 @ 5.00; ack; fill 3 @ 4.99",
        "new, filled 0, held 10, cash 0.00, set aside 1",
    );
}

#[test]
fn rec_4_a_fill_on_a_rejected_order_is_set_aside() {
    check(
        "buy 10 @ 5.00; reject; fill 3 @ 5.00",
        "rejected, filled 0, held 0.00, cash 0.00, set aside 1",
    );
}

#[test]
fn an_execution_told_with_other_numbers_is_set_aside_and_the_first_stands() {
    let told = "buy 10 @ 5.00; ack; fill#a 3 @ 5.00; fill#a 4 @ 5.00";
    check(told, "partially_filled, filled 3, held 35.00, cash -15.00, set aside 1");
    assert_eq!(
        Scene::of(told).desk.written.transfers.len(),
        1,
        "nothing is booked for the second"
    );
}

#[test]
fn a_bad_report_leaves_no_trace_in_its_neighbours_books() {
    let bad = "buy 10 @ 5.00; ack; fill 3 @ 5.00; fill 3 @ 9.00; fill 3 @ 4.00";
    check(bad, "partially_filled, filled 6, held 20.00, cash -27.00, set aside 1");
}

#[test]
fn an_end_does_not_wait_for_a_fill_that_was_set_aside() {
    let ended = "canceled, filled 6, held 0.00, cash -27.00, set aside 1";
    check("buy 10 @ 5.00; ack; fill 6 @ 4.50; fill 3 @ 9.00; cancel 9", ended);
    check("buy 10 @ 5.00; ack; cancel 9; fill 6 @ 4.50; fill 3 @ 9.00", ended);
}

#[test]
fn the_bust_of_a_fill_that_was_set_aside_empties_suspense() {
    let beyond = "buy 10 @ 5.00; ack; fill#a 3 @ 9.00; bust#a";
    check(beyond, "new, filled 0, held 50.00, cash 0.00");
    check(
        &format!("{beyond}; bust#a; fill#a 3 @ 9.00"),
        "new, filled 0, held 50.00, cash 0.00",
    );
    let transfers = Scene::of(&format!("{beyond}; bust#a; fill#a 3 @ 9.00"))
        .desk
        .written
        .transfers;
    let rest: rust_decimal::Decimal = transfers
        .iter()
        .map(|t| t.sum(ledger::Book::FirmSuspense, &ledger::Asset::Usd))
        .sum();
    assert_eq!((transfers.len(), rest), (2, 0.into()));
}

#[test]
fn led_15_a_late_fill_may_leave_the_account_below_zero_and_flags_it() {
    let mut scene = Scene::of("buy 1000 @ 10.00; ack; cancel");
    let cash = scene.desk.books.cash.get_mut(&ACCOUNT).unwrap();
    cash.avail = domain::Money::from_decimal(20.into());
    scene.step("fill 3 @ 10.00");
    assert_eq!(scene.desk.books.cash[&ACCOUNT].avail.to_string(), "-10.00");
    assert!(scene.desk.written.indebted.contains(&ACCOUNT));
    assert!(scene.desk.written.transfers.last().unwrap().may_debit);
}

#[test]
fn an_ordinary_fill_flags_nobody() {
    let scene = Scene::of("buy 1000 @ 10.00; ack; fill 1000 @ 10.00");
    assert_eq!(scene.summary(), "filled, filled 1000, held 0.00, cash -10000.00");
    assert!(scene.desk.written.indebted.is_empty());
}

#[test]
fn each_event_has_a_number_and_a_time_of_its_own() {
    let scene = Scene::of("buy 10 @ 5.00; fill 3 @ 5.00; fill 7 @ 5.00");
    let seen: Vec<i64> = scene.desk.written.events.iter().map(|e| e.seq).collect();
    assert_eq!(seen, [2, 3, 4], "after the acceptance, which is number 1");
    assert!(scene.desk.written.events.windows(2).all(|pair| pair[0].at < pair[1].at));
    let positions: Vec<_> = scene
        .desk
        .written
        .events
        .iter()
        .map(|e| e.execution.as_ref().map(|x| x.position_qty.to_string()))
        .collect();
    assert_eq!(positions, [None, Some("1003".to_owned()), Some("1010".to_owned())]);
}

#[test]
fn the_customer_is_told_why() {
    let mut scene = Scene::of("buy 10 @ 5.00");
    let reason = Some("symbol is halted".to_owned());
    let at = testkit::start_of_time();
    scene.hear(wire::events::v1::Fact::Ended {
        end: wire::events::v1::End::Rejected,
        filled_qty: 0.into(),
        reason: reason.clone(),
        at,
        replaced_by: None,
    });
    let order = &scene.desk.books.orders[&ORDER];
    assert_eq!((order.end_reason.clone(), order.failed_at), (reason, Some(at)));
    assert_eq!(
        scene.desk.written.events.last().unwrap().cause,
        "venue: symbol is halted"
    );
}

#[test]
fn led_17_a_correction_books_what_really_was() {
    let filled = "buy 10 @ 5.00; ack; fill#a 4 @ 4.90";
    check(
        &format!("{filled}; correct#a 4 @ 4.80"),
        "partially_filled, filled 4, held 30.00, cash -19.20",
    );
    check(
        &format!("{filled}; correct#a 3 @ 4.90"),
        "partially_filled, filled 3, held 35.00, cash -14.70",
    );
    check(
        &format!("{filled}; cancel; correct#a 10 @ 5.00"),
        "filled, filled 10, held 0.00, cash -50.00",
    );
    check(
        "sell 10 @ 5.00; ack; fill#a 4 @ 5.10; correct#a 3 @ 5.20",
        "partially_filled, filled 3, held 7, cash 15.60",
    );
}

#[test]
fn ord_12_a_correction_is_told_once_and_its_fill_told_again_changes_nothing() {
    let corrected = "buy 10 @ 5.00; ack; fill#a 4 @ 4.90; correct#a 4 @ 4.80";
    check_told(
        &format!("{corrected}; correct#a 4 @ 4.80; fill#a 4 @ 4.90"),
        "new:new partial_fill:partially_filled trade_correct:partially_filled",
    );
    check(&format!("{corrected}; bust#a"), "new, filled 0, held 50.00, cash 0.00");
    check(
        &format!("{corrected}; bust#a; correct#a 4 @ 4.70"),
        "new, filled 0, held 50.00, cash 0.00",
    );
}

#[test]
fn ord_6_a_correction_that_overtook_its_fill_books_it_as_it_was() {
    check(
        "buy 10 @ 5.00; ack; correct#a 3 @ 4.80; fill#a 4 @ 4.90",
        "partially_filled, filled 3, held 35.00, cash -14.40",
    );
}

#[test]
fn a_correction_no_rule_allows_is_set_aside_and_changes_nothing() {
    let filled = "buy 10 @ 5.00; ack; fill#a 4 @ 4.90; fill#b 6 @ 4.90";
    for wrong in ["correct#a 5 @ 4.90", "correct#a 4 @ 5.10"] {
        check(
            &format!("{filled}; {wrong}"),
            "filled, filled 10, held 0.00, cash -49.00, set aside 1",
        );
    }
}
