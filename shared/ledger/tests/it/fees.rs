//! Fees as pure rules: what a trade accrues (FEE-1 to FEE-4), what a day costs and whom (FEE-2, FEE-5, LED-12).

use crate::world::{account, at, price, qty, usd};
use chrono::NaiveDate;
use domain::{Money, Side};
use ledger::rules::{Executed, FeeDay, FeeKind, FeePosting, FeeRate, FeeRates, Fees, Payers, Per, Purse, fee_posting};
use rust_decimal::Decimal;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn dec(text: &str) -> Decimal {
    text.parse().expect("a number")
}

fn rate(kind: FeeKind, per: Per, side: Payers, rate: &str) -> FeeRate {
    FeeRate {
        kind,
        valid_from: day("2026-05-01"),
        valid_to: Some(day("2026-09-30")),
        rate: dec(rate),
        per,
        side,
        cap: None,
        waived_dollars: None,
        waived_shares: None,
    }
}

fn sec() -> FeeRate {
    rate(FeeKind::Sec, Per::Dollar, Payers::Sell, "0.0000206")
}

fn taf() -> FeeRate {
    FeeRate {
        cap: Some(dec("9.79")),
        ..rate(FeeKind::Taf, Per::Share, Payers::Sell, "0.000195")
    }
}

fn cat() -> FeeRate {
    rate(FeeKind::Cat, Per::Share, Payers::Both, "0.000003")
}

fn executed(side: Side, shares: &str, at: &str) -> Executed {
    Executed {
        side,
        qty: qty(shares),
        price: price(at),
    }
}

fn fees(sec: &str, taf: &str, cat: &str) -> Fees {
    Fees {
        sec: dec(sec),
        taf: dec(taf),
        cat: dec(cat),
    }
}

#[test]
fn fee_2_a_sale_of_a_hundred_at_150_accrues_exactly_and_costs_whole_cents() {
    let rates = FeeRates::new(vec![sec(), taf(), cat()]);
    let accrued = rates.accrue(day("2026-09-15"), &executed(Side::Sell, "100", "150.00"));
    let accrued = accrued.expect("in range").expect("rates of that day");
    assert_eq!(accrued, fees("0.309", "0.0195", "0.0003"));
    assert_eq!(accrued.ceil_to_cent(), fees("0.31", "0.02", "0.01"));
}

#[test]
fn fee_2_a_sum_of_less_than_a_cent_is_rounded_up_once() {
    let sum = (0..5).fold(Fees::default(), |sum, _| sum.plus(&fees("0", "0.000166", "0")));
    assert_eq!(sum.taf, dec("0.00083"));
    assert_eq!(sum.ceil_to_cent().taf, dec("0.01"));
}

#[test]
fn fee_1_a_purchase_pays_for_the_audit_trail_alone() {
    let rates = FeeRates::new(vec![sec(), taf(), cat()]);
    let accrued = rates.accrue(day("2026-09-15"), &executed(Side::Buy, "100", "150.00"));
    assert_eq!(accrued.expect("in range"), Some(fees("0", "0", "0.0003")));
}

#[test]
fn fee_3_the_activity_fee_is_capped_by_execution() {
    let large = executed(Side::Sell, "100000", "2.00");
    assert_eq!(taf().accrue(&large).expect("in range"), dec("9.79"));
}

#[test]
fn fee_3_a_share_worth_less_than_its_activity_fee_pays_none() {
    let accrued = |at| taf().accrue(&executed(Side::Sell, "1000", at)).expect("in range");
    assert_eq!(accrued("0.000194"), Decimal::ZERO);
    assert_eq!(accrued("0.000195"), dec("0.195"));
}

#[test]
fn fee_1_small_sales_can_be_waived() {
    let sec = FeeRate {
        waived_dollars: Some(dec("500")),
        ..sec()
    };
    let taf = FeeRate {
        waived_shares: Some(dec("50")),
        ..taf()
    };
    let of = |rate: &FeeRate, shares, at| rate.accrue(&executed(Side::Sell, shares, at)).expect("in range");
    assert_eq!(of(&sec, "5", "100.00"), Decimal::ZERO);
    assert_eq!(of(&sec, "5", "100.01"), dec("0.01030103"));
    assert_eq!(of(&taf, "50", "1.00"), Decimal::ZERO);
    assert_eq!(of(&taf, "51", "1.00"), dec("0.009945"));
}

#[test]
fn fee_4_a_date_without_a_rate_is_never_free() {
    let rates = FeeRates::new(vec![sec(), cat()]);
    let sale = executed(Side::Sell, "100", "150.00");
    assert_eq!(rates.accrue(day("2026-09-15"), &sale).expect("in range"), None);
    assert_eq!(
        rates.missing(day("2026-09-15")).into_iter().collect::<Vec<_>>(),
        [FeeKind::Taf]
    );
    assert_eq!(
        rates.missing(day("2026-10-01")).len(),
        3,
        "the last day is 30 September"
    );
}

fn posting(due: &Fees, purse: Purse) -> FeePosting {
    let day = FeeDay {
        account: account(),
        date: day("2026-09-15"),
        posting: 1,
    };
    fee_posting(day, due, &purse, at()).expect("balanced")
}

fn lines(posting: &FeePosting) -> Vec<String> {
    let entries = posting.transfer.iter().flat_map(|transfer| transfer.entries());
    let mut lines: Vec<String> = entries
        .map(|e| format!("{} {}", e.book, e.amount.normalize()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn led_12_fees_come_out_of_unsettled_proceeds_first() {
    let purse = Purse {
        unsettled: usd("404"),
        avail: usd("50"),
        ..Purse::default()
    };
    let posting = posting(&fees("0.01", "0.01", "0.01"), purse);
    let expected = [
        "cust.cash.unsettled -0.03",
        "fees.cat 0.01",
        "fees.sec 0.01",
        "fees.taf 0.01",
    ];
    assert_eq!(lines(&posting), expected);
}

#[test]
fn fee_5_what_the_customer_does_not_have_the_firm_bears() {
    let purse = Purse {
        avail: usd("0.01"),
        ..Purse::default()
    };
    let poor = posting(&fees("0.01", "0.01", "0.01"), purse);
    let expected = [
        "cust.cash.avail -0.01",
        "fees.cat 0.01",
        "fees.sec 0.01",
        "fees.taf 0.01",
        "firm.rounding -0.02",
    ];
    assert_eq!(
        (lines(&poor).as_slice(), poor.from_firm),
        (expected.map(str::to_owned).as_slice(), usd("0.02"))
    );
    let in_debit = Purse {
        avail: usd("-290"),
        ..Purse::default()
    };
    let posting = posting(&fees("0.01", "0", "0"), in_debit);
    assert_eq!(lines(&posting), ["fees.sec 0.01", "firm.rounding -0.01"]);
    assert_eq!(
        posting.transfer.and_then(|t| t.account),
        None,
        "no customer's ledger has it"
    );
}

#[test]
fn fee_5_what_is_given_back_goes_to_the_firm_first_as_far_as_it_bore_any() {
    let purse = Purse {
        from_firm: usd("0.02"),
        ..Purse::default()
    };
    let posting = posting(&fees("-0.31", "-0.02", "-0.01"), purse);
    let expected = [
        "cust.cash.avail 0.32",
        "fees.cat -0.01",
        "fees.sec -0.31",
        "fees.taf -0.02",
        "firm.rounding 0.02",
    ];
    assert_eq!(
        (lines(&posting).as_slice(), posting.from_firm),
        (expected.map(str::to_owned).as_slice(), usd("-0.02"))
    );
}

#[test]
fn bp_8_what_is_given_back_of_unsettled_proceeds_waits_with_them() {
    let purse = Purse {
        unsettled: usd("403.98"),
        missing: usd("0.02"),
        ..Purse::default()
    };
    let posting = posting(&fees("-0.01", "-0.01", "-0.01"), purse);
    let expected = [
        "cust.cash.avail 0.01",
        "cust.cash.unsettled 0.02",
        "fees.cat -0.01",
        "fees.sec -0.01",
        "fees.taf -0.01",
    ];
    assert_eq!(lines(&posting), expected);
}

#[test]
fn where_no_cent_moves_nothing_is_posted() {
    let purse = Purse {
        avail: usd("10"),
        ..Purse::default()
    };
    let posting = posting(&Fees::default(), purse);
    assert_eq!((posting.transfer, posting.from_firm), (None, Money::ZERO));
}
