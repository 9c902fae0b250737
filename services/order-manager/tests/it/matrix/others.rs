//! Another account's ids are worth what ids are worth that nobody has, and asking with them changes nothing.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::books::books;
use super::routes::{Heard, Ids, Line, matrix};
use crate::house::{Customer, House, order};
use crate::street::{Street, number};

/// Somebody with money, shares, a movement and a resting order; what is hers.
async fn ada(house: &House) -> (Customer, Ids) {
    let ada = house.customer(1_000).await;
    house.give(&ada, "MSFT", 10).await;
    let mut body = order("buy", "2", "10");
    body["client_order_id"] = "what Ada calls it".into();
    let placed = house.post(&ada, body.to_string()).await.ok();
    let activities = house.get(&ada, "/v2/account/activities").await.ok();
    let ids = Ids::of(&placed, activities[0]["id"].as_str().unwrap());
    (ada, ids)
}

#[tokio::test]
async fn every_route_takes_another_accounts_ids_for_nobodys_and_changes_nothing() {
    let house = House::open().await;
    let (ada, hers) = ada(&house).await;
    for line in matrix().iter().filter(|line| line.heard != Heard::Stream) {
        let eve = house.customer(if line.heard == Heard::Own { 100 } else { 0 }).await;
        let what = format!("{} {}", line.method, line.path(&hers));
        let before = books(&house, &eve).await;
        let (status, told) = told(line, &house, &eve, &hers).await;
        assert_eq!(books(&house, &eve).await, before, "{what}");
        for hers in [ada.account.to_string(), ada.key_id.clone()] {
            assert!(!told.contains(&hers), "{what}: {told}");
        }
        match line.heard {
            Heard::Refused(expected) => {
                assert_eq!(status, expected, "{what}: {told}");
                let nobodys = Ids::nobodys();
                let (_, of_nobodys) = self::told(line, &house, &eve, &nobodys).await;
                assert_eq!(hers.take_out(&told), nobodys.take_out(&of_nobodys), "{what}");
            }
            Heard::Empty(expected) => assert_eq!((status.as_u16(), told.as_str()), (expected, "[]"), "{what}"),
            Heard::Own => assert!(status.is_success() && !told.contains(hers.order()), "{what}: {told}"),
            Heard::TheSame | Heard::Open => {
                let of_ada = self::told(line, &house, &ada, &hers).await;
                assert_eq!((status, told), of_ada, "{what}");
            }
            Heard::Stream => unreachable!("left out above"),
        }
    }
}

async fn told(line: &Line, house: &House, who: &Customer, ids: &Ids) -> (StatusCode, String) {
    let answer = line.ask(house, who, ids).await;
    (answer.status, answer.body.to_string())
}

#[tokio::test]
async fn an_order_may_have_the_name_that_another_account_gave_one_of_its_own() {
    let house = House::open().await;
    let (ada, hers) = ada(&house).await;
    let eve = house.customer(100).await;
    let place = matrix().into_iter().find(|line| line.method == "POST").unwrap();
    let placed = place.ask(&house, &eve, &hers).await.ok();
    let by_name = matrix()
        .into_iter()
        .find(|line| line.route.ends_with(":by_client_order_id"))
        .unwrap();
    assert_eq!(by_name.ask(&house, &eve, &hers).await.ok()["id"], placed["id"]);
    assert_eq!(by_name.ask(&house, &ada, &hers).await.ok()["id"], hers.order());
}

/// Event ids count an account's own events: a number that is another account's is this one's own, or nobody's.
#[tokio::test]
async fn a_stream_tells_nothing_of_another_account_wherever_it_begins() {
    let street = Street::open().await;
    let (ada, eve) = (street.house.customer(1_000).await, street.house.customer(1_000).await);
    let hers = street.order(&ada).await;
    street.flood(hers, 9).await;

    let mut socket = street.socket().await;
    socket.authenticate(&eve).await;
    let listen = |since: &str| json!({"action": "listen", "data": {"streams": ["trade_updates"], "since_id": since}});
    for event in ["1", "10", "11"] {
        socket.say(&listen(event)).await;
        let told = json!({"action": "error", "data": {"error_message": "since_id names no event of this account"}});
        assert_eq!(socket.hear().await, told, "{event}");
        let refused = street.try_events(&eve, &format!("?since_id={event}")).await;
        assert_eq!(refused.status(), 422, "{event}");
    }
    socket.listen(Some("0")).await;
    let mut events = [
        street.events(&eve, "").await,
        street.events(&eve, "?since_id=0").await,
        street.events(&eve, "?since=2026-01-01").await,
        street.events(&eve, "?since_id=0&until_id=10").await,
    ];

    street.flood(hers, 1).await;
    let order = street.order(&eve).await.to_string();
    let is_hers = |update: &Value| (number(update), update["order"]["id"].as_str()) == (1, Some(order.as_str()));
    let update = socket.update().await;
    assert!(is_hers(&update), "{update}");
    for stream in &mut events {
        let update = stream.next().await.unwrap();
        assert!(is_hers(&update), "{update}");
    }
}
