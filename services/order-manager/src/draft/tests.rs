//! What a body must say, and what it is told otherwise.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use rstest::rstest;
use serde_json::{Value, json};

/// A proper body with some fields changed; `null` takes one away.
fn body(changes: Value) -> PlaceOrder {
    let mut body = json!({
        "symbol": "AAPL", "qty": "2", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "10.00",
    });
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

fn refusal(changes: Value) -> String {
    DraftOrder::try_from(&body(changes)).unwrap_err().to_string()
}

#[test]
fn a_proper_body_becomes_an_order() {
    let draft = DraftOrder::try_from(&body(json!({ "client_order_id": "mine" }))).unwrap();
    assert_eq!(
        (draft.size, draft.limit_price),
        (
            Size::Shares(Qty::parse("2").unwrap()),
            Some(Price::parse("10").unwrap())
        )
    );
    assert_eq!((draft.side, draft.time_in_force), (Side::Buy, TimeInForce::Day));
    assert_eq!(draft.client_order_id.unwrap().as_str(), "mine");
}

#[rstest]
#[case(json!({ "order_class": "simple", "position_intent": "buy_to_open", "extended_hours": "False", "legs": [] }))]
#[case(json!({ "side": "sell", "position_intent": "sell_to_close", "time_in_force": "fok" }))]
#[case(json!({ "submit_at": null, "stop_price": null, "take_profit": null, "order_class": "", "client_order_id": "", "expires_at": "" }))]
#[case(json!({ "qty": 2.0, "limit_price": 0.9999 }))]
#[case::qty_2_parts_of_a_share(json!({ "qty": 0.000000001 }))]
#[case::qty_3_dollars(json!({ "qty": null, "notional": "12.34" }))]
#[case::a_market_order(json!({ "type": "market", "limit_price": null, "time_in_force": "gtc" }))]
#[case::dollars_at_the_market(json!({ "type": "market", "limit_price": "", "qty": null, "notional": 50, "side": "sell" }))]
fn harmless_fields_are_taken(#[case] changes: Value) {
    DraftOrder::try_from(&body(changes)).unwrap();
}

#[rstest]
#[case(json!({ "symbol": null }), "symbol is required")]
#[case(json!({ "symbol": ["AAPL"] }), "symbol must be a string")]
#[case(json!({ "qty": null }), "qty or notional is required")]
#[case(json!({ "notional": "5" }), "only one of qty or notional is accepted")]
#[case(json!({ "qty": "0" }), "qty must be > 0")]
#[case(json!({ "qty": true }), "qty must be a number, or a number in quotes")]
#[case(json!({ "qty": "1_000" }), "qty is not a decimal number: write it in plain digits, like 12.34")]
#[case(json!({ "side": null }), "side is required")]
#[case(json!({ "side": "BUY" }), "invalid side: use buy or sell")]
#[case(json!({ "type": "iceberg" }), "invalid order type: use limit or market")]
#[case(json!({ "time_in_force": "gtd" }), "invalid time_in_force: use day, gtc, ioc or fok")]
#[case(json!({ "order_class": "triple" }), "invalid order_class: use simple")]
#[case(json!({ "limit_price": null }), "limit orders require a limit price")]
#[case(json!({ "type": "market" }), "market orders require no limit price: leave limit_price out")]
#[case(json!({ "type": "market", "limit_price": null, "stop_price": "9" }), "stop_price is only for stop orders")]
#[case(json!({ "qty": null, "notional": "10.001" }), "notional has too many digits: at most 2 decimals")]
#[case(json!({ "qty": "0.0000000001" }), "qty has too many digits: at most 9 decimals and 28 digits")]
#[case(json!({ "limit_price": "-1" }), "limit_price must be > 0")]
#[case(json!({ "stop_price": "9" }), "stop_price is only for stop orders")]
#[case(json!({ "extended_hours": 1 }), "extended_hours must be true or false")]
#[case(json!({ "client_order_id": "x".repeat(129) }), "client_order_id must be no more than 128 characters")]
#[case(json!({ "position_intent": "sell_to_close" }), "position_intent sell_to_close contradicts side buy")]
fn what_is_malformed_is_told_what_to_change(#[case] changes: Value, #[case] message: &str) {
    assert_eq!(refusal(changes), message);
}

#[rstest]
#[case(json!({ "type": "stop", "stop_price": "9", "limit_price": null }), "order type stop is not offered yet: use type limit with a limit_price")]
#[case(json!({ "qty": "1.5", "time_in_force": "gtc" }), "fractional orders must be DAY orders")]
#[case(json!({ "qty": "1.5", "order_class": "bracket" }), "fractional orders must be simple orders")]
#[case(json!({ "qty": null, "notional": "50", "time_in_force": "ioc" }), "fractional orders must be DAY orders")]
#[case(json!({ "qty": null, "notional": "50", "side": "sell" }), "a limit sell for notional is not offered yet: send qty, or type market")]
#[case(json!({ "type": "market", "limit_price": null, "extended_hours": true }), "extended hours order must be DAY or GTC limit orders")]
#[case(json!({ "type": "market", "limit_price": null, "submit_at": "2026-11-24T15:00:00Z" }), "submit_at of a market order is not offered yet: leave it out, or use type limit with a limit_price")]
#[case(json!({ "order_class": "bracket" }), "order_class bracket is not offered yet: use order_class simple")]
#[case(json!({ "time_in_force": "opg" }), "time_in_force opg is not offered yet: use day, gtc, ioc or fok")]
#[case(json!({ "extended_hours": true }), "extended_hours is not offered yet: send it as false, the order works in the regular session")]
#[case(json!({ "take_profit": { "limit_price": "12" } }), "take_profit is not offered yet: send a simple limit order without it")]
#[case(json!({ "limit_price": "290.123" }), "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria")]
fn what_is_not_offered_is_said_and_never_taken_for_something_else(#[case] changes: Value, #[case] message: &str) {
    assert_eq!(refusal(changes), message);
}

#[test]
fn a_malformed_field_is_told_before_one_that_is_not_offered() {
    assert_eq!(
        refusal(json!({ "type": "stop", "side": "hold" })),
        "invalid side: use buy or sell"
    );
}
