//! Risk controls, check by check, and their order (RSK-2).

use chrono::TimeDelta;
use risk::{Level, Mode, Settings, Switch, Target};

use super::*;
use crate::place::decide::checks::Unchecked;
use crate::place::decide::recent::{Remembered, remembered};
use crate::prices::Reference;

/// A case: books that anything fits into, with these limits.
fn wide(rules: Settings) -> Books {
    let mut books = books(10_000_000, 1_000_000);
    books.accounts.get_mut(&account()).unwrap().rules = rules;
    books
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn killed(target: Target) -> InForce {
    InForce {
        switches: vec![Switch {
            switch_id: Uuid::nil(),
            target,
            mode: Mode::BlockNew,
            reason: String::new(),
            set_by: "ada".to_owned(),
            set_at: now(),
            lift_proposed_by: None,
            lift_reason: None,
            lifted_by: None,
            lifted_at: None,
        }],
        ..InForce::default()
    }
}

/// A buy or a sell whose symbol last cost `last`, quoted `ago` before [`now`].
fn priced(side: Side, limit: &str, last: &str, ago: TimeDelta) -> Command {
    Command {
        reference: Some(Reference {
            price: Price::parse(last).unwrap(),
            at: now() - ago,
        }),
        ..command(1, side, "10", limit)
    }
}

#[rstest]
#[case(Level::Symbol, "AAPL", true)]
#[case(Level::Symbol, "MSFT", false)]
#[case(Level::Account, "00000000-0000-0000-0000-000000000001", true)]
#[case(Level::Account, "00000000-0000-0000-0000-000000000002", false)]
#[case(Level::Venue, "exchange", true)]
#[case(Level::Venue, "elsewhere", false)]
#[case(Level::Firm, "", true)]
fn rsk_6_a_kill_switch_refuses_what_it_names(#[case] level: Level, #[case] subject: &str, #[case] refused: bool) {
    let risk = killed(Target::read(level, subject).unwrap());
    let decided = decided_under(&mut wide(rules()), &command(1, Side::Buy, "1", "10"), now(), &risk);
    assert_eq!(decided.err(), refused.then_some(PlaceOrderError::Killed(level)));
}

#[rstest]
#[case("200", "1000", true)]
#[case("200", "1000.01", false)]
#[case("201", "1000", false)]
fn rsk_3_an_order_is_worth_no_more_than_one_may_be(#[case] qty: &str, #[case] limit: &str, #[case] taken: bool) {
    let decided = decided(&mut wide(rules()), &command(1, Side::Buy, qty, limit));
    let large = |error| matches!(error, PlaceOrderError::OrderTooLarge { most, .. } if most == money("200000"));
    assert_eq!(decided.is_ok(), taken);
    assert!(decided.err().is_none_or(large));
}

#[test]
fn rsk_3_all_open_orders_of_an_account_are_worth_no_more_than_they_may_buys_and_sells_together() {
    let mut books = wide(Settings {
        max_open_value: money("250"),
        max_open_orders: 9,
        max_open_orders_per_symbol: 9,
        refuse_self_cross: false,
        ..rules()
    });
    decided(&mut books, &command(1, Side::Buy, "10", "10")).unwrap();
    decided(&mut books, &command(2, Side::Sell, "10", "12")).unwrap();
    let refused = PlaceOrderError::TooMuchOpen { most: money("250") };
    assert_eq!(
        decided(&mut books, &command(3, Side::Buy, "1", "30.01")).unwrap_err(),
        refused
    );
    // What was filled or ended meanwhile counts no more.
    books.accounts.get_mut(&account()).unwrap().sequence.open_value = money("100");
    decided(&mut books, &command(4, Side::Buy, "1", "30.01")).unwrap();
}

#[test]
fn rsk_3_the_firm_has_a_limit_that_the_orders_of_a_batch_count_towards() {
    let limits = Settings {
        max_firm_open_value: money("1000"),
        ..rules()
    };
    let given = |firm: &str| Given {
        now: now(),
        calendar: &CALENDAR,
        risk: &NOTHING,
        venue: "exchange",
        firm_open: money(firm),
        recent: &EMPTY,
    };
    let mut books = wide(limits);
    decide(&mut books, &command(1, Side::Buy, "10", "10"), given("850")).unwrap();
    let refused = decide(&mut books, &command(2, Side::Buy, "10", "10"), given("850")).unwrap_err();
    assert_eq!(refused, PlaceOrderError::FirmTooMuchOpen);
    decide(&mut books, &command(3, Side::Buy, "5", "10"), given("850")).unwrap();
}

static CALENDAR: std::sync::LazyLock<Calendar> = std::sync::LazyLock::new(Calendar::nyse);
static NOTHING: std::sync::LazyLock<InForce> = std::sync::LazyLock::new(InForce::default);
static EMPTY: std::sync::LazyLock<Recent> = std::sync::LazyLock::new(Recent::default);

#[rstest]
#[case::up_to_ten_percent_above(Side::Buy, "110", "100", true)]
#[case::a_cent_more(Side::Buy, "110.01", "100", false)]
#[case::a_patient_buy(Side::Buy, "0.20", "100", true)]
#[case::down_to_ten_percent_below(Side::Sell, "90", "100", true)]
#[case::a_cent_less(Side::Sell, "89.99", "100", false)]
#[case::a_patient_sell(Side::Sell, "9000", "100", true)]
#[case::half_below_a_dollar(Side::Buy, "1.20", "0.80", true)]
#[case::and_no_more(Side::Buy, "1.21", "0.80", false)]
#[case::a_sell_below_a_dollar(Side::Sell, "0.40", "0.80", true)]
#[case::and_no_less(Side::Sell, "0.3999", "0.80", false)]
fn px_5_only_what_reaches_too_far_is_refused(
    #[case] side: Side,
    #[case] limit: &str,
    #[case] last: &str,
    #[case] taken: bool,
) {
    let decided = decided(&mut wide(rules()), &priced(side, limit, last, TimeDelta::minutes(15)));
    assert!(
        decided
            .as_ref()
            .err()
            .is_none_or(|error| matches!(error, PlaceOrderError::BeyondCollar { .. }))
    );
    assert_eq!(decided.map(|accepted| accepted.unchecked).ok(), taken.then_some(None));
}

#[rstest]
#[case::of_long_ago_while_the_market_is_open("2026-11-23T15:00:00Z", Some(Unchecked::OldPrice))]
#[case::the_last_one_before_the_night("2026-11-24T03:00:00Z", None)]
fn px_5_an_old_price_measures_nothing_while_the_market_is_open(
    #[case] now: &str,
    #[case] unchecked: Option<Unchecked>,
) {
    let now: Timestamp = now.parse().unwrap();
    let price = Price::parse("100").unwrap();
    let old = Command {
        reference: Some(Reference {
            price,
            at: now - TimeDelta::minutes(15) - TimeDelta::microseconds(1),
        }),
        ..command(1, Side::Buy, "10", "500")
    };
    let decided = decided_at(&mut wide(rules()), &old, now);
    match unchecked {
        Some(_) => assert_eq!(decided.unwrap().unchecked, unchecked),
        None => assert!(
            matches!(decided, Err(PlaceOrderError::BeyondCollar { .. })),
            "{decided:?}"
        ),
    }
}

#[test]
fn px_5_without_a_price_the_order_is_taken_and_that_is_told() {
    let decided = decided(&mut wide(rules()), &command(1, Side::Buy, "10", "500")).unwrap();
    assert_eq!(decided.unchecked, Some(Unchecked::NoPrice));
}

#[test]
fn rsk_4_an_equal_order_within_two_seconds_is_told_and_refused_only_where_that_is_set() {
    let first = decided(&mut wide(rules()), &command(1, Side::Buy, "1", "10")).unwrap();
    let mut recent = Recent::default();
    recent.remember([first.remembered()], now());
    let at = |books: &mut Books, command: &Command, ms: i64| {
        let given = Given {
            now: now() + TimeDelta::milliseconds(ms),
            calendar: &CALENDAR,
            risk: &NOTHING,
            venue: "exchange",
            firm_open: Money::ZERO,
            recent: &recent,
        };
        decide(books, command, given)
    };
    let existing = first.order.order_id;
    let equal = command(2, Side::Buy, "1", "10");
    let taken = at(&mut wide(rules()), &equal, 1_999).unwrap();
    assert_eq!(
        (
            taken.duplicate_of.map(|earlier| earlier.order),
            taken.flag().map(|flag| flag.order)
        ),
        (Some(existing), Some(equal.order_id))
    );
    assert_eq!(at(&mut wide(rules()), &equal, 2_000).unwrap().duplicate_of, None);
    for other in [
        command(2, Side::Buy, "2", "10"),
        command(2, Side::Buy, "1", "11"),
        command(2, Side::Sell, "1", "10"),
    ] {
        assert_eq!(at(&mut wide(rules()), &other, 1).unwrap().duplicate_of, None);
    }
    let strict = Settings {
        refuse_duplicates: true,
        ..rules()
    };
    let refused = at(&mut wide(strict), &equal, 1).unwrap_err();
    assert_eq!(refused, PlaceOrderError::Duplicate { existing });
    // Two of one batch are seen, too.
    let mut books = wide(strict);
    let one = decided(&mut books, &command(3, Side::Buy, "5", "10")).unwrap();
    let refused = decided(&mut books, &command(4, Side::Buy, "5", "10")).unwrap_err();
    let existing = one.order.order_id;
    assert_eq!(refused, PlaceOrderError::Duplicate { existing });
}

/// Each is told, but a program that repeats itself is shown once.
#[test]
fn rsk_4_a_burst_of_equal_orders_is_shown_to_surveillance_once() {
    let many = Settings {
        max_open_orders: 100,
        max_open_orders_per_symbol: 100,
        ..rules()
    };
    let (mut recent, mut shown) = (Recent::default(), Vec::new());
    // Three batches of three.
    for batch in 0..3 {
        let mut books = wide(many);
        let mut taken = Vec::new();
        for n in 0..3 {
            let given = Given {
                recent: &recent,
                ..given_at(now())
            };
            taken.push(decide(&mut books, &command(batch * 3 + n, Side::Buy, "1", "10"), given).unwrap());
        }
        let told = taken.iter().filter(|order| order.duplicate_of.is_some()).count();
        assert_eq!(told, if batch == 0 { 2 } else { 3 });
        shown.extend(taken.iter().filter_map(|order| order.flag()).map(|flag| flag.order));
        recent.remember(taken.iter().map(Accepted::remembered), now());
    }
    assert_eq!(shown, [command(1, Side::Buy, "1", "10").order_id]);
}

fn given_at(now: Timestamp) -> Given<'static> {
    Given {
        now,
        calendar: &CALENDAR,
        risk: &NOTHING,
        venue: "exchange",
        firm_open: Money::ZERO,
        recent: &EMPTY,
    }
}

#[test]
fn rsk_4_what_is_no_longer_recent_is_forgotten() {
    let mut recent = Recent::default();
    let mut books = wide(Settings {
        max_open_orders: 100,
        max_open_orders_per_symbol: 100,
        ..rules()
    });
    for n in 0..10 {
        let order = decided(&mut books, &command(n, Side::Buy, "1", "10")).unwrap();
        let at = now() + TimeDelta::seconds(n.try_into().unwrap());
        let order = Remembered {
            at,
            ..order.remembered()
        };
        recent.remember([order.clone()], at);
        assert_eq!(recent.find(&order.alike, at), Some(order.earlier));
    }
    assert!(recent.len() <= 2, "{recent:?}");
}

/// The account's last order may be of another process, and this one may come late with what it took itself.
#[test]
fn rsk_4_an_account_is_known_up_to_its_last_order_while_that_is_recent() {
    let at = |ms| now() + TimeDelta::milliseconds(ms);
    let order = |n, ms| {
        let mut books = wide(rules());
        let order = decided(&mut books, &command(n, Side::Buy, "1", "10")).unwrap();
        Remembered {
            at: at(ms),
            ..order.remembered()
        }
    };
    let mut recent = Recent::default();
    assert!(recent.knows(account(), None, at(0)), "it never had an order");
    assert!(!recent.knows(account(), Some(at(0)), at(1_999)));
    assert!(recent.knows(account(), Some(at(0)), at(2_000)), "it is not recent");
    recent.remember([order(2, 500)], at(600));
    recent.remember([order(1, 0)], at(700));
    assert!(recent.knows(account(), Some(at(500)), at(800)));
    assert!(!recent.knows(account(), Some(at(501)), at(800)));
    let equal = order(3, 800);
    assert_eq!(
        recent.find(&equal.alike, at(800)).map(|earlier| earlier.order),
        Some(order(2, 0).earlier.order)
    );
}

#[test]
fn rsk_4_orders_that_are_read_are_a_burst_as_those_that_were_taken_here() {
    let alike = decided(&mut wide(rules()), &command(1, Side::Buy, "1", "10"))
        .unwrap()
        .remembered()
        .alike;
    let read = [0, 1_999, 3_998, 5_998].map(|ms| {
        let order = OrderId::new(Uuid::from_u128(ms));
        (
            order,
            alike.clone(),
            now() + TimeDelta::milliseconds(ms.try_into().unwrap()),
        )
    });
    let shown: Vec<bool> = remembered(read).iter().map(|order| order.earlier.shown).collect();
    assert_eq!(shown, [false, true, true, false]);
}

#[rstest]
#[case::a_buy_meets_the_sell(Side::Buy, "12", true)]
#[case::a_buy_above_it(Side::Buy, "12.5", true)]
#[case::a_buy_below_it(Side::Buy, "11.99", false)]
#[case::a_sell_meets_the_buy(Side::Sell, "10", true)]
#[case::a_sell_below_it(Side::Sell, "9.5", true)]
#[case::a_sell_above_it(Side::Sell, "10.01", false)]
fn rsk_5_an_order_never_trades_against_the_accounts_own(
    #[case] side: Side,
    #[case] limit: &str,
    #[case] crosses: bool,
) {
    let mut books = wide(rules());
    // One open order of before, one of this batch.
    let sell = OrderId::new(Uuid::from_u128(77));
    let own = own::OwnOrders {
        lowest_sell: Some((Price::parse("12").unwrap(), sell)),
        highest_buy: None,
    };
    books.accounts.get_mut(&account()).unwrap().own.insert(symbol(), own);
    let buy = command(1, Side::Buy, "1", "10");
    decided(&mut books, &buy).unwrap();
    let existing = if side == Side::Buy { sell } else { buy.order_id };
    let cross = command(2, side, "1", limit);
    let expected = crosses.then_some(PlaceOrderError::SelfCross { existing });
    assert_eq!(decided(&mut books.clone(), &cross).err(), expected);
    books.accounts.get_mut(&account()).unwrap().rules.refuse_self_cross = false;
    decided(&mut books, &cross).unwrap();
}

#[test]
fn rsk_5_the_nearest_of_the_accounts_own_orders_counts() {
    let mut own = own::OwnOrders::default();
    let price = |text| Price::parse(text).unwrap();
    let id = |n| OrderId::new(Uuid::from_u128(n));
    for (side, limit, n) in [
        (Side::Buy, "9", 1),
        (Side::Buy, "10", 2),
        (Side::Buy, "8", 3),
        (Side::Sell, "13", 4),
        (Side::Sell, "12", 5),
        (Side::Sell, "14", 6),
    ] {
        own.add(side, price(limit), id(n));
    }
    assert_eq!(
        (
            own.crossed_by(Side::Sell, price("10")),
            own.crossed_by(Side::Buy, price("12"))
        ),
        (Some(id(2)), Some(id(5)))
    );
    assert_eq!(own.crossed_by(Side::Buy, price("11")), None);
}

#[test]
fn restricted_symbols_are_refused_for_everybody_or_for_one_account() {
    let other = AccountId::new(Uuid::from_u128(2));
    let risk = |restricted_for: AccountId| InForce {
        restricted_for: [(restricted_for, symbol())].into(),
        ..InForce::default()
    };
    let everybody = InForce {
        restricted: [symbol()].into(),
        ..InForce::default()
    };
    let buy = command(1, Side::Buy, "1", "10");
    for risk in [everybody, risk(account())] {
        let refused = decided_under(&mut wide(rules()), &buy, now(), &risk).unwrap_err();
        assert_eq!(refused, PlaceOrderError::Restricted(symbol()));
    }
    decided_under(&mut wide(rules()), &buy, now(), &risk(other)).unwrap();
}

/// An order that fails every check is told one reason after the other, as each is put right.
#[test]
fn rsk_2_the_checks_come_in_their_order() {
    let mut books = books(0, 1_000_000);
    {
        let book = books.accounts.get_mut(&account()).unwrap();
        book.rules = Settings {
            max_order_value: money("1"),
            max_open_value: money("1"),
            max_open_orders: 0,
            refuse_duplicates: true,
            ..rules()
        };
        book.flags.trading_blocked = true;
        book.own
            .entry(symbol())
            .or_default()
            .add(Side::Sell, Price::parse("1").unwrap(), OrderId::new(Uuid::nil()));
    }
    let order = Command {
        asked: Asked {
            submit_at: Some(now()),
            expires_at: None,
        },
        volume: volume::of(10, "2026-11-20"),
        ..priced(Side::Buy, "500", "100", TimeDelta::zero())
    };
    books.taken.insert((account(), order.client_order_id.clone()));
    let earlier = recent::Earlier {
        order: OrderId::new(Uuid::nil()),
        shown: false,
    };
    books.recent.insert(recent::Alike::of(&order), earlier);
    let mut risk = killed(Target::Firm);
    risk.restricted.insert(symbol());
    let mut order = order;
    let mut told = Vec::new();
    for _ in 0..20 {
        let Err(refusal) = decided_under(&mut books, &order, now(), &risk) else {
            break;
        };
        told.push(refusal.reason());
        let book = books.accounts.get_mut(&account()).unwrap();
        match refusal {
            PlaceOrderError::Killed(_) => risk.switches.clear(),
            PlaceOrderError::TradingBlocked => book.flags.trading_blocked = false,
            PlaceOrderError::DuplicateClientOrderId => books.taken.clear(),
            PlaceOrderError::Untimely(_) => order.asked = Asked::default(),
            PlaceOrderError::OrderTooLarge { .. } => book.rules.max_order_value = money("1000000"),
            PlaceOrderError::AboveVolumeShare { .. } => book.rules.max_volume_share = rust_decimal::Decimal::ONE,
            PlaceOrderError::TooManyOpenOrders { .. } => book.rules.max_open_orders = 9,
            PlaceOrderError::TooMuchOpen { .. } => book.rules.max_open_value = money("1000000"),
            PlaceOrderError::BeyondCollar { .. } => book.rules.collar = rust_decimal::Decimal::TEN,
            PlaceOrderError::Duplicate { .. } => book.rules.refuse_duplicates = false,
            PlaceOrderError::SelfCross { .. } => book.rules.refuse_self_cross = false,
            PlaceOrderError::Restricted(_) => risk.restricted.clear(),
            PlaceOrderError::InsufficientBuyingPower { .. } => book.avail = money("10000"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        told,
        [
            "killed",
            "trading_blocked",
            "duplicate_client_order_id",
            "untimely",
            "order_too_large",
            "above_volume_share",
            "too_many_open_orders",
            "too_much_open",
            "beyond_collar",
            "duplicate",
            "self_cross",
            "restricted",
            "insufficient_buying_power",
        ]
    );
}
