//! What holds for every order: any fills at or under the limit can be paid from the hold (BP-3), any split into
//! partial fills books the same total (LED-I6), and nothing is held at the end (LED-I2).

use crate::world::{Life, qty};
use domain::order::OrderEvent;
use domain::{Price, Qty, Side};
use ledger::{Asset, Book, Transfer};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Cuts of a quantity of `parts` billionths-of-a-share units, with a price at or under the limit for each.
fn fills(limit: i64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop::collection::vec((1_i64..5_000_000_000, 1..=limit), 1..8)
}

fn share(units: i64) -> Qty {
    Qty::new(Decimal::new(units, 9)).expect("a quantity")
}

fn dollars(units: i64) -> Price {
    Price::new(Decimal::new(units, 4)).expect("a price")
}

struct Cash {
    avail: Decimal,
    held: Decimal,
}

impl Cash {
    fn take(&mut self, transfer: Option<&Transfer>) {
        let Some(transfer) = transfer else { return };
        self.avail += transfer.sum(Book::CashAvail, &Asset::Usd);
        self.held += transfer.sum(Book::CashHeld, &Asset::Usd);
    }
}

proptest! {
    #[test]
    fn bp_3_a_hold_pays_for_any_fills_and_is_gone_at_the_end(
        limit in 1_i64..3_000_000,
        cuts in fills(3_000_000),
        rest in 0_i64..2_000_000_000,
    ) {
        let total: i64 = cuts.iter().map(|(units, _)| units).sum::<i64>() + rest;
        let mut buy = Life::of(Side::Buy, "1", "1");
        buy.order.limit_price = dollars(limit);
        buy.state = domain::order::OrderState::accepted(share(total));
        let mut cash = Cash { avail: Decimal::ZERO, held: Decimal::ZERO };
        cash.take(Some(&buy.hold()));
        let reserved = cash.held;
        for (units, at) in cuts {
            let event = OrderEvent::Filled { qty: share(units), price: dollars(at.min(limit)) };
            cash.take(buy.take(event).as_ref());
            prop_assert!(cash.held >= Decimal::ZERO, "held {}", cash.held);
            prop_assert!(cash.avail >= -reserved, "spent more than was reserved: {}", cash.avail);
        }
        if rest > 0 {
            cash.take(buy.cancel().as_ref());
        }
        prop_assert_eq!(cash.held, Decimal::ZERO);
        prop_assert_eq!(cash.avail, -buy.posted.get());
    }

    #[test]
    fn led_i6_any_split_at_one_price_books_the_same_cash(at in 1_i64..3_000_000, cuts in fills(1)) {
        let total: i64 = cuts.iter().map(|(units, _)| units).sum();
        let whole = {
            let mut buy = sized(total, at);
            buy.take(OrderEvent::Filled { qty: share(total), price: dollars(at) });
            buy.posted
        };
        let mut buy = sized(total, at);
        for (units, _) in cuts {
            buy.take(OrderEvent::Filled { qty: share(units), price: dollars(at) });
        }
        prop_assert_eq!(buy.posted, whole);
    }
}

fn sized(units: i64, limit: i64) -> Life {
    let mut buy = Life::of(Side::Buy, "1", "1");
    buy.order.limit_price = dollars(limit);
    buy.state = domain::order::OrderState::accepted(share(units));
    buy
}

#[test]
fn whole_cents_hold_exactly_leaves_times_limit() {
    let mut buy = Life::of(Side::Buy, "10", "99.99");
    buy.fill("3", "99.50");
    let held = ledger::rules::buy_hold(buy.order.limit_price, &buy.state, buy.posted).expect("a hold");
    assert_eq!(held.to_string(), "699.93");
    assert_eq!(buy.state.leaves(), qty("7"));
}
