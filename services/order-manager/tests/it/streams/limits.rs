//! How many, how long, how slow: what ends a connection, and that its client resumes without loss.

use std::time::{Duration, Instant};

use futures::StreamExt;
use order_manager::StreamSettings;
use serde_json::{Value, json};
use testkit::wait_until;

use super::rough::{masked, raw};
use crate::street::{PATIENCE, Street, number, pair};

fn ended(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn a_stranger_has_only_so_long() {
    let street = Street::with(StreamSettings {
        name_within: Duration::from_millis(50),
        ..StreamSettings::default()
    })
    .await;
    let mut socket = street.socket().await;
    assert_eq!(socket.hear_the_end().await, ended(1008, "not authenticated in time"));
}

#[tokio::test]
async fn an_account_and_the_house_have_only_so_much_room() {
    let street = Street::with(StreamSettings {
        connections: 3,
        connections_per_account: 2,
        ..StreamSettings::default()
    })
    .await;
    let (ada, bob) = (street.house.customer(0).await, street.house.customer(0).await);
    let _first = street.listener(&ada).await;
    let _second = street.events(&ada, "").await;
    let mut third = street.socket().await;
    third.say(&pair(&ada)).await;
    let told = json!({"action": "error", "data": {"error_message": "too many stream connections of this account"}});
    assert_eq!(third.hear().await, told);
    assert_eq!(
        third.hear_the_end().await,
        ended(1008, "too many connections of this account")
    );
    let refused = street.try_events(&ada, "").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );

    drop(third);
    let mut his = None;
    while his.is_none() {
        // The one that was refused may still be on its way out.
        his = street.socket_with_headers(&bob.key_id, &bob.secret).await.ok();
        tokio::task::yield_now().await;
    }
    let full = street
        .socket_with_headers(&bob.key_id, &bob.secret)
        .await
        .err()
        .unwrap();
    assert_eq!((full.0, &full.1["code"]), (503, &json!(50310000)));
    // Who leaves makes room.
    drop(his);
    wait_until("there is room again", PATIENCE, || async {
        street.socket_with_headers(&bob.key_id, &bob.secret).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_closes_what_it_opened() {
    let street = Street::open().await;
    let (ada, bob) = (street.house.customer(100).await, street.house.customer(100).await);
    let (mut socket, mut events) = (street.listener(&ada).await, street.events(&ada, "").await);
    let mut other = street.listener(&bob).await;
    street.revoke(&ada).await;
    assert_eq!(socket.hear_the_end().await, ended(1008, "the key was revoked"));
    assert_eq!(events.line().await.as_deref(), Some(": the key was revoked"));
    assert_eq!(events.next().await, None);
    street.order(&bob).await;
    assert_eq!(other.numbers(1).await, [1], "others are not concerned");
}

#[tokio::test]
async fn a_stop_says_goodbye_to_everybody() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let (mut socket, mut events) = (street.listener(&ada).await, street.events(&ada, "").await);
    let mut stranger = street.socket().await;
    let farewell = "the server is stopping, connect again";
    let (stopped, socket, stranger, line) = tokio::join!(
        street.house.shutdown.drain(PATIENCE),
        socket.hear_the_end(),
        stranger.hear_the_end(),
        events.line(),
    );
    stopped.unwrap();
    assert_eq!((socket, stranger), (ended(1001, farewell), ended(1001, farewell)));
    assert_eq!(line, Some(format!(": {farewell}")));
    assert_eq!(events.next().await, None, "the answer ends as an answer ends");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_cut() {
    let street = Street::with(StreamSettings {
        heartbeat: Duration::from_millis(50),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    // One answers pings, as every library does; the other one reads and answers nothing.
    let mut alive = street.listener(&ada).await;
    let lives = tokio::spawn(async move { alive.numbers(1).await });
    let said = raw(&street, &masked(&pair(&ada).to_string())).await;
    let close = said.len() - 2 - "pings were not answered".len();
    let pings = said.windows(2).filter(|two| *two == [0x89, 0]).count();
    assert_eq!((pings, &said[close..close + 2]), (3, &1008_u16.to_be_bytes()[..]));
    assert_eq!(&said[close + 2..], b"pings were not answered");
    street.order(&ada).await;
    assert_eq!(lives.await.unwrap(), [1]);
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_resumes_without_loss() {
    const EVENTS: i64 = 20_000;
    let street = Street::with(StreamSettings {
        // Seconds, since all of them share one thread: when it stands still, the quick one must not seem slow.
        read_within: Duration::from_secs(5),
        sweep_every: Duration::from_millis(50),
        connections_per_account: 2,
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut slow = street.listener(&ada).await;
    let mut quick = street.listener(&ada).await;
    let order = street.order(&ada).await;
    street.flood(order, EVENTS - 1).await;
    assert_eq!(
        quick.numbers(20_000).await,
        (1..=EVENTS).collect::<Vec<_>>(),
        "others are not concerned"
    );
    wait_until("the slow one is given up", PATIENCE, || async {
        street.socket_with_headers(&ada.key_id, &ada.secret).await.is_ok()
    })
    .await;
    let mut last = 0;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, slow.0.next()).await {
        if message.is_text() {
            let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            assert_eq!(number(&frame["data"]), last + 1);
            last += 1;
        }
    }
    assert!(last < EVENTS, "it was cut before the end");
    let mut again = street.listener_since(&ada, &last.to_string()).await;
    let rest = usize::try_from(EVENTS - last).unwrap();
    assert_eq!(again.numbers(rest).await, (last + 1..=EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_that_never_catches_up_is_cut() {
    const EVENTS: i64 = 20_000;
    let street = Street::with(StreamSettings {
        queue: 1,
        read_within: PATIENCE,
        behind_at_most: Duration::from_millis(1),
        sweep_every: Duration::from_millis(20),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut slow = street.listener(&ada).await;
    let order = street.order(&ada).await;
    street.flood(order, EVENTS - 1).await;
    assert_eq!(
        slow.hear_the_end().await,
        ended(1008, "slow reader, connect again and resume by since_id")
    );
}

/// It fell behind once, which is no reason to cut it later.
#[tokio::test]
async fn a_reader_that_has_caught_up_is_forgiven() {
    const BEHIND_AT_MOST: Duration = Duration::from_secs(10);
    let street = Street::with(StreamSettings {
        queue: 1,
        heartbeat: Duration::from_millis(20),
        behind_at_most: BEHIND_AT_MOST,
        sweep_every: Duration::from_millis(20),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut events = street.events(&ada, "").await;
    let order = street.order(&ada).await;
    street.flood(order, 100).await;
    assert_eq!(events.numbers(101).await, (1..=101).collect::<Vec<_>>());
    let caught_up = Instant::now();
    while caught_up.elapsed() <= BEHIND_AT_MOST {
        let line = events.line().await.unwrap();
        assert!([": heartbeat", ""].contains(&line.as_str()), "{line}");
    }
    street.flood(order, 100).await;
    assert_eq!(events.numbers(100).await, (102..=201).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_queue_that_overflows_loses_nothing() {
    let street = Street::with(StreamSettings {
        queue: 1,
        sweep_every: Duration::from_millis(20),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let (mut socket, mut events) = (street.listener(&ada).await, street.events(&ada, "").await);
    let order = street.order(&ada).await;
    for _ in 0..10 {
        street.flood(order, 100).await;
    }
    let all: Vec<i64> = (1..=1_001).collect();
    assert_eq!(socket.numbers(1_001).await, all);
    assert_eq!(events.numbers(1_001).await, all);
}
