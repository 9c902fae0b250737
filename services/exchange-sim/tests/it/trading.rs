//! Place, fill, cancel, look up: what a venue's client does.

use serde_json::{Value, json};

use crate::rig::{Rig, order};

#[tokio::test]
async fn a_buy_above_the_ask_fills_at_the_ask_and_is_found_everywhere() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let placed = rig.place(order("c-1", "buy", 10, "235")).await;
    assert_eq!(placed["status"], "filled");
    assert_eq!(
        (&placed["filled_qty"], &placed["filled_avg_price"]),
        (&json!("10"), &json!("230.1"))
    );
    let id = placed["id"].as_str().unwrap();
    assert_eq!(rig.get(&format!("/v2/orders/{id}")).await, placed);
    assert_eq!(
        rig.get(&format!("/v2/orders/{}", id.replace('-', ""))).await,
        placed,
        "hyphens are optional"
    );
    assert_eq!(rig.order("c-1").await, placed);
    let fills = rig.get("/v2/account/activities/FILL?direction=asc").await;
    assert_eq!(fills[0]["order_id"], placed["id"]);
    assert_eq!(
        (&fills[0]["price"], &fills[0]["qty"], &fills[0]["client_order_id"]),
        (&json!("230.1"), &json!("10"), &json!("c-1"))
    );
}

#[tokio::test]
async fn a_large_order_fills_in_parts_tick_by_tick() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 40).await;
    assert_eq!(
        rig.place(order("c-1", "buy", 100, "230.10")).await["status"],
        "partially_filled"
    );
    rig.post("/sim/step", json!({})).await;
    assert_eq!(rig.order("c-1").await["filled_qty"], "80");
    rig.exchange.step().await.unwrap();
    let filled = rig.order("c-1").await;
    assert_eq!(
        (&filled["status"], &filled["filled_qty"]),
        (&json!("filled"), &json!("100"))
    );
    assert!(filled["filled_at"].is_string());
}

#[tokio::test]
async fn customers_trade_with_each_other_by_price_and_time() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "200", "260", 1).await;
    rig.place(order("first", "sell", 5, "230")).await;
    rig.place(order("second", "sell", 5, "230")).await;
    rig.place(order("taker", "buy", 7, "231")).await;
    let filled = |order: Value| order["filled_qty"].clone();
    assert_eq!(filled(rig.order("first").await), "5");
    assert_eq!(filled(rig.order("second").await), "2");
    assert_eq!(filled(rig.order("taker").await), "7");
    let sum: i64 = rig.executions().await.iter().map(|x| x["qty"].as_i64().unwrap()).sum();
    assert_eq!(sum, 14, "every trade has two sides");
}

#[tokio::test]
async fn a_cancel_takes_the_order_off_and_a_second_one_is_told_why_not() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let id = rig.place(order("c-1", "buy", 10, "100")).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, body) = rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!((status.as_u16(), body), (204, Value::Null));
    let canceled = rig.order("c-1").await;
    assert_eq!(canceled["status"], "canceled");
    assert!(canceled["canceled_at"].is_string() && canceled["filled_at"].is_null());
    let (status, body) = rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!(status, 422);
    assert_eq!(
        body,
        json!({ "code": 42210000, "message": "order is already in \"canceled\" state" })
    );
    let unknown = "/v2/orders/00000000-0000-8000-8000-000000000001";
    assert_eq!(rig.json("DELETE", unknown, None).await.0, 404);
    assert_eq!(rig.json("GET", unknown, None).await.0, 404);
}

#[tokio::test]
async fn a_client_order_id_is_refused_when_repeated_however_the_first_one_ended() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let id = rig.place(order("c-1", "buy", 10, "100")).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let repeat = order("c-1", "sell", 1, "300");
    let refusal = json!({ "code": 40010001, "message": "client_order_id must be unique" });
    assert_eq!(
        rig.json("POST", "/v2/orders", Some(repeat.clone())).await,
        (422.try_into().unwrap(), refusal.clone())
    );
    rig.json("DELETE", &format!("/v2/orders/{id}"), None).await;
    assert_eq!(rig.json("POST", "/v2/orders", Some(repeat)).await.1, refusal);
}

#[tokio::test]
async fn v5_a_hundred_calls_with_one_key_make_one_order() {
    let rig = Rig::start().await;
    let calls = (0..100).map(|_| rig.json("POST", "/v2/orders", Some(order("same", "buy", 1, "1"))));
    let answers = futures::future::join_all(calls).await;
    let taken = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers.iter().filter(|(_, body)| body["code"] == 40010001).count();
    assert_eq!((taken, refused), (1, 99));
    assert_eq!(rig.get("/sim/orders").await["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ioc_and_fok_never_rest() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let with = |key: &str, tif: &str, qty: i64| {
        let mut body = order(key, "buy", qty, "230.10");
        body["time_in_force"] = tif.into();
        body
    };
    let all_or_nothing = rig.place(with("fok", "fok", 51)).await;
    assert_eq!(
        (&all_or_nothing["status"], &all_or_nothing["filled_qty"]),
        (&json!("canceled"), &json!("0"))
    );
    let what_there_is = rig.place(with("ioc", "ioc", 60)).await;
    assert_eq!(
        (&what_there_is["status"], &what_there_is["filled_qty"]),
        (&json!("canceled"), &json!("50"))
    );
}

#[tokio::test]
async fn tif_1_a_day_order_expires_with_its_session() {
    let rig = Rig::start().await;
    let mut body = order("c-1", "buy", 10, "100");
    body["time_in_force"] = "day".into();
    assert_eq!(rig.place(body).await["expires_at"], "2026-11-24T04:59:59Z");
    rig.place(order("c-2", "buy", 10, "100")).await;
    rig.clock.set("2026-11-24T04:59:59Z".parse().unwrap());
    rig.exchange.step().await.unwrap();
    let expired = rig.order("c-1").await;
    assert_eq!(expired["status"], "expired");
    assert!(expired["expired_at"].is_string());
    assert_eq!(rig.order("c-2").await["status"], "new");
}

#[tokio::test]
async fn lists_filter_and_page() {
    let rig = Rig::start().await;
    for n in 0..5 {
        rig.place(order(&format!("c-{n}"), "buy", 10, "100")).await;
    }
    rig.json(
        "DELETE",
        &format!("/v2/orders/{}", rig.order("c-2").await["id"].as_str().unwrap()),
        None,
    )
    .await;
    let keys = |list: Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|o| o["client_order_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(rig.get("/v2/orders").await), ["c-4", "c-3", "c-1", "c-0"]);
    assert_eq!(keys(rig.get("/v2/orders?status=closed").await), ["c-2"]);
    assert_eq!(
        keys(rig.get("/v2/orders?status=all&direction=asc&limit=2").await),
        ["c-0", "c-1"]
    );
    let after = rig.order("c-1").await["submitted_at"].as_str().unwrap().to_owned();
    assert_eq!(
        keys(
            rig.get(&format!("/v2/orders?status=all&direction=asc&after={after}"))
                .await
        ),
        ["c-2", "c-3", "c-4"]
    );
    assert_eq!(
        keys(rig.get(&format!("/v2/orders?status=all&until={after}")).await),
        ["c-0"]
    );
    assert_eq!(keys(rig.get("/v2/orders?symbols=MSFT,TSLA").await), [""; 0]);
    assert_eq!(
        keys(rig.get("/v2/orders?client_order_ids=c-4,none,c-2").await),
        ["c-2", "c-4"]
    );
}

#[tokio::test]
async fn executions_are_followed_by_cursor_without_gap_or_repeat() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 1).await;
    rig.place(order("c-1", "buy", 7, "230.10")).await;
    for _ in 0..6 {
        rig.exchange.step().await.unwrap();
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = rig
            .get(&format!("/v2/account/activities/FILL?direction=asc&page_size=2{token}"))
            .await;
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        token = format!("&page_token={}", last["id"].as_str().unwrap().replace(':', "%3A"));
        seen.extend(page.iter().map(|fill| fill["cum_qty"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ["1", "2", "3", "4", "5", "6", "7"]);
    let newest = rig.get("/v2/account/activities?activity_types=FILL&page_size=1").await;
    assert_eq!(
        (&newest[0]["cum_qty"], &newest[0]["type"]),
        (&json!("7"), &json!("fill"))
    );
    let ids: Vec<String> = rig
        .get("/v2/account/activities/FILL?direction=asc")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["id"].to_string())
        .collect();
    assert!(ids.is_sorted());
}

#[tokio::test]
async fn bad_orders_are_refused_with_code_and_reason_and_nothing_is_stored() {
    let rig = Rig::start().await;
    let cases = [
        ("symbol", json!("NOPE"), 42210000, "asset \"NOPE\" not found"),
        ("qty", json!("0"), 40010001, "qty must be > 0"),
        ("qty", json!("1.5"), 42210000, "fractional orders must be DAY orders"),
        ("qty", json!("1e400"), 40010001, "qty is too large"),
        (
            "qty",
            json!(100_000_001),
            42210000,
            "qty must be no more than 100000000 shares",
        ),
        ("side", json!("hold"), 40010001, "invalid side"),
        (
            "type",
            json!("market"),
            42210000,
            "only limit orders are offered by this exchange",
        ),
        ("type", json!("odd"), 40010001, "invalid order type"),
        ("time_in_force", json!("gtd"), 40010001, "invalid time_in_force"),
        (
            "limit_price",
            json!(null),
            40010001,
            "limit orders require a limit price",
        ),
        (
            "limit_price",
            json!("230.123"),
            42210000,
            "invalid limit_price 230.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        (
            "client_order_id",
            json!("x".repeat(129)),
            40010001,
            "client_order_id must be no more than 128 characters",
        ),
    ];
    for (field, value, code, message) in cases {
        let mut body = order("c-1", "buy", 10, "230.10");
        body[field] = value;
        let (status, answer) = rig.json("POST", "/v2/orders", Some(body)).await;
        assert_eq!(
            (status.as_u16(), answer),
            (422, json!({ "code": code, "message": message })),
            "{field}"
        );
    }
    assert_eq!(rig.get("/sim/orders").await["rows"], json!([]));
}

#[tokio::test]
async fn numbers_in_a_request_count_like_strings() {
    let rig = Rig::start().await;
    let body = r#"{"symbol":"AAPL","qty":2.0,"side":"buy","type":"limit","time_in_force":"day","limit_price":10.10}"#;
    let answer = rig.call("POST", "/v2/orders").body(body).send().await.unwrap();
    let placed: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((&placed["qty"], &placed["limit_price"]), (&json!("2"), &json!("10.1")));
    assert_eq!(
        placed["client_order_id"].as_str().unwrap().len(),
        36,
        "one is made when absent"
    );
}

#[tokio::test]
async fn quotes_assets_and_clock_are_there() {
    let rig = Rig::start().await;
    rig.pin("AAPL", "229.90", "230.10", 50).await;
    let answer = rig
        .call("GET", "/v2/stocks/quotes/latest?symbols=AAPL,NOPE")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        answer.starts_with(
            r#"{"quotes":{"AAPL":{"t":"2026-11-23T15:00:00Z","ax":"V","ap":230.1,"as":50,"bx":"V","bp":229.9,"bs":50,"#
        ),
        "{answer}"
    );
    assert!(!answer.contains("NOPE"));
    let page = rig.call("GET", "/quotes").send().await.unwrap().text().await.unwrap();
    assert_eq!(page.lines().count(), 21);
    assert!(
        page.lines()
            .nth(1)
            .unwrap()
            .starts_with("AAPL      229.90       50       230.10       50"),
        "{page}"
    );
    assert_eq!(rig.call("GET", "/quotes/NOPE").send().await.unwrap().status(), 404);
    assert_eq!(rig.get("/v2/assets").await.as_array().unwrap().len(), 20);
    assert_eq!(rig.get("/v2/clock").await["is_open"], true);
    assert_eq!(rig.get("/readyz").await, json!({ "status": "ready" }));
}

#[tokio::test]
async fn without_the_key_pair_there_is_nothing() {
    let rig = Rig::start().await;
    for (id, secret) in [("k", "wrong"), ("wrong", "s"), ("", "")] {
        let url = format!("{}/v2/orders", rig.exchange.url());
        let http = chassis::http_client::client(Default::default());
        let call = http
            .get(url)
            .header("APCA-API-KEY-ID", id)
            .header("APCA-API-SECRET-KEY", secret);
        assert_eq!(call.send().await.unwrap().status(), 401);
    }
}
