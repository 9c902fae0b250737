//! What a customer can do: place, fill, cancel, sell, and what stays the same whatever is repeated.

use domain::Money;
use reqwest::Method;
use rust_decimal::dec;
use serde_json::json;

use crate::harness::customer::{id_of, limit_order, number};
use crate::house::House;

#[tokio::test]
async fn an_order_fills_at_the_market_and_the_difference_to_its_limit_comes_back_at_once() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(10_000).await;
    let order = ada.buy(10, "AAPL", "101.50").await;
    let filled = ada.wait_for(order, "filled").await;
    assert_eq!(filled["filled_qty"], "10");
    assert_eq!(number(&filled["filled_avg_price"]), dec!(100));
    // BP-3, LED-8: 1,015.00 were held, 1,000.00 are paid.
    assert_eq!(ada.account_field("cash").await, dec!(9000));
    assert_eq!(ada.spendable().await, dec!(9000));
    let position = ada.get("/v2/positions/AAPL").await;
    assert_eq!(
        (number(&position["qty"]), number(&position["avg_entry_price"])),
        (dec!(10), dec!(100))
    );
    let activities = ada.get("/v2/account/activities/FILL").await;
    assert_eq!(activities.as_array().unwrap().len(), 1);
    house.at_rest().await;
}

#[tokio::test]
async fn an_order_fills_in_parts_and_its_hold_shrinks_with_each() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 3).await;
    let ada = house.customer(10_000).await;
    let order = ada.buy(10, "AAPL", "100.00").await;
    let partly = ada.wait_for(order, "partially_filled").await;
    assert_eq!(partly["filled_qty"], "3");
    assert_eq!(ada.account_field("cash").await, dec!(9700), "only fills move cash");
    assert_eq!(ada.spendable().await, dec!(9000), "the rest is held");
    house.at_rest().await;
    for _ in 0..3 {
        house.market.step().await;
    }
    ada.wait_for(order, "filled").await;
    let fills = ada.get("/v2/account/activities/FILL?direction=asc").await;
    let quantities: Vec<_> = fills
        .as_array()
        .unwrap()
        .iter()
        .map(|fill| number(&fill["qty"]))
        .collect();
    assert_eq!(quantities, [dec!(3), dec!(3), dec!(3), dec!(1)]);
    house.at_rest().await;
}

#[tokio::test]
async fn a_canceled_order_gives_its_hold_back_and_a_second_cancel_is_told_it_is_over() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(10, "AAPL", "50.00").await;
    ada.wait_for(order, "new").await;
    assert_eq!(ada.spendable().await, dec!(500));
    assert_eq!(ada.cancel(order).await.0, 204);
    ada.wait_for(order, "canceled").await;
    assert_eq!(ada.spendable().await, dec!(1000));
    let (status, body) = ada.cancel(order).await;
    assert_eq!((status, &body["code"]), (422, &json!(42210000)), "{body}");
    house.at_rest().await;
}

#[tokio::test]
async fn all_open_orders_are_canceled_at_once_and_filled_ones_stay() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(10_000).await;
    let filled = ada.buy(5, "AAPL", "100.00").await;
    ada.wait_for(filled, "filled").await;
    let mut resting = vec![];
    for price in ["10.00", "11.00", "12.00"] {
        resting.push(ada.buy(1, "AAPL", price).await);
    }
    let (status, body) = ada.call(Method::DELETE, "/v2/orders", None).await;
    assert_eq!((status, body.as_array().unwrap().len()), (207, 3), "{body}");
    for order in resting {
        ada.wait_for(order, "canceled").await;
    }
    assert_eq!(ada.status(filled).await, "filled");
    assert_eq!(ada.spendable().await, dec!(9500));
    house.at_rest().await;
}

#[tokio::test]
async fn shares_can_be_sold_once_and_their_proceeds_spent() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let bought = ada.buy(10, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    let resting = ada.sell(6, "AAPL", "150.00").await;
    ada.wait_for(resting, "new").await;
    let (status, refusal) = ada.place(limit_order("sell", 5, "AAPL", "99.00", "day")).await;
    assert_eq!(
        (status, &refusal["code"], &refusal["available"]),
        (403, &json!(40310000), &json!("4")),
        "{refusal}"
    );
    let sold = ada.sell(4, "AAPL", "98.00").await;
    let sold = ada.wait_for(sold, "filled").await;
    assert_eq!(
        number(&sold["filled_avg_price"]),
        dec!(99),
        "at the market, better than asked"
    );
    // BP-9: proceeds of a limited margin account can be spent at once.
    assert_eq!(ada.spendable().await, dec!(396));
    let position = ada.get("/v2/positions/AAPL").await;
    assert_eq!(
        (number(&position["qty"]), number(&position["qty_available"])),
        (dec!(6), dec!(0))
    );
    house.at_rest().await;
}

#[tokio::test]
async fn a_repeated_client_order_id_is_refused_and_the_exchange_has_one_order() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let mut body = limit_order("buy", 1, "AAPL", "50.00", "day");
    body["client_order_id"] = json!("mine");
    let (status, order) = ada.place(body.clone()).await;
    assert_eq!(status, 200, "{order}");
    let (status, refusal) = ada.place(body).await;
    assert_eq!((status, &refusal["code"]), (422, &json!(40010001)), "ORD-13: {refusal}");
    let found = ada.get("/v2/orders:by_client_order_id?client_order_id=mine").await;
    assert_eq!(found["id"], order["id"]);
    ada.wait_for(id_of(&order), "new").await;
    assert_eq!(house.market.orders().await.len(), 1);
    assert_eq!(ada.spendable().await, dec!(950));
    house.at_rest().await;
}

#[tokio::test]
async fn tif_3_ioc_takes_what_is_there_and_fok_all_or_nothing() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 4).await;
    let ada = house.customer(10_000).await;
    let killed = ada.order("buy", 10, "AAPL", "100.00", "fok").await;
    let killed = ada.wait_for(killed, "canceled").await;
    assert_eq!(killed["filled_qty"], "0");
    let some = ada.order("buy", 10, "AAPL", "100.00", "ioc").await;
    let some = ada.wait_for(some, "canceled").await;
    assert_eq!(some["filled_qty"], "4");
    house.market.step().await;
    let all = ada.order("buy", 4, "AAPL", "100.00", "fok").await;
    ada.wait_for(all, "filled").await;
    assert_eq!(ada.spendable().await, dec!(9200));
    house.at_rest().await;
}

#[tokio::test]
async fn two_customers_share_the_exchange_and_not_their_orders() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let (ada, grace) = (house.customer(1_000).await, house.customer(1_000).await);
    let hers = ada.buy(2, "AAPL", "100.00").await;
    let theirs = grace.buy(3, "AAPL", "100.00").await;
    ada.wait_for(hers, "filled").await;
    grace.wait_for(theirs, "filled").await;
    let (status, _) = grace.call(Method::GET, &format!("/v2/orders/{hers}"), None).await;
    assert_eq!(status, 404);
    assert_eq!(grace.cancel(hers).await.0, 404);
    assert_eq!(ada.account_field("cash").await, dec!(800));
    assert_eq!(grace.account_field("cash").await, dec!(700));
    house.at_rest().await;
}

#[tokio::test]
async fn one_request_id_leads_from_the_answer_to_the_fill() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    house.at_rest().await;
    let ids: Vec<String> = sqlx::query_scalar(
        "select request_id from orders where order_id = $1
          union all select request_id from order_events where order_id = $1
          union all select request_id from venue_submissions where order_id = $1
          union all select request_id from outbox where order_id = $1",
    )
    .bind(order)
    .fetch_all(&house.db.pool)
    .await
    .unwrap();
    assert!(ids.len() > 5 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn operators_see_health_and_numbers() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 50).await;
    let ada = house.customer(1_000).await;
    let order = ada.buy(1, "AAPL", "100.00").await;
    ada.wait_for(order, "filled").await;
    let http = crate::harness::customer::http();
    let text = |path: &str| {
        let request = http.get(format!("{}{path}", house.url()));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    assert!(text("/livez").await.contains("alive"));
    assert!(text("/readyz").await.contains("ready"));
    for name in [
        "daybook_bus_outbox_depth",
        "daybook_http_requests_total",
        "daybook_batch_size",
        "daybook_batch_queue_depth",
        "daybook_bus_horizon_age_seconds",
        "daybook_orders_open",
        "daybook_steps_total",
    ] {
        // What the database tells is observed every few seconds.
        testkit::wait_until(name, std::time::Duration::from_secs(60), || async {
            text("/metrics").await.contains(name)
        })
        .await;
    }
    assert_eq!(
        Money::from_decimal(ada.account_field("cash").await),
        Money::from_decimal(dec!(900))
    );
}
