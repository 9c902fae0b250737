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
