//! An order in another one's place: what the book decides, whatever comes first.

use super::*;

/// `new` in the place of `old`, with so many shares left.
fn replace(market: &mut Market, old: i64, new: NewOrder) -> Vec<String> {
    told(&market.replace(OrderNo(old), new).expect("it is on the book"))
}

#[test]
fn ord_8_a_replacement_at_another_price_goes_behind_those_of_its_price() {
    let mut market = quiet();
    for resting in [sell(1, 10, 5), sell(2, 11, 5)] {
        market.submit(resting);
    }
    assert_eq!(replace(&mut market, 1, sell(3, 11, 5)), ["1 replaced by 3", "3 new"]);
    assert_eq!(
        told(&market.submit(buy(4, 11, 6))),
        [
            "4 new",
            "4 5@11 left 1",
            "2 5@11 left 0",
            "4 1@11 left 0",
            "3 1@11 left 4"
        ]
    );
}

#[test]
fn a_replacement_that_only_takes_shares_away_keeps_the_place_and_one_that_adds_some_does_not() {
    let resting = |market: &mut Market| {
        for no in 1..=3 {
            market.submit(sell(no, 10, 5));
        }
    };
    let mut market = quiet();
    resting(&mut market);
    assert_eq!(
        replace(&mut market, 1, sell(4, 10, 3)),
        ["1 replaced by 4 in its place", "4 new"]
    );
    let taker = told(&market.submit(buy(9, 10, 4)));
    assert_eq!(
        taker,
        [
            "9 new",
            "9 3@10 left 1",
            "4 3@10 left 0",
            "9 1@10 left 0",
            "2 1@10 left 4"
        ]
    );
    let mut market = quiet();
    resting(&mut market);
    assert_eq!(replace(&mut market, 1, sell(4, 10, 6)), ["1 replaced by 4", "4 new"]);
    let day = with(TimeInForce::Day, sell(5, 10, 4));
    assert_eq!(
        replace(&mut market, 2, day),
        ["2 replaced by 5", "5 new"],
        "other terms"
    );
    let taker = told(&market.submit(buy(9, 10, 12)));
    assert_eq!(taker[2], "3 5@10 left 0");
    assert_eq!(taker[4], "4 6@10 left 0");
    assert_eq!(taker[6], "5 1@10 left 3");
}

#[test]
fn shares_are_taken_away_from_what_is_left_after_a_fill_too() {
    let mut market = quiet();
    market.submit(sell(1, 10, 10));
    market.submit(sell(2, 10, 5));
    market.submit(buy(3, 10, 4));
    // Six are left; of a new total of eight, four.
    assert_eq!(
        replace(&mut market, 1, sell(4, 10, 4)),
        ["1 replaced by 4 in its place", "4 new"]
    );
    assert_eq!(market.quote(AAPL).ask_size, 9);
    assert_eq!(
        told(&market.submit(buy(5, 10, 9))),
        [
            "5 new",
            "5 4@10 left 5",
            "4 4@10 left 0",
            "5 5@10 left 0",
            "2 5@10 left 0"
        ]
    );
}

#[test]
fn a_replacement_that_crosses_trades_at_once_and_an_immediate_one_takes_the_old_order_off() {
    let mut market = quiet();
    market.submit(sell(1, 12, 5));
    market.submit(buy(2, 10, 5));
    assert_eq!(
        replace(&mut market, 2, buy(3, 12, 8)),
        ["2 replaced by 3", "3 new", "3 5@12 left 3", "1 5@12 left 0"]
    );
    let mut market = quiet();
    market.submit(buy(1, 10, 5));
    let immediate = with(TimeInForce::Ioc, buy(2, 10, 5));
    assert_eq!(
        replace(&mut market, 1, immediate),
        ["1 replaced by 2", "2 new", "2 canceled"]
    );
    assert_eq!(
        told(&market.submit(sell(3, 10, 1))),
        ["3 new"],
        "nobody is left to trade with"
    );
}

#[test]
fn an_order_that_waits_or_is_over_has_no_place_to_give() {
    let mut market = quiet();
    market.submit(buy(1, 10, 5));
    market.cancel(OrderNo(1)).expect("it is open");
    assert_eq!(market.replace(OrderNo(1), buy(2, 10, 3)), Err(NotOpen));
    market.tick(noon(), false);
    market.submit(buy(3, 10, 5));
    assert_eq!(market.replace(OrderNo(3), buy(4, 10, 3)), Err(NotOpen));
    assert_eq!(market.leaves(OrderNo(3)), Some(Shares::whole(5)));
    assert_eq!(market.leaves(OrderNo(2)), None);
}

#[test]
fn between_sessions_a_replacement_waits_unless_it_only_takes_shares_away() {
    let mut market = quiet();
    market.submit(buy(1, 10, 5));
    market.submit(buy(2, 10, 5));
    market.tick(noon(), false);
    assert_eq!(
        replace(&mut market, 1, buy(3, 11, 5)),
        ["1 replaced by 3", "3 accepted"]
    );
    assert_eq!(
        replace(&mut market, 2, buy(4, 10, 4)),
        ["2 replaced by 4 in its place", "4 new"]
    );
    assert_eq!(told(&market.tick(noon(), true))[0], "3 new");
}

#[test]
fn the_end_of_a_replacement_is_its_own_and_not_the_old_orders() {
    let mut market = quiet();
    let [early, late] = [at("2026-11-23T20:00:00Z"), at("2026-11-23T21:00:00Z")];
    let until = |order: NewOrder, end| NewOrder {
        expires_at: Some(end),
        ..order
    };
    market.submit(until(buy(1, 10, 5), early));
    replace(&mut market, 1, until(buy(2, 10, 4), late));
    assert_eq!(told(&market.round(early, true, 9).0), [""; 0]);
    assert_eq!(told(&market.round(late, true, 9).0)[0], "2 expired");
}

/// ORD-8, V5: whatever comes first of a replacement, a fill and two cancels, each order has one end, nothing trades
/// after it, and the chain never trades more than its total.
#[test]
fn every_order_of_replace_fill_and_cancels_leaves_one_end_and_no_share_too_many() {
    let total = Shares::whole(10);
    for order in permutations(&[0, 1, 2, 3]) {
        let mut market = quiet();
        let mut events = market.submit(buy(1, 10, 8));
        for what in &order {
            let traded = traded(&events, 1);
            let new = NewOrder {
                qty: total - traded,
                ..buy(2, 10, 0)
            };
            let happened = match what {
                0 => market.replace(OrderNo(1), new),
                1 => Ok(market.submit(with(TimeInForce::Ioc, sell(3, 10, 6)))),
                2 => market.cancel(OrderNo(1)),
                _ => market.cancel(OrderNo(2)),
            };
            events.extend(happened.unwrap_or_default());
        }
        let words = told(&events);
        let about = format!("{order:?}: {words:?}");
        let chain = traded(&events, 1) + traded(&events, 2);
        assert_eq!(chain, traded(&events, 3), "{about}");
        assert!(chain <= total, "{about}");
        assert!(market.leaves(OrderNo(1)).is_none(), "one of them ended it: {about}");
        let ends = |no: i64| {
            let is_end = |word: &&String| {
                let of_it = word.starts_with(&format!("{no} "));
                of_it && (word.contains("canceled") || word.contains("replaced") || word.ends_with("left 0"))
            };
            words.iter().filter(is_end).count()
        };
        assert_eq!(ends(1), 1, "{about}");
        let replaced = words.iter().any(|word| word.starts_with("1 replaced"));
        let left = market.leaves(OrderNo(2)).unwrap_or_default();
        assert_eq!(
            ends(2) + usize::from(left > Shares::ZERO),
            usize::from(replaced),
            "{about}"
        );
        assert_eq!(market.quote(AAPL).bid_size, left.floor(), "{about}");
    }
}

fn traded(events: &[CoreEvent], no: i64) -> Shares {
    let of_it = |event: &CoreEvent| match event {
        CoreEvent::Traded { order, qty, .. } if order.0 == no => *qty,
        _ => Shares::ZERO,
    };
    events.iter().map(of_it).sum()
}

fn permutations(of: &[usize]) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let first_is = |first: &usize| {
        let rest: Vec<usize> = of.iter().copied().filter(|one| one != first).collect();
        let begun = permutations(&rest);
        begun
            .into_iter()
            .map(|rest| [vec![*first], rest].concat())
            .collect::<Vec<_>>()
    };
    of.iter().flat_map(first_is).collect()
}
