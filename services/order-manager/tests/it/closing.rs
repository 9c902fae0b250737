//! Closing positions.

use std::time::Duration;

use crate::house::{Customer, House};
use order_manager::Config;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A house that does not wait for the end of canceled orders: nobody is there to end them.
async fn house() -> House {
    let house = House::with(Config {
        close_wait: Duration::ZERO,
        ..Config::default()
    })
    .await;
    house.fractionable(&["AAPL", "MSFT"]);
    house
}

async fn holder(house: &House) -> Customer {
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", 10).await;
    house.give(&ada, "MSFT", Decimal::new(25, 1)).await;
    ada
}

fn short(order: &Value) -> Value {
    json!([
        order["symbol"],
        order["side"],
        order["type"],
        order["time_in_force"],
        order["qty"],
        order["limit_price"]
    ])
}

#[tokio::test]
async fn a_position_is_closed_by_a_sell_at_the_market_whole_or_in_part() {
    let house = house().await;
    let ada = holder(&house).await;
    for (path, qty) in [
        ("AAPL?qty=4", "4"),
        ("AAPL?percentage=25", "2"),
        ("MSFT?percentage=50", "1.25"),
        ("00000000000000000000000000000002?qty=1.25&percentage=", "1.25"),
    ] {
        let order = house.delete(&ada, &format!("/v2/positions/{path}")).await;
        assert_eq!(order.status, 200, "{}", order.body);
        let symbol = if path.starts_with("AAPL") { "AAPL" } else { "MSFT" };
        assert_eq!(
            short(&order.body),
            json!([symbol, "sell", "market", "day", qty, null]),
            "{path}"
        );
    }
    // Nothing of MSFT is free any more, four shares of AAPL are: closing asks for all of a position.
    let held = house.delete(&ada, "/v2/positions/AAPL").await;
    assert_eq!(held.status, 403, "{}", held.body);
    let told = ["existing_qty", "held_for_orders", "available", "symbol"].map(|key| held.body[key].clone());
    assert_eq!(json!(told), json!(["10", "6", "4", "AAPL"]));
}

#[tokio::test]
async fn what_cannot_be_closed_is_told_why() {
    let house = house().await;
    let (ada, bob) = (holder(&house).await, house.customer(100).await);
    for (who, path, error) in [
        (&bob, "AAPL", (404, 40410000, "position does not exist")),
        (&bob, "NOPE", (404, 40410000, "asset not found for NOPE")),
        (
            &ada,
            "AAPL?qty=1&percentage=1",
            (422, 40010001, "only one of qty or percentage is accepted"),
        ),
        (&ada, "AAPL?qty=0", (422, 40010001, "qty must be > 0")),
        (&ada, "AAPL?qty=-1", (422, 40010001, "qty must be > 0")),
        (
            &ada,
            "AAPL?percentage=101",
            (422, 40010001, "percentage must be <= 100"),
        ),
        (
            &ada,
            "AAPL?percentage=NaN",
            (
                422,
                40010001,
                "percentage is not a decimal number: write it in plain digits, like 12.34",
            ),
        ),
        (
            &ada,
            "AAPL?percentage=1",
            (422, 42210000, "the part is less than one share: send a larger one"),
        ),
        (
            &ada,
            "AAPL?qty=11",
            (
                403,
                40310000,
                "insufficient qty available for order (requested: 11, available: 10)",
            ),
        ),
    ] {
        let answer = house.delete(who, &format!("/v2/positions/{path}")).await;
        assert_eq!(answer.error(), error, "{path}");
    }
    assert_eq!(house.count("select count(*) from orders").await, 0);
}

#[tokio::test]
async fn all_positions_are_closed_with_an_entry_each() {
    let house = house().await;
    let (ada, bob) = (holder(&house).await, house.customer(100).await);
    let nothing = house.delete(&bob, "/v2/positions").await;
    assert_eq!((nothing.status.as_u16(), nothing.body), (207, json!([])));
    let resting = house.order(&ada, "sell", "3", "200").await.ok();
    let answer = house.delete(&ada, "/v2/positions?cancel_orders=False").await;
    assert_eq!(answer.status, 207);
    let [first, second] = [&answer.body[0], &answer.body[1]];
    assert_eq!((&first["symbol"], &first["status"]), (&json!("AAPL"), &json!(403)));
    assert_eq!(
        (&first["body"]["available"], &first["body"]["code"]),
        (&json!("7"), &json!(40310000))
    );
    assert_eq!(first["body"]["related_orders"], json!([resting["id"]]));
    assert_eq!((&second["symbol"], &second["status"]), (&json!("MSFT"), &json!(200)));
    assert_eq!(
        short(&second["body"]),
        json!(["MSFT", "sell", "market", "day", "2.5", null])
    );
}

#[tokio::test]
async fn with_cancel_orders_open_orders_are_asked_to_end_and_not_waited_for_beyond_the_bound() {
    let house = house().await;
    let ada = holder(&house).await;
    let resting = house.order(&ada, "sell", "3", "200").await.ok();
    let answer = house.delete(&ada, "/v2/positions?cancel_orders=True").await;
    assert_eq!((answer.status.as_u16(), &answer.body[0]["status"]), (207, &json!(403)));
    let order = house
        .get(&ada, &format!("/v2/orders/{}", resting["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(order["status"], "pending_cancel");
    let bad = house.delete(&ada, "/v2/positions?cancel_orders=perhaps").await;
    assert_eq!(bad.error(), (422, 40010001, "cancel_orders must be true or false"));
}

/// Ends an order, as far as it is filled.
async fn end(house: &House, order: &Value, status: &str, filled: &str) {
    let over = format!(
        "update orders set status = '{status}', filled_qty = {filled}, filled_notional = {filled} * 100, end_kind = nullif('{status}', 'filled'),
                           end_filled_qty = case when '{status}' <> 'filled' then {filled} end
          where order_id = '{id}';
         delete from open_orders where order_id = '{id}'",
        id = order["id"].as_str().unwrap()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(over))
        .execute(house.pool())
        .await
        .unwrap();
}

/// A client that lost the answer asks again, as one SDK does by itself: it is answered with the order there is.
#[tokio::test]
async fn closing_that_is_asked_for_again_sells_once() {
    let house = house().await;
    let ada = holder(&house).await;
    for (path, amount) in [("AAPL?qty=2", "2"), ("AAPL?percentage=30", "30%"), ("MSFT", "all")] {
        let path = format!("/v2/positions/{path}");
        let (first, again) = tokio::join!(house.delete(&ada, &path), house.delete(&ada, &path));
        let (first, again) = (first.ok(), again.ok());
        assert_eq!(first["id"], again["id"], "{path}");
        let later = house.delete(&ada, &path).await.ok();
        assert_eq!(first["id"], later["id"], "{path}");
        let name = format!("close-{}-{amount}-0000000001", first["symbol"].as_str().unwrap());
        assert_eq!(first["client_order_id"], json!(name));
    }
    assert_eq!(house.count("select count(*) from orders").await, 3);
    let whole = house.delete(&ada, "/v2/positions").await;
    assert_eq!(
        (&whole.body[0]["status"], &whole.body[1]["status"]),
        (&json!(403), &json!(200))
    );
    // Bought since: what is closing is not all there is.
    house.give(&ada, "MSFT", 1).await;
    assert_eq!(house.delete(&ada, "/v2/positions/MSFT").await.status, 403);
}

#[tokio::test]
async fn closing_is_asked_for_anew_once_the_order_before_is_over() {
    let house = house().await;
    let ada = holder(&house).await;
    let close = || async { house.delete(&ada, "/v2/positions/AAPL?qty=1").await.ok() };
    let first = close().await;
    end(&house, &first, "filled", "1").await;
    house.clock.advance(Duration::from_secs(10));
    assert_eq!(close().await["id"], first["id"], "its answer may have been lost");
    house.clock.advance(Duration::from_secs(1));
    let second = close().await;
    assert_eq!(second["client_order_id"], "close-AAPL-1-0000000002");
    end(&house, &second, "canceled", "0").await;
    let third = close().await;
    assert_eq!(third["client_order_id"], "close-AAPL-1-0000000003", "nothing was sold");
    let cancel = format!("/v2/orders/{}", third["id"].as_str().unwrap());
    assert_eq!(house.delete(&ada, &cancel).await.status, 204);
    assert_ne!(close().await["id"], third["id"], "it is about to end");
    assert_eq!(
        house.delete(&ada, "/v2/positions/AAPL?qty=1.0").await.ok()["client_order_id"],
        "close-AAPL-1-0000000004"
    );
}
