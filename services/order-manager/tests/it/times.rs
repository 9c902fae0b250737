//! Orders with times of their own: `submit_at`, `expires_at`, and the ends of those without (TIF-1, TIF-2, TIF-5).

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{Answer, Customer, House, order};

/// Places a buy of two with these fields.
async fn place(house: &House, who: &Customer, fields: Value) -> Answer {
    let mut body = order("buy", "2", "10.00");
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    house.post(who, body.to_string()).await
}

/// A house whose clock stands at this time.
async fn house_at(now: &str) -> (House, Customer) {
    let house = House::open().await;
    house.clock.set(now.parse().unwrap());
    let ada = house.customer(1_000).await;
    (house, ada)
}

/// What the executor is told of the only order, and where jobs find it.
async fn filed(house: &House) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
                    'session', e.payload::jsonb ->> 'session_date', 'submit_at', e.payload::jsonb -> 'submit_at',
                    'expires_at', e.payload::jsonb -> 'expires_at', 'asked', o.explicit_expiry,
                    'found', jsonb_build_array(w.session_date, w.time_in_force,
                                               w.expires_at = (e.payload::jsonb ->> 'expires_at')::timestamptz))
           from orders o
           join open_orders w using (order_id)
           join outbox e using (order_id)
          where e.topic = 'orders'",
    )
    .fetch_one(house.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn tif_5_an_order_ends_when_it_was_asked_to() {
    let (house, ada) = house_at("2026-11-23T15:00:00Z").await;
    let asked = json!({ "expires_at": "2026-11-23T12:00:00.1234567-05:00" });
    let placed = place(&house, &ada, asked).await.ok();
    assert_eq!(
        (&placed["expires_at"], &placed["status"], placed.get("submit_at")),
        (&json!("2026-11-23T17:00:00.123456Z"), &json!("accepted"), None)
    );
    let by_id = house
        .get(&ada, &format!("/v2/orders/{}", placed["id"].as_str().unwrap()))
        .await
        .ok();
    let listed = house.get(&ada, "/v2/orders").await.ok();
    assert_eq!((&by_id, &listed[0]), (&placed, &placed), "every answer shows the same");
    let expected = json!({
        "session": "2026-11-23", "submit_at": null, "expires_at": "2026-11-23T17:00:00.123456Z", "asked": true,
        "found": ["2026-11-23", "day", true],
    });
    assert_eq!(filed(&house).await, expected);
}

#[rstest]
#[case::in_the_evening("day", "2026-11-23T20:00:00-05:00", "2026-11-23T21:00:00Z")]
#[case::at_the_close("gtc", "2026-11-24T16:00:00-05:00", "2026-11-24T21:00:00Z")]
#[case::on_a_holiday("gtc", "2026-11-26T12:00:00-05:00", "2026-11-25T21:00:00Z")]
#[case::after_a_half_day("gtc", "2026-11-27T15:00:00-05:00", "2026-11-27T18:00:00Z")]
#[case::before_the_open("gtc", "2026-11-30T09:29:59.999-05:00", "2026-11-27T18:00:00Z")]
#[case::at_the_open("gtc", "2026-11-30T09:30:00-05:00", "2026-11-30T14:30:00Z")]
#[case::over_the_change_of_clocks("gtc", "2027-01-15T15:00:00+01:00", "2027-01-14T21:00:00Z")]
#[case::after_ninety_days("gtc", "2027-02-21T15:00:00Z", "2027-02-19T21:00:00Z")]
#[case::after_a_minute("day", "2026-11-23T15:01:00.000001Z", "2026-11-23T15:01:00.000001Z")]
#[tokio::test]
async fn tif_5_outside_a_session_it_ends_with_the_last_close_before(
    #[case] time_in_force: &str,
    #[case] asked: &str,
    #[case] ends: &str,
) {
    let (house, ada) = house_at("2026-11-23T15:00:00Z").await;
    let fields = json!({ "time_in_force": time_in_force, "expires_at": asked });
    assert_eq!(place(&house, &ada, fields).await.ok()["expires_at"], ends);
}

#[rstest]
#[case::day("2026-11-23T15:00:00Z", "day", "2026-11-23T21:00:00Z")]
#[case::overnight("2026-11-23T21:00:00Z", "day", "2026-11-24T21:00:00Z")]
#[case::half_day("2026-11-26T15:00:00Z", "day", "2026-11-27T18:00:00Z")]
#[case::at_once("2026-11-23T15:00:00Z", "ioc", "2026-11-23T21:00:00Z")]
#[case::all_at_once("2026-11-23T15:00:00Z", "fok", "2026-11-23T21:00:00Z")]
#[case::aged_out("2026-06-01T15:00:00Z", "gtc", "2026-08-28T20:15:00Z")]
#[tokio::test]
async fn tif_1_and_tif_2_every_order_shows_when_it_will_end(
    #[case] now: &str,
    #[case] time_in_force: &str,
    #[case] ends: &str,
) {
    let (house, ada) = house_at(now).await;
    let placed = place(&house, &ada, json!({ "time_in_force": time_in_force }))
        .await
        .ok();
    assert_eq!(placed["expires_at"], ends);
    let filed = filed(&house).await;
    let deadline = if time_in_force == "gtc" {
        json!(ends)
    } else {
        Value::Null
    };
    assert_eq!((&filed["expires_at"], &filed["asked"]), (&deadline, &json!(false)));
}

#[rstest]
#[case::later_today("day", "2026-11-23T15:30:00-05:00", "2026-11-23", "2026-11-23T21:00:00Z")]
#[case::tomorrow("day", "2026-11-24T11:00:00-05:00", "2026-11-24", "2026-11-24T21:00:00Z")]
#[case::before_the_open("day", "2026-11-24T03:00:00-05:00", "2026-11-24", "2026-11-24T21:00:00Z")]
#[case::at_the_close("day", "2026-11-24T16:00:00-05:00", "2026-11-25", "2026-11-25T21:00:00Z")]
#[case::on_a_holiday("day", "2026-11-26T12:00:00-05:00", "2026-11-27", "2026-11-27T18:00:00Z")]
#[case::for_long("gtc", "2026-11-28T12:00:00-05:00", "2026-11-30", "2027-02-19T21:15:00Z")]
#[case::at_once("ioc", "2026-11-24T11:00:00-05:00", "2026-11-24", "2026-11-24T21:00:00Z")]
#[case::at_the_open("fok", "2026-11-24T09:30:00-05:00", "2026-11-24", "2026-11-24T21:00:00Z")]
#[tokio::test]
async fn an_order_for_later_is_held_now_and_belongs_to_the_session_it_is_sent_in(
    #[case] time_in_force: &str,
    #[case] submit_at: &str,
    #[case] session: &str,
    #[case] ends: &str,
) {
    let (house, ada) = house_at("2026-11-23T15:00:00Z").await;
    let placed = place(
        &house,
        &ada,
        json!({ "time_in_force": time_in_force, "submit_at": submit_at }),
    )
    .await
    .ok();
    let moment: chrono::DateTime<chrono::Utc> = submit_at.parse().unwrap();
    assert_eq!(
        (&placed["status"], &placed["submit_at"], &placed["expires_at"]),
        (&json!("accepted"), &json!(moment), &json!(ends))
    );
    assert_eq!(house.get(&ada, "/v2/account").await.ok()["buying_power"], "980.00");
    let filed = filed(&house).await;
    assert_eq!(
        (&filed["session"], &filed["submit_at"]),
        (&json!(session), &json!(moment))
    );
    assert_eq!(filed["found"][0], session);
}

#[tokio::test]
async fn tif_5_an_order_for_later_ends_when_it_was_asked_to() {
    let (house, ada) = house_at("2026-11-23T15:00:00Z").await;
    let asked = json!({ "submit_at": "2026-11-24T15:00:00Z", "expires_at": "2026-11-24T15:00:00.000001Z" });
    let placed = place(&house, &ada, asked).await.ok();
    assert_eq!(placed["expires_at"], "2026-11-24T15:00:00.000001Z");
}

/// Friday's half day is over; the next session is Monday's.
const FRIDAY_EVENING: &str = "2026-11-27T18:30:00Z";
const MONDAY_NOON: &str = "2026-11-23T17:00:00Z";

#[rstest]
#[case::closed_until_after_the_end(FRIDAY_EVENING, json!({ "time_in_force": "gtc", "expires_at": "2026-11-28T12:00:00-05:00" }),
    "the order would have no time to trade: it begins to work at 2026-11-30T09:30:00-05:00 and ends at 2026-11-27T13:00:00-05:00, send a later expires_at")]
#[case::at_the_open(FRIDAY_EVENING, json!({ "expires_at": "2026-11-30T09:30:00-05:00" }), "no time to trade")]
#[case::sent_after_its_end(MONDAY_NOON, json!({ "submit_at": "2026-11-23T13:00:00-05:00", "expires_at": "2026-11-23T12:30:00-05:00" }),
    "begins to work at 2026-11-23T13:00:00-05:00 and ends at 2026-11-23T12:30:00-05:00, send a later expires_at or an earlier submit_at")]
#[case::sent_at_its_end(MONDAY_NOON, json!({ "submit_at": "2026-11-23T18:00:00Z", "expires_at": "2026-11-23T18:00:00Z" }), "no time to trade")]
#[case::sent_before_its_end_on_a_closed_day(MONDAY_NOON, json!({ "time_in_force": "gtc",
    "submit_at": "2026-11-28T12:00:00-05:00", "expires_at": "2026-11-29T12:00:00-05:00" }), "no time to trade")]
#[case::sent_when_it_is_too_old(MONDAY_NOON, json!({ "time_in_force": "gtc", "submit_at": "2027-02-20T12:00:00-05:00" }),
    "ends at 2027-02-19T16:15:00-05:00, 90 days after its acceptance (gtc): send an earlier submit_at")]
#[case::after_its_session(MONDAY_NOON, json!({ "submit_at": "2026-11-24T12:00:00-05:00", "expires_at": "2026-11-25T12:00:00-05:00" }),
    "expires_at is after the close of the order's session, 2026-11-24T16:00:00-05:00: send an earlier one, or time_in_force gtc")]
#[case::ioc_with_an_end(MONDAY_NOON, json!({ "time_in_force": "ioc", "expires_at": "2026-11-23T15:00:00-05:00" }),
    "expires_at is only for day and gtc orders: leave it out")]
#[case::fok_with_an_end(MONDAY_NOON, json!({ "time_in_force": "fok", "expires_at": "2026-11-23T15:00:00-05:00" }), "only for day and gtc")]
#[case::ioc_while_closed(MONDAY_NOON, json!({ "time_in_force": "ioc", "submit_at": "2026-11-26T12:00:00-05:00" }),
    "submit_at of an ioc or fok order must be while the market is open: the next session is 2026-11-27T09:30:00-05:00 to 2026-11-27T13:00:00-05:00")]
#[case::fok_at_the_close(MONDAY_NOON, json!({ "time_in_force": "fok", "submit_at": "2026-11-23T16:00:00-05:00" }), "while the market is open")]
#[tokio::test]
async fn tif_5_times_that_leave_nothing_to_trade_in_are_refused_and_leave_nothing(
    #[case] now: &str,
    #[case] fields: Value,
    #[case] reason: &str,
) {
    let (house, ada) = house_at(now).await;
    let answer = place(&house, &ada, fields).await;
    let (status, code, message) = answer.error();
    assert_eq!((status, code), (422, 42210000), "{message}");
    assert!(message.contains(reason), "{message}");
    assert_eq!(house.traces().await, 0);
}
