//! ORD-6 and LED-I6 as properties: whatever the order of arrival and however often, order and ledger come to the same.

use crate::script::{ACCOUNT, ORDER, Scene};
use domain::OrderStatus;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// What the venue did, as steps of a script: fills (some busted later), an acknowledgement, an end.
#[derive(Debug, Clone)]
struct History {
    order: String,
    steps: Vec<String>,
}

prop_compose! {
    /// A venue never has more standing than was ordered: what is busted makes room before something takes it.
    fn histories()(
        sell in any::<bool>(),
        ordered in 2_i64..40,
        limit in 100_i64..10_000,
        trades in prop::collection::vec((1_i64..30, 0_i64..400, any::<bool>()), 0..6),
        why in 0..3,
        uncounted in 0_usize..3,
    ) -> History {
        let limit = Decimal::new(limit, 2);
        let (mut steps, mut live, mut counted) = (vec!["ack".to_owned()], 0_i64, 0_i64);
        let last_counted = trades.len().saturating_sub(uncounted);
        for (at, (size, better, bust)) in trades.iter().enumerate() {
            let qty = (*size).min(ordered - live);
            if qty <= 0 { continue }
            // Finer than a cent, as venues may trade (PX-2).
            let price = if sell { limit + Decimal::new(*better, 4) } else { limit - Decimal::new(*better, 4) };
            steps.push(format!("fill#f{at} {qty} @ {price}"));
            if *bust { steps.push(format!("bust#f{at} {qty} @ {price}")) } else { live += qty }
            if at < last_counted { counted = live }
        }
        // A venue refuses only what never traded, and ends only what has something left.
        let why = ["cancel", "expire", "reject"][usize::try_from(why).unwrap()];
        let why = if why == "reject" && steps.len() > 1 { "cancel" } else { why };
        if live < ordered || why != "reject" { steps.push(format!("{why} {counted}")) }
        let side = if sell { "sell" } else { "buy" };
        History { order: format!("{side} {ordered} @ {limit}"), steps }
    }
}

fn told_in_any_order(history: &History) -> impl Strategy<Value = Vec<String>> + use<> {
    let steps = history.steps.clone();
    let repeats = prop::collection::vec(prop::sample::select(steps.clone()), 0..6);
    repeats
        .prop_map(move |more| steps.iter().cloned().chain(more).collect::<Vec<_>>())
        .prop_shuffle()
}

fn play(order: &str, steps: &[String]) -> Scene {
    let mut scene = Scene::order(order);
    steps.iter().for_each(|step| scene.step(step));
    scene
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn ord_6_any_order_of_arrival_with_repeats_gives_the_same_order_and_balances(
        (history, told) in histories().prop_flat_map(|history| {
            let told = told_in_any_order(&history);
            (Just(history), told)
        })
    ) {
        let as_it_happened = play(&history.order, &history.steps);
        let as_it_came = play(&history.order, &told);
        prop_assert_eq!(as_it_came.totals(), as_it_happened.totals(), "told {:?}", told);
    }

    #[test]
    fn no_hold_is_left_at_the_end_and_suspense_is_empty(
        (history, told) in histories().prop_flat_map(|history| {
            let told = told_in_any_order(&history);
            (Just(history), told)
        })
    ) {
        let scene = play(&history.order, &told);
        let (state, posted, cash, shares, open) = scene.totals();
        prop_assert!(!state.status.is_open(), "{:?}", state);
        prop_assert!(cash.held.get().is_zero() && shares.held.is_zero() && open == 0);
        prop_assert_eq!(posted, state.notional.round_to_cent());
        prop_assert_eq!(scene.desk.written.aside.len(), scene.desk.written.resolved.len());
        let suspense: Decimal = scene.desk.written.transfers.iter().flat_map(ledger::Transfer::entries)
            .filter(|e| e.book == ledger::Book::FirmSuspense).map(|e| e.amount).sum();
        prop_assert_eq!(suspense, Decimal::ZERO);
    }

    #[test]
    fn led_i6_any_split_into_partial_fills_books_the_same_cash(
        parts in prop::collection::vec(1_i64..1_000_000_000, 1..9),
        price in 1_i64..100_000,
        sell in any::<bool>(),
    ) {
        // Fractions of a share at prices finer than a cent.
        let price = Decimal::new(price, 4);
        let parts: Vec<Decimal> = parts.iter().map(|part| Decimal::new(*part, 9)).collect();
        let whole: Decimal = parts.iter().sum();
        let order = format!("{} {whole} @ {price}", if sell { "sell" } else { "buy" });
        let split: Vec<String> = parts.iter().map(|part| format!("fill {part} @ {price}")).collect();
        let split = play(&order, &split);
        let at_once = play(&order, &[format!("fill {whole} @ {price}")]);
        prop_assert_eq!(split.totals(), at_once.totals());
        prop_assert_eq!(split.desk.books.orders[&ORDER].state.status, OrderStatus::Filled);
        prop_assert!(split.desk.books.cash[&ACCOUNT].held.get().is_zero());
    }
}
