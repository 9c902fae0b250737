//! The event log by number and by time.

use chrono::TimeDelta;
use domain::order::StreamEvent;
use domain::{Money, OrderStatus, Qty};
use orders::history::{events_after, last_event, last_event_until, with_news};
use orders::{NewOrderEvent, Sequence};
use sqlx::PgConnection;
use std::collections::HashMap;
use testkit::{TestDb, start_of_time};

use crate::{account, order};

/// So many events of an account, a second apart.
async fn events(conn: &mut PgConnection, owner: u128, count: i64) {
    let order = order(1, owner, "AAPL");
    orders::open_sequence(conn, order.account_id).await.expect("a sequence");
    let mut sequence = Sequence::default();
    let event = |n| {
        let (seq, at) = sequence.next_event_at(start_of_time() + TimeDelta::seconds(n));
        NewOrderEvent {
            account_id: order.account_id,
            seq,
            order_id: order.order_id,
            event: StreamEvent::Restated,
            at,
            status: OrderStatus::New,
            filled_qty: Qty::ZERO,
            filled_notional: Money::ZERO,
            execution: None,
            cause: "test".to_owned(),
            request_id: order.request_id.clone(),
        }
    };
    let events: Vec<NewOrderEvent> = (1..=count).map(event).collect();
    orders::append_events(conn, &events).await.expect("appended");
    let sequences = HashMap::from([(order.account_id, sequence)]);
    orders::store_sequences(conn, &sequences).await.expect("stored");
}

#[tokio::test]
async fn events_are_read_for_many_accounts_each_from_its_own_place() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    for (owner, count) in [(1, 9), (2, 3), (3, 2)] {
        events(&mut conn, owner, count).await;
    }
    let places = [(account(1), 5), (account(2), 3), (account(3), 0), (account(4), 0)];
    let read = events_after(&mut conn, &places, 3).await.expect("read");
    let read: Vec<_> = read.iter().map(|event| (event.account_id, event.seq)).collect();
    let expected = [(1, 6), (1, 7), (1, 8), (3, 1), (3, 2)].map(|(owner, seq)| (account(owner), seq));
    assert_eq!(read, expected, "three at most of each");
    let mut news = with_news(&mut conn, &places).await.expect("read");
    news.sort_unstable();
    assert_eq!(news, [account(1), account(3)]);
}

#[tokio::test]
async fn the_last_event_until_a_moment_is_found_for_every_moment() {
    let db = TestDb::new().await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    for (owner, count) in [(1, 0), (2, 1), (3, 2), (4, 13)] {
        events(&mut conn, owner, count).await;
        assert_eq!(last_event(&mut conn, account(owner)).await.expect("read"), count);
        for half_seconds in 0..30 {
            let moment = start_of_time() + TimeDelta::milliseconds(500 * half_seconds);
            let found = last_event_until(&mut conn, account(owner), moment).await.expect("read");
            assert_eq!(
                found,
                (half_seconds / 2).min(count),
                "{half_seconds} half seconds, {count} events"
            );
        }
    }
    assert_eq!(
        last_event(&mut conn, account(5)).await.expect("read"),
        0,
        "an account without a row"
    );
}
