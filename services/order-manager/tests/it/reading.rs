//! Reads: who may, what they see, and that paging loses nothing.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use domain::{ExecId, OrderId, OrderStatus, Price, Qty, Side, Symbol};
use insta::assert_json_snapshot;
use instruments::Quote;
use orders::NewFill;
use serde_json::{Value, json};
use testkit::start_of_time;
use uuid::Uuid;

use crate::house::{Customer, House, order};

#[tokio::test]
async fn every_way_not_to_be_known_gets_the_same_answer() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(0).await, house.customer(0).await);
    let revoked = house.customer(0).await;
    let key = identity::KeyId::parse(&revoked.key_id).unwrap();
    identity::revoke_key(&mut house.pool().acquire().await.unwrap(), &key, start_of_time())
        .await
        .unwrap();
    let pairs = [
        None,
        Some((ada.key_id.as_str(), "wrong")),
        Some((ada.key_id.as_str(), bob.secret.as_str())),
        Some(("DKAAAAAAAAAAAAAAAAAA", ada.secret.as_str())),
        Some((revoked.key_id.as_str(), revoked.secret.as_str())),
        Some(("", "")),
    ];
    for pair in pairs {
        for path in [
            "/v2/account",
            "/v2/orders",
            "/v2/orders?limit=nonsense",
            "/v2/assets/AAPL",
            "/v2/clock",
        ] {
            let mut request = Request::get(path);
            if let Some((key_id, secret)) = pair {
                request = request
                    .header("APCA-API-KEY-ID", key_id)
                    .header("APCA-API-SECRET-KEY", secret);
            }
            let answer = house.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(
                answer.error(),
                (401, 40110000, "request is not authorized"),
                "{path} {pair:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_pair_may_come_as_basic_too() {
    let house = House::open().await;
    // base64("DKAAAAAAAAAAAAAAAAAA:x")
    let denied = Request::get("/v2/clock").header("Authorization", "Basic REtBQUFBQUFBQUFBQUFBQUFBQUE6eA==");
    assert_eq!(house.send(denied.body(Body::empty()).unwrap()).await.status, 401);
    sqlx::raw_sql(
        "insert into accounts (account_id, account_number, name, created_at) values (gen_random_uuid(), 'X', 'X', daybook_now());
         insert into api_keys select 'DKBBBBBBBBBBBBBBBBBB', account_id, sha256('x'), daybook_now() from accounts",
    )
    .execute(house.pool())
    .await
    .unwrap();
    // base64("DKBBBBBBBBBBBBBBBBBB:x")
    let known = Request::get("/v2/clock").header("authorization", "Basic REtCQkJCQkJCQkJCQkJCQkJCQkI6eA==");
    assert_eq!(house.send(known.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn an_order_is_found_by_either_id_and_only_by_its_owner() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(100).await, house.customer(100).await);
    let mut body = order("buy", "1", "10");
    body["client_order_id"] = "my order/1 é".into();
    let placed = house.post(&ada, body.to_string()).await.ok();
    let id = placed["id"].as_str().unwrap();
    let by_name = "/v2/orders:by_client_order_id?client_order_id=my+order%2F1%20%C3%A9";
    let paths = [
        format!("/v2/orders/{id}?nested=true"),
        format!("/v2/orders/{}", id.replace('-', "")),
        by_name.to_owned(),
    ];
    for path in &paths {
        assert_eq!(house.get(&ada, path).await.ok(), placed, "{path}");
        assert_eq!(house.get(&bob, path).await.error().1, 40410000, "{path}");
    }
}

/// The numbers of a customer's orders in the list at this path; order n is for n shares.
async fn numbers(house: &House, who: &Customer, path: &str) -> Vec<i64> {
    let list = house.get(who, path).await.ok();
    list.as_array()
        .unwrap()
        .iter()
        .map(|order| order["qty"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Six orders a second apart, odd ones for AAPL, even ones for MSFT; the fourth a sell, the second over.
async fn six_orders(house: &House) -> (Customer, Vec<Value>) {
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    house.give(&ada, "MSFT", 100).await;
    house.order(&bob, "buy", "99", "1").await.ok();
    let mut placed = Vec::new();
    for n in 1..=6 {
        house.clock.advance(Duration::from_secs(1));
        let (side, price) = if n == 4 { ("sell", "11") } else { ("buy", "10") };
        let mut body = order(side, &n.to_string(), price);
        body["symbol"] = if n % 2 == 0 { "MSFT" } else { "AAPL" }.into();
        placed.push(house.post(&ada, body.to_string()).await.ok());
    }
    let over = OrderId::new(Uuid::parse_str(placed[1]["id"].as_str().unwrap()).unwrap());
    let mut tx = db::begin(house.pool()).await.unwrap();
    let mut order = orders::lock(&mut tx, &[over]).await.unwrap().remove(&over).unwrap();
    order.state.status = OrderStatus::Expired;
    orders::advance(&mut tx, &[order]).await.unwrap();
    tx.commit().await.unwrap();
    (ada, placed)
}

#[tokio::test]
async fn lists_are_narrowed_by_every_filter() {
    let house = House::open().await;
    let (ada, placed) = six_orders(&house).await;
    let (second, fifth) = (placed[1]["id"].as_str().unwrap(), placed[4]["id"].as_str().unwrap());
    let cases: &[(&str, &[i64])] = &[
        ("", &[6, 5, 4, 3, 1]),
        ("?status=closed", &[2]),
        ("?status=all&direction=asc", &[1, 2, 3, 4, 5, 6]),
        ("?status=all&limit=2", &[6, 5]),
        ("?nested=True&symbols=MSFT", &[6, 4]),
        ("?symbols=MSFT,AAPL&limit=3", &[6, 5, 4]),
        ("?symbols=NOPE", &[]),
        ("?symbols=nope", &[]),
        ("?side=sell", &[4]),
        ("?asset_class=us_equity&asset_class=crypto", &[6, 5, 4, 3, 1]),
        ("?asset_class=crypto", &[]),
        (
            "?status=all&after=2026-11-23T15:00:02Z&until=2026-11-23T15:00:05Z",
            &[4, 3],
        ),
        ("?status=all&after=2026-11-23T15%3A00%3A04.000000%2B00%3A00", &[6, 5]),
        ("?after=2026-11-24", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            numbers(&house, &ada, &format!("/v2/orders{query}")).await,
            *expected,
            "{query}"
        );
    }
    let between = format!("/v2/orders?status=all&after_order_id={second}&before_order_id={fifth}");
    assert_eq!(numbers(&house, &ada, &between).await, [4, 3]);
}

#[tokio::test]
async fn paging_by_the_last_submitted_at_loses_and_repeats_nothing() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    for n in 1..=7 {
        house.order(&ada, "buy", &n.to_string(), "1").await.ok();
    }
    let (mut after, mut seen) = ("2026-01-01T00:00:00Z".to_owned(), Vec::new());
    loop {
        let page = house
            .get(&ada, &format!("/v2/orders?direction=asc&limit=3&after={after}"))
            .await
            .ok();
        let Some(last) = page.as_array().unwrap().last() else {
            break;
        };
        after = last["submitted_at"].as_str().unwrap().to_owned();
        seen.extend(
            page.as_array()
                .unwrap()
                .iter()
                .map(|order| order["qty"].as_str().unwrap().parse::<i64>().unwrap()),
        );
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn bp_11_the_account_values_its_shares_at_the_last_quote() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 3).await;
    house.order(&ada, "buy", "2", "10").await.ok();
    let price = |text: &str| Some(Price::parse(text).unwrap());
    let symbol = Symbol::parse("AAPL").unwrap();
    house.instruments.set_quotes(vec![Quote {
        symbol,
        bid: price("50"),
        ask: price("50.10"),
        at: start_of_time(),
    }]);
    let account = house.get(&ada, "/v2/account").await.ok();
    assert_json_snapshot!(account, { ".id" => "[id]", ".account_number" => "[number]" });
    let position = house.get(&ada, "/v2/positions").await.ok();
    assert_json_snapshot!(position);
}

/// An execution as status-updater books it.
fn fill(ada: &Customer, n: u128, at: &str) -> NewFill {
    NewFill {
        venue: "sim".to_owned(),
        exec_id: ExecId::new(&format!("x{n}")).unwrap(),
        fill_id: Uuid::from_u128(n),
        order_id: OrderId::new(Uuid::from_u128(7)),
        account_id: ada.account,
        symbol: Symbol::parse("AAPL").unwrap(),
        side: Side::Buy,
        qty: Qty::parse("1").unwrap(),
        price: Price::parse("9.99").unwrap(),
        cash: domain::Money::parse("9.99").unwrap(),
        cum_qty: Qty::new(n.into()).unwrap(),
        leaves_qty: Qty::new((4 - i64::try_from(n).unwrap()).into()).unwrap(),
        order_status: if n == 4 {
            OrderStatus::Filled
        } else {
            OrderStatus::PartiallyFilled
        },
        venue_at: at.parse().unwrap(),
        received_at: at.parse().unwrap(),
        busted_at: None,
    }
}

/// A deposit, then four executions, two of them within one millisecond; another customer has some too.
async fn active_customer(house: &House) -> Customer {
    let (ada, bob) = (house.customer(1_000).await, house.customer(5).await);
    let times = [
        "2026-11-23T15:00:01.000900Z",
        "2026-11-23T15:00:01.000100Z",
        "2026-11-23T15:00:02Z",
        "2026-11-24T15:00:00Z",
    ];
    let mut fills: Vec<NewFill> = times.iter().zip(1..).map(|(at, n)| fill(&ada, n, at)).collect();
    fills.push(NewFill {
        exec_id: ExecId::new("bobs").unwrap(),
        account_id: bob.account,
        ..fills[0].clone()
    });
    orders::insert_fills(&mut house.pool().acquire().await.unwrap(), &fills)
        .await
        .unwrap();
    ada
}

#[tokio::test]
async fn activities_have_both_shapes_newest_first() {
    let house = House::open().await;
    let ada = active_customer(&house).await;
    let list = house.get(&ada, "/v2/account/activities").await.ok();
    assert_json_snapshot!(list, { "[].account_id" => "[account]", "[4].id" => "[transfer]" });
}

#[tokio::test]
async fn activities_are_narrowed_by_every_filter() {
    let house = House::open().await;
    let ada = active_customer(&house).await;
    let cases = [
        ("", 5),
        ("?activity_types=FILL", 4),
        ("?activity_types=FILL%2CCSD", 5),
        ("?activity_types=DIV", 0),
        ("/CSD", 1),
        ("/FILL?direction=desc&page_size=1", 1),
        ("?category=trade_activity", 4),
        ("?category=non_trade_activity", 1),
        ("?date=2026-11-24", 1),
        ("?date=2026-11-23T00:00:00Z", 4),
        ("?after=2026-11-23T15:00:02Z", 1),
        ("?until=2026-11-23T15:00:01Z", 1),
    ];
    for (query, count) in cases {
        let list = house.get(&ada, &format!("/v2/account/activities{query}")).await.ok();
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn paging_activities_either_way_loses_and_repeats_nothing() {
    let house = House::open().await;
    let ada = active_customer(&house).await;
    let all = house.get(&ada, "/v2/account/activities").await.ok();
    for direction in ["desc", "asc"] {
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let token_now = token.replace(':', "%3A");
            let path = format!("/v2/account/activities?page_size=1&direction={direction}&page_token={token_now}");
            let page = house.get(&ada, &path).await.ok();
            let Some(entry) = page.as_array().unwrap().first() else {
                break;
            };
            token = entry["id"].as_str().unwrap().to_owned();
            seen.push(entry.clone());
        }
        if direction == "asc" {
            seen.reverse();
        }
        assert_eq!(json!(seen), all, "{direction}");
    }
}
