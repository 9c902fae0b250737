//! Calls over HTTP: what is sent, and what becomes of answers that are late, long, cut or missing.
#![expect(clippy::unwrap_used, reason = "tests")]

use chassis::trace::{SpanKind, TraceSettings, Tracer};
use domain::{ExecId, OrderId, Price, Qty, Side, Symbol, TimeInForce, VenueOrderId};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;
use venue::alpaca::{AlpacaSettings, AlpacaVenue};
use venue::{Canceling, Fault, Lookup, Replacing, Submitted, Venue, VenueOrder};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn key(n: u128) -> OrderId {
    OrderId::new(Uuid::from_u128(n))
}

fn asked() -> VenueOrder {
    VenueOrder {
        symbol: Symbol::parse("AAPL").unwrap(),
        side: Side::Buy,
        qty: Qty::parse("10").unwrap(),
        limit_price: Price::parse("190.50").unwrap(),
        time_in_force: TimeInForce::Day,
    }
}

fn shown(key: OrderId) -> Value {
    json!({
        "id": Uuid::from_u128(70), "client_order_id": key.to_string(), "symbol": "AAPL", "side": "buy", "qty": "10",
        "filled_qty": "0", "type": "limit", "limit_price": "190.50", "time_in_force": "day", "status": "new",
        "created_at": "2026-11-23T15:00:00Z", "updated_at": "2026-11-23T15:00:00Z", "submitted_at": "2026-11-23T15:00:00Z",
    })
}

fn settings(server: &MockServer) -> AlpacaSettings {
    AlpacaSettings::new("sim", &server.uri(), "KEY", SecretString::from("SECRET"))
}

/// Long enough for a busy machine; where the answer is held back, far shorter than that and still enough to ask.
fn patience(held_back: bool) -> Duration {
    Duration::from_secs(if held_back { 2 } else { 60 })
}

fn venue(server: &MockServer) -> AlpacaVenue {
    venue_with(server, patience(false))
}

fn venue_with(server: &MockServer, patience: Duration) -> AlpacaVenue {
    AlpacaVenue::new(AlpacaSettings {
        timeout: patience,
        body_limit: 10_000,
        bulk_lookup: true,
        ..settings(server)
    })
    .unwrap()
}

async fn answering(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn an_order_goes_out_with_our_key_and_as_text() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v2/orders"))
        .and(header("APCA-API-KEY-ID", "KEY"))
        .and(header("APCA-API-SECRET-KEY", "SECRET"))
        .and(body_json(json!({
            "symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "day",
            "limit_price": "190.5", "client_order_id": key(1).to_string(), "extended_hours": false, "order_class": "simple",
        })))
        .respond_with(ResponseTemplate::new(200).set_body_json(shown(key(1))))
        .expect(1)
        .mount(&server)
        .await;
    assert!(matches!(
        venue(&server).submit(key(1), &asked()).await,
        Submitted::Acknowledged(_)
    ));
}

/// Where the call is in its trace; a third party may join it.
#[tokio::test(flavor = "multi_thread")]
async fn a_traced_call_says_where_in_which_trace_it_is() {
    let server = MockServer::start().await;
    let tracer = Tracer::start(&TraceSettings {
        endpoint: "http://127.0.0.1:9".to_owned(),
        sampling: "0".to_owned(),
        service: "test".to_owned(),
        instance: "1".to_owned(),
    })
    .unwrap();
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let span = tracer.span(SpanKind::Client, "submit", Some(caller));
    Mock::given(method("POST"))
        .and(header("traceparent", span.context().unwrap().as_str()))
        .respond_with(ResponseTemplate::new(200).set_body_json(shown(key(1))))
        .expect(1)
        .mount(&server)
        .await;
    let venue = venue(&server);
    let submitted = span.run(venue.submit(key(1), &asked())).await;
    assert!(matches!(submitted, Submitted::Acknowledged(_)));
}

fn old() -> VenueOrderId {
    VenueOrderId::new(&Uuid::from_u128(69).to_string()).unwrap()
}

fn replacement(key: OrderId) -> Value {
    let mut order = shown(key);
    order["replaces"] = Uuid::from_u128(69).to_string().into();
    order
}

async fn answering_a_patch(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("PATCH"))
        .and(path(format!("/v2/orders/{}", old())))
        .and(header("APCA-API-KEY-ID", "KEY"))
        .and(body_json(json!({
            "qty": "10", "limit_price": "190.5", "time_in_force": "day", "client_order_id": key(1).to_string(),
        })))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    server
}

/// ORD-15: the replacement's own id is its key at the venue.
#[tokio::test]
async fn a_replacement_goes_to_the_old_order_with_a_key_of_its_own() {
    let server = answering_a_patch(ResponseTemplate::new(200).set_body_json(replacement(key(1)))).await;
    let answer = venue(&server).replace(key(1), &old(), &asked()).await;
    assert!(matches!(answer, Replacing::Replaced(view) if view.replaces == Some(old())));
    let no_uuid = VenueOrderId::new("../../account").unwrap();
    let answer = venue(&server).replace(key(1), &no_uuid, &asked()).await;
    assert!(matches!(answer, Replacing::Refused(refusal) if refusal.code == 40_410_000));
}

/// replace::sent_no_answer: one PATCH each, whatever comes back.
#[tokio::test]
async fn a_patch_is_never_sent_again_by_the_adapter() {
    let slow = ResponseTemplate::new(200)
        .set_body_json(replacement(key(1)))
        .set_delay(Duration::from_secs(20));
    for (answer, fault) in [
        (slow, Fault::Timeout),
        (ResponseTemplate::new(500), Fault::Status(500)),
        (
            ResponseTemplate::new(200).set_body_json(shown(key(1))),
            Fault::Mismatch("replaces".to_owned()),
        ),
    ] {
        let server = answering_a_patch(answer).await;
        let venue = venue_with(&server, patience(fault == Fault::Timeout));
        let answer = venue.replace(key(1), &old(), &asked()).await;
        assert_eq!(answer, Replacing::Unknown(fault));
    }
}

/// A key that was used before is looked up: what it names is the answer, if it is the replacement that was asked for.
#[tokio::test]
async fn a_repeated_replacement_is_looked_up_and_adopted() {
    for (found, adopted) in [(replacement(key(1)), true), (shown(key(1)), false)] {
        let repeat = json!({"code": 40_010_001, "message": "client_order_id must be unique"});
        let server = answering_a_patch(ResponseTemplate::new(422).set_body_json(repeat)).await;
        Mock::given(method("GET"))
            .and(path("/v2/orders:by_client_order_id"))
            .respond_with(ResponseTemplate::new(200).set_body_json(found))
            .mount(&server)
            .await;
        let answer = venue(&server).replace(key(1), &old(), &asked()).await;
        match answer {
            Replacing::Replaced(view) => assert!(adopted && view.key == Some(key(1))),
            Replacing::Unknown(fault) => assert!(!adopted && fault == Fault::Mismatch("replaces".to_owned())),
            other => panic!("{other:?}"),
        }
    }
}

/// executor::slow_answer, executor::answer_5xx: one POST each, whatever comes back.
#[tokio::test]
async fn a_post_is_never_sent_again_by_the_adapter() {
    let slow = ResponseTemplate::new(200)
        .set_body_json(shown(key(1)))
        .set_delay(Duration::from_secs(20));
    let long = ResponseTemplate::new(200).set_body_string("x".repeat(20_000));
    let cases = [
        (slow, Fault::Timeout),
        (ResponseTemplate::new(500), Fault::Status(500)),
        (ResponseTemplate::new(502).set_body_string("<html>"), Fault::Status(502)),
        (
            ResponseTemplate::new(503).insert_header("Retry-After", "1"),
            Fault::Status(503),
        ),
        (
            ResponseTemplate::new(302).insert_header("Location", "/elsewhere"),
            Fault::Status(302),
        ),
        (long, Fault::Garbage("longer than 10000 bytes".to_owned())),
    ];
    for (answer, fault) in cases {
        let server = answering(answer).await;
        let venue = venue_with(&server, patience(fault == Fault::Timeout));
        assert_eq!(venue.submit(key(1), &asked()).await, Submitted::Unknown(fault));
    }
}

/// executor::answer_429
#[tokio::test]
async fn the_venue_says_how_long_to_wait() {
    let server = answering(ResponseTemplate::new(429).insert_header("Retry-After", "7")).await;
    let wait = Fault::Throttled {
        retry_after: Duration::from_secs(7),
    };
    assert_eq!(venue(&server).submit(key(1), &asked()).await, Submitted::Unknown(wait));
}

#[tokio::test]
async fn a_venue_that_is_not_there_was_sent_nothing() {
    let server = MockServer::start().await;
    let settings = settings(&server);
    drop(server);
    let venue = AlpacaVenue::new(AlpacaSettings {
        base_url: "http://127.0.0.1:1".to_owned(),
        ..settings
    })
    .unwrap();
    match venue.submit(key(1), &asked()).await {
        Submitted::Unknown(fault @ Fault::NotSent(_)) => assert!(fault.not_applied()),
        other => panic!("{other:?}"),
    }
}

/// executor::answer_duplicate_key: adopted if it is our order, a doubt if it is another one.
#[tokio::test]
async fn a_repeated_key_is_looked_up_and_adopted() {
    let taken = json!({"code": 40_010_001, "message": "client_order_id must be unique"});
    let server = answering(ResponseTemplate::new(422).set_body_json(taken)).await;
    Mock::given(path("/v2/orders:by_client_order_id"))
        .and(query_param("client_order_id", key(1).to_string()))
        .respond_with(ResponseTemplate::new(200).set_body_json(shown(key(1))))
        .mount(&server)
        .await;
    assert!(matches!(
        venue(&server).submit(key(1), &asked()).await,
        Submitted::Acknowledged(_)
    ));
    let other = VenueOrder {
        qty: Qty::parse("9").unwrap(),
        ..asked()
    };
    server.reset().await;
    assert!(!matches!(
        venue(&server).submit(key(1), &other).await,
        Submitted::Acknowledged(_)
    ));
}

#[tokio::test]
async fn many_keys_are_one_question() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v2/orders"))
        .and(query_param("client_order_ids", format!("{},{}", key(1), key(2))))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([shown(key(2))])))
        .expect(1)
        .mount(&server)
        .await;
    let answers = venue(&server).lookup_many(&[key(1), key(2)]).await;
    assert_eq!(answers[&key(1)], Lookup::NotFound);
    assert!(matches!(answers[&key(2)], Lookup::Found(_)));
}

#[tokio::test]
async fn an_answer_about_another_key_is_a_doubt() {
    let server = MockServer::start().await;
    let other = ResponseTemplate::new(200).set_body_json(shown(key(2)));
    Mock::given(method("GET")).respond_with(other).mount(&server).await;
    let answer = venue(&server).lookup(key(1)).await;
    assert_eq!(answer, Lookup::Unknown(Fault::Mismatch("client_order_id".to_owned())));
}

#[tokio::test]
async fn a_name_that_is_no_uuid_never_becomes_a_path() {
    let server = MockServer::start().await;
    let id = VenueOrderId::new("../account").unwrap();
    assert_eq!(venue(&server).cancel(&id).await, Canceling::NotFound);
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn executions_are_named_as_in_the_stream() {
    let server = MockServer::start().await;
    let exec = Uuid::from_u128(5);
    let id = format!("20261123150000000::{exec}");
    let fill = json!({
        "id": id, "activity_type": "FILL", "transaction_time": "2026-11-23T15:00:00.000001Z", "type": "fill",
        "price": "190.123456", "qty": 10, "side": "buy", "symbol": "AAPL", "order_id": Uuid::from_u128(70),
    });
    Mock::given(path("/v2/account/activities/FILL"))
        .and(query_param("direction", "asc"))
        .and(query_param("page_token", "before"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([fill])))
        .mount(&server)
        .await;
    let page = venue(&server).executions_after(Some("before")).await.unwrap();
    assert_eq!(page.executions[0].exec_id.as_str(), exec.to_string());
    assert_eq!((page.executions[0].cursor.as_str(), page.more), (id.as_str(), false));
}

#[tokio::test]
async fn quotes_are_numbers_and_an_empty_side_has_no_price() {
    let server = MockServer::start().await;
    let body = r#"{"quotes":{"AAPL":{"t":"2026-11-23T15:00:00Z","ap":0,"as":0,"bp":190.4200000000001,"bs":3}}}"#;
    let body = body.replace("190.4200000000001", "190.42");
    Mock::given(path("/v2/stocks/quotes/latest"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "application/json"))
        .mount(&server)
        .await;
    let quotes = venue(&server).quotes(&[Symbol::parse("AAPL").unwrap()]).await.unwrap();
    assert_eq!(quotes[0].bid, Some(Price::parse("190.42").unwrap()));
    assert_eq!(quotes[0].ask, None);
}

fn clearing(server: &MockServer, patience: Duration) -> AlpacaVenue {
    AlpacaVenue::new(AlpacaSettings {
        trade_files: true,
        trade_file_limit: 80,
        trade_file_timeout: patience,
        ..settings(server)
    })
    .unwrap()
}

/// `recon::file_partial`: a file that is cut on the way, late or too long is no file; one not written yet is no fault.
#[tokio::test]
async fn a_trade_file_comes_whole_or_not_at_all() {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    let not_yet = json!({"code": 40_410_000, "message": "written after its close"});
    let answers = [
        (
            ResponseTemplate::new(200).set_body_string("H,2026-11-23\nZ,0,0\n"),
            Ok(b"H,2026-11-23\nZ,0,0\n".to_vec()),
        ),
        (
            ResponseTemplate::new(404).set_body_json(not_yet),
            Err(Fault::NotYet("written after its close".to_owned())),
        ),
        (ResponseTemplate::new(503), Err(Fault::Status(503))),
        (
            ResponseTemplate::new(200).set_body_string("x".repeat(81)),
            Err(Fault::Garbage("longer than 80 bytes".to_owned())),
        ),
        (
            ResponseTemplate::new(200).set_delay(Duration::from_secs(20)),
            Err(Fault::Timeout),
        ),
    ];
    for (answer, expected) in answers {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/trade-files/2026-11-23"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let patience = patience(expected == Err(Fault::Timeout));
        assert_eq!(clearing(&server, patience).trade_file(day).await, expected);
    }
    let server = MockServer::start().await;
    assert_eq!(
        venue(&server).trade_file(day).await,
        Err(Fault::NotOffered("trade file"))
    );
}

#[tokio::test]
async fn an_execution_is_asked_for_by_its_id_and_an_answer_about_another_is_no_answer() {
    let (asked, other) = (Uuid::from_u128(5), Uuid::from_u128(6));
    let id = ExecId::new(&asked.to_string()).unwrap();
    let shown = |id: Uuid| {
        ResponseTemplate::new(200).set_body_json(json!({
            "execution_id": id, "order_id": Uuid::from_u128(70), "client_order_id": "x", "symbol": "AAPL", "side": "buy",
            "qty": 10, "price": "190.5", "transaction_time": "2026-11-23T15:00:00Z", "busted_at": "2026-11-23T16:00:00Z",
        }))
    };
    let denied = ResponseTemplate::new(404).set_body_json(json!({"code": 40_410_000, "message": "not found"}));
    for (answer, expected) in [
        (shown(asked), Ok(Some(true))),
        (shown(other), Err(Fault::Mismatch("execution_id".to_owned()))),
        (denied, Ok(None)),
        (
            ResponseTemplate::new(404),
            Err(Fault::Garbage(
                "EOF while parsing a value at line 1 column 0".to_owned(),
            )),
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path(format!("/executions/{asked}")))
            .respond_with(answer)
            .mount(&server)
            .await;
        let answer = clearing(&server, patience(false)).execution(&id).await;
        assert_eq!(answer.map(|found| found.map(|view| view.busted_at.is_some())), expected);
    }
}
