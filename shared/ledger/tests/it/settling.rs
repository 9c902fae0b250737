//! Settlement as a rule: LED-13 and LED-14 line by line, and which proceeds become free when.

use crate::world::{account, at, usd};
use domain::{Side, Symbol};
use ledger::rules::{DueTrade, Proceeds, settlement};
use ledger::{Transfer, TransferId};
use rust_decimal::Decimal;
use uuid::Uuid;

fn trade(side: Side, shares: i64, dollars: &str) -> DueTrade {
    DueTrade {
        trade: TransferId::new(Uuid::from_u128(5)),
        account: account(),
        symbol: Symbol::parse("XYZ").expect("a symbol"),
        side,
        qty: shares.into(),
        cash: dollars.parse().expect("an amount"),
        waiting: dollars.parse().expect("an amount"),
    }
}

fn lines(transfer: &Transfer) -> Vec<String> {
    let lines = transfer
        .entries()
        .iter()
        .map(|e| format!("{} {} {}", e.book, e.asset, e.amount.normalize()));
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn led_13_a_buy_settles_on_the_street_alone() {
    let settled = settlement(&trade(Side::Buy, 4, "399.60"), None, at()).expect("balanced");
    let expected = [
        "street.cash.pending USD -399.6",
        "street.cash.settled USD 399.6",
        "street.sec.pending XYZ 4",
        "street.sec.settled XYZ -4",
    ];
    assert_eq!(lines(&settled), expected);
    assert_eq!(settled.cause().to_string(), format!("settle:{}", Uuid::from_u128(5)));
    assert_eq!(settled.account, None);
}

#[test]
fn led_14_a_strict_sale_frees_its_proceeds_less_what_fees_took() {
    let mut proceeds = Proceeds {
        unsettled: usd("403.97"),
        outstanding: Decimal::from(404),
    };
    let settled = settlement(&trade(Side::Sell, 4, "404.00"), Some(&mut proceeds), at()).expect("balanced");
    let expected = [
        "cust.cash.avail USD 403.97",
        "cust.cash.unsettled USD -403.97",
        "street.cash.pending USD 404",
        "street.cash.settled USD -404",
        "street.sec.pending XYZ -4",
        "street.sec.settled XYZ 4",
    ];
    assert_eq!(lines(&settled), expected);
    assert_eq!(proceeds, Proceeds::default());
}

#[test]
fn bp_9_a_sale_of_a_limited_margin_account_settles_on_the_street_alone() {
    let settled = settlement(&trade(Side::Sell, 4, "404.00"), None, at()).expect("balanced");
    assert!(lines(&settled).iter().all(|line| line.starts_with("street.")));
}

#[test]
fn led_14_what_fees_took_is_missing_in_the_proceeds_that_settle_first() {
    let mut proceeds = Proceeds {
        unsettled: usd("503.97"),
        outstanding: Decimal::from(504),
    };
    let first = settlement(&trade(Side::Sell, 1, "100.00"), Some(&mut proceeds), at()).expect("balanced");
    assert!(
        lines(&first).contains(&"cust.cash.avail USD 99.97".to_owned()),
        "{:?}",
        lines(&first)
    );
    let second = settlement(&trade(Side::Sell, 4, "404.00"), Some(&mut proceeds), at()).expect("balanced");
    assert!(
        lines(&second).contains(&"cust.cash.avail USD 404".to_owned()),
        "{:?}",
        lines(&second)
    );
}

#[test]
fn led_16_a_trade_and_its_bust_settle_to_nothing_and_free_nothing() {
    // The bust took the proceeds back already.
    let mut proceeds = Proceeds::default();
    let pair = [(4, "404.00"), (-4, "-404.00")].map(|(shares, dollars)| DueTrade {
        waiting: Decimal::ZERO,
        ..trade(Side::Sell, shares, dollars)
    });
    let [sale, bust] = pair.map(|it| settlement(&it, Some(&mut proceeds), at()).expect("balanced"));
    let mut sums: std::collections::BTreeMap<_, Decimal> = std::collections::BTreeMap::new();
    for entry in sale.entries().iter().chain(bust.entries()) {
        *sums.entry((entry.book, entry.asset.clone())).or_default() += entry.amount;
    }
    assert!(sums.values().all(Decimal::is_zero), "{sums:?}");
    assert_eq!(proceeds.unsettled, usd("0"));
}
