//! One trace from the request to the fill, over everything between; and nothing of it where nothing is traced.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use testkit::wait_until;

use crate::harness::collector::{Collector, Sent};
use crate::house::{BROKERS, House};

/// What a client that traces sends along: its trace, and its own span in it.
const PLACING: (&str, &str) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
const CANCELING: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

fn traceparent((trace, span): (&str, &str)) -> String {
    format!("00-{trace}-{span}-01")
}

/// A brokerage that records what its callers record, and nothing by itself.
async fn house(collector: &Collector) -> House {
    House::open_with(&[
        ("DAYBOOK_OTLP_ENDPOINT", &collector.url),
        ("DAYBOOK_TRACE_SAMPLING", "0"),
    ])
    .await
}

/// Waits for the one span that is like this.
async fn span(collector: &Collector, what: &str, is_it: impl Fn(&Sent) -> bool) -> Sent {
    let found = || collector.sent().into_iter().find(&is_it);
    wait_until(&format!("a span: {what}"), Duration::from_secs(90), || async {
        found().is_some()
    })
    .await;
    found().unwrap()
}

async fn handled(collector: &Collector, group: &str, event: &str) -> Sent {
    span(collector, &format!("{group} handles {event}"), |span| {
        span.attribute("messaging.consumer.group.name") == group && span.attribute("daybook.event") == event
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_from_its_request_to_its_fill() {
    let collector = Collector::open().await;
    let house = house(&collector).await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.traced(&traceparent(PLACING)).buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;

    let request = span(&collector, "the request", |span| span.kind == SpanKind::Server).await;
    assert_eq!(request.name, "POST /v2/orders");
    assert_eq!(
        (request.trace.as_str(), request.parent.as_str()),
        PLACING,
        "the caller's"
    );
    assert_eq!(request.attribute("http.request.method"), "POST");
    assert_eq!(request.attribute("http.route"), "/v2/orders");
    assert_eq!(request.attribute("http.response.status_code"), "200");
    assert_eq!(request.service, "daybook-all");

    let submit = span(&collector, "the submission", |span| span.name == "submit").await;
    assert_eq!(
        (submit.kind, submit.attribute("daybook.venue")),
        (SpanKind::Client, "exchange")
    );
    assert_eq!(submit.attribute("daybook.outcome"), "acknowledged");
    let fill = handled(&collector, "status-updater", "filled").await;
    assert_eq!(
        (fill.name.as_str(), fill.kind),
        ("process venue-reports", SpanKind::Consumer)
    );
    let told = handled(&collector, "notifier", "fill").await;
    let mut all = vec![submit, fill, told];
    if std::env::var(BROKERS).is_ok() {
        let shipped = |topic: &'static str| move |span: &Sent| span.name == format!("send {topic}");
        for topic in ["orders", "venue-reports", "order-updates"] {
            all.push(span(&collector, topic, shipped(topic)).await);
        }
    }
    for span in &all {
        assert_eq!(
            (&span.trace, &span.parent),
            (&request.trace, &request.id),
            "{} is caused by the request",
            span.name
        );
    }
    all.push(request);
    for span in all {
        assert_eq!(span.attribute("daybook.order.id"), order.to_string(), "{}", span.name);
    }
    let strange: Vec<Sent> = collector
        .sent()
        .into_iter()
        .filter(|span| span.trace != PLACING.0)
        .collect();
    assert_eq!(strange, [], "of nobody else's requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_part_of_the_trace_of_who_asked_for_it_and_its_outcome_of_the_orders() {
    let collector = Collector::open().await;
    let house = house(&collector).await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.traced(&traceparent(PLACING)).buy(1, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    let (status, body) = ada.traced(&traceparent(CANCELING)).cancel(order).await;
    assert_eq!(status, 204, "{body}");
    ada.wait_for(order, "canceled").await;

    let request = span(&collector, "the request", |span| {
        span.name == "DELETE /v2/orders/{order_id}"
    })
    .await;
    assert_eq!((request.trace.as_str(), request.parent.as_str()), CANCELING);
    let call = span(&collector, "the cancel", |span| span.name == "cancel").await;
    assert_eq!((&call.trace, &call.parent), (&request.trace, &request.id));
    assert_eq!(call.attribute("daybook.order.id"), order.to_string());
    let end = handled(&collector, "status-updater", "ended").await;
    assert_eq!(end.trace, PLACING.0);
}

/// Rows that have a place in a trace, wherever there could be any.
async fn kept(house: &House) -> Vec<i64> {
    let rows = "select array[(select count(trace_context) from outbox), (select count(trace_context) from orders),
                             (select count(trace_context) from venue_submissions)]";
    sqlx::query_scalar(rows).fetch_one(&house.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sampled_is_neither_kept_nor_sent() {
    let collector = Collector::open().await;
    let mut house = house(&collector).await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    let refused = traceparent(PLACING).replace("-01", "-00");
    let other = ada.traced(&refused).buy(1, "AAPL", "100.00").await;
    for order in [order, other] {
        ada.wait_for(order, "filled").await;
    }
    house.at_rest().await;
    assert_eq!(kept(&house).await, [0, 0, 0]);
    let traced = ada.traced(&traceparent(PLACING)).buy(1, "AAPL", "100.00").await;
    ada.wait_for(traced, "filled").await;
    let there = kept(&house).await;
    assert!(there[0] > 0 && there[1..] == [1, 1], "where it would be: {there:?}");
    house.stop().await;
    let sent = collector.sent();
    assert!(!sent.is_empty(), "the last spans are sent when the process stops");
    assert!(sent.iter().all(|span| span.trace == PLACING.0), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nothing_is_kept_whatever_a_client_sends() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.traced(&traceparent(PLACING)).buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    house.at_rest().await;
    assert_eq!(kept(&house).await, [0, 0, 0]);
}

/// Nobody is there to take them: orders go on as ever, and the process stops in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_up_nobody() {
    let nowhere = ("DAYBOOK_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let mut house = House::open_with(&[nowhere]).await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    house.at_rest().await;
    house.stop().await;
}
