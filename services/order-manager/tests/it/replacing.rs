//! A new order in an old one's place: taken, refused, repeated, held (wire contract, PATCH).

use axum::body::Body;
use axum::http::{Method, StatusCode};
use domain::order::{EndKind, OrderEvent};
use domain::{OrderId, Price, Qty, VenueOrderId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{Answer, Customer, House, request};

pub fn id_of(order: &Value) -> String {
    order["id"].as_str().unwrap().to_owned()
}

/// What status-updater does when the venue has spoken.
pub async fn heard(house: &House, id: &str, events: &[OrderEvent]) {
    let id = OrderId::new(Uuid::parse_str(id).unwrap());
    let mut tx = db::begin(house.pool()).await.unwrap();
    let mut order = orders::lock(&mut tx, &[id]).await.unwrap().remove(&id).unwrap();
    for event in events {
        order.state = order.state.after(*event).unwrap().0;
    }
    order.acknowledged_at = Some(testkit::start_of_time());
    order.venue_order_id = Some(VenueOrderId::new(&format!("v-{id}")).unwrap());
    orders::advance(&mut tx, &[order]).await.unwrap();
    tx.commit().await.unwrap();
}

/// An order that the venue works; its id.
pub async fn working(house: &House, who: &Customer, side: &str, qty: &str, price: &str) -> String {
    let id = id_of(&house.order(who, side, qty, price).await.ok());
    heard(house, &id, &[OrderEvent::Acknowledged]).await;
    id
}

pub async fn patch(house: &House, who: &Customer, id: &str, body: Value) -> Answer {
    let path = format!("/v2/orders/{id}");
    let request = request(who, Method::PATCH, &path).body(Body::from(body.to_string()));
    house.send(request.unwrap()).await
}

pub async fn shown(house: &House, who: &Customer, id: &str) -> Value {
    house.get(who, &format!("/v2/orders/{id}")).await.ok()
}

async fn buying_power(house: &House, who: &Customer) -> String {
    let account = house.get(who, "/v2/account").await.ok();
    account["buying_power"].as_str().unwrap().to_owned()
}

pub fn filled(qty: i64, price: i64) -> OrderEvent {
    OrderEvent::Filled {
        qty: Qty::new(qty.into()).unwrap(),
        price: Price::new(price.into()).unwrap(),
    }
}

#[tokio::test]
async fn ord_8_a_replace_is_a_new_order_and_the_old_one_works_on() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    // As one SDK sends it: the quantity as an integer.
    let body = json!({"qty": 7, "limit_price": "101.5", "client_order_id": "mine"});
    let new = patch(&house, &ada, &old, body).await.ok();
    assert_eq!(
        (
            &new["replaces"],
            &new["status"],
            &new["qty"],
            &new["limit_price"],
            &new["client_order_id"]
        ),
        (
            &json!(old),
            &json!("pending_new"),
            &json!("7"),
            &json!("101.5"),
            &json!("mine")
        )
    );
    assert_ne!(new["id"], json!(old));
    let before = shown(&house, &ada, &old).await;
    assert_eq!(
        (
            &before["status"],
            &before["replaced_by"],
            &before["replaced_at"],
            &before["qty"]
        ),
        (&json!("pending_replace"), &json!(null), &json!(null), &json!("5"))
    );
    assert_eq!(
        buying_power(&house, &ada).await,
        "289.50",
        "the larger of the two is held"
    );
    let told: Vec<String> = sqlx::query_scalar("select kind from outbox order by id offset 2")
        .fetch_all(house.pool())
        .await
        .unwrap();
    assert_eq!(told, ["replace_requested.v1", "order_updated.v1"]);
    let events: Vec<(String, String)> = sqlx::query_as("select event, status from order_events order by seq offset 1")
        .fetch_all(house.pool())
        .await
        .unwrap();
    assert_eq!(events, [("pending_replace".to_owned(), "pending_replace".to_owned())]);
}

#[tokio::test]
async fn what_is_not_said_stays_as_it_is() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let before = shown(&house, &ada, &old).await;
    let body = json!({"qty": null, "limit_price": "", "time_in_force": null, "client_order_id": ""});
    let new = patch(&house, &ada, &old, body).await.ok();
    for field in [
        "symbol",
        "side",
        "qty",
        "limit_price",
        "time_in_force",
        "type",
        "expires_at",
    ] {
        assert_eq!(new[field], before[field], "{field}");
    }
    assert_ne!(new["client_order_id"], before["client_order_id"]);
    assert_eq!(buying_power(&house, &ada).await, "500.00");
}

#[tokio::test]
async fn bp_4_a_replace_that_does_not_fit_is_refused_and_leaves_the_old_order_untouched() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let before = (shown(&house, &ada, &old).await, house.traces().await);
    let refused = patch(&house, &ada, &old, json!({"qty": "11"})).await;
    assert_eq!(refused.error(), (403, 40_310_000, "insufficient buying power"));
    assert_eq!(
        (&refused.body["buying_power"], &refused.body["cost_basis"]),
        (&json!("500.00"), &json!("600.00"))
    );
    assert_eq!((shown(&house, &ada, &old).await, house.traces().await), before);
    // To the cent.
    patch(&house, &ada, &old, json!({"qty": "10"})).await.ok();
    assert_eq!(buying_power(&house, &ada).await, "0.00");
}

#[tokio::test]
async fn bp_5_a_sell_holds_the_larger_number_of_shares() {
    let house = House::open().await;
    let ada = house.customer(0).await;
    house.give(&ada, "AAPL", 10).await;
    let old = working(&house, &ada, "sell", "6", "100").await;
    let refused = patch(&house, &ada, &old, json!({"qty": "11"})).await;
    assert_eq!(
        refused.error(),
        (
            403,
            40_310_000,
            "insufficient qty available for order (requested: 5, available: 4)"
        )
    );
    patch(&house, &ada, &old, json!({"qty": "9"})).await.ok();
    let position = house.get(&ada, "/v2/positions/AAPL").await.ok();
    assert_eq!(position["qty_available"], "1");
}

#[tokio::test]
async fn only_an_open_order_that_nobody_wants_to_end_can_be_replaced() {
    let house = House::open().await;
    let (ada, bob) = (house.customer(9_000).await, house.customer(9_000).await);
    let accepted = id_of(&house.order(&ada, "buy", "5", "100").await.ok());
    let doubtful = id_of(&house.order(&ada, "buy", "5", "100").await.ok());
    heard(&house, &doubtful, &[OrderEvent::InDoubt]).await;
    let canceling = working(&house, &ada, "buy", "5", "100").await;
    house.delete(&ada, &format!("/v2/orders/{canceling}")).await;
    let replacing = working(&house, &ada, "buy", "5", "100").await;
    let new = patch(&house, &ada, &replacing, json!({"qty": 6})).await.ok();
    let over = working(&house, &ada, "buy", "5", "100").await;
    let why = EndKind::Canceled;
    heard(&house, &over, &[OrderEvent::Ended { why, filled: Qty::ZERO }]).await;
    let not_sent = "unable to replace order, order isn't sent to exchange yet";
    let not_open = "unable to replace order, order is not open";
    for (id, message) in [
        (&accepted, not_sent),
        (&doubtful, not_sent),
        (&id_of(&new), not_sent),
        (&canceling, not_open),
        (&replacing, not_open),
        (&over, "order is already in \"canceled\" state"),
    ] {
        let refused = patch(&house, &ada, id, json!({"limit_price": "99"})).await;
        assert_eq!(refused.error(), (422, 42_210_000, message), "{id}");
    }
    let nobodys = Uuid::from_u128(77).to_string();
    for (who, id) in [(&bob, &replacing), (&ada, &nobodys), (&ada, &"x".to_owned())] {
        let refused = patch(&house, who, id, json!({"limit_price": "99"})).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        assert_eq!(refused.body["message"], format!("order not found for {id}"));
    }
}

#[tokio::test]
async fn ord_9_a_total_that_is_filled_already_is_refused() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = id_of(&house.order(&ada, "buy", "5", "100").await.ok());
    heard(&house, &old, &[OrderEvent::Acknowledged, filled(3, 100)]).await;
    let refused = patch(&house, &ada, &old, json!({"qty": 3})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["code"], 42_210_000);
    let new = patch(&house, &ada, &old, json!({"qty": 4})).await.ok();
    assert_eq!((&new["qty"], &new["filled_qty"]), (&json!("4"), &json!("0")));
}

#[tokio::test]
async fn ord_13_a_name_is_taken_once_whatever_it_names() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let name = shown(&house, &ada, &old).await["client_order_id"].clone();
    let before = house.traces().await;
    let refused = patch(&house, &ada, &old, json!({"client_order_id": name})).await;
    assert_eq!(refused.error(), (422, 40_010_001, "client_order_id must be unique"));
    assert_eq!(house.traces().await, before);
    patch(&house, &ada, &old, json!({"client_order_id": "new"})).await.ok();
    let found = house
        .get(&ada, "/v2/orders:by_client_order_id?client_order_id=new")
        .await
        .ok();
    assert_eq!(found["replaces"], json!(old));
}

#[tokio::test]
async fn of_two_replaces_at_once_one_is_taken() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let bodies = (0..8).map(|n| json!({"limit_price": format!("{}", 90 + n)}));
    let answers = futures::future::join_all(bodies.map(|body| patch(&house, &ada, &old, body))).await;
    let taken = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert_eq!(taken, 1);
    assert_eq!(house.count("select count(*) from orders").await, 2);
    assert_eq!(buying_power(&house, &ada).await, "500.00");
}

#[tokio::test]
async fn both_orders_are_open_until_the_venue_has_decided() {
    let house = House::open().await;
    let ada = house.customer(1_000).await;
    let old = working(&house, &ada, "buy", "5", "100").await;
    let new = id_of(&patch(&house, &ada, &old, json!({"qty": 6})).await.ok());
    let open = house.get(&ada, "/v2/orders?status=open").await.ok();
    let ids: Vec<&str> = open
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [new.as_str(), old.as_str()]);
    // A cancel of either is taken, and promises nothing but a later event (ORD-14).
    for id in [&old, &new] {
        let answer = house.delete(&ada, &format!("/v2/orders/{id}")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(shown(&house, &ada, id).await["status"], "pending_cancel");
    }
}

/// V2: what the rules set aside is what the audit's view says, while the venue decides.
#[tokio::test]
async fn v2_the_view_of_holds_agrees_with_what_is_held() {
    let house = House::open().await;
    for (side, change, held) in [
        ("buy", json!({"limit_price": "110"}), 550),
        ("buy", json!({"limit_price": "90"}), 500),
        ("buy", json!({"qty": 8}), 800),
        ("buy", json!({"qty": 2}), 500),
        ("buy", json!({"qty": 8, "limit_price": "50"}), 650),
        ("sell", json!({"qty": 8}), 8),
        ("sell", json!({"qty": 2, "limit_price": "90"}), 5),
    ] {
        let ada = house.customer(1_000).await;
        house.give(&ada, "AAPL", 10).await;
        let old = working(&house, &ada, side, "5", "100").await;
        patch(&house, &ada, &old, change.clone()).await.ok();
        let both: (Option<rust_decimal::Decimal>, rust_decimal::Decimal) = sqlx::query_as(
            "select (select sum(hold) from order_holds where account_id = $1),
                    (select held from ledger_cash where account_id = $1)
                    + (select sum(held) from ledger_shares where account_id = $1)",
        )
        .bind(ada.account.get())
        .fetch_one(house.pool())
        .await
        .unwrap();
        assert_eq!(both, (Some(held.into()), held.into()), "{side} {change}");
    }
}
