//! The sessions before today (RSK-3): which there are, how pages follow each other, and that they never change.

use serde_json::{Value, json};

use crate::rig::Rig;

async fn bars(rig: &Rig, query: &str) -> Value {
    rig.get(&format!("/v2/stocks/bars?timeframe=1Day&{query}")).await
}

fn days(page: &Value, symbol: &str) -> Vec<String> {
    let bars = page["bars"][symbol].as_array().cloned().unwrap_or_default();
    bars.iter().map(|bar| bar["t"].as_str().unwrap().to_owned()).collect()
}

/// Sunday the 22nd: the last session was Friday's.
#[tokio::test]
async fn past_sessions_are_those_of_the_calendar_before_today() {
    let rig = Rig::start_on_a_sunday().await;
    let page = bars(
        &rig,
        "symbols=AAPL,NOSUCH&start=2026-11-18T00:00:00-05:00&end=2026-12-31",
    )
    .await;
    assert_eq!(
        days(&page, "AAPL"),
        ["2026-11-18T05:00:00Z", "2026-11-19T05:00:00Z", "2026-11-20T05:00:00Z"]
    );
    assert_eq!(
        page["bars"].as_object().unwrap().len(),
        1,
        "what is not listed is left out: {page}"
    );
    assert_eq!(page["next_page_token"], Value::Null);
    let bar = &page["bars"]["AAPL"][0];
    assert!((33_600_000..=62_400_000).contains(&bar["v"].as_u64().unwrap()), "{bar}");
    for name in ["o", "h", "l", "c", "vw"] {
        let price = bar[name].to_string();
        assert!(price.starts_with("22") || price.starts_with("23"), "{bar}");
    }
    rig.clock.set("2026-11-23T15:00:00Z".parse().unwrap());
    let on_monday = bars(&rig, "symbols=AAPL&start=2026-11-18").await;
    assert_eq!(
        on_monday["bars"]["AAPL"], page["bars"]["AAPL"],
        "today's session is not over"
    );
    rig.clock.set("2026-11-24T15:00:00Z".parse().unwrap());
    let on_tuesday = bars(&rig, "symbols=AAPL&start=2026-11-23").await;
    assert_eq!(days(&on_tuesday, "AAPL"), ["2026-11-23T05:00:00Z"]);
}

/// A day that was closed by hand had no session.
#[tokio::test]
async fn a_closed_day_has_no_bar_and_a_restart_changes_nothing() {
    let rig = Rig::start_on_a_sunday().await;
    let before = bars(&rig, "symbols=AAPL&start=2026-11-18").await;
    rig.post("/sim/closures", json!({"date": "2026-11-19", "closes_at": null}))
        .await;
    let rig = rig.restarted().await;
    let after = bars(&rig, "symbols=AAPL&start=2026-11-18").await;
    let (before, after) = (&before["bars"]["AAPL"], &after["bars"]["AAPL"]);
    assert_eq!(after, &json!([before[0], before[2]]));
}

#[tokio::test]
async fn pages_follow_each_other_by_symbol_and_date_until_none_is_left() {
    let rig = Rig::start_on_a_sunday().await;
    let query = "symbols=MSFT,AAPL&start=2026-11-18&end=2026-11-20";
    let whole = bars(&rig, query).await;
    let (mut told, mut sizes, mut token) = (json!({"AAPL": [], "MSFT": []}), vec![], String::new());
    loop {
        let page = bars(&rig, &format!("{query}&limit=4{token}")).await;
        let mut size = 0;
        for (symbol, bars) in page["bars"].as_object().unwrap() {
            let bars = bars.as_array().unwrap();
            size += bars.len();
            told[symbol].as_array_mut().unwrap().extend(bars.iter().cloned());
        }
        sizes.push(size);
        let Some(next) = page["next_page_token"].as_str() else {
            break;
        };
        token = format!("&page_token={next}");
    }
    assert_eq!((sizes, &told), (vec![4, 2], &whole["bars"]));
}

#[tokio::test]
async fn a_question_for_bars_that_cannot_be_answered_says_why() {
    let rig = Rig::start_on_a_sunday().await;
    for (query, told) in [
        ("timeframe=1Day", "symbols is required"),
        ("symbols=AAPL", "timeframe is required"),
        (
            "symbols=AAPL&timeframe=1Min",
            "only timeframe 1Day is offered by this exchange",
        ),
        (
            "symbols=AAPL&timeframe=1Day&limit=10001",
            "limit must be from 1 to 10000",
        ),
        ("symbols=AAPL&timeframe=1Day&start=x", "invalid start: not a timestamp"),
        (
            "symbols=AAPL&timeframe=1Day&page_token=x",
            "invalid page_token: not one of this list",
        ),
    ] {
        let (status, answer) = rig.json("GET", &format!("/v2/stocks/bars?{query}"), None).await;
        assert_eq!(
            (status.as_u16(), answer["message"].as_str()),
            (422, Some(told)),
            "{query}: {answer}"
        );
    }
}
