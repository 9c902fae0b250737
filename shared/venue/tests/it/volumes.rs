//! Average volumes from daily bars over HTTP (RSK-3): which are asked for, and how pages come together.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::NaiveDate;
use domain::Symbol;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use venue::alpaca::{AlpacaSettings, AlpacaVenue};
use venue::{Fault, Venue, VenueVolume};
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn venue(server: &MockServer) -> AlpacaVenue {
    let settings = AlpacaSettings::new("sim", "http://127.0.0.1:1", "KEY", SecretString::from("SECRET"));
    AlpacaVenue::new(AlpacaSettings {
        data_url: Some(server.uri()),
        ..settings
    })
    .unwrap()
}

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| Symbol::parse(name).unwrap()).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A bar as Alpaca shows it: its time is midnight in New York.
fn bar(day: &str, volume: impl Into<Value>) -> Value {
    let volume = volume.into();
    json!({"t": format!("{day}T05:00:00Z"), "o": 190.42, "h": 191, "l": 190, "c": 190.5, "v": volume, "n": 9, "vw": 190.45})
}

async fn answering(page: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(path("/v2/stocks/bars"))
        .respond_with(ResponseTemplate::new(200).set_body_json(page))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn rsk_3_averages_are_of_all_pages_and_leave_todays_bar_out() {
    let server = MockServer::start().await;
    let asked = || {
        Mock::given(method("GET"))
            .and(path("/v2/stocks/bars"))
            .and(header("APCA-API-KEY-ID", "KEY"))
            .and(query_param("symbols", "AAPL,BRK.B,NONE"))
            .and(query_param("timeframe", "1Day"))
            .and(query_param("start", "2026-10-14"))
            .and(query_param("end", "2026-11-23T00:00:00Z"))
            .and(query_param("limit", "10000"))
            .and(query_param("adjustment", "split"))
    };
    let first = json!({"bars": {"AAPL": [bar("2026-11-19", 100)]}, "next_page_token": "more"});
    let last = json!({"bars": {
        "AAPL": [bar("2026-11-20", "103.5"), bar("2026-11-23", 1_000_000)],
        "BRK.B": [bar("2026-11-20", 7)],
    }, "next_page_token": null});
    for (on, page) in [
        (asked().and(query_param_is_missing("page_token")), first),
        (asked().and(query_param("page_token", "more")), last),
    ] {
        on.respond_with(ResponseTemplate::new(200).set_body_json(page))
            .expect(1)
            .mount(&server)
            .await;
    }
    let volumes = venue(&server)
        .daily_volumes(&symbols(&["AAPL", "BRK.B", "NONE"]), day("2026-11-23"))
        .await
        .unwrap();
    let volume = |symbol: &str, average| VenueVolume {
        symbol: Symbol::parse(symbol).unwrap(),
        average,
        sessions: 2,
        through: day("2026-11-20"),
    };
    assert_eq!(volumes, [volume("AAPL", 101), volume("BRK.B", 3)]);
}

#[tokio::test]
async fn rsk_3_many_symbols_are_asked_for_in_questions_of_bounded_size() {
    let server = answering(json!({"bars": {}, "next_page_token": null})).await;
    let names: Vec<String> = (0..301).map(|n| format!("Z{n}")).collect();
    let all = symbols(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(venue(&server).daily_volumes(&all, day("2026-11-23")).await.unwrap(), []);
    let asked: Vec<Vec<String>> = server.received_requests().await.unwrap().iter().map(listed).collect();
    assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [150, 150, 1]);
    assert_eq!(
        BTreeSet::from_iter(asked.into_iter().flatten()),
        BTreeSet::from_iter(names)
    );
}

/// A real venue answers 400 to a question with a name that it does not take.
#[tokio::test]
async fn rsk_3_a_name_that_the_venue_does_not_take_costs_only_its_own_question_the_answer() {
    let server = MockServer::start().await;
    let names: Vec<String> = (0..151).map(|n| format!("Z{n}")).collect();
    let all = symbols(&names.iter().map(String::as_str).collect::<Vec<_>>());
    Mock::given(query_param("symbols", "Z150"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"bars": {"Z150": [bar("2026-11-20", 40)]}})))
        .mount(&server)
        .await;
    Mock::given(path("/v2/stocks/bars"))
        .respond_with(ResponseTemplate::new(400))
        .mount(&server)
        .await;
    let venue = venue(&server);
    let told = venue.daily_volumes(&all, day("2026-11-23")).await.unwrap();
    assert_eq!(told.iter().map(|volume| volume.average).collect::<Vec<_>>(), [40]);
    assert!(
        venue.daily_volumes(&all[..150], day("2026-11-23")).await.is_err(),
        "nothing at all"
    );
}

fn listed(request: &wiremock::Request) -> Vec<String> {
    let (_, list) = request.url.query_pairs().find(|(name, _)| name == "symbols").unwrap();
    list.split(',').map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_no_answer_is_no_average() {
    let bars = |bars: Value| json!({"bars": bars, "next_page_token": null});
    for (page, told) in [
        (bars(json!({"MSFT": [bar("2026-11-20", 1)]})), "bars: MSFT"),
        (bars(json!({"AAPL": [bar("2026-11-20", -1)]})), "v: negative"),
        (
            json!({"bars": {}, "next_page_token": "for ever"}),
            "bars: pages without an end",
        ),
    ] {
        let server = answering(page).await;
        let answer = venue(&server)
            .daily_volumes(&symbols(&["AAPL"]), day("2026-11-23"))
            .await;
        assert_eq!(answer, Err(Fault::Garbage(told.to_owned())));
    }
    let nothing = answering(bars(Value::Null)).await;
    let answer = venue(&nothing)
        .daily_volumes(&symbols(&["AAPL"]), day("2026-11-23"))
        .await;
    assert_eq!(answer, Ok(vec![]));
}
