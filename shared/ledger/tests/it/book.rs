//! The postings LED-1 to LED-20 line by line, with the book's running example: 10 XYZ at 100.00.

use crate::world::{Life, account, at, price, qty, usd};
use domain::order::OrderEvent;
use domain::{ExecId, Side, Symbol};
use ledger::rules::{self, Standing};
use ledger::{Cause, Transfer};
use uuid::Uuid;

/// The entries as `book asset amount`, credit above zero, in the order of the books' names.
pub fn check(transfer: Option<Transfer>, expected: &[&str]) {
    let mut lines: Vec<String> = transfer
        .iter()
        .flat_map(Transfer::entries)
        .map(|e| format!("{} {} {}", e.book, e.asset, e.amount.normalize()))
        .collect();
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn led_1_and_2_a_deposit_comes_in_two_steps() {
    let id = Uuid::from_u128(9);
    let started = rules::deposit_started(account(), id, usd("5000"), at()).ok();
    check(started, &["ach.inflight USD -5000", "cust.cash.dep_pending USD 5000"]);
    let collected = rules::deposit_collected(account(), id, usd("5000"), at()).ok();
    check(
        collected,
        &[
            "bank.fbo USD -5000",
            "ach.inflight USD 5000",
            "cust.cash.dep_pending USD -5000",
            "cust.cash.avail USD 5000",
        ],
    );
}

#[test]
fn led_5_a_withdrawal_is_asked_then_paid_or_given_back() {
    let id = Uuid::from_u128(9);
    let asked = rules::withdrawal_asked(account(), id, usd("200"), at()).ok();
    check(asked, &["cust.cash.avail USD -200", "cust.cash.wd_pending USD 200"]);
    let paid = rules::withdrawal_paid(account(), id, usd("200"), at()).ok();
    check(paid, &["cust.cash.wd_pending USD -200", "bank.fbo USD 200"]);
    let failed = rules::withdrawal_failed(account(), id, usd("200"), at()).ok();
    check(failed, &["cust.cash.wd_pending USD -200", "cust.cash.avail USD 200"]);
}

#[test]
fn led_6_a_buy_holds_limit_times_quantity() {
    let buy = Life::of(Side::Buy, "10", "100.00");
    check(
        Some(buy.hold()),
        &["cust.cash.avail USD -1000", "cust.cash.held USD 1000"],
    );
}

#[test]
fn led_7_an_unfilled_end_releases_all_of_it() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    check(buy.cancel(), &["cust.cash.held USD -1000", "cust.cash.avail USD 1000"]);
}

#[test]
fn led_8_a_fill_under_the_limit_gives_the_difference_back_at_once_and_led_9_the_end_the_rest() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    check(
        buy.fill("4", "99.90"),
        &[
            "cust.cash.held USD -400",
            "street.cash.pending USD 399.6",
            "cust.cash.avail USD 0.4",
            "street.sec.pending XYZ -4",
            "cust.sec.avail XYZ 4",
        ],
    );
    check(buy.cancel(), &["cust.cash.held USD -600", "cust.cash.avail USD 600"]);
}

#[test]
fn led_10_a_sell_holds_shares_and_gives_them_back() {
    let mut sell = Life::of(Side::Sell, "4", "101.00");
    check(Some(sell.hold()), &["cust.sec.avail XYZ -4", "cust.sec.held XYZ 4"]);
    check(sell.cancel(), &["cust.sec.held XYZ -4", "cust.sec.avail XYZ 4"]);
}

#[test]
fn led_11_sale_proceeds_are_free_at_once_in_limited_margin_and_wait_in_cash_strict() {
    let shares = ["cust.sec.held XYZ -4", "street.sec.pending XYZ 4"];
    let mut sell = Life::of(Side::Sell, "4", "101.00");
    let expected = [
        &["street.cash.pending USD -404", "cust.cash.avail USD 404"],
        shares.as_slice(),
    ]
    .concat();
    check(sell.fill("4", "101.00"), &expected);
    let mut strict = Life::of(Side::Sell, "4", "101.00");
    strict.order.strict = true;
    let expected = [
        &["street.cash.pending USD -404", "cust.cash.unsettled USD 404"],
        shares.as_slice(),
    ]
    .concat();
    check(strict.fill("4", "101.00"), &expected);
}

#[test]
fn led_15_a_late_fill_is_paid_from_free_cash_and_may_leave_a_debit() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.cancel();
    let late = buy.fill("3", "100.00");
    assert!(late.as_ref().is_some_and(|t| t.may_debit));
    check(
        late,
        &[
            "cust.cash.avail USD -300",
            "street.cash.pending USD 300",
            "street.sec.pending XYZ -3",
            "cust.sec.avail XYZ 3",
        ],
    );
}

#[test]
fn led_16_a_bust_of_a_closed_buy_reverses_it() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.fill("4", "99.90");
    buy.cancel();
    buy.standing = Standing {
        shares_avail: qty("4"),
        ..Standing::default()
    };
    let bust = OrderEvent::Busted {
        qty: qty("4"),
        price: price("99.90"),
    };
    check(
        buy.take(bust),
        &[
            "street.cash.pending USD -399.6",
            "cust.cash.avail USD 399.6",
            "cust.sec.avail XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
}

#[test]
fn led_16_shares_that_are_gone_come_from_suspense() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.fill("4", "99.90");
    buy.cancel();
    let bust = OrderEvent::Busted {
        qty: qty("4"),
        price: price("99.90"),
    };
    check(
        buy.take(bust),
        &[
            "street.cash.pending USD -399.6",
            "cust.cash.avail USD 399.6",
            "firm.suspense XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
}

#[test]
fn led_20_an_unknown_execution_waits_in_suspense() {
    let cause = Cause::Unknown {
        venue: "sim".into(),
        exec_id: ExecId::new("e9").expect("an id"),
    };
    let symbol = Symbol::parse("XYZ").expect("a symbol");
    let unknown = rules::unknown_execution(cause, &symbol, Side::Buy, qty("5"), price("50.00"), at()).ok();
    check(
        unknown,
        &[
            "street.sec.pending XYZ -5",
            "firm.suspense XYZ 5",
            "firm.suspense USD -250",
            "street.cash.pending USD 250",
        ],
    );
}

#[test]
fn a_transfer_that_does_not_balance_cannot_be_built() {
    let hold = Life::of(Side::Buy, "10", "100.00").hold();
    let half = hold.entries()[..1].to_vec();
    assert!(Transfer::new(hold.cause().clone(), at(), half).is_err());
}
