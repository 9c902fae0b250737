//! The WebSocket: who may listen, what is told, and that nothing is missed or repeated.

use insta::assert_json_snapshot;
use order_manager::StreamSettings;
use serde_json::json;
use std::time::Duration;

use crate::street::{Street, authorization, fill, number, pair};

#[tokio::test]
async fn both_dialects_are_answered_alike_and_nothing_is_said_before() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    for frame in [
        pair(&ada),
        json!({"action": "auth", "key": ada.key_id, "secret": ada.secret}),
    ] {
        let mut socket = street.socket().await;
        socket.say(&frame).await;
        assert_eq!(socket.hear().await, authorization("authorized", "authenticate"));
        socket.listen(None).await;
        let order = street.order(&ada).await;
        assert_eq!(socket.update().await["order"]["id"], order.to_string());
    }
}

#[tokio::test]
async fn an_order_is_told_as_it_was_after_each_transition() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let mut socket = street.listener(&ada).await;
    let order = street.order(&ada).await;
    street.venue_says(order, domain::order::OrderEvent::Acknowledged).await;
    street.venue_says(order, fill(1, "9.99")).await;
    street.venue_says(order, fill(3, "9.50")).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(socket.update().await);
    }
    assert_json_snapshot!("the_life_of_an_order", told);

    // Read back when it is all over, it is the same.
    let mut replay = street.listener_since(&ada, "0").await;
    for update in told {
        assert_eq!(replay.update().await, update);
    }
}

#[tokio::test]
async fn a_replay_begins_after_the_event_named_and_goes_on_live() {
    let street = Street::open().await;
    let ada = street.house.customer(1_000).await;
    let order = street.order(&ada).await;
    street.flood(order, 300).await;
    let mut socket = street.listener_since(&ada, "00000000000000000101").await;
    assert_eq!(socket.numbers(200).await, (102..=301).collect::<Vec<_>>());
    street.order(&ada).await;
    street.order(&ada).await;
    assert_eq!(socket.numbers(2).await, [302, 303]);
}

#[tokio::test]
async fn a_list_replaces_the_one_before() {
    let street = Street::open().await;
    let ada = street.house.customer(1_000).await;
    let listen = |streams: &[&str]| json!({"action": "listen", "data": {"streams": streams}});
    let listening = |streams: &[&str]| json!({"stream": "listening", "data": {"streams": streams}});
    let mut socket = street.socket().await;
    socket.say(&listen(&["trade_updates"])).await;
    assert_eq!(socket.hear().await, authorization("unauthorized", "listen"));
    socket.authenticate(&ada).await;
    socket.say(&listen(&["account_updates", "trade_updates"])).await;
    assert_eq!(socket.hear().await, listening(&["trade_updates"]), "only what exists");
    street.order(&ada).await;
    assert_eq!(number(&socket.update().await), 1);
    // Said again it changes nothing, and nothing is told twice.
    socket.listen(None).await;
    street.order(&ada).await;
    assert_eq!(number(&socket.update().await), 2);
    socket.say(&listen(&[])).await;
    assert_eq!(socket.hear().await, listening(&[]));
    street.order(&ada).await;
    // What happened meanwhile was not asked for.
    socket.listen(None).await;
    street.order(&ada).await;
    assert_eq!(number(&socket.update().await), 4);
}

#[tokio::test]
async fn keys_in_the_headers_of_the_handshake_count_too() {
    let street = Street::open().await;
    let (ada, bob) = (street.house.customer(100).await, street.house.customer(100).await);
    let mut socket = street.socket_with_headers(&ada.key_id, &ada.secret).await.ok().unwrap();
    socket.listen(None).await;
    street.order(&ada).await;
    assert_eq!(number(&socket.update().await), 1);
    // Clients that do both are answered; a connection never changes hands.
    socket.authenticate(&ada).await;
    socket.say(&pair(&bob)).await;
    assert_eq!(socket.hear().await, authorization("unauthorized", "authenticate"));
    assert_eq!(socket.hear_the_end().await, (1008, "not authorized".to_owned()));

    let refused = street
        .socket_with_headers(&ada.key_id, &bob.secret)
        .await
        .err()
        .unwrap();
    assert_eq!((refused.0, &refused.1["code"]), (401, &json!(40110000)));
}

#[tokio::test]
async fn a_wrong_pair_is_told_so_and_closed() {
    let street = Street::open().await;
    let (ada, bob) = (street.house.customer(0).await, street.house.customer(0).await);
    for (key_id, secret) in [
        (&ada.key_id, &bob.secret),
        (&"x".to_owned(), &ada.secret),
        (&String::new(), &String::new()),
    ] {
        let mut socket = street.socket().await;
        socket
            .say(&json!({"action": "auth", "key": key_id, "secret": secret}))
            .await;
        assert_eq!(socket.hear().await, authorization("unauthorized", "authenticate"));
        assert_eq!(socket.hear_the_end().await, (1008, "not authorized".to_owned()));
    }
}

#[tokio::test]
async fn every_connection_of_an_account_hears_its_events_and_no_others() {
    let street = Street::open().await;
    let (ada, bob) = (street.house.customer(1_000).await, street.house.customer(1_000).await);
    let mut first = street.listener(&ada).await;
    let mut second = street.listener(&ada).await;
    let mut other = street.listener(&bob).await;
    let hers = street.order(&ada).await;
    let his = street.order(&bob).await;
    assert_eq!(first.update().await["order"]["id"], hers.to_string());
    assert_eq!(second.update().await["order"]["id"], hers.to_string());
    assert_eq!(
        other.update().await["order"]["id"],
        his.to_string(),
        "and nothing of hers before"
    );
}

#[tokio::test]
async fn what_happens_to_a_wake_up_delays_an_update_and_loses_none() {
    let street = Street::with(StreamSettings {
        sweep_every: Duration::from_millis(100),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut socket = street.listener(&ada).await;
    let order = street.order(&ada).await;
    assert_eq!(number(&socket.update().await), 1);
    street.flood(order, 500).await;
    assert_eq!(socket.numbers(500).await, (2..=501).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_account_that_cannot_be_told_is_its_own_trouble() {
    let street = Street::with(StreamSettings {
        sweep_every: Duration::from_millis(100),
        ..StreamSettings::default()
    })
    .await;
    let (ada, bob) = (street.house.customer(100).await, street.house.customer(100).await);
    let (mut hers, mut his) = (street.listener(&ada).await, street.listener(&bob).await);
    let bad = street.order(&ada).await;
    street.order(&bob).await;
    assert_eq!((number(&hers.update().await), number(&his.update().await)), (1, 1));
    // An event of an order that is not there.
    sqlx::query(
        "with s as (update account_sequences set event_seq = event_seq + 1 returning account_id, event_seq)
         insert into order_events
         select s.account_id, s.event_seq, coalesce(o.order_id, gen_random_uuid()), 'restated', daybook_now(), 'new', 0, 0, null,
                null, null, null, 'test', 'r-1'
           from s
           left join orders o on o.account_id = s.account_id and o.order_id <> $1",
    )
    .bind(bad)
    .execute(street.house.pool())
    .await
    .unwrap();
    assert_eq!(number(&his.update().await), 2);
    assert_eq!(hers.hear_the_end().await, (1011, "internal error".to_owned()));
}
