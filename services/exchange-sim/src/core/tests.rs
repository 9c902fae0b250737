//! What the market does with orders, without any I/O.

use std::collections::HashMap;

use domain::{Side, TimeInForce, Timestamp};
use proptest::prelude::*;

use super::*;

mod fractions;
mod replace;

const AAPL: SymbolIx = SymbolIx(0);

fn at(text: &str) -> Timestamp {
    text.parse().expect("a literal of this file")
}

fn noon() -> Timestamp {
    at("2026-11-23T17:00:00Z")
}

/// A market without quotes: nothing ticks unless a test says so.
fn quiet() -> Market {
    Market::new(&listings(1), 1, 100)
}

fn order(no: i64, side: Side, dollars: i64, qty: i64) -> NewOrder {
    let limit = Ticks(dollars * TICKS_PER_DOLLAR);
    NewOrder {
        no: OrderNo(no),
        symbol: AAPL,
        side,
        time_in_force: TimeInForce::Gtc,
        limit,
        qty: Shares::whole(qty),
        expires_at: None,
    }
}

fn buy(no: i64, dollars: i64, qty: i64) -> NewOrder {
    order(no, Side::Buy, dollars, qty)
}

fn sell(no: i64, dollars: i64, qty: i64) -> NewOrder {
    order(no, Side::Sell, dollars, qty)
}

fn with(time_in_force: TimeInForce, order: NewOrder) -> NewOrder {
    NewOrder { time_in_force, ..order }
}

/// Events as words: `3 new`, `3 4@10 left 6`, `3 canceled`.
fn told(events: &[CoreEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            CoreEvent::Opened(no) => format!("{} new", no.0),
            CoreEvent::Parked(no) => format!("{} accepted", no.0),
            CoreEvent::Traded {
                order,
                price,
                qty,
                leaves,
            } => format!("{} {qty}@{} left {leaves}", order.0, price.dollars()),
            CoreEvent::Ended(no, End::Canceled) => format!("{} canceled", no.0),
            CoreEvent::Ended(no, End::Expired) => format!("{} expired", no.0),
            CoreEvent::Replaced { old, by, in_its_place } => {
                let how = if *in_its_place { " in its place" } else { "" };
                format!("{} replaced by {}{how}", old.0, by.0)
            }
        })
        .collect()
}

fn pinned(bid: i64, ask: i64, size: i64) -> QuoteSetting {
    let dollars = |d: i64| Ticks(d * TICKS_PER_DOLLAR);
    QuoteSetting {
        bid: dollars(bid),
        ask: dollars(ask),
        bid_size: Some(size),
        ask_size: Some(size),
        pin: true,
    }
}

#[test]
fn the_better_price_goes_first_and_at_one_price_the_earlier_order() {
    let mut market = quiet();
    for resting in [sell(1, 11, 5), sell(2, 10, 5), sell(3, 10, 5)] {
        market.submit(resting);
    }
    let events = market.submit(buy(4, 11, 12));
    assert_eq!(
        told(&events),
        [
            "4 new",
            "4 5@10 left 7",
            "2 5@10 left 0",
            "4 5@10 left 2",
            "3 5@10 left 0",
            "4 2@11 left 0",
            "1 2@11 left 3"
        ]
    );
}

#[test]
fn a_taker_never_trades_beyond_its_limit_and_the_rest_waits_on_the_book() {
    let mut market = quiet();
    market.submit(sell(1, 10, 5));
    market.submit(sell(2, 12, 5));
    assert_eq!(
        told(&market.submit(buy(3, 11, 8))),
        ["3 new", "3 5@10 left 3", "1 5@10 left 0"]
    );
    assert_eq!(market.quote(AAPL).bid, Ticks(11 * TICKS_PER_DOLLAR));
    assert_eq!(
        told(&market.submit(sell(4, 11, 3))),
        ["4 new", "4 3@11 left 0", "3 3@11 left 0"]
    );
}

#[test]
fn a_fill_happens_at_the_resting_price_so_a_high_limit_costs_nothing() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 100, 50));
    assert_eq!(told(&market.submit(buy(1, 120, 10))), ["1 new", "1 10@100 left 0"]);
    assert_eq!(told(&market.submit(sell(2, 80, 10))), ["2 new", "2 10@99 left 0"]);
}

#[test]
fn a_large_order_fills_in_parts_over_several_ticks() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 100, 50));
    assert_eq!(told(&market.submit(buy(1, 100, 120))), ["1 new", "1 50@100 left 70"]);
    assert_eq!(told(&market.tick(noon(), true)), ["1 50@100 left 20"]);
    assert_eq!(told(&market.tick(noon(), true)), ["1 20@100 left 0"]);
    let quote = market.quote(AAPL);
    assert_eq!(
        (quote.bid_size, quote.ask_size),
        (50, 30),
        "the maker's offer is what the last fill left of it"
    );
}

#[test]
fn a_resting_order_trades_at_the_quote_that_crosses_it() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 101, 10));
    market.submit(buy(1, 100, 15));
    assert_eq!(told(&market.set_quote(AAPL, pinned(97, 98, 10))), ["1 10@98 left 5"]);
    assert_eq!(market.leaves(OrderNo(1)), Some(Shares::whole(5)));
}

#[test]
fn tif_ioc_trades_what_it_can_and_cancels_the_rest() {
    let mut market = quiet();
    market.submit(sell(1, 10, 4));
    let events = market.submit(with(TimeInForce::Ioc, buy(2, 10, 10)));
    assert_eq!(told(&events), ["2 new", "2 4@10 left 6", "1 4@10 left 0", "2 canceled"]);
    assert_eq!(market.leaves(OrderNo(2)), None);
}

#[test]
fn tif_fok_trades_all_or_nothing() {
    let mut market = quiet();
    market.submit(sell(1, 10, 4));
    market.submit(sell(2, 11, 4));
    assert_eq!(
        told(&market.submit(with(TimeInForce::Fok, buy(3, 10, 5)))),
        ["3 new", "3 canceled"]
    );
    let events = market.submit(with(TimeInForce::Fok, buy(4, 11, 5)));
    assert_eq!(
        told(&events),
        [
            "4 new",
            "4 4@10 left 1",
            "1 4@10 left 0",
            "4 1@11 left 0",
            "2 1@11 left 3"
        ]
    );
}

#[test]
fn a_canceled_order_is_off_the_book_and_cannot_be_canceled_again() {
    let mut market = quiet();
    market.submit(sell(1, 10, 4));
    assert_eq!(
        market.cancel(OrderNo(1)).map(|events| told(&events)),
        Ok(vec!["1 canceled".to_owned()])
    );
    assert_eq!(market.cancel(OrderNo(1)), Err(NotOpen));
    assert_eq!(told(&market.submit(buy(2, 10, 4))), ["2 new"]);
}

#[test]
fn a_day_order_expires_with_its_session_and_a_gtc_order_does_not() {
    let mut market = quiet();
    let close = at("2026-11-24T04:59:59Z");
    market.submit(NewOrder {
        expires_at: Some(close),
        ..with(TimeInForce::Day, buy(1, 1, 5))
    });
    market.submit(buy(2, 1, 5));
    assert_eq!(told(&market.tick(at("2026-11-24T04:59:58Z"), true)), [""; 0]);
    assert_eq!(told(&market.tick(close, false)), ["1 expired"]);
    assert_eq!(market.leaves(OrderNo(2)), Some(Shares::whole(5)));
}

#[test]
fn between_sessions_orders_wait_and_immediate_ones_are_canceled() {
    let mut market = quiet();
    market.tick(noon(), false);
    assert_eq!(told(&market.submit(sell(1, 10, 5))), ["1 accepted"]);
    assert_eq!(told(&market.submit(buy(2, 10, 5))), ["2 accepted"]);
    assert_eq!(
        told(&market.submit(with(TimeInForce::Ioc, buy(3, 10, 5)))),
        ["3 canceled"]
    );
    assert_eq!(
        market.cancel(OrderNo(2)).map(|events| told(&events)),
        Ok(vec!["2 canceled".to_owned()])
    );
    assert_eq!(told(&market.submit(buy(4, 10, 5))), ["4 accepted"]);
    let open = told(&market.tick(noon(), true));
    assert_eq!(
        open[..2],
        ["1 new", "4 new"].map(String::from),
        "orders that waited come first, by number: {open:?}"
    );
}

#[test]
fn a_rebuilt_book_keeps_the_priority_of_before() {
    let mut market = quiet();
    for (no, left) in [(3, 5), (7, 2), (9, 5)] {
        market.restore(sell(no, 10, left), false);
    }
    assert_eq!(
        told(&market.submit(buy(10, 10, 6))),
        [
            "10 new",
            "10 5@10 left 1",
            "3 5@10 left 0",
            "10 1@10 left 0",
            "7 1@10 left 1"
        ]
    );
}

#[test]
fn orders_that_waited_over_a_restart_into_the_session_are_released_by_its_first_tick() {
    let mut market = quiet();
    market.restore(sell(1, 10, 5), true);
    market.restore(buy(2, 10, 5), true);
    let events = told(&market.tick(noon(), true));
    assert_eq!(events, ["1 new", "2 new", "2 5@10 left 0", "1 5@10 left 0"]);
}

#[test]
fn a_quote_that_stays_keeps_its_place_and_one_that_traded_goes_behind() {
    let mut market = quiet();
    market.set_quote(AAPL, pinned(99, 100, 10));
    market.submit(sell(1, 100, 10));
    market.tick(noon(), true);
    let events = market.submit(buy(2, 100, 4));
    assert_eq!(
        told(&events),
        ["2 new", "2 4@100 left 0"],
        "the market maker was there first"
    );
    market.tick(noon(), true);
    assert_eq!(
        told(&market.submit(buy(3, 100, 4)))[2],
        "1 4@100 left 6",
        "a new quote queues behind"
    );
}

/// One seeded run of a few hundred orders and ticks over three symbols.
fn run(seed: u64) -> Vec<CoreEvent> {
    let mut market = Market::new(&listings(3), seed, 100);
    let mut dice = Dice::new(seed);
    let mut events = market.tick(noon(), true);
    for no in 1..400 {
        let symbol = SymbolIx(dice.below(3).try_into().unwrap_or(0));
        let quote = market.quote(symbol);
        let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let off = i64::try_from(dice.below(20)).unwrap_or(0) * 100 - 1_000;
        let qty = 1 + i64::try_from(dice.below(300)).unwrap_or(0);
        events.extend(market.submit(NewOrder {
            symbol,
            limit: Ticks(quote.ask.0 + off),
            ..order(no, side, 1, qty)
        }));
        events.extend(market.tick(noon(), true));
    }
    events
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
    assert!(
        run(5)
            .iter()
            .filter(|event| matches!(event, CoreEvent::Traded { .. }))
            .count()
            > 300
    );
}

#[derive(Debug, Clone)]
enum Move {
    Submit(NewOrder),
    Replace(i64, NewOrder),
    Cancel(i64),
    Tick,
}

/// Whole shares, and parts of one.
fn quantities() -> impl Strategy<Value = Shares> {
    prop_oneof![3 => (1..200_i64).prop_map(Shares::whole), 1 => (1..3_000_000_000_i64).prop_map(Shares)]
}

fn orders() -> impl Strategy<Value = NewOrder> {
    let word = prop_oneof![
        Just(TimeInForce::Gtc),
        Just(TimeInForce::Day),
        Just(TimeInForce::Ioc),
        Just(TimeInForce::Fok)
    ];
    (any::<bool>(), 225..235_i64, quantities(), word).prop_map(|(buys, dollars, qty, time_in_force)| {
        let side = if buys { Side::Buy } else { Side::Sell };
        let order = with(time_in_force, order(0, side, dollars, 0));
        NewOrder { qty, ..order }
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(
        prop_oneof![
            4 => orders().prop_map(Move::Submit),
            2 => (1..40_i64, orders()).prop_map(|(old, new)| Move::Replace(old, new)),
            1 => (1..40_i64).prop_map(Move::Cancel),
            1 => Just(Move::Tick)
        ],
        1..80,
    )
}

proptest! {
    /// V5 and V6 at the source: executions add up to what the order reports, stay within its quantity and its limit,
    /// and nothing follows its end.
    #[test]
    fn executions_add_up_and_keep_to_the_limit(moves in moves(), seed in any::<u64>()) {
        let mut market = Market::new(&listings(1), seed, 100);
        let mut orders: HashMap<OrderNo, NewOrder> = HashMap::new();
        let mut filled: HashMap<OrderNo, Shares> = HashMap::new();
        let mut over: Vec<OrderNo> = Vec::new();
        for one in moves {
            let no = OrderNo(orders.len() as i64 + 1);
            let events = match one {
                Move::Submit(order) => {
                    orders.insert(no, NewOrder { no, ..order });
                    market.submit(orders[&no])
                }
                Move::Replace(old, order) => {
                    let side = orders.get(&OrderNo(old)).map_or(order.side, |old| old.side);
                    let new = NewOrder { no, side, ..order };
                    let done = market.replace(OrderNo(old), new);
                    orders.extend(done.is_ok().then_some((no, new)));
                    done.unwrap_or_default()
                }
                Move::Cancel(no) => market.cancel(OrderNo(no)).unwrap_or_default(),
                Move::Tick => market.tick(noon(), true),
            };
            for event in events {
                match event {
                    CoreEvent::Traded { order: no, price, qty, leaves } => {
                        prop_assert!(!over.contains(&no), "{no:?} traded after its end");
                        let order = orders[&no];
                        let sum = filled.entry(no).or_default();
                        *sum += qty;
                        prop_assert_eq!(*sum, order.qty - leaves);
                        prop_assert!(qty > Shares::ZERO && leaves >= Shares::ZERO);
                        let within = if order.side == Side::Buy { price <= order.limit } else { price >= order.limit };
                        prop_assert!(within, "{price:?} is beyond the limit of {order:?}");
                    }
                    CoreEvent::Ended(no, _) | CoreEvent::Replaced { old: no, .. } => over.push(no),
                    CoreEvent::Opened(_) | CoreEvent::Parked(_) => {}
                }
            }
            for (no, order) in &orders {
                let sum = filled.get(no).copied().unwrap_or_default();
                let left = if over.contains(no) { Shares::ZERO } else { order.qty - sum };
                prop_assert_eq!(market.leaves(*no).unwrap_or_default(), left);
            }
            let quote = market.quote(AAPL);
            prop_assert!(quote.bid_size == 0 || quote.ask_size == 0 || quote.bid < quote.ask, "crossed: {:?}", quote);
        }
    }
}

#[test]
fn a_close_with_many_orders_ends_them_in_rounds_and_nothing_trades_between() {
    let mut market = quiet();
    let due = at("2026-11-24T04:59:59Z");
    for no in 1..=5 {
        market.submit(NewOrder {
            expires_at: Some(due),
            ..buy(no, 100, 10)
        });
    }
    assert!(market.round(due, true, 2).1, "three are left");
    assert!(!market.in_session(), "nothing trades before all that is due has ended");
    assert_eq!(told(&market.submit(sell(6, 100, 10))), ["6 accepted"]);
    let (events, more) = market.round(due, false, 3);
    assert_eq!((told(&events).len(), more), (3, false));
    assert_eq!(market.leaves(OrderNo(6)), Some(Shares::whole(10)));
}

#[test]
fn an_open_with_many_orders_releases_them_in_rounds_and_nobody_overtakes() {
    let mut market = quiet();
    market.tick(noon(), false);
    for no in 1..=3 {
        market.submit(buy(no, 100, 10));
    }
    let (events, more) = market.round(noon(), true, 2);
    assert_eq!(
        (told(&events), more),
        (vec!["1 new".to_owned(), "2 new".to_owned()], true)
    );
    let late = market.submit(with(TimeInForce::Ioc, buy(4, 100, 10)));
    assert_eq!(told(&late), ["4 accepted"], "it stands behind the third");
    let (events, more) = market.round(noon(), true, 2);
    assert_eq!((told(&events)[0].as_str(), more), ("3 new", false));
    assert_eq!(told(&events)[1], "4 new");
}

#[test]
fn in_a_halt_orders_are_taken_and_canceled_and_nothing_trades() {
    let mut market = quiet();
    market.submit(sell(1, 100, 10));
    market.set_halted(AAPL, true);
    assert_eq!(told(&market.submit(buy(2, 100, 4))), ["2 accepted"]);
    assert_eq!(
        told(&market.submit(with(TimeInForce::Ioc, buy(3, 100, 4)))),
        ["3 canceled"]
    );
    assert_eq!(told(&market.tick(noon(), true)), [""; 0]);
    market.submit(buy(4, 100, 1));
    assert_eq!(told(&market.cancel(OrderNo(4)).expect("it is open")), ["4 canceled"]);
    market.set_halted(AAPL, false);
    assert_eq!(
        told(&market.submit(buy(5, 100, 1))),
        ["5 accepted"],
        "behind those that waited"
    );
    let told = told(&market.tick(noon(), true));
    assert_eq!(told[..3], ["2 new", "2 4@100 left 0", "1 4@100 left 6"]);
    assert_eq!(told[3], "5 new");
}

#[test]
fn a_price_set_outside_the_session_trades_nothing_before_the_open() {
    let mut market = quiet();
    market.submit(buy(1, 100, 10));
    market.tick(noon(), false);
    let cheap = QuoteSetting {
        bid: Ticks(900_000),
        ask: Ticks(950_000),
        bid_size: Some(5),
        ask_size: Some(5),
        pin: true,
    };
    assert_eq!(told(&market.set_quote(AAPL, cheap)), [""; 0]);
    assert_eq!(market.quote(AAPL).ask, Ticks(950_000));
    assert_eq!(told(&market.tick(noon(), true)), ["1 5@95 left 5"]);
}
