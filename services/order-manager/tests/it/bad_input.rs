//! Nonsense from outside: each gets its documented status and code and a message that says what to change, and
//! leaves nothing behind.

use axum::http::{Method, StatusCode};
use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{Customer, House, order, request};

/// Bodies by what is wrong with them: a value for one field of a proper order, and what the message must say.
#[rstest]
#[case::quantities("qty", (422, 40010001), &[
    (r#""NaN""#, "qty is not a decimal number"), (r#""Infinity""#, "qty is not a decimal number"),
    ("1e400", "qty is too large"), (r#""1e400""#, "qty is too large"), ("1e-400", "qty has too many digits"),
    ("-0", "qty must be > 0"), ("0", "qty must be > 0"), ("0.0", "qty must be > 0"), ("-5", "qty must be > 0"),
    (r#""12345678901234567890123456789""#, "qty is too large"),
    ("12345678901234567890123456789", "qty is too large"), ("10000000000", "qty is too large"),
    (r#""１２""#, "qty is not a decimal number"), (r#""٣""#, "qty is not a decimal number"),
    (r#""1_000""#, "qty is not a decimal number"), (r#""1,000""#, "qty is not a decimal number"),
    (r#"" 1""#, "qty is not a decimal number"), (r#""+1""#, "qty is not a decimal number"),
    (r#""0x10""#, "qty is not a decimal number"), (r#""🚀""#, "qty is not a decimal number"),
    (r#""1.0000000000000000000000000000000000000001""#, "qty has too many digits"),
    ("true", "qty must be a number"), ("[1]", "qty must be a number"), ("{}", "qty must be a number"),
    ("null", "qty or notional is required"), (r#""""#, "qty or notional is required"),
])]
#[case::prices("limit_price", (422, 40010001), &[
    (r#""NaN""#, "limit_price is not a decimal number"), ("1e400", "limit_price is too large"),
    ("1e-400", "limit_price has too many digits"), ("-0", "limit_price must be > 0"), ("0", "limit_price must be > 0"),
    ("-1.5", "limit_price must be > 0"), (r#""99999999999""#, "limit_price is too large"),
    (r#""0.0000000000000000000000000000000000000001""#, "limit_price has too many digits"),
    (r#""10.00 USD""#, "limit_price is not a decimal number"), ("false", "limit_price must be a number"),
    ("null", "limit orders require a limit price"),
])]
#[case::sub_penny_prices("limit_price", (422, 42210000), &[
    ("290.123", "invalid limit_price 290.123. sub-penny increment"), ("0.00001", "invalid limit_price 0.00001. sub-penny"),
    (r#""1.001""#, "invalid limit_price 1.001. sub-penny increment does not fulfill minimum pricing criteria"),
])]
#[case::symbols("symbol", (422, 42210000), &[
    (r#""aapl""#, r#"asset "aapl" not found"#), (r#""../../etc/passwd""#, r#"asset "../../etc/passwd" not found"#),
    (r#""🚀""#, r#"asset "🚀" not found"#), (r#""ＡＡＰＬ""#, "not found"), (r#""NOPE""#, r#"asset "NOPE" not found"#),
    (r#""'; drop table orders; --""#, "not found"), (r#""AAPL ""#, "not found"), ("7", r#"asset "7" not found"#),
    (r#""\u0000""#, "not found"), (r#""AAPL:NYSE""#, "not found"), (r#""HALT""#, r#"asset "HALT" is not tradable"#),
    (r#""ffffffff-ffff-ffff-ffff-ffffffffffff""#, "not found"),
])]
#[case::symbols_of_the_wrong_shape("symbol", (422, 40010001), &[
    ("null", "symbol is required"), ("[]", "symbol must be a string"), ("true", "symbol must be a string"),
])]
#[case::sides("side", (422, 40010001), &[
    (r#""BUY""#, "invalid side: use buy or sell"), (r#""hold""#, "invalid side"), (r#""sell_short""#, "invalid side"),
    ("null", "side is required"), ("1", "invalid side"), ("{}", "side must be a string"),
])]
#[case::types("type", (422, 40010001), &[
    (r#""Limit""#, "invalid order type"), (r#""iceberg""#, "invalid order type"), ("null", "type is required"),
])]
#[case::a_market_order_with_a_limit("type", (422, 40010001), &[(r#""market""#, "market orders require no limit price")])]
#[case::types_to_come("type", (422, 42210000), &[
    (r#""stop""#, "order type stop is not offered yet"),
    (r#""stop_limit""#, "not offered yet"), (r#""trailing_stop""#, "not offered yet"),
])]
#[case::lifetimes("time_in_force", (422, 40010001), &[
    (r#""gtd""#, "invalid time_in_force: use day, gtc, ioc or fok"), (r#""gtx""#, "invalid time_in_force"),
    (r#""forever""#, "invalid time_in_force"), ("null", "time_in_force is required"),
])]
#[case::lifetimes_to_come("time_in_force", (422, 42210000), &[
    (r#""opg""#, "time_in_force opg is not offered yet"), (r#""cls""#, "time_in_force cls is not offered yet"),
])]
#[case::client_order_ids("client_order_id", (422, 40010001), &[
    (r#""a\u0000b""#, "client_order_id must not hold control characters"), (r#""a\nb""#, "control characters"),
    ("[]", "client_order_id must be a string"),
])]
#[case::times("expires_at", (422, 40010001), &[
    (r#""tomorrow""#, "expires_at must be a time with its offset, like 2026-11-24T15:30:00-05:00"),
    (r#""2026-11-24T15:00:00""#, "expires_at must be a time with its offset"), (r#""2026-11-24""#, "must be a time"),
    (r#""2026-13-24T15:00:00Z""#, "must be a time"), (r#""2026-02-30T15:00:00Z""#, "must be a time"),
    (r#""2026-11-24T24:00:00Z""#, "must be a time"), (r#""2026-11-24T15:61:00Z""#, "must be a time"),
    (r#""2026-12-31T23:59:60Z""#, "must be a time"), (r#""2026-11-24T15:00:00+25:00""#, "must be a time"),
    (r#""2026-11-24T15:00:00 America/New_York""#, "must be a time"), (r#""+10000-01-01T00:00:00Z""#, "must be a time"),
    (r#""٢٠٢٦-11-24T15:00:00Z""#, "must be a time"), (r#""🚀""#, "must be a time"), (r#""\u0000""#, "must be a time"),
    ("1795532400", "must be a time"), ("1e400", "must be a time"), ("-1", "must be a time"), ("true", "must be a time"),
    ("[]", "must be a time"), (r#"{"at": "2026-11-24T15:00:00Z"}"#, "must be a time"),
])]
#[case::times_to_send("submit_at", (422, 40010001), &[
    (r#""now""#, "submit_at must be a time with its offset, like 2026-11-24T15:30:00-05:00"),
    (r#""2026-11-24T15:00:00""#, "must be a time"), (r#""2026-12-31T23:59:60Z""#, "must be a time"),
    ("1795532400", "must be a time"), ("false", "must be a time"), ("{}", "must be a time"),
])]
#[case::ends_that_cannot_be("expires_at", (422, 42210000), &[
    (r#""2026-11-22T15:00:00Z""#, "expires_at must be more than 60 seconds ahead: later than 2026-11-23T10:01:00-05:00"),
    (r#""2026-11-23T15:01:00Z""#, "more than 60 seconds ahead"), (r#""0000-01-01T00:00:00Z""#, "more than 60 seconds ahead"),
    (r#""2027-02-21T15:00:01Z""#, "expires_at must be at most 90 days ahead: 2027-02-21T10:00:00-05:00 at the latest"),
    (r#""9999-12-31T23:59:59Z""#, "at most 90 days ahead"),
    (r#""2026-11-24T15:00:00Z""#, "after the close of the order's session, 2026-11-23T16:00:00-05:00: send an earlier one, or time_in_force gtc"),
])]
#[case::sendings_that_cannot_be("submit_at", (422, 42210000), &[
    (r#""2026-11-23T15:00:00Z""#, "submit_at must be in the future: leave it out to send the order now"),
    (r#""1970-01-01T00:00:00Z""#, "submit_at must be in the future"),
    (r#""2027-02-21T15:00:01Z""#, "submit_at must be at most 90 days ahead: 2027-02-21T10:00:00-05:00 at the latest"),
    (r#""9999-12-31T23:59:59Z""#, "at most 90 days ahead"),
])]
#[case::extended_hours("extended_hours", (422, 42210000), &[("true", "extended_hours is not offered yet"), (r#""True""#, "not offered yet")])]
#[case::extended_hours_of_the_wrong_shape("extended_hours", (422, 40010001), &[(r#""maybe""#, "extended_hours must be true or false")])]
#[case::classes("order_class", (422, 42210000), &[(r#""bracket""#, "order_class bracket is not offered yet"), (r#""mleg""#, "not offered yet")])]
#[case::unknown_classes("order_class", (422, 40010001), &[(r#""triple""#, "invalid order_class: use simple")])]
#[case::intents("position_intent", (422, 40010001), &[(r#""sell_to_close""#, "contradicts side buy"), (r#""own""#, "invalid position_intent")])]
#[case::both_quantities("notional", (422, 40010001), &[("10", "only one of qty or notional is accepted")])]
#[tokio::test]
async fn a_bad_field_is_refused_with_its_reason_and_leaves_nothing(
    #[case] field: &str,
    #[case] (status, code): (u16, i64),
    #[case] values: &[(&str, &str)],
) {
    let house = House::open().await;
    let ada = house.customer(1_000_000).await;
    for (value, reason) in values {
        // Spelled out as text: serde_json could not write 1e400.
        let others = order("buy", "2", "10.00");
        let others = others.as_object().unwrap().iter().filter(|(key, _)| *key != field);
        let others: String = others.map(|(key, value)| format!(",{}:{value}", json!(key))).collect();
        let answer = house.post(&ada, format!("{{{}:{value}{others}}}", json!(field))).await;
        let (got_status, got_code, message) = answer.error();
        assert_eq!((got_status, got_code), (status, code), "{field}: {value}: {message}");
        assert!(message.contains(reason), "{field}: {value}: {message}");
    }
    nothing_happened(&house, &ada).await;
}

#[rstest]
#[case::fractional(json!({ "qty": "1.5" }), (403, 40310000), r#"asset "AAPL" is not fractionable"#)]
#[case::tiny(json!({ "qty": 1e-9 }), (403, 40310000), r#"asset "AAPL" is not fractionable"#)]
#[case::finer_than_anything(json!({ "qty": 1e-10 }), (422, 40010001), "qty has too many digits")]
#[case::fractional_for_long(json!({ "qty": "1.5", "time_in_force": "gtc" }), (422, 42210000), "fractional orders must be DAY orders")]
#[case::fractional_at_once(json!({ "qty": "1.5", "time_in_force": "fok" }), (422, 42210000), "fractional orders must be DAY orders")]
#[case::fractional_bracket(json!({ "qty": "1.5", "order_class": "bracket" }), (422, 42210000), "fractional orders must be simple orders")]
#[case::dollars(json!({ "qty": null, "notional": "50" }), (403, 40310000), r#"asset "AAPL" is not fractionable"#)]
#[case::parts_of_a_cent(json!({ "qty": null, "notional": "50.001" }), (422, 40010001), "notional has too many digits: at most 2 decimals")]
#[case::no_dollars(json!({ "qty": null, "notional": "-0" }), (422, 40010001), "notional must be > 0")]
#[case::endless_dollars(json!({ "qty": null, "notional": "1e400" }), (422, 40010001), "notional is too large")]
#[case::dollars_of_the_wrong_shape(json!({ "qty": null, "notional": [1] }), (422, 40010001), "notional must be a number")]
#[case::dollars_for_long(json!({ "qty": null, "notional": "50", "time_in_force": "gtc" }), (422, 42210000), "fractional orders must be DAY orders")]
#[case::dollars_to_sell(json!({ "qty": null, "notional": "50", "side": "sell" }), (422, 42210000), "a limit sell for notional is not offered yet")]
#[case::market_with_a_limit(json!({ "type": "market" }), (422, 40010001), "market orders require no limit price")]
#[case::market_with_a_stop(json!({ "type": "market", "limit_price": null, "stop_price": 9 }), (422, 40010001), "stop_price is only for stop orders")]
#[case::market_after_hours(json!({ "type": "market", "limit_price": null, "extended_hours": true }), (422, 42210000), "extended hours order must be DAY or GTC limit orders")]
#[case::market_later(json!({ "type": "market", "limit_price": null, "submit_at": "2026-11-24T15:00:00Z" }), (422, 42210000), "submit_at of a market order is not offered yet")]
#[case::market_without_a_price(json!({ "type": "market", "limit_price": null }), (422, 42210000), r#"there is no reference price of "AAPL" for a market order"#)]
#[case::legs(json!({ "legs": [{ "symbol": "AAPL" }] }), (422, 42210000), "legs is not offered yet")]
#[case::stop_price(json!({ "stop_price": "9" }), (422, 40010001), "stop_price is only for stop orders")]
#[case::long_symbol(json!({ "symbol": "A".repeat(10_000) }), (422, 42210000), "not found")]
#[case::long_name(json!({ "client_order_id": "n".repeat(129) }), (422, 40010001), "no more than 128 characters")]
#[case::dust(json!({ "qty": "1", "limit_price": "0.5" }), (403, 40310000), "cost basis must be >= minimal amount of order 1")]
#[case::more_than_an_order_may_be_worth(json!({ "qty": "1000000000", "limit_price": "1000000" }), (403, 40310000), "is above the limit of 200000.00")]
#[case::short(json!({ "side": "sell", "position_intent": "sell_to_open" }), (403, 40310000), "account is not allowed to short")]
#[tokio::test]
async fn bodies_that_make_no_order_leave_nothing(
    #[case] changes: Value,
    #[case] code: (u16, i64),
    #[case] reason: &str,
) {
    let house = House::open().await;
    let ada = house.customer(1_000_000).await;
    let mut body = order("buy", "2", "10.00");
    body.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    let answer = house.post(&ada, body.to_string()).await;
    let (status, got, message) = answer.error();
    assert_eq!((status, got), code, "{message}");
    assert!(message.contains(reason) && message.len() < 500, "{message}");
    nothing_happened(&house, &ada).await;
}

#[tokio::test]
async fn what_is_no_json_or_no_object_or_too_much_is_refused_before_it_is_read() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let no_json = (400, 40010000);
    let bodies: [(Vec<u8>, (u16, i64)); 10] = [
        (b"".to_vec(), no_json),
        (b"{".to_vec(), no_json),
        (br#"{"qty": NaN}"#.to_vec(), no_json),
        (br#"{"qty": 01}"#.to_vec(), no_json),
        (b"symbol=AAPL&qty=1".to_vec(), no_json),
        (vec![0xff, 0xfe, b'{', b'}'], no_json),
        (
            [r#"{"a":"#.repeat(20_000), "1".into(), "}".repeat(20_000)]
                .concat()
                .into_bytes()[..60_000]
                .to_vec(),
            no_json,
        ),
        (b"[]".to_vec(), (422, 40010001)),
        (b"null".to_vec(), (422, 40010001)),
        (vec![b' '; 2 * 1024 * 1024], (413, 41310000)),
    ];
    for (body, expected) in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        let answer = house.post(&ada, body).await;
        let (status, code, message) = answer.error();
        assert_eq!((status, code), expected, "{shown}: {message}");
        assert!(!message.is_empty());
    }
    nothing_happened(&house, &ada).await;
}

/// Paths and queries, what they are refused with, and what the message must say.
const PATHS: &[(&str, (u16, i64), &str)] = &[
    (
        "/v2/orders?status=open&status=all",
        (422, 40010001),
        "query parameter status is given more than once",
    ),
    (
        "/v2/orders?status=pending",
        (422, 40010001),
        "invalid status: use open or closed or all",
    ),
    (
        "/v2/orders?limit=0",
        (422, 40010001),
        "limit must be a whole number from 1 to 500",
    ),
    ("/v2/orders?limit=501", (422, 40010001), "limit must be"),
    (
        "/v2/orders?limit=99999999999999999999",
        (422, 40010001),
        "limit must be",
    ),
    ("/v2/orders?limit=１", (422, 40010001), "limit must be"),
    (
        "/v2/orders?after=yesterday",
        (422, 40010001),
        "after must be a time like",
    ),
    (
        "/v2/orders?until=2026-13-01T00:00:00Z",
        (422, 40010001),
        "until must be a time like",
    ),
    (
        "/v2/orders?direction=up",
        (422, 40010001),
        "invalid direction: use desc or asc",
    ),
    (
        "/v2/orders?nested=perhaps",
        (422, 40010001),
        "nested must be true or false",
    ),
    ("/v2/orders?side=both", (422, 40010001), "invalid side: use buy or sell"),
    ("/v2/orders?asset_class=gold", (422, 40010001), "invalid asset_class"),
    (
        "/v2/orders?before_order_id=7",
        (422, 40010001),
        "before_order_id names no order",
    ),
    // Of symbols that are none there are no orders.
    (
        "/v2/orders?symbols=%C2%A5&before_order_id=7",
        (422, 40010001),
        "before_order_id names no order",
    ),
    ("/v2/orders/not-an-id", (404, 40410000), "order not found for not-an-id"),
    (
        "/v2/orders/..%2F..%2Fetc%2Fpasswd",
        (404, 40410000),
        "order not found for ../../etc/passwd",
    ),
    (
        "/v2/orders/00000000-0000-0000-0000-000000000000",
        (404, 40410000),
        "order not found for 00000000-",
    ),
    (
        "/v2/orders:by_client_order_id",
        (422, 40010001),
        "client_order_id is required",
    ),
    (
        "/v2/orders:by_client_order_id?client_order_id=%00",
        (404, 40410000),
        "order not found for",
    ),
    (
        "/v2/orders:by_client_order_id?client_order_id=%ff",
        (404, 40410000),
        "order not found for",
    ),
    ("/v2/positions/NOPE", (404, 40410000), "asset not found for NOPE"),
    ("/v2/positions/AAPL", (404, 40410000), "position does not exist"),
    ("/v2/assets/🚀", (404, 40410000), "asset not found for"),
    (
        "/v2/assets?status=sleeping",
        (422, 40010001),
        "invalid status: use active or inactive",
    ),
    ("/v2/calendar?start=soon", (422, 40010001), "start must be a date like"),
    ("/v2/account/activities/PARTY", (422, 40010001), "invalid activity type"),
    (
        "/v2/account/activities/FILL?activity_types=PARTY",
        (422, 40010001),
        "invalid activity type",
    ),
    (
        "/v2/account/activities?page_size=101",
        (422, 40010001),
        "page_size must be a whole number from 1 to 100",
    ),
    (
        "/v2/account/activities?page_token=7",
        (422, 40010001),
        "page_token must be the id of an activity",
    ),
    (
        "/v2/account/activities?category=fun",
        (422, 40010001),
        "invalid category",
    ),
    (
        "/v2/account/activities?date=2026-02-30",
        (422, 40010001),
        "date must be a date like",
    ),
    ("/v2/watchlists", (404, 40410000), "there is nothing at /v2/watchlists"),
    ("/v2/orders/", (404, 40410000), ""),
];

#[tokio::test]
async fn bad_queries_and_paths_are_told_what_to_change() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    for (path, code, reason) in PATHS {
        // A client library would percent-encode what is not ASCII.
        let path: String = path
            .chars()
            .map(|c| if c.is_ascii() { c.to_string() } else { encoded(c) })
            .collect();
        let answer = house.get(&ada, &path).await;
        let (status, got, message) = answer.error();
        assert_eq!((status, got), *code, "{path}: {message}");
        assert!(message.contains(reason), "{path}: {message}");
        assert!(answer.headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn methods_that_are_not_offered_say_so() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    for (method, path) in [
        (Method::PUT, "/v2/orders"),
        (Method::PATCH, "/v2/account"),
        (Method::POST, "/v2/clock"),
    ] {
        let answer = house
            .send(request(&ada, method, path).body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.body["code"], 40510000);
        assert!(answer.headers.contains_key("x-request-id"));
    }
}

fn encoded(c: char) -> String {
    c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn nothing_happened(house: &House, ada: &Customer) {
    assert_eq!(house.traces().await, 0);
    let account = house.get(ada, "/v2/account").await.ok();
    assert_eq!(account["buying_power"], account["cash"]);
}
