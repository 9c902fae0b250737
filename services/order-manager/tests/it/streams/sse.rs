//! Server-sent events: replay and range, line by line, as the Go SDK reads them.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use order_manager::StreamSettings;
use serde_json::Value;

use crate::house::Customer;
use crate::street::{Events, Street, number};

/// Five orders, so five events; what the log says of each.
async fn five(street: &Street) -> (Customer, Vec<Value>) {
    let ada = street.house.customer(1_000).await;
    for _ in 0..5 {
        street.order(&ada).await;
        street.house.clock.advance(Duration::from_secs(1));
    }
    let mut events = street.events(&ada, "?since_id=0&until_id=5").await;
    let mut told = Vec::new();
    while let Some(event) = events.next().await {
        told.push(event);
    }
    assert_eq!(told.iter().map(number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    (ada, told)
}

fn at(event: &Value) -> DateTime<Utc> {
    event["at"].as_str().unwrap().parse().unwrap()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

#[tokio::test]
async fn without_a_beginning_only_new_events_are_told_each_on_one_line() {
    let street = Street::open().await;
    let ada = street.house.customer(1_000).await;
    street.order(&ada).await;
    let mut events = street.events(&ada, "").await;
    assert_eq!(events.header("content-type"), "text/event-stream");
    let order = street.order(&ada).await;
    let line = events.line().await.unwrap();
    let event: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((number(&event), &event["event"]), (2, &"accepted".into()));
    assert_eq!(event["order"]["id"], order.to_string());
    assert_eq!(event["at"], event["timestamp"]);
    assert_eq!(events.line().await.as_deref(), Some(""), "a blank line ends it");
}

#[tokio::test]
async fn a_range_is_exact_by_number_and_by_time() {
    let street = Street::open().await;
    let (ada, told) = five(&street).await;
    let nanosecond = TimeDelta::nanoseconds(1);
    let (second, fourth) = (at(&told[1]), at(&told[3]));
    let id = |n: usize| told[n].get("event_id").and_then(Value::as_str).unwrap();
    let cases = [
        (format!("?since_id={}&until_id={}", id(1), id(3)), vec![3, 4]),
        (format!("?since_id=2&until={}", time(fourth)), vec![3, 4]),
        (format!("?since={}&until_id=4", time(second)), vec![3, 4]),
        (format!("?since={}&until={}", time(second), time(fourth)), vec![3, 4]),
        // As the Go SDK resumes.
        (format!("?since={}&until_id=4", time(second + nanosecond)), vec![3, 4]),
        (
            format!("?since={}&until_id=4", time(second - nanosecond)),
            vec![2, 3, 4],
        ),
        (
            format!("?since_id=0&until={}", time(fourth - nanosecond)),
            vec![1, 2, 3],
        ),
        ("?since=2020-01-01&until_id=2".to_owned(), vec![1, 2]),
        (format!("?since={}&until_id=2", time(second)), vec![]),
        ("?since_id=4&until_id=2".to_owned(), vec![]),
        ("?since_id=5&until_id=5".to_owned(), vec![]),
    ];
    street.house.clock.advance(Duration::from_secs(10));
    for (query, expected) in cases {
        assert_eq!(street.events(&ada, &query).await.rest().await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_replay_goes_on_live_and_ends_where_it_was_said() {
    let street = Street::open().await;
    let (ada, _) = five(&street).await;
    let mut to_the_seventh = street.events(&ada, "?since_id=3&until_id=7").await;
    let mut on = street.events(&ada, "?since_id=3").await;
    assert_eq!(on.numbers(2).await, [4, 5]);
    for _ in 0..3 {
        street.order(&ada).await;
    }
    assert_eq!(to_the_seventh.rest().await, [4, 5, 6, 7]);
    assert_eq!(on.numbers(3).await, [6, 7, 8]);
}

/// With a clock that stands still, `at` still grows: a client that resumes after the last one it saw misses none.
#[tokio::test]
async fn resuming_by_time_after_each_event_tells_every_event_once() {
    let street = Street::open().await;
    let ada = street.house.customer(1_000).await;
    for _ in 0..20 {
        street.order(&ada).await;
    }
    let (mut since, mut seen) = ("2026-01-01T00:00:00Z".to_owned(), Vec::new());
    while seen.len() < 20 {
        let mut events: Events = street.events(&ada, &format!("?since={since}")).await;
        let event = events.next().await.unwrap();
        since = time(at(&event) + TimeDelta::nanoseconds(1));
        seen.push(number(&event));
    }
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_with_an_end_in_time_waits_for_it() {
    let street = Street::with(StreamSettings {
        heartbeat: Duration::from_millis(20),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(1_000).await;
    let end = testkit::start_of_time() + TimeDelta::seconds(60);
    let query = format!("?until={}", time(end));
    let mut ends_by_the_clock = street.events(&ada, &query).await;
    let mut ends_by_an_event = street.events(&ada, &query).await;
    assert_eq!(ends_by_the_clock.line().await.as_deref(), Some(": heartbeat"));
    street.order(&ada).await;
    street.house.clock.advance(Duration::from_secs(61));
    street.order(&ada).await;
    assert_eq!(
        ends_by_an_event.rest().await,
        [1],
        "what came later shows that no more will come"
    );
    street.house.clock.advance(Duration::from_secs(5));
    assert_eq!(ends_by_the_clock.rest().await, [1]);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let street = Street::open().await;
    let (ada, _) = five(&street).await;
    let cases = [
        ("?since_id=6", 422),
        ("?since_id=x", 422),
        ("?until_id=-1", 422),
        ("?since=yesterday", 422),
        ("?since_id=1&since=2026-01-01", 422),
        ("?until_id=1&until=2026-01-01", 422),
        ("?since_id=1&since_id=2", 422),
    ];
    for (query, status) in cases {
        let answer = street.get(&ada, &format!("/v2/events/trades{query}")).await;
        assert_eq!(
            (answer.error().0, answer.error().1),
            (status, 40010001),
            "{query}: {}",
            answer.body
        );
    }
    let stranger = Customer {
        secret: "wrong".to_owned(),
        ..ada.clone()
    };
    assert_eq!(street.get(&stranger, "/v2/events/trades").await.error().0, 401);
    assert_eq!(street.get(&ada, "/stream").await.error().0, 400, "no handshake");
}
