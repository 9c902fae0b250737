//! An operator changes the trading calendar while the product runs, by the command as it is typed (CAL-4).

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::calendar::{Calendar, SessionDate, to_new_york};
use serde_json::Value;
use testkit::wait_until;

use crate::harness::Customer;
use crate::house::House;

/// `daybook admin calendar …` as its own process: exit code, and what it said.
fn command(house: &House, arguments: &[&str]) -> (i32, String) {
    let mut command = assert_cmd::Command::cargo_bin("daybook").unwrap();
    command
        .env_clear()
        .env("USER", "grace")
        .env("DAYBOOK_DATABASE_URL", house.settings().database_url())
        .env("DAYBOOK_CALENDAR", "always-open")
        .args(["admin", "calendar"])
        .args(arguments);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// The door and the back of the house follow within about a second.
async fn wait_for_clock(ada: &Customer, what: &str, open: bool) {
    wait_until(what, Duration::from_secs(60), || async {
        ada.get("/v2/clock").await["is_open"] == open
    })
    .await;
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn close_of(day: NaiveDate) -> DateTime<Utc> {
    let bounds = Calendar::always_open().session_bounds(SessionDate::new(day));
    bounds.unwrap().1
}

#[tokio::test]
async fn cal_4_a_day_closed_by_its_operator_is_closed_everywhere_within_seconds_and_open_again_after_that() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let today = to_new_york(moment(&ada.get("/v2/clock").await["timestamp"])).date_naive();
    let (text, tomorrow) = (today.to_string(), today.checked_add_days(Days::new(1)).unwrap());
    let before = ada.buy(1, "AAPL", "10.00").await;
    ada.wait_for(before, "new").await;

    let (code, said) = command(&house, &["close", &text, "--reason", "a day of mourning"]);
    assert!(code == 0 && said.contains("is over from now on"), "{said}");
    wait_for_clock(&ada, "the day is closed", false).await;
    let clock = ada.get("/v2/clock").await;
    assert_eq!(to_new_york(moment(&clock["next_open"])).date_naive(), tomorrow);
    let after = ada.buy(1, "AAPL", "10.00").await;
    let ends = |order: Value| moment(&order["expires_at"]);
    assert_eq!(ends(ada.get(&format!("/v2/orders/{before}")).await), close_of(today));
    assert_eq!(ends(ada.get(&format!("/v2/orders/{after}")).await), close_of(tomorrow));
    let (_, shown) = command(&house, &["show", "--from", &text, "--to", &text]);
    assert!(shown.contains("closed: a day of mourning (by grace)"), "{shown}");

    let (code, said) = command(&house, &["close", &text]);
    assert!(code == 0 && said.contains("was so already"), "{said}");
    let (code, said) = command(&house, &["reopen", &text]);
    assert!(code == 0 && said.contains("as usual again"), "{said}");
    wait_for_clock(&ada, "the day is open again", true).await;
    assert_eq!(
        ada.status(after).await,
        "accepted",
        "it keeps the session it was taken for"
    );
    for order in [before, after] {
        ada.cancel(order).await;
        ada.wait_for(order, "canceled").await;
    }
    let acts: Vec<(String, String, String)> =
        sqlx::query_as("select actor, act, detail from admin_acts where subject = $1 order by at")
            .bind(&text)
            .fetch_all(&house.db.pool)
            .await
            .unwrap();
    let told: Vec<String> = acts
        .iter()
        .map(|(actor, act, detail)| format!("{actor} {act} {detail}"))
        .collect();
    assert_eq!(told, ["grace close_day a day of mourning", "grace reopen_day "]);
    house.at_rest().await;
}

#[tokio::test]
async fn what_makes_no_sense_about_a_day_is_refused_by_the_command_and_leaves_no_trace() {
    let house = House::open().await;
    for (arguments, expected, said) in [
        (&["close", "2026-01-05"][..], 1, "is past"),
        (&["close", "2031-01-06"], 1, "outside the days that the calendar knows"),
        (
            &["early-close", "2028-11-07", "23:59"],
            0,
            "closes at 23:59:00 New York",
        ),
        (&["early-close", "2028-11-08", "00:00"], 1, "is not within the session"),
        (&["early-close", "2028-11-07", "noon"], 2, "14:00"),
        (&["close", "tomorrow"], 2, "invalid value"),
        (&["reopen", "2028-11-08"], 1, "as usual already"),
        (&["reopen", "2028-11-07"], 0, "as usual again"),
    ] {
        let (code, text) = command(&house, arguments);
        assert!(code == expected && text.contains(said), "{arguments:?}: {code} {text}");
    }
    let acts: i64 = sqlx::query_scalar("select count(*) from admin_acts")
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    assert_eq!(acts, 2, "the early close and its end");
}
