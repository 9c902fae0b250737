//! Many orders at once, without a database: no step may look at all of them.

use super::*;
use crate::Config;
use bus::Position;
use chassis::ids::SeededIds;
use domain::{AccountId, Price, Qty, RequestId, Side, Symbol, TimeInForce, VenueOrderId};
use rust_decimal::Decimal;
use std::sync::Arc;
use uuid::Uuid;
use venue::{Canceling, VenueOrder};

fn now() -> Timestamp {
    "2026-11-23T21:00:05Z".parse().expect("a time")
}

/// An order of the session that has just closed.
fn submission(n: u32, state: State, cancel: CancelState) -> Submission {
    let symbol = Symbol::parse("AAPL").expect("a symbol");
    let order = VenueOrder {
        symbol: symbol.clone(),
        side: Side::Buy,
        qty: Qty::new(Decimal::TEN).expect("shares"),
        limit_price: Price::new(Decimal::TEN).expect("a price"),
        time_in_force: TimeInForce::Day,
    };
    Submission {
        order_id: OrderId::new(Uuid::from_u128(u128::from(n))),
        account_id: AccountId::new(Uuid::nil()),
        partition: 0,
        symbol,
        terms: Some(Terms {
            order,
            session_date: "2026-11-23".parse().expect("a date"),
            submit_at: None,
            expires_at: None,
        }),
        replaces: None,
        request_id: RequestId::new("test").expect("plain text"),
        filed: Position {
            xid: 1,
            id: i64::from(n),
        },
        state,
        attempts: 1,
        cancel,
        cancel_attempts: 0,
        venue_order_id: Some(VenueOrderId::new(&n.to_string()).expect("plain text")),
        last_error: None,
        burn_reason: None,
        due: None,
        first_sent_at: None,
        memory: Memory {
            stored: true,
            open: true,
            ..Memory::default()
        },
    }
}

/// EOD step 2: a hundred thousand cancels are due at the same moment, and look-ups behind them.
#[test]
fn a_hundred_thousand_cancels_go_out_window_by_window_and_hold_up_no_look_up() {
    const CANCELS: u32 = 100_000;
    let (config, calendar) = (Config::default(), Calendar::nyse());
    let clock = Arc::new(chassis::clock::ManualClock::new(now()));
    let ids = SeededIds::new(1, clock);
    let context = Context {
        now: now(),
        config: &config,
        calendar: &calendar,
        ids: &ids,
        venue: "test",
        risk: None,
    };
    let mut book = Book::new(config.venue_window);
    for n in 0..CANCELS {
        book.load(submission(n, State::Working, CancelState::Wanted), |_, _| false, now());
    }
    for n in CANCELS..CANCELS + 250 {
        book.load(submission(n, State::InDoubt, CancelState::None), |_, _| false, now());
    }
    let (mut steps, mut canceled) = (0, 0);
    loop {
        book.choose(&context, InFlight::default());
        let jobs = book.committed().jobs;
        if jobs.is_empty() {
            break;
        }
        let lookups = jobs.iter().filter(|job| matches!(job, Job::Lookup(_))).count();
        assert_eq!(
            lookups,
            if steps == 0 { 3 } else { 0 },
            "all that are in doubt, in the first step"
        );
        let cancels = jobs.into_iter().filter_map(|job| match job {
            Job::Cancel(lane, order_id, _) => Some((lane, order_id)),
            _ => None,
        });
        let before = canceled;
        for (lane, order_id) in cancels {
            let outcome = Outcome::Canceled(Canceling::Taken, None);
            book.answer(
                &context,
                Answer {
                    order_id,
                    lane,
                    outcome,
                },
            );
            canceled += 1;
        }
        assert!(canceled - before <= config.cancel_window);
        steps += 1;
    }
    assert_eq!(
        (canceled, book.orders.len()),
        (100_000, 250),
        "only who is in doubt is left"
    );
}

/// A venue that answers nothing is asked again about a hundred orders, not about a thousand: ten at once, others when
/// the venue's credit has been read, half of it each time.
#[test]
fn orders_whose_calls_failed_are_called_about_again_within_a_budget() {
    let (config, calendar) = (
        Config {
            lookup_chunk: 1,
            ..Config::default()
        },
        Calendar::nyse(),
    );
    let clock = Arc::new(chassis::clock::ManualClock::new(now()));
    let ids = SeededIds::new(1, clock);
    let context = |now| Context {
        now,
        config: &config,
        calendar: &calendar,
        ids: &ids,
        venue: "test",
        risk: None,
    };
    let mut book = Book::new(10_000);
    for n in 0..1_000 {
        let failed = Submission {
            last_error: Some("no answer in time".to_owned()),
            ..submission(n, State::InDoubt, CancelState::None)
        };
        book.load(failed, |_, _| false, now());
    }
    book.load(
        submission(1_000, State::InDoubt, CancelState::None),
        |_, _| false,
        now(),
    );
    let asked = |book: &mut Book, at| {
        // In parts, as steps do.
        let jobs = |book: &mut Book| {
            book.choose(&context(at), InFlight::default());
            book.committed().jobs.len()
        };
        jobs(book) + jobs(book)
    };
    let draw = |book: &mut Book, row: &mut Credit, at| {
        let draw = book.patience.retries.draw(*row, at).expect("something to draw");
        *row = draw.left;
        book.patience.retries.drew(draw);
    };
    let mut row = Credit {
        hundredths: 10_000,
        at: None,
    };
    draw(&mut book, &mut row, now());
    assert_eq!(asked(&mut book, now()), 11, "the last one was not asked about before");
    draw(&mut book, &mut row, now());
    let later = now() + TimeDelta::seconds(1);
    assert_eq!((asked(&mut book, later), row.retries(later)), (45, 55));
    draw(&mut book, &mut row, later);
    assert_eq!(
        (asked(&mut book, later), row.retries(later)),
        (0, 27),
        "they are put off"
    );
    assert_eq!(asked(&mut book, later + TimeDelta::milliseconds(500)), 27);
}
