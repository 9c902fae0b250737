//! Wishes to end an order: taken, repeated, too late, for all at once.

use axum::http::StatusCode;
use domain::OrderId;
use domain::order::{EndKind, OrderEvent};
use domain::{Price, Qty};
use order_manager::Config;
use serde_json::json;
use uuid::Uuid;

use crate::house::{Customer, House};

/// A resting buy; its id.
async fn resting(house: &House, who: &Customer) -> String {
    let order = house.order(who, "buy", "2", "10").await.ok();
    order["id"].as_str().unwrap().to_owned()
}

/// What status-updater does when the venue speaks.
async fn heard(house: &House, id: &str, events: &[OrderEvent]) {
    let id = OrderId::new(Uuid::parse_str(id).unwrap());
    let mut tx = db::begin(house.pool()).await.unwrap();
    let mut order = orders::lock(&mut tx, &[id]).await.unwrap().remove(&id).unwrap();
    for event in events {
        order.state = order.state.after(*event).unwrap().0;
    }
    orders::advance(&mut tx, &[order]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn ord_14_a_cancel_is_a_wish_with_an_event_and_a_message_to_the_executor() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let id = resting(&house, &ada).await;
    let answer = house.delete(&ada, &format!("/v2/orders/{id}")).await;
    assert_eq!((answer.status, answer.body), (StatusCode::NO_CONTENT, json!(null)));

    assert_eq!(
        house.get(&ada, &format!("/v2/orders/{id}")).await.ok()["status"],
        "pending_cancel"
    );
    let stored: (String, bool) = sqlx::query_as("select status, cancel_requested_at is not null from orders")
        .fetch_one(house.pool())
        .await
        .unwrap();
    assert_eq!(
        stored,
        ("accepted".to_owned(), true),
        "only the wish is written, the status is not ours to move"
    );
    let told: Vec<String> = sqlx::query_scalar("select kind from outbox order by id")
        .fetch_all(house.pool())
        .await
        .unwrap();
    let expected = [
        "order_accepted.v1",
        "order_updated.v1",
        "cancel_requested.v1",
        "order_updated.v1",
    ];
    assert_eq!(told, expected);
    let account = house.get(&ada, "/v2/account").await.ok();
    assert_eq!(
        account["buying_power"], "80.00",
        "the hold stays until the end is proven"
    );
}

#[tokio::test]
async fn a_repeated_cancel_is_a_success_without_an_effect() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let id = resting(&house, &ada).await;
    let hyphenless = id.replace('-', "");
    for path in [&id, &id, &hyphenless] {
        assert_eq!(
            house.delete(&ada, &format!("/v2/orders/{path}")).await.status,
            StatusCode::NO_CONTENT
        );
    }
    let (first, second) = (format!("/v2/orders/{id}"), format!("/v2/orders/{hyphenless}"));
    let (a, b) = tokio::join!(house.delete(&ada, &first), house.delete(&ada, &second));
    assert_eq!((a.status, b.status), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    assert_eq!(
        house
            .count("select count(*) from outbox where kind = 'cancel_requested.v1'")
            .await,
        1
    );
    assert_eq!(house.count("select count(*) from order_events").await, 2);
}

#[tokio::test]
async fn what_is_over_cannot_be_canceled() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let (filled, canceled) = (resting(&house, &ada).await, resting(&house, &ada).await);
    let (two, ten) = (Qty::parse("2").unwrap(), Price::parse("10").unwrap());
    heard(&house, &filled, &[OrderEvent::Filled { qty: two, price: ten }]).await;
    heard(
        &house,
        &canceled,
        &[OrderEvent::Ended {
            why: EndKind::Canceled,
            filled: Qty::ZERO,
        }],
    )
    .await;
    for (id, word) in [(&filled, "filled"), (&canceled, "canceled")] {
        let answer = house.delete(&ada, &format!("/v2/orders/{id}")).await;
        assert_eq!(
            answer.error(),
            (422, 42210000, format!("order is already in \"{word}\" state").as_str())
        );
    }
}

#[tokio::test]
async fn ord_3_a_final_state_wins_over_the_wish() {
    let house = House::open().await;
    let ada = house.customer(100).await;
    let id = resting(&house, &ada).await;
    let path = format!("/v2/orders/{id}");
    assert_eq!(house.delete(&ada, &path).await.status, StatusCode::NO_CONTENT);
    let fill = OrderEvent::Filled {
        qty: Qty::parse("2").unwrap(),
        price: Price::parse("10").unwrap(),
    };
    heard(&house, &id, &[fill]).await;
    assert_eq!(house.get(&ada, &path).await.ok()["status"], "filled");
}

#[tokio::test]
async fn another_accounts_order_is_not_there() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(100).await, house.customer(100).await);
    let id = resting(&house, &ada).await;
    for id in [id.as_str(), "00000000-0000-0000-0000-000000000000", "nonsense"] {
        let answer = house.delete(&bob, &format!("/v2/orders/{id}")).await;
        assert_eq!(
            answer.error(),
            (404, 40410000, format!("order not found for {id}").as_str())
        );
    }
    assert_eq!(
        house.get(&ada, &format!("/v2/orders/{id}")).await.ok()["status"],
        "accepted"
    );
}

#[tokio::test]
async fn cancel_all_has_one_entry_per_open_order_and_none_when_there_is_none() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(100).await, house.customer(100).await);
    let theirs = resting(&house, &bob).await;
    let mut ids = [
        resting(&house, &ada).await,
        resting(&house, &ada).await,
        resting(&house, &ada).await,
    ];
    let over = resting(&house, &ada).await;
    heard(
        &house,
        &over,
        &[OrderEvent::Ended {
            why: EndKind::Expired,
            filled: Qty::ZERO,
        }],
    )
    .await;

    let answer = house.delete(&ada, "/v2/orders").await;
    assert_eq!(answer.status, StatusCode::MULTI_STATUS);
    ids.sort();
    let expected: Vec<_> = ids.iter().map(|id| json!({ "id": id, "status": 200 })).collect();
    assert_eq!(answer.body, json!(expected));
    assert_eq!(
        house.get(&bob, &format!("/v2/orders/{theirs}")).await.ok()["status"],
        "accepted"
    );
    assert_eq!(
        house
            .count("select count(*) from outbox where kind = 'cancel_requested.v1'")
            .await,
        3
    );

    let again = house.delete(&ada, "/v2/orders").await;
    assert_eq!(
        again.body.as_array().unwrap().len(),
        3,
        "pending cancels are open still"
    );
    let carol = house.customer(0).await;
    assert_eq!(house.delete(&carol, "/v2/orders").await.body, json!([]));
}

/// `cancel_all::midway`: k of n are done, the others at the next call.
#[tokio::test]
async fn cancel_all_of_very_many_is_done_in_parts() {
    let house = House::with(Config {
        risk: risk::Settings {
            max_open_orders_per_symbol: 1_000,
            ..risk::Settings::default()
        },
        ..Config::default()
    })
    .await;
    let ada = house.customer(1_000).await;
    let placing = (0..250).map(|_| house.order(&ada, "buy", "1", "1"));
    futures::future::join_all(placing).await;
    let answer = house.delete(&ada, "/v2/orders").await;
    assert_eq!(answer.body.as_array().unwrap().len(), 250);
    let canceled = "select count(distinct order_id) from outbox where kind = 'cancel_requested.v1'";
    let steps = "select count(distinct xid) from outbox where kind = 'cancel_requested.v1'";
    assert_eq!((house.count(canceled).await, house.count(steps).await), (250, 3));
}
