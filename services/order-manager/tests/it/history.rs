//! What an account and its positions were worth at the last close, and over time.

use std::time::Duration;

use crate::house::{Customer, House};
use domain::{ExecId, Money, OrderId, OrderStatus, Qty, Side, Symbol};
use instruments::Quote;
use order_manager::Config;
use orders::NewFill;
use serde_json::{Value, json};
use testkit::{start_of_time, wait_until};
use uuid::Uuid;

/// A Monday morning in a house where AAPL closed at 40.00 on Friday, and at 39.00 on Thursday, and is at 50.00 now.
async fn house() -> House {
    let house = House::with(Config {
        closing_every: Duration::from_millis(10),
        ..Config::default()
    })
    .await;
    sqlx::raw_sql(
        "insert into assets (asset_id, symbol, name, exchange, status, tradable, fractionable, updated_at)
         values ('00000000-0000-0000-0000-000000000001', 'AAPL', 'Apple', 'NASDAQ', 'active', true, true, '2026-11-20Z');
         insert into closing_prices (symbol, session_date, price, basis, quoted_at)
         values ('AAPL', '2026-11-19', 39.00, 'midpoint', '2026-11-19T21:00Z'),
                ('AAPL', '2026-11-20', 40.00, 'midpoint', '2026-11-20T21:00Z')",
    )
    .execute(house.pool())
    .await
    .unwrap();
    quote(&house, "50");
    house
}

fn quote(house: &House, price: &str) {
    house.instruments.set_quotes(vec![Quote {
        symbol: Symbol::parse("AAPL").unwrap(),
        bid: domain::Price::parse(price).ok(),
        ask: None,
        at: start_of_time(),
    }]);
}

/// The position, once the closing prices are known.
async fn position(house: &House, who: &Customer) -> Value {
    let known = || async { !house.get(who, "/v2/positions/AAPL").await.ok()["lastday_price"].is_null() };
    wait_until("closing prices are known", Duration::from_secs(30), known).await;
    house.get(who, "/v2/positions/AAPL").await.ok()
}

fn today(position: &Value) -> Value {
    let keys = [
        "lastday_price",
        "change_today",
        "unrealized_intraday_pl",
        "unrealized_intraday_plpc",
    ];
    json!(keys.map(|key| position[key].clone()))
}

async fn closed_at(house: &House, who: &Customer, date: &str, cash: i64, shares: i64) {
    sqlx::query(
        "insert into daily_equity (account_id, business_date, cash, long_market_value, kept_at)
         values ($1, $2::date, $3, $4, $2::date + time '21:45')",
    )
    .bind(who.account.get())
    .bind(date.parse::<chrono::NaiveDate>().unwrap())
    .bind(rust_decimal::Decimal::from(cash))
    .bind(rust_decimal::Decimal::from(shares))
    .execute(house.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn the_change_of_the_day_is_told_from_the_last_close() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 3).await;
    let shown = today(&position(&house, &ada).await);
    assert_eq!(shown, json!(["40", "0.25", "30.00", "0.25"]));
}

#[tokio::test]
async fn what_was_bought_today_gains_from_what_it_cost() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 3).await;
    let bought = NewFill {
        venue: "sim".to_owned(),
        exec_id: ExecId::new("x1").unwrap(),
        fill_id: Uuid::from_u128(1),
        order_id: OrderId::new(Uuid::from_u128(7)),
        account_id: ada.account,
        symbol: Symbol::parse("AAPL").unwrap(),
        side: Side::Buy,
        qty: Qty::parse("1").unwrap(),
        price: domain::Price::parse("48").unwrap(),
        cash: Money::parse("48").unwrap(),
        cum_qty: Qty::parse("1").unwrap(),
        leaves_qty: Qty::ZERO,
        order_status: OrderStatus::Filled,
        venue_at: start_of_time(),
        received_at: start_of_time(),
        busted_at: None,
    };
    let mut conn = house.pool().acquire().await.unwrap();
    orders::insert_fills(&mut conn, &[bought]).await.unwrap();
    // Two shares at 40.00 and one at 48.00, now at 50.00.
    let shown = today(&position(&house, &ada).await);
    assert_eq!(shown, json!(["40", "0.25", "22.00", "0.171875"]));
}

#[tokio::test]
async fn px_7_a_symbol_that_nobody_quotes_has_its_last_close_as_reference() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    house.give(&ada, "AAPL", 3).await;
    position(&house, &ada).await;
    house.instruments.set_quotes(vec![]);
    let in_session = house.delete(&ada, "/v2/positions/AAPL").await;
    assert_eq!(in_session.status, 422, "{}", in_session.body);
    // The session ends at four.
    house.clock.advance(Duration::from_secs(6 * 60 * 60));
    house.delete(&ada, "/v2/positions/AAPL").await.ok();
    let limit: String = sqlx::query_scalar("select limit_price::text from orders")
        .fetch_one(house.pool())
        .await
        .unwrap();
    assert_eq!(limit, "38", "5 % below 40");
}

#[tokio::test]
async fn last_equity_is_of_the_last_close_before_today() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    let of = |account: Value| account["last_equity"].clone();
    assert_eq!(
        of(house.get(&ada, "/v2/account").await.ok()),
        "0.00",
        "it was not there then"
    );
    closed_at(&house, &ada, "2026-11-19", 900, 0).await;
    closed_at(&house, &ada, "2026-11-20", 950, 40).await;
    closed_at(&house, &ada, "2026-11-23", 1_000, 50).await;
    assert_eq!(of(house.get(&ada, "/v2/account").await.ok()), "990.00", "not today's");
}

#[tokio::test]
async fn the_history_has_a_point_a_day_and_one_for_now_all_in_numbers() {
    let house = house().await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", 3).await;
    closed_at(&house, &ada, "2026-11-19", 0, 117).await;
    closed_at(&house, &ada, "2026-11-20", 0, 120).await;
    let history = house
        .get(&ada, "/v2/account/portfolio/history?period=2D&timeframe=1D")
        .await
        .ok();
    // Friday and Monday, 09:30.
    assert_eq!(
        history,
        json!({
            "timestamp": [1_795_185_000, 1_795_444_200], "equity": [120, 150], "profit_loss": [3, 33],
            "profit_loss_pct": [0.025641, 0.282051], "base_value": 117, "timeframe": "1D",
        })
    );
}

#[tokio::test]
async fn money_that_is_paid_in_is_no_profit() {
    let house = house().await;
    // Paid in when the clock of the test begins, on Monday at ten.
    let ada = house.customer(1_000).await;
    closed_at(&house, &ada, "2026-11-20", 0, 0).await;
    let history = house.get(&ada, "/v2/account/portfolio/history").await.ok();
    assert_eq!(
        (&history["equity"], &history["profit_loss"]),
        (&json!([0, 1000]), &json!([0, 0]))
    );
}

#[tokio::test]
async fn a_new_account_has_an_empty_history_or_just_now() {
    let house = house().await;
    let ada = house.customer(0).await;
    let history = house.get(&ada, "/v2/account/portfolio/history?timeframe=1D").await.ok();
    let lengths =
        ["timestamp", "equity", "profit_loss", "profit_loss_pct"].map(|key| history[key].as_array().unwrap().len());
    assert_eq!(lengths, [1, 1, 1, 1]);
    let bad = house.get(&ada, "/v2/account/portfolio/history?period=1Y").await;
    assert_eq!((bad.status.as_u16(), bad.error().1), (422, 40010001));
}

#[tokio::test]
async fn another_accounts_history_is_not_told() {
    let house = house().await;
    let (ada, bob) = (house.customer(0).await, house.customer(0).await);
    closed_at(&house, &ada, "2026-11-20", 5_000, 0).await;
    let history = house.get(&bob, "/v2/account/portfolio/history?timeframe=1D").await.ok();
    assert_eq!(history["equity"], json!([0]));
}
