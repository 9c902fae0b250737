//! The rule, case by case, without a database.

#![expect(clippy::unwrap_used, reason = "tests")]

mod risk_controls;
mod volume;

use std::collections::HashMap;

use super::super::times::Asked;
use super::*;
use domain::{
    AccountId, AssetId, ClientOrderId, Money, OrderId, OrderType, Price, Qty, RequestId, Side, Symbol, TimeInForce,
};
use identity::Flags;
use ledger::{Asset, Book};
use orders::Sequence;
use rstest::rstest;
use uuid::Uuid;

fn rules() -> risk::Settings {
    risk::Settings {
        max_open_orders: 3,
        max_open_orders_per_symbol: 2,
        ..risk::Settings::default()
    }
}

fn now() -> Timestamp {
    "2026-11-23T15:00:00Z".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new(Uuid::from_u128(1))
}

fn symbol() -> Symbol {
    Symbol::parse("AAPL").unwrap()
}

/// An account with this much money and these shares of AAPL.
fn books(dollars: i64, shares: i64) -> Books {
    let book = AccountBook {
        avail: Money::from_decimal(dollars.into()),
        fees: Money::ZERO,
        strict: false,
        flags: Flags {
            active: true,
            ..Flags::default()
        },
        fractional: true,
        rules: rules(),
        sequence: Sequence::default(),
        shares: [(
            symbol(),
            Shares {
                avail: Qty::new(shares.into()).unwrap(),
                held: Qty::ZERO,
            },
        )]
        .into(),
        open_in: HashMap::new(),
        churn_rule: None,
        churn: HashMap::new(),
        own: HashMap::new(),
    };
    Books {
        accounts: [(account(), book)].into(),
        ..Books::default()
    }
}

/// The n-th order of a test.
fn command(n: u128, side: Side, qty: &str, price: &str) -> Command {
    Command {
        order_id: OrderId::new(Uuid::from_u128(100 + n)),
        account: account(),
        client_order_id: ClientOrderId::new(&format!("c{n}")).unwrap(),
        asset_id: AssetId::new(Uuid::from_u128(9)),
        symbol: symbol(),
        side,
        time_in_force: TimeInForce::Day,
        asked: Asked::default(),
        order_type: OrderType::Limit,
        qty: Qty::parse(qty).unwrap(),
        limit_price: Price::parse(price).unwrap(),
        notional: None,
        fractionable: true,
        value: Price::parse(price).unwrap().notional(Qty::parse(qty).unwrap()).unwrap(),
        reference: None,
        volume: None,
        request_id: RequestId::new("r").unwrap(),
    }
}

fn decided(books: &mut Books, command: &Command) -> Result<Accepted, PlaceOrderError> {
    decided_at(books, command, now())
}

fn decided_at(books: &mut Books, command: &Command, now: Timestamp) -> Result<Accepted, PlaceOrderError> {
    decided_under(books, command, now, &InForce::default())
}

fn decided_under(
    books: &mut Books,
    command: &Command,
    now: Timestamp,
    risk: &InForce,
) -> Result<Accepted, PlaceOrderError> {
    let given = Given {
        now,
        calendar: &Calendar::nyse(),
        risk,
        venue: "exchange",
        firm_open: Money::ZERO,
        recent: &Recent::default(),
    };
    decide(books, command, given)
}

#[test]
fn bp_1_an_order_for_120_dollars_does_not_fit_into_100() {
    let mut books = books(100, 0);
    let refusal = decided(&mut books, &command(1, Side::Buy, "12", "10")).unwrap_err();
    let money = |dollars: i64| Money::from_decimal(dollars.into());
    assert_eq!(
        refusal,
        PlaceOrderError::InsufficientBuyingPower {
            available: money(100),
            cost: money(120)
        }
    );
    decided(&mut books, &command(2, Side::Buy, "10", "10")).unwrap();
}

#[test]
fn bp_2_a_refused_order_changes_nothing_for_the_next_one() {
    let mut books = books(100, 5);
    let before = books.clone();
    for refused in [
        command(1, Side::Buy, "11", "10"),
        command(2, Side::Sell, "6", "10"),
        command(3, Side::Buy, "1", "0.5"),
    ] {
        assert!(decided(&mut books, &refused).is_err());
        assert_eq!(books, before, "{refused:?}");
    }
}

#[test]
fn bp_2_the_last_dollar_is_given_once() {
    let mut books = books(100, 0);
    let taken = (0..10)
        .filter(|n| decided(&mut books, &command(*n, Side::Buy, "1", "60")).is_ok())
        .count();
    assert_eq!(
        (taken, books.accounts[&account()].avail),
        (1, Money::from_decimal(40.into()))
    );
}

#[test]
fn qty_4_the_last_share_is_sold_once_and_nothing_is_sold_short() {
    let mut books = books(0, 1);
    decided(&mut books, &command(1, Side::Sell, "1", "10")).unwrap();
    let refusal = decided(&mut books, &command(2, Side::Sell, "1", "10")).unwrap_err();
    assert!(matches!(refusal, PlaceOrderError::InsufficientQty { .. }), "{refusal}");
    let refusal = decided(&mut super::tests::books(100, 0), &command(3, Side::Sell, "1", "10")).unwrap_err();
    assert_eq!(refusal, PlaceOrderError::NoShorting);
}

#[test]
fn led_6_and_led_10_what_is_held_is_what_the_order_can_cost() {
    let buy = decided(&mut books(100, 0), &command(1, Side::Buy, "3", "10.01")).unwrap();
    assert_eq!(buy.hold.sum(Book::CashHeld, &Asset::Usd).to_string(), "30.03");
    let sell = decided(&mut books(0, 5), &command(1, Side::Sell, "3", "10")).unwrap();
    assert_eq!(
        sell.hold.sum(Book::SecHeld, &Asset::Security(symbol())).to_string(),
        "3"
    );
}

#[test]
fn ord_13_a_name_is_taken_once_in_a_batch_and_for_ever() {
    let mut books = books(100, 0);
    books.taken.insert((account(), ClientOrderId::new("c7").unwrap()));
    let again = PlaceOrderError::DuplicateClientOrderId;
    assert_eq!(
        decided(&mut books, &command(7, Side::Buy, "1", "1")).unwrap_err(),
        again
    );
    decided(&mut books, &command(1, Side::Buy, "1", "1")).unwrap();
    assert_eq!(
        decided(&mut books, &command(1, Side::Buy, "1", "1")).unwrap_err(),
        again
    );
}

#[test]
fn a_repeated_name_is_told_before_missing_funds() {
    let mut books = books(0, 0);
    books.taken.insert((account(), ClientOrderId::new("c1").unwrap()));
    let refusal = decided(&mut books, &command(1, Side::Buy, "1", "10")).unwrap_err();
    assert_eq!(refusal, PlaceOrderError::DuplicateClientOrderId);
}

#[test]
fn ord_16_orders_of_one_batch_never_share_a_time_and_their_events_have_no_gap() {
    let mut books = books(100, 0);
    let first = decided(&mut books, &command(1, Side::Buy, "1", "1")).unwrap();
    assert!(decided(&mut books, &command(2, Side::Buy, "1", "500")).is_err());
    let second = decided(&mut books, &command(3, Side::Buy, "1", "1")).unwrap();
    let micro = chrono::TimeDelta::microseconds(1);
    assert_eq!(
        (first.order.submitted_at, second.order.submitted_at),
        (now(), now() + micro)
    );
    assert_eq!((first.event.seq, second.event.seq), (1, 2));
}

#[rstest]
#[case(Flags { active: false, ..Flags::default() }, PlaceOrderError::AccountNotActive)]
#[case(Flags { active: true, account_blocked: true, ..Flags::default() }, PlaceOrderError::AccountBlocked)]
#[case(Flags { active: true, trading_blocked: true, ..Flags::default() }, PlaceOrderError::TradingBlocked)]
#[case(Flags { active: true, trade_suspended_by_user: true, ..Flags::default() }, PlaceOrderError::SuspendedByUser)]
#[case(Flags { active: true, closing_only: true, ..Flags::default() }, PlaceOrderError::ClosingOnly)]
fn the_state_of_the_account_comes_first(#[case] flags: Flags, #[case] refusal: PlaceOrderError) {
    let mut books = books(0, 0);
    books.accounts.get_mut(&account()).unwrap().flags = flags;
    assert_eq!(
        decided(&mut books, &command(1, Side::Buy, "1", "10")).unwrap_err(),
        refusal
    );
}

#[test]
fn led_15_an_account_in_debit_may_only_sell() {
    let mut books = books(-1, 5);
    assert_eq!(
        decided(&mut books, &command(1, Side::Buy, "1", "10")).unwrap_err(),
        PlaceOrderError::ClosingOnly
    );
    decided(&mut books, &command(2, Side::Sell, "5", "10")).unwrap();
}

#[test]
fn an_account_nobody_opened_places_nothing() {
    let refusal = decided(&mut Books::default(), &command(1, Side::Buy, "1", "10")).unwrap_err();
    assert_eq!(refusal, PlaceOrderError::AccountNotActive);
}

#[test]
fn rsk_3_open_orders_are_limited_per_symbol_and_per_account() {
    let mut books = books(100, 0);
    for n in 0..2 {
        decided(&mut books, &command(n, Side::Buy, "1", "1")).unwrap();
    }
    let refusal = decided(&mut books, &command(2, Side::Buy, "1", "1")).unwrap_err();
    assert_eq!(
        refusal,
        PlaceOrderError::TooManyOpenInSymbol {
            symbol: symbol(),
            most: 2
        }
    );
    let other = Command {
        symbol: Symbol::parse("MSFT").unwrap(),
        ..command(3, Side::Buy, "1", "1")
    };
    decided(&mut books, &other).unwrap();
    let refusal = decided(&mut books, &command(4, Side::Buy, "1", "1")).unwrap_err();
    assert_eq!(refusal, PlaceOrderError::TooManyOpenOrders { most: 3 });
}

#[rstest]
#[case("2026-11-23T15:00:00Z", "2026-11-23")]
#[case("2026-11-23T21:00:00Z", "2026-11-24")]
#[case("2026-11-26T15:00:00Z", "2026-11-27")]
fn tif_1_an_order_belongs_to_the_session_under_way_or_the_next_one(#[case] now: &str, #[case] session: &str) {
    let (mut books, at) = (books(100, 0), now.parse().unwrap());
    let taken = decided_at(&mut books, &command(1, Side::Buy, "1", "1"), at).unwrap();
    assert_eq!(taken.order.session_date.to_string(), session);
}

#[test]
fn bp_11_fees_to_come_cannot_be_spent() {
    let mut books = books(100, 0);
    books.accounts.get_mut(&account()).unwrap().fees = Money::from_decimal("0.0003".parse().unwrap());
    let refused = decided(&mut books, &command(1, Side::Buy, "10", "10.00"));
    assert!(
        matches!(&refused, Err(PlaceOrderError::InsufficientBuyingPower { available, .. }) if available.to_string() == "99.9997"),
        "{refused:?}"
    );
    assert!(
        decided(&mut books, &command(2, Side::Buy, "9", "11.11")).is_ok(),
        "99.99 is there"
    );
}
