//! Placing and canceling for its own sake (RSK-8): the door's answers, and that a restart forgets nothing.

use std::time::Duration;

use axum::http::StatusCode;
use identity::limits::{ChurnLimit, ChurnRule, LimitTable, set_churn_limit};
use order_manager::Config;
use testkit::TestDb;

use crate::house::{Answer, Customer, House};
use crate::replacing;

async fn house() -> House {
    House::strict(TestDb::new().await, roomy(), 1)
}

/// The churn rule as it is, and requests enough to meet it.
fn roomy() -> Config {
    let mut config = Config::default();
    config.limits.usual.rates = identity::limits::Rates::UNLIMITED;
    (config.risk.max_open_orders, config.risk.max_open_orders_per_symbol) = (10_000, 10_000);
    config
}

async fn buy(house: &House, who: &Customer, symbol: &str) -> Answer {
    let mut body = crate::house::order("buy", "1", "1");
    body["symbol"] = symbol.into();
    house.post(who, body.to_string()).await
}

/// Places and cancels; every cancel is taken.
async fn churn(house: &House, who: &Customer, times: usize) {
    for _ in 0..times {
        let order = buy(house, who, "AAPL").await.ok();
        let path = format!("/v2/orders/{}", order["id"].as_str().unwrap());
        assert_eq!(house.delete(who, &path).await.status, StatusCode::NO_CONTENT);
    }
}

/// Orders that wait in the book, so that there is something to cancel when nothing can be placed.
async fn resting(house: &House, who: &Customer, orders: usize) -> Vec<String> {
    let mut paths = Vec::new();
    for _ in 0..orders {
        let order = buy(house, who, "AAPL").await.ok();
        paths.push(format!("/v2/orders/{}", order["id"].as_str().unwrap()));
    }
    paths
}

/// Seconds to wait, where it is refused for churn.
fn told_to_wait(answer: &Answer) -> Option<u64> {
    if answer.status != StatusCode::TOO_MANY_REQUESTS {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        return None;
    }
    assert_eq!(answer.error(), (429, 42910000, "rate limit exceeded"));
    assert!(answer.body["reject_reason"].as_str().unwrap().contains("AAPL"));
    Some(answer.headers["retry-after"].to_str().unwrap().parse().unwrap())
}

async fn fills(house: &House, who: &Customer, fills: i32) {
    sqlx::query(
        "insert into fills (venue, exec_id, fill_id, order_id, account_id, symbol, side, qty, price, cash, cum_qty, leaves_qty,
                            order_status, venue_at, received_at)
         select 'test', n::text, gen_random_uuid(), gen_random_uuid(), $1, 'AAPL', 'buy', 1, 1, 1, 1, 0, 'filled', $2, $2
           from generate_series(1, $3) n",
    )
    .bind(who.account.get())
    .bind(chassis::clock::Clock::now(&*house.clock))
    .bind(fills)
    .execute(house.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn rsk_8_step_1_refuses_new_orders_in_the_symbol_and_nothing_else() {
    let house = house().await;
    let (ada, bob) = (house.customer(1_000).await, house.customer(1_000).await);
    let paths = resting(&house, &ada, 3).await;
    churn(&house, &ada, 30).await;
    assert_eq!(
        told_to_wait(&buy(&house, &ada, "AAPL").await),
        None,
        "thirty are allowed"
    );
    assert_eq!(house.delete(&ada, &paths[0]).await.status, StatusCode::NO_CONTENT);
    let traces = house.traces().await;
    assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), Some(10));
    assert_eq!(house.traces().await, traces, "a refused order leaves nothing behind");

    assert_eq!(told_to_wait(&buy(&house, &ada, "MSFT").await), None, "another symbol");
    assert_eq!(told_to_wait(&buy(&house, &bob, "AAPL").await), None, "another account");
    for path in &paths[1..] {
        assert_eq!(
            house.delete(&ada, path).await.status,
            StatusCode::NO_CONTENT,
            "cancels go on"
        );
    }
    assert_eq!(house.delete(&ada, "/v2/orders").await.status, StatusCode::MULTI_STATUS);
    house.clock.advance(Duration::from_secs(70));
    assert_eq!(
        told_to_wait(&buy(&house, &ada, "AAPL").await),
        None,
        "the minute is over"
    );
}

/// A replacement is a new order: who may place none may not place one by replacing another.
#[tokio::test]
async fn rsk_8_refuses_replacements_like_new_orders_and_strikes_who_goes_on() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    let mut working = Vec::new();
    for _ in 0..2 {
        working.push(replacing::working(&house, &ada, "buy", "1", "1").await);
    }
    churn(&house, &ada, 31).await;
    let body = serde_json::json!({"qty": 2});
    let (strikes, before) = ("select count(*) from churn_strikes", house.traces().await);
    for expected in [10, 60] {
        let refused = replacing::patch(&house, &ada, &working[0], body.clone()).await;
        assert_eq!(told_to_wait(&refused), Some(expected));
        assert_eq!(house.count(strikes).await, 1, "written down");
        if expected == 10 {
            assert_eq!(
                house.traces().await,
                before,
                "a refused replace leaves nothing else behind"
            );
            house.clock.advance(Duration::from_secs(70));
            churn(&house, &ada, 31).await;
        }
    }
    let path = format!("/v2/orders/{}", working[1]);
    assert_eq!(
        house.delete(&ada, &path).await.status,
        StatusCode::NO_CONTENT,
        "cancels go on"
    );
    house.clock.advance(Duration::from_secs(70));
    replacing::patch(&house, &ada, &working[0], body).await.ok();
}

#[tokio::test]
async fn rsk_8_who_trades_may_cancel_twenty_times_as_much() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    churn(&house, &ada, 31).await;
    fills(&house, &ada, 2).await;
    assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), None);
    churn(&house, &ada, 10).await;
    assert!(told_to_wait(&buy(&house, &ada, "AAPL").await).is_some(), "41 for two");
}

#[tokio::test]
async fn rsk_8_step_2_cools_off_who_goes_on_and_a_restart_does_not_forget() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    for expected in [10, 60, 120] {
        churn(&house, &ada, 31).await;
        assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), Some(expected));
        let again = told_to_wait(&buy(&house, &ada, "AAPL").await);
        assert_eq!(again, Some(expected), "asking again makes it no longer");
        house.clock.advance(Duration::from_secs(expected.max(70)));
    }
    churn(&house, &ada, 31).await;
    assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), Some(240));
    house.clock.advance(Duration::from_secs(100));

    let House { db, clock, .. } = house;
    let now = chassis::clock::Clock::now(&*clock);
    let house = House::strict(db, roomy(), 2);
    house.clock.set(now);
    assert_eq!(
        told_to_wait(&buy(&house, &ada, "AAPL").await),
        Some(140),
        "another process knows"
    );
    house.clock.advance(Duration::from_secs(140));
    assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), None);
    let mut conn = house.pool().acquire().await.unwrap();
    assert_eq!(orders::churn::forgive(&mut conn, ada.account, None).await.unwrap(), 1);
}

#[tokio::test]
async fn rsk_8_counts_survive_a_restart() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    churn(&house, &ada, 31).await;
    let House { db, .. } = house;
    let house = House::strict(db, roomy(), 2);
    assert!(told_to_wait(&buy(&house, &ada, "AAPL").await).is_some());
}

#[tokio::test]
async fn rsk_8_repeated_cancels_of_one_order_count_once() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    let path = resting(&house, &ada, 1).await.remove(0);
    let all = futures::future::join_all((0..60).map(|_| house.delete(&ada, &path))).await;
    assert!(all.iter().all(|answer| answer.status == StatusCode::NO_CONTENT));
    assert_eq!(house.count("select sum(cancels) from order_cancels").await, 1);
    assert_eq!(told_to_wait(&buy(&house, &ada, "AAPL").await), None);
}

#[tokio::test]
async fn rsk_8_the_rule_is_the_tiers() {
    let house = house().await;
    let (ada, free) = (house.customer(1_000).await, house.customer(1_000).await);
    let mut conn = house.pool().acquire().await.unwrap();
    sqlx::query("update accounts set tier = 'unlimited' where account_id = $1")
        .bind(free.account.get())
        .execute(&mut *conn)
        .await
        .unwrap();
    let rule = ChurnRule {
        cancels_per_minute: 2,
        ..ChurnRule::default()
    };
    let limit = ChurnLimit {
        tier: "standard".to_owned(),
        rule: Some(rule),
    };
    set_churn_limit(&mut conn, &limit).await.unwrap();
    let read = async || {
        let table: LimitTable = identity::limits::load(&mut house.pool().acquire().await.unwrap(), Default::default())
            .await
            .unwrap();
        assert_eq!(table.churn("standard"), Some(rule));
        churn(&house, &ada, 3).await;
        let refused = told_to_wait(&buy(&house, &ada, "AAPL").await).is_some();
        house.clock.advance(Duration::from_secs(70));
        refused
    };
    testkit::wait_until("the new rule", Duration::from_secs(60), read).await;
    churn(&house, &free, 60).await;
    assert_eq!(told_to_wait(&buy(&house, &free, "AAPL").await), None);
}

#[tokio::test]
async fn rsk_8_what_an_account_does_can_be_seen_and_what_is_old_is_forgotten() {
    let house = house().await;
    let ada = house.customer(1_000).await;
    churn(&house, &ada, 4).await;
    house.clock.advance(Duration::from_secs(120));
    churn(&house, &ada, 3).await;
    fills(&house, &ada, 2).await;
    let mut conn = house.pool().acquire().await.unwrap();
    let now = chassis::clock::Clock::now(&*house.clock);
    let seen = orders::churn::activity(&mut conn, ada.account, now).await.unwrap();
    let [aapl] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((aapl.orders, aapl.cancels, aapl.fills), ([3, 7], [3, 7], [2, 2]));
    assert_eq!((aapl.symbol.as_str(), aapl.strikes, aapl.replaces), ("AAPL", 0, [0, 0]));

    let later = now + chrono::TimeDelta::minutes(16);
    assert_eq!(orders::churn::prune(&mut conn, later, 1).await.unwrap(), 1);
    assert_eq!(orders::churn::prune(&mut conn, later, 100).await.unwrap(), 1);
    assert_eq!(house.count("select count(*) from order_cancels").await, 0);
}
