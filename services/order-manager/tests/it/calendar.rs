//! The clock, the list of trading days and an order's session under the calendar in force, over HTTP (CAL-4, CAL-8).

use chrono::NaiveTime;
use domain::calendar::Exception;
use serde_json::{Value, json};

use crate::house::{Customer, House};

fn early(hour: u32, minute: u32) -> Exception {
    Exception::ClosesAt(NaiveTime::from_hms_opt(hour, minute, 0).unwrap())
}

/// The clock at a time in UTC: open or not, next open, next close.
async fn clock(house: &House, ada: &Customer, now: &str) -> (bool, String, String) {
    house.clock.set(now.parse().unwrap());
    let shown = house.get(ada, "/v2/clock").await.ok();
    let time = |field: &str| shown[field].as_str().unwrap().to_owned();
    (shown["is_open"] == true, time("next_open"), time("next_close"))
}

/// When a day order placed now ends.
async fn day_order_ends(house: &House, ada: &Customer) -> Value {
    let order = house.order(ada, "buy", "1", "10.00").await.ok();
    assert_eq!(order["time_in_force"], "day");
    order["expires_at"].clone()
}

#[tokio::test]
async fn cal_4_a_day_closed_while_it_is_under_way_ends_its_orders_at_the_usual_close_and_queues_new_ones() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let placed = house.order(&ada, "buy", "1", "10.00").await.ok();
    house.except("2026-11-23", Exception::Closed).await;
    let shown = clock(&house, &ada, "2026-11-23T15:00:00Z").await;
    let expected = (
        "2026-11-24T09:30:00-05:00".to_owned(),
        "2026-11-24T16:00:00-05:00".to_owned(),
    );
    assert_eq!(shown, (false, expected.0, expected.1));
    let path = format!("/v2/orders/{}", placed["id"].as_str().unwrap());
    let before = house.get(&ada, &path).await.ok();
    assert_eq!(
        before["expires_at"], "2026-11-23T21:00:00Z",
        "an order of the closed day"
    );
    assert_eq!(day_order_ends(&house, &ada).await, "2026-11-24T21:00:00Z", "a new one");
    let sessions = house
        .count("select count(*) from orders where session_date = date '2026-11-24'")
        .await;
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn cal_4_an_early_close_is_shown_and_moves_the_orders_of_its_day() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let placed = house.order(&ada, "buy", "1", "10.00").await.ok();
    assert_eq!(placed["expires_at"], "2026-11-23T21:00:00Z");
    house.except("2026-11-23", early(14, 0)).await;
    let (open, _, closes) = clock(&house, &ada, "2026-11-23T18:59:59Z").await;
    assert!(open);
    assert_eq!(closes, "2026-11-23T14:00:00-05:00");
    let path = format!("/v2/orders/{}", placed["id"].as_str().unwrap());
    assert_eq!(house.get(&ada, &path).await.ok()["expires_at"], "2026-11-23T19:00:00Z");
    assert!(!clock(&house, &ada, "2026-11-23T19:00:00Z").await.0);
    assert_eq!(day_order_ends(&house, &ada).await, "2026-11-24T21:00:00Z");
}

#[tokio::test]
async fn the_list_of_trading_days_and_the_clock_follow_the_operators_and_settlement_does_not() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    house.except("2026-12-01", Exception::Closed).await;
    house.except("2026-12-02", early(14, 30)).await;
    let days = house
        .get(&ada, "/v2/calendar?start=2026-11-30&end=2026-12-02")
        .await
        .ok();
    let day = |date: &str, close: &str, evening: &str, settles: &str| {
        json!({
            "date": date, "open": "09:30", "close": close, "session_open": "0400", "session_close": evening,
            "settlement_date": settles,
        })
    };
    let expected = [
        day("2026-11-30", "16:00", "2000", "2026-12-01"),
        day("2026-12-02", "14:30", "1830", "2026-12-03"),
    ];
    assert_eq!(days, json!(expected));
    let (_, opens, closes) = clock(&house, &ada, "2026-11-30T21:00:00Z").await;
    assert_eq!(
        (&*opens, &*closes),
        ("2026-12-02T09:30:00-05:00", "2026-12-02T14:30:00-05:00")
    );
}

#[tokio::test]
async fn cal_8_the_clock_keeps_time_through_clock_changes_half_days_and_year_ends() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    let moments = [
        // New York's clocks go back on 1 November 2026 and forward on 14 March 2027.
        (
            "2026-10-30T19:59:59Z",
            true,
            "2026-11-02T09:30:00-05:00",
            "2026-10-30T16:00:00-04:00",
        ),
        (
            "2026-11-02T14:29:59Z",
            false,
            "2026-11-02T09:30:00-05:00",
            "2026-11-02T16:00:00-05:00",
        ),
        (
            "2026-11-02T20:59:59Z",
            true,
            "2026-11-03T09:30:00-05:00",
            "2026-11-02T16:00:00-05:00",
        ),
        (
            "2027-03-12T21:00:00Z",
            false,
            "2027-03-15T09:30:00-04:00",
            "2027-03-15T16:00:00-04:00",
        ),
        (
            "2027-03-15T13:30:00Z",
            true,
            "2027-03-16T09:30:00-04:00",
            "2027-03-15T16:00:00-04:00",
        ),
        // The day after Thanksgiving, and Christmas Eve.
        (
            "2026-11-27T17:59:59Z",
            true,
            "2026-11-30T09:30:00-05:00",
            "2026-11-27T13:00:00-05:00",
        ),
        (
            "2026-12-24T18:00:00Z",
            false,
            "2026-12-28T09:30:00-05:00",
            "2026-12-28T16:00:00-05:00",
        ),
        // A year's end, one without a New Year's holiday, and the last one that is known.
        (
            "2026-12-31T21:00:00Z",
            false,
            "2027-01-04T09:30:00-05:00",
            "2027-01-04T16:00:00-05:00",
        ),
        (
            "2027-12-31T15:00:00Z",
            true,
            "2028-01-03T09:30:00-05:00",
            "2027-12-31T16:00:00-05:00",
        ),
        (
            "2028-12-29T21:00:00Z",
            false,
            "2029-01-02T09:30:00-05:00",
            "2029-01-02T16:00:00-05:00",
        ),
    ];
    for (now, open, opens, closes) in moments {
        let shown = clock(&house, &ada, now).await;
        assert_eq!(shown, (open, opens.to_owned(), closes.to_owned()), "{now}");
    }
}

#[tokio::test]
async fn cal_8_day_orders_end_with_their_session_through_clock_changes_half_days_and_year_ends() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let moments = [
        ("2026-10-30T19:59:59Z", "2026-10-30T20:00:00Z"),
        ("2026-10-30T20:00:00Z", "2026-11-02T21:00:00Z"),
        ("2026-11-27T17:59:59Z", "2026-11-27T18:00:00Z"),
        ("2026-11-27T18:00:00Z", "2026-11-30T21:00:00Z"),
        ("2026-12-31T21:00:00Z", "2027-01-04T21:00:00Z"),
        ("2027-03-12T20:59:59Z", "2027-03-12T21:00:00Z"),
        ("2027-03-12T21:00:00Z", "2027-03-15T20:00:00Z"),
    ];
    for (now, ends) in moments {
        house.clock.set(now.parse().unwrap());
        assert_eq!(day_order_ends(&house, &ada).await, ends, "{now}");
    }
}
