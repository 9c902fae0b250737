//! V5 over many scripts: whatever the venue does to calls and wherever owners die, there is at most one order per key,
//! and every order comes to the end that the venue shows.

use std::collections::BTreeSet;
use std::time::Duration;

use chassis::ids::Ids;
use chassis::step::Step;
use domain::OrderId;
use executor::Executor;
use venue::VenueStatus;
use venue::fake::{Act, CallKind, FakeVenue};
use wire::events::v1::OrderAccepted;

use crate::world::{SYMBOLS, World, settle};

const ORDERS: usize = 12;

/// A few by default; `DAYBOOK_TEST_SEEDS=100..200` for a long look.
fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var("DAYBOOK_TEST_SEEDS").unwrap_or_else(|_| "0..6".to_owned());
    let (from, to) = text.split_once("..").unwrap();
    from.parse().unwrap()..to.parse().unwrap()
}

#[tokio::test]
async fn there_is_at_most_one_order_per_key_whatever_happens() {
    for seed in seeds() {
        let mut world = World::new().await;
        (world.config.max_attempts, world.config.symbol_window) = (3, 2);
        let dice = testkit::ids(1_000 + seed);
        let orders = play(&world, &*dice).await;
        for order in &orders {
            check(&world, *order, seed).await;
        }
        assert_eq!(world.open_rows().await, 0, "seed {seed}: nothing is left to do");
    }
}

async fn play(world: &World, dice: &dyn Ids) -> Vec<OrderId> {
    let mut executor = world.executor();
    let mut orders: Vec<(OrderId, &str)> = Vec::new();
    for _ in 0..ORDERS {
        let symbol = SYMBOLS[usize::try_from(dice.jitter(4)).unwrap()];
        let order = world.place(symbol).await;
        misfortune(world, dice, order);
        orders.push((order, symbol));
        if dice.jitter(3) == 0 {
            let (order, symbol) = orders[usize::try_from(dice.jitter(orders.len() as u64)).unwrap()];
            world.cancel(order, symbol).await;
        }
        for _ in 0..dice.jitter(6) {
            executor.step().await.unwrap();
            if dice.jitter(2) == 0 {
                executor.calls_settled().await;
            }
            world.pass(Duration::from_millis(dice.jitter(1_500)));
        }
        if dice.jitter(5) == 0 {
            world.venue.deliver_late();
        }
        if dice.jitter(6) == 0 {
            drop(executor);
            world.leases_run_out().await;
            executor = world.executor();
        }
    }
    come_to_rest(world, &mut executor).await;
    world.venue.deliver_late();
    come_to_rest(world, &mut executor).await;
    orders.into_iter().map(|(order, _)| order).collect()
}

/// TIF-8 over mixes of sessions and times, calls that are turned away, and owners that die: every order goes once, not
/// before its time, and nobody who could go was passed by more than the window.
#[tokio::test]
async fn what_waits_goes_once_in_its_time_and_in_its_turn() {
    for seed in seeds() {
        let mut world = World::new().await;
        world.config.symbol_window = 2;
        world.clock.set("2026-11-23T13:00:00Z".parse().unwrap());
        let dice = testkit::ids(2_000 + seed);
        let orders: Vec<OrderAccepted> = (0..ORDERS).map(|_| timed(&world, &*dice)).collect();
        world.put(&orders).await;
        let mut executor = world.executor();
        for _ in 0..40 {
            if dice.jitter(8) == 0 {
                let throttle = Act::Throttle(Duration::from_millis(400));
                world.venue.script(CallKind::Submit, [throttle]);
            }
            if dice.jitter(10) == 0 {
                settle(&mut executor).await;
                drop(executor);
                world.leases_run_out().await;
                executor = world.executor();
            }
            settle(&mut executor).await;
            world.pass(Duration::from_secs(60 * dice.jitter(90)));
        }
        world.clock.set("2026-11-24T20:00:00Z".parse().unwrap());
        come_to_rest(&world, &mut executor).await;
        in_time_and_in_turn(&world, &orders, seed);
    }
}

/// An order for today or tomorrow; half of them have a time of their own.
fn timed(world: &World, dice: &dyn Ids) -> OrderAccepted {
    let session_date = if dice.jitter(2) == 0 {
        "2026-11-23"
    } else {
        "2026-11-24"
    };
    let hour = 15 + dice.jitter(5);
    let submit_at = (dice.jitter(2) == 0).then(|| format!("{session_date}T{hour}:00:00Z").parse().unwrap());
    OrderAccepted {
        session_date: session_date.parse().unwrap(),
        submit_at,
        ..world.order(SYMBOLS[usize::try_from(dice.jitter(2)).unwrap()])
    }
}

fn in_time_and_in_turn(world: &World, orders: &[OrderAccepted], seed: u64) {
    let ready = |order: &OrderAccepted| {
        let open = format!("{}T14:30:00Z", order.session_date).parse().unwrap();
        order.submit_at.map_or(open, |at| at.max(open))
    };
    let sent = |order: &OrderAccepted| {
        let view = world.venue.shown(OrderId::new(order.order_id));
        view.unwrap_or_else(|| panic!("seed {seed}: {} never went", order.order_id))
            .submitted_at
    };
    for (n, order) in orders.iter().enumerate() {
        let id = OrderId::new(order.order_id);
        assert_eq!(world.venue.taken(id), 1, "seed {seed}: {id}");
        let (from, at) = (ready(order), sent(order));
        assert!(at >= from, "seed {seed}: {id} went at {at}, before its time {from}");
        let passed_by = |later: &&OrderAccepted| {
            let when = sent(later);
            later.symbol == order.symbol && from <= when && when < at
        };
        let passed_by = orders[n..].iter().filter(passed_by).count();
        assert!(passed_by <= 2, "seed {seed}: {id} was passed by {passed_by}");
    }
}

async fn come_to_rest(world: &World, executor: &mut Executor<FakeVenue>) {
    for _ in 0..60 {
        settle(executor).await;
        if world.open_rows().await == 0 {
            return;
        }
        world.pass(Duration::from_secs(2));
    }
}

fn misfortune(world: &World, dice: &dyn Ids, order: OrderId) {
    let acts = |n: u64| -> Vec<Act> { (0..dice.jitter(n)).map(|_| act(dice)).collect() };
    world.venue.script_for(order, CallKind::Submit, acts(5));
    world.venue.script_for(order, CallKind::Lookup, acts(4));
    world.venue.script_for(order, CallKind::Cancel, acts(4));
}

fn act(dice: &dyn Ids) -> Act {
    match dice.jitter(9) {
        0 => Act::LoseAnswer,
        1 => Act::LoseRequest,
        2 => Act::Late,
        3 => Act::Fail,
        4 => Act::FailAfter,
        5 => Act::Throttle(Duration::from_millis(400)),
        6 => Act::Unreachable,
        7 => Act::Garble,
        _ => Act::Normal,
    }
}

/// At the end an order either works at the venue, or is over there and said so, or never was there and never will be.
async fn check(world: &World, order: OrderId, seed: u64) {
    let (told, row) = (world.told(order).await, world.row(order).await);
    let about = format!("seed {seed}, order {order}: {told}; {row}");
    assert!(world.venue.taken(order) <= 1, "{about}");
    // A wish about an order that is over has its end told again, and it is the same one.
    let words = told.split(", ").filter_map(|word| word.split('@').next());
    let is_end = |word: &&str| {
        ["canceled ", "rejected ", "expired "]
            .iter()
            .any(|end| word.starts_with(end))
    };
    let ends = words.filter(is_end).collect::<BTreeSet<_>>().len();
    assert!(ends <= 1, "an order has one end: {about}");
    assert!(told.matches("in_doubt").count() <= 1, "{about}");
    match world.venue.shown(order).map(|view| view.status) {
        None => assert!(
            row.starts_with("withdrawn") && told == "canceled 0@never_sent",
            "{about}"
        ),
        Some(VenueStatus::Working) => assert!(row.starts_with("working") && ends == 0, "{about}"),
        Some(_) => assert!(told.contains("acknowledged"), "{about}"),
    }
}
