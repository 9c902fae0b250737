//! LED-17, 20 and 21: corrections, and what waits in suspense.

use crate::book::check;
use crate::world::{Life, account, at, dates, price, qty, usd};
use domain::order::OrderEvent;
use domain::{ExecId, Side, Symbol};
use ledger::rules::{self, Correction, Disputed, Occasion, Standing};
use ledger::{Cause, Transfer, TransferKind};
use uuid::Uuid;

/// Corrects a 4 @ 99.90 of the order to `to`.
fn correct(life: &Life, shares_avail: &str, to: (&str, &str)) -> Correction {
    let was = (qty("4"), price("99.90"));
    let event = OrderEvent::Corrected {
        from_qty: was.0,
        from_price: was.1,
        qty: qty(to.0),
        price: price(to.1),
    };
    let (after, _) = life.state.after(event).expect("a legal move");
    let standing = Standing {
        shares_avail: qty(shares_avail),
        ..Standing::default()
    };
    let occasion = |anew| Occasion {
        cause: Cause::Corrected {
            venue: "sim".into(),
            exec_id: ExecId::new("e1").expect("an id"),
            nth: 1,
            anew,
        },
        at: at(),
        dates: dates(),
        accrual: None,
        takes_back: None,
        standing,
        beside: (None, None),
    };
    let occasions = (occasion(false), occasion(true));
    rules::correct(&life.order, (&life.state, &after), was, life.posted, occasions).expect("a correction")
}

fn bought() -> Life {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.fill("4", "99.90");
    buy.cancel();
    buy
}

fn both(correction: Correction) -> [Option<Transfer>; 2] {
    let mut transfers = correction.transfers.into_iter();
    [transfers.next(), transfers.next()]
}

#[test]
fn led_17_a_correction_is_a_bust_and_a_new_fill() {
    let correction = correct(&bought(), "4", ("3", "99.80"));
    assert_eq!(
        (correction.posted_after, correction.added),
        (usd("299.40"), usd("-100.20"))
    );
    let [back, anew] = both(correction);
    let causes = [&back, &anew].map(|t| t.as_ref().map(|t| t.cause().to_string()));
    assert_eq!(
        causes,
        ["correct_out:sim:e1:1", "correct_in:sim:e1:1"].map(|c| Some(c.to_owned()))
    );
    check(
        back,
        &[
            "street.cash.pending USD -399.6",
            "cust.cash.avail USD 399.6",
            "cust.sec.avail XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
    check(
        anew,
        &[
            "cust.cash.avail USD -299.4",
            "street.cash.pending USD 299.4",
            "street.sec.pending XYZ -3",
            "cust.sec.avail XYZ 3",
        ],
    );
}

#[test]
fn led_17_shares_sold_meanwhile_are_owed_by_the_firm_only_as_far_as_they_never_were() {
    let [back, anew] = both(correct(&bought(), "0", ("3", "99.90")));
    check(
        back,
        &[
            "street.cash.pending USD -399.6",
            "cust.cash.avail USD 399.6",
            "firm.suspense XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
    check(
        anew,
        &[
            "cust.cash.avail USD -299.7",
            "street.cash.pending USD 299.7",
            "street.sec.pending XYZ -3",
            "firm.suspense XYZ 3",
        ],
    );
}

#[test]
fn led_17_the_hold_of_an_open_order_follows() {
    let mut buy = Life::of(Side::Buy, "10", "100.00");
    buy.fill("4", "99.90");
    let [back, anew] = both(correct(&buy, "4", ("2", "99.90")));
    let held = |t: Option<Transfer>| t.map(|t| t.sum(ledger::Book::CashHeld, &ledger::Asset::Usd));
    assert_eq!(
        (held(back), held(anew)),
        (Some(usd("400").get()), Some(usd("-200").get()))
    );
}

fn disputed() -> Disputed {
    Disputed {
        symbol: Symbol::parse("XYZ").expect("a symbol"),
        side: Side::Buy,
        qty: qty("4"),
        cash: usd("399.60"),
    }
}

fn of(kind: TransferKind) -> Cause {
    Cause::Movement(kind, Uuid::from_u128(3))
}

#[test]
fn led_21_what_the_street_does_not_know_the_firm_owes_and_the_customer_keeps() {
    let missing = rules::missing_theirs(of(TransferKind::MissingTheirs), &disputed(), at()).ok();
    check(
        missing,
        &[
            "street.cash.pending USD -399.6",
            "firm.suspense USD 399.6",
            "firm.suspense XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
    let found = rules::found_theirs(of(TransferKind::FoundTheirs), &disputed(), at()).ok();
    check(
        found,
        &[
            "street.cash.pending USD 399.6",
            "firm.suspense USD -399.6",
            "firm.suspense XYZ 4",
            "street.sec.pending XYZ -4",
        ],
    );
}

#[test]
fn led_20_an_unknown_execution_is_assigned_to_a_customer_or_the_firms_own() {
    let assigned = rules::assigned(
        of(TransferKind::Assigned),
        &disputed(),
        (account(), false),
        dates(),
        at(),
    )
    .ok();
    assert!(
        assigned
            .as_ref()
            .is_some_and(|t| t.account == Some(account()) && t.trade.is_some() && !t.may_debit)
    );
    check(
        assigned,
        &[
            "firm.suspense XYZ -4",
            "cust.sec.avail XYZ 4",
            "cust.cash.avail USD -399.6",
            "firm.suspense USD 399.6",
        ],
    );
    let own = rules::unknown_to_error(of(TransferKind::ToError), &disputed(), at()).ok();
    check(
        own,
        &[
            "firm.suspense XYZ -4",
            "firm.error XYZ 4",
            "firm.suspense USD 399.6",
            "firm.error USD -399.6",
        ],
    );
    let owed = rules::missing_to_error(of(TransferKind::ToError), &disputed(), at()).ok();
    check(
        owed,
        &[
            "firm.suspense XYZ 4",
            "firm.error XYZ -4",
            "firm.suspense USD -399.6",
            "firm.error USD 399.6",
        ],
    );
}

#[test]
fn led_17_what_the_reversal_of_a_strict_sale_took_from_free_cash_its_new_booking_brings_back_there() {
    let mut sale = Life::of(Side::Sell, "10", "99.00");
    sale.order.strict = true;
    sale.fill("4", "99.90");
    sale.cancel();
    // Settled, so that nothing of it is unsettled any more.
    let [back, anew] = both(correct(&sale, "6", ("4", "100.00")));
    check(
        back,
        &[
            "street.cash.pending USD 399.6",
            "cust.cash.avail USD -399.6",
            "cust.sec.avail XYZ 4",
            "street.sec.pending XYZ -4",
        ],
    );
    check(
        anew,
        &[
            "street.cash.pending USD -400",
            "cust.cash.avail USD 399.6",
            "cust.cash.unsettled USD 0.4",
            "cust.sec.avail XYZ -4",
            "street.sec.pending XYZ 4",
        ],
    );
}
