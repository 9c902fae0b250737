//! Each shape as it is written (snapshots), and as other people's programs write it (captured bodies).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::*;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use insta::assert_json_snapshot;
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 14, 30, second).unwrap()
}

fn id(last: u128) -> Uuid {
    Uuid::from_u128(0x0193_5a6e_0000_7000_8000_0000_0000_0000 + last)
}

fn text(number: &str) -> Text {
    Text(number.parse().unwrap())
}

fn order() -> Order {
    Order {
        id: id(1),
        client_order_id: "mine-1".into(),
        created_at: at(1),
        updated_at: at(3) + chrono::Duration::microseconds(1),
        submitted_at: at(1),
        filled_at: None,
        expired_at: None,
        expires_at: Some(at(59)),
        submit_at: None,
        canceled_at: None,
        failed_at: None,
        replaced_at: None,
        replaced_by: None,
        replaces: None,
        asset_id: Some(id(2)),
        symbol: "AAPL".into(),
        asset_class: "us_equity".into(),
        notional: None,
        qty: Some(text("10")),
        filled_qty: text("4"),
        filled_avg_price: Some(text("99.9")),
        order_class: "simple".into(),
        order_type: "limit".into(),
        kind: "limit".into(),
        side: "buy".into(),
        position_intent: Some("buy_to_open".into()),
        time_in_force: "day".into(),
        limit_price: Some(text("100")),
        stop_price: None,
        status: "partially_filled".into(),
        extended_hours: false,
        legs: None,
        trail_percent: None,
        trail_price: None,
        hwm: None,
        ratio_qty: None,
        subtag: None,
        source: None,
    }
}

#[test]
fn an_order_has_every_key_and_amounts_are_strings() {
    assert_json_snapshot!(order());
}

#[test]
fn an_order_survives_a_round_trip() {
    let text = serde_json::to_string(&order()).unwrap();
    let back: Order = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn an_order_of_another_server_is_read_from_what_it_sends() {
    let thin = r#"{"id":"786ba1f2557a41f68b9d0299e11fdb69","client_order_id":"k","created_at":"2026-11-22T03:21:01.11309+00:00",
        "updated_at":"2026-11-22T03:21:01.113090123Z","submitted_at":"2026-11-22T03:21:01Z","symbol":"AAPL","qty":2.5,
        "filled_qty":"0","filled_avg_price":"","status":"held","legs":[{"id":"x"}],"something_new":1e999}"#;
    let order: Order = serde_json::from_str(thin).unwrap();
    assert_eq!(order.id.to_string(), "786ba1f2-557a-41f6-8b9d-0299e11fdb69");
    assert_eq!((order.qty, order.filled_avg_price), (Some(text("2.5")), None));
    assert_eq!(order.status, "held");
}

#[test]
fn an_amount_that_is_none_is_an_error_and_not_a_zero() {
    let good = serde_json::to_value(order()).unwrap();
    for bad in [r#""NaN""#, r#""1_0""#, "true", "{}", r#""１""#, r#""1e400""#] {
        let mut changed = good.clone();
        changed["qty"] = serde_json::from_str(bad).unwrap();
        assert!(serde_json::from_value::<Order>(changed).is_err(), "{bad}");
    }
}

#[test]
fn no_amount_is_written_with_an_exponent_or_through_a_float() {
    for (given, shown) in [
        ("0.000000001", "0.000000001"),
        ("1e9", "1000000000"),
        ("1.5E-3", "0.0015"),
        ("0.1", "0.1"),
    ] {
        let text: Text = serde_json::from_str(given).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), format!("\"{shown}\""));
    }
    assert_eq!(
        Text::from(domain::Money::from_decimal(Decimal::new(5, 0))).to_string(),
        "5.00"
    );
    assert_eq!(
        Text::from(domain::Money::from_decimal(Decimal::new(123_456, 4))).to_string(),
        "12.3456"
    );
}

#[test]
fn an_account_has_every_key() {
    let body = r#"{"id":"01935a6e-0000-7000-8000-000000000009","status":"ACTIVE","created_at":"2026-11-22T00:00:00Z"}"#;
    let mut account: Account = serde_json::from_str(body).unwrap();
    account.account_number = "DB0000001".into();
    account.currency = "USD".into();
    account.crypto_status = "INACTIVE".into();
    account.cash = Text::from(domain::Money::from_decimal(Decimal::new(1000, 0)));
    account.multiplier = text("1");
    account.balance_asof = NaiveDate::from_ymd_opt(2026, 11, 20);
    assert_json_snapshot!(account);
}

#[test]
fn a_position_without_a_quote_shows_nulls() {
    let body = r#"{"asset_id":"01935a6e-0000-7000-8000-000000000002","symbol":"AAPL","qty":"4","qty_available":1,
        "exchange":"NASDAQ","asset_class":"us_equity","avg_entry_price":"99.9","side":"long","cost_basis":"399.60"}"#;
    let position: Position = serde_json::from_str(body).unwrap();
    assert_json_snapshot!(position);
}

#[test]
fn an_asset_calls_its_class_class() {
    let body = r#"{"id":"01935a6e-0000-7000-8000-000000000002","class":"us_equity","exchange":"NASDAQ","symbol":"AAPL",
        "name":"Apple Inc.","status":"active","tradable":true}"#;
    assert_json_snapshot!(serde_json::from_str::<Asset>(body).unwrap());
}

#[test]
fn clock_and_calendar_speak_new_york() {
    let clock: Clock = serde_json::from_str(
        r#"{"timestamp":"2026-11-23T09:31:00.5-05:00","is_open":true,"next_open":"2026-11-24T09:30:00-05:00","next_close":"2026-11-23T16:00:00-05:00"}"#,
    )
    .unwrap();
    let day = CalendarDay {
        date: NaiveDate::from_ymd_opt(2026, 11, 27).unwrap(),
        open: "09:30".into(),
        close: "13:00".into(),
        session_open: "0400".into(),
        session_close: "1700".into(),
        settlement_date: NaiveDate::from_ymd_opt(2026, 11, 30),
    };
    assert_json_snapshot!((clock, day));
}

#[test]
fn activities_come_in_two_shapes() {
    let list = r#"[
      {"id":"20261123143003000::01935a6e-0000-7000-8000-000000000003","activity_type":"FILL","transaction_time":"2026-11-23T14:30:03Z",
       "type":"partial_fill","price":"99.9","qty":4,"cum_qty":"4","leaves_qty":"6","side":"buy","symbol":"AAPL",
       "order_id":"01935a6e-0000-7000-8000-000000000001","order_status":"partially_filled"},
      {"id":"20261122000000000::01935a6e-0000-7000-8000-000000000004","activity_type":"CSD","date":"2026-11-22","net_amount":"1000",
       "description":"deposit","status":"executed","currency":"USD"}]"#;
    let list: Vec<Activity> = serde_json::from_str(list).unwrap();
    assert!(matches!(list.as_slice(), [Activity::Fill(_), Activity::Other(_)]));
    assert_json_snapshot!(list);
}

#[test]
fn a_trade_update_carries_the_order_after_it() {
    let update = TradeUpdate {
        event: "partial_fill".into(),
        event_id: Some("00000000000000000007".into()),
        at: Some(at(3)),
        execution_id: Some("x-1".into()),
        timestamp: at(3),
        price: Some(text("99.9")),
        qty: Some(text("4")),
        position_qty: Some(text("4")),
        reason: None,
        order: order(),
    };
    assert_json_snapshot!(update, { ".order" => "[order]" });
}

#[test]
fn bulk_cancel_answers_and_errors_have_the_documented_shape() {
    let refused = r#"{"code":42210000,"message":"order is already in \"filled\" state","extra":"7"}"#;
    let list = vec![
        CancelResult {
            id: id(1),
            status: 200,
            body: None,
        },
        CancelResult {
            id: id(2),
            status: 500,
            body: Some(serde_json::from_str(refused).unwrap()),
        },
    ];
    assert_json_snapshot!(list);
}

#[test]
fn an_order_to_a_venue_is_a_simple_limit_order() {
    assert_json_snapshot!(SubmitOrder {
        symbol: "AAPL".into(),
        qty: text("10"),
        side: "buy".into(),
        kind: "limit".into(),
        time_in_force: "day".into(),
        limit_price: text("100.5"),
        client_order_id: id(1).to_string(),
        extended_hours: false,
        order_class: "simple".into(),
    });
}

#[test]
fn a_replacement_to_a_venue_says_all_of_what_it_asks_for() {
    assert_json_snapshot!(SubmitReplacement {
        qty: text("12"),
        limit_price: text("100.5"),
        time_in_force: "gtc".into(),
        client_order_id: id(2).to_string(),
    });
}

#[test]
fn captured_replacements_of_the_sdks_name_what_changes_and_nothing_else() {
    let py = r#"{"qty":3,"limit_price":11.0}"#;
    let go =
        r#"{"qty":"3","limit_price":"11","stop_price":null,"trail":null,"time_in_force":"day","client_order_id":""}"#;
    let rs =
        r#"{"qty":"3","time_in_force":null,"limit_price":"11","stop_price":null,"trail":null,"client_order_id":null}"#;
    for (body, word) in [(py, None), (go, Some("day")), (rs, None)] {
        let change: ReplaceOrder = serde_json::from_str(body).unwrap();
        let text = |field: &Option<Loose>| field.as_ref().and_then(Loose::as_text).map(str::to_owned);
        assert_eq!(text(&change.qty).as_deref(), Some("3"), "{body}");
        assert!(
            text(&change.limit_price).is_some_and(|price| price.starts_with("11")),
            "{body}"
        );
        assert_eq!(text(&change.time_in_force).as_deref(), word, "{body}");
        assert!(change.stop_price.is_none() && change.trail.is_none() && change.client_order_id.is_none());
    }
}

// The bodies that the published SDKs put on the wire.
const PY: &str = r#"{"symbol":"AAPL","qty":2.0,"side":"buy","type":"limit","time_in_force":"day","client_order_id":"c","limit_price":10.0}"#;
const JS4: &str = r#"{"client_order_id":"c","limit_price":"10.00","qty":"2","side":"buy","symbol":"AAPL","time_in_force":"day","type":"limit"}"#;
const GO: &str = r#"{"symbol":"AAPL","qty":"2","notional":null,"side":"buy","type":"limit","time_in_force":"day","limit_price":"10","extended_hours":false,"stop_price":null,"client_order_id":"","order_class":"","take_profit":null,"stop_loss":null,"trail_price":null,"trail_percent":null,"legs":null}"#;
const RS: &str = r#"{"symbol":"AAPL","qty":"2","side":"buy","order_class":"simple","type":"limit","time_in_force":"day","limit_price":"10","stop_price":null,"trail_price":null,"trail_percent":null,"take_profit":null,"stop_loss":null,"extended_hours":false,"client_order_id":"c"}"#;

#[test]
fn captured_bodies_of_the_sdks_all_mean_the_same() {
    for body in [PY, JS4, GO, RS] {
        let order: PlaceOrder = serde_json::from_str(body).unwrap();
        let number = |field: &Option<Loose>| {
            field
                .as_ref()
                .and_then(Loose::as_text)
                .map(|t| domain::amount::parse_decimal(t).unwrap())
        };
        assert_eq!(
            (number(&order.qty), number(&order.limit_price)),
            (Some(Decimal::TWO), Some(Decimal::TEN)),
            "{body}"
        );
        assert_eq!(order.symbol, Some(Loose::Text("AAPL".into())));
        assert!(
            order.notional.is_none()
                && order.legs.is_none()
                && order.stop_price.is_none()
                && order.take_profit.is_none()
        );
        assert!(
            order
                .extended_hours
                .as_ref()
                .is_none_or(|flag| flag.as_bool() == Some(false))
        );
    }
}

#[test]
fn null_empty_and_missing_are_absent_and_strange_values_are_kept_for_the_refusal() {
    let order: PlaceOrder = serde_json::from_str(
        r#"{"symbol":7,"qty":1e400,"side":null,"type":"","limit_price":"NaN","legs":[1,{"a":2}],"extended_hours":"True","unknown":1e999}"#,
    )
    .unwrap();
    assert_eq!(order.symbol, Some(Loose::Number("7".into())));
    assert_eq!(order.qty, Some(Loose::Number("1e400".into())));
    assert_eq!(order.limit_price.as_ref().and_then(Loose::as_text), Some("NaN"));
    assert!(order.side.is_none() && order.kind.is_none() && order.client_order_id.is_none());
    assert_eq!(order.extended_hours.as_ref().and_then(Loose::as_bool), Some(true));
    assert_eq!(order.legs, Some(Loose::Nested(r#"[1,{"a":2}]"#.into())));
}

/// The members of the least that can be read, once it is written again, are those that its schema says are always there.
fn is_described<T: utoipa::ToSchema + Serialize + DeserializeOwned>(least: &str) {
    use utoipa::openapi::{RefOr, schema::Schema};
    let written = serde_json::to_value(serde_json::from_str::<T>(least).unwrap()).unwrap();
    let mut components = utoipa::openapi::Components::new();
    components.schemas.insert(T::name().into_owned(), T::schema());
    schema::as_written(&mut components);
    let Some(RefOr::T(Schema::Object(described))) = components.schemas.get(&*T::name()) else {
        panic!("{} is no object", T::name());
    };
    let written: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    let required: BTreeSet<&str> = described.required.iter().map(String::as_str).collect();
    assert_eq!(written, required, "{}", T::name());
}

#[test]
fn what_an_answer_leaves_out_its_schema_does_not_require_and_all_else_it_does() {
    let order = r#"{"id":"01935a6e-0000-7000-8000-000000000001","client_order_id":"c","created_at":"2026-11-23T14:30:00Z",
        "updated_at":"2026-11-23T14:30:00Z","submitted_at":"2026-11-23T14:30:00Z","symbol":"AAPL","status":"new"}"#;
    is_described::<Order>(order);
    is_described::<TradeUpdate>(&format!(
        r#"{{"event":"new","timestamp":"2026-11-23T14:30:00Z","order":{order}}}"#
    ));
    is_described::<Account>(
        r#"{"id":"01935a6e-0000-7000-8000-000000000001","status":"ACTIVE","created_at":"2026-11-23T14:30:00Z"}"#,
    );
    is_described::<Asset>(r#"{"id":"01935a6e-0000-7000-8000-000000000001","symbol":"AAPL"}"#);
    is_described::<Position>(r#"{"asset_id":"01935a6e-0000-7000-8000-000000000001","symbol":"AAPL","qty":"1"}"#);
    is_described::<CancelResult>(r#"{"id":"01935a6e-0000-7000-8000-000000000001","status":200}"#);
    is_described::<CalendarDay>(r#"{"date":"2026-11-23","open":"09:30","close":"16:00"}"#);
    is_described::<OtherActivity>(r#"{"id":"1","activity_type":"CSD","date":"2026-11-23","net_amount":"1"}"#);
    is_described::<FillActivity>(
        r#"{"id":"1","activity_type":"FILL","transaction_time":"2026-11-23T14:30:00Z","price":"1","qty":"1","symbol":"AAPL",
            "order_id":"01935a6e-0000-7000-8000-000000000001"}"#,
    );
}
