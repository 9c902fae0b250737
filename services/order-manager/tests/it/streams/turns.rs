//! Replays take turns at the database: none waits for one that waits for it, and who waits still hears what happens.

use std::time::Duration;

use futures::future::join_all;
use order_manager::StreamSettings;
use serde_json::{Value, json};
use testkit::wait_until;
use tokio::net::TcpSocket;
use tokio_tungstenite::{client_async, tungstenite};

use crate::house::Customer;
use crate::street::{PATIENCE, Socket, Street, pair};

/// As many as read at the same time.
const TURNS: i64 = 4;

/// Nobody reads events until this is dropped.
async fn hold_events(street: &Street) -> db::Tx {
    let mut held = db::begin(street.house.pool()).await.unwrap();
    // However long the test takes.
    sqlx::query("set local idle_in_transaction_session_timeout = 0")
        .execute(&mut *held)
        .await
        .unwrap();
    sqlx::query("lock table order_events in access exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

/// Replays that hold every turn, and get no further until they are let.
async fn replays(street: &Street, who: &Customer) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for _ in 0..TURNS {
        sockets.push(street.listener_since(who, "0").await);
    }
    wait_until("every turn is taken", PATIENCE, || async {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*)
               from pg_locks
              where database = (select oid from pg_database where datname = current_database())
                and relation = 'order_events'::regclass
                and not granted",
        )
        .fetch_one(street.house.pool())
        .await
        .unwrap();
        waiting == TURNS
    })
    .await;
    sockets
}

fn from_the_start() -> Value {
    json!({"action": "listen", "data": {"streams": ["trade_updates"], "since_id": "0"}})
}

/// Long enough for this thread, which is the server's, too, to deal with all that was sent.
async fn let_the_server_read() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn replays_that_are_begun_anew_in_the_middle_come_to_their_end() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let order = street.order(&ada).await;
    street.flood(order, 99).await;
    let held = hold_events(&street).await;
    let mut sockets = replays(&street, &ada).await;
    for socket in &mut sockets {
        socket.say(&from_the_start()).await;
    }
    let_the_server_read().await;
    held.rollback().await.unwrap();
    let heard = join_all(sockets.iter_mut().map(|socket| async {
        while socket.hear().await["stream"] != "listening" {}
        socket.numbers(100).await
    }));
    for numbers in heard.await {
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    }
    assert_eq!(street.events(&ada, "?since_id=0").await.numbers(100).await.len(), 100);
}

#[tokio::test]
async fn who_waits_for_a_turn_hears_of_a_revoked_key_and_of_a_stop() {
    let street = Street::open().await;
    let (ada, bob) = (street.house.customer(100).await, street.house.customer(100).await);
    street.order(&ada).await;
    let (mut his, mut hers) = (street.socket().await, street.socket().await);
    his.authenticate(&bob).await;
    hers.authenticate(&ada).await;
    let held = hold_events(&street).await;
    let _replays = replays(&street, &ada).await;
    his.say(&from_the_start()).await;
    hers.say(&from_the_start()).await;
    let_the_server_read().await;

    let stop = async {
        street.revoke(&bob).await;
        assert_eq!(his.hear_the_end().await, (1008, "the key was revoked".to_owned()));
        let (stopped, end) = tokio::join!(street.house.shutdown.drain(PATIENCE), hers.hear_the_end());
        stopped.unwrap();
        assert_eq!(end, (1001, "the server is stopping, connect again".to_owned()));
    };
    let (refused, ()) = tokio::join!(street.try_events(&ada, "?since_id=0"), stop);
    assert_eq!(refused.status().as_u16(), 503);
    held.rollback().await.unwrap();
}

#[tokio::test]
async fn lists_that_come_too_fast_are_mistakes() {
    let street = Street::with(StreamSettings {
        heartbeat: PATIENCE,
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut socket = street.socket().await;
    socket.authenticate(&ada).await;
    for _ in 0..20 {
        socket.listen(Some("0")).await;
    }
    let told = json!({"action": "error", "data": {"error_message": "too many lists in a short time, wait a moment"}});
    for _ in 0..21 {
        socket.say(&from_the_start()).await;
        assert_eq!(socket.hear().await, told);
    }
    let end = (1008, "too many frames that cannot be read".to_owned());
    assert_eq!(socket.hear_the_end().await, end);
}

/// Whoever is known by the headers does not stand in line with those who have not said who they are.
#[tokio::test]
async fn strangers_keep_out_nobody_who_is_known() {
    let street = Street::with(StreamSettings {
        strangers: 2,
        name_within: Duration::from_secs(3_600),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let (mut first, _second) = (street.socket().await, street.socket().await);
    let mut events = street.events(&ada, "").await;
    let known = street.socket_with_headers(&ada.key_id, &ada.secret).await;
    known.expect("there is room").listen(None).await;
    let third = format!("ws://{}/stream", street.address);
    assert!(
        tokio_tungstenite::connect_async(&third).await.is_err(),
        "strangers are enough"
    );
    first.say(&pair(&ada)).await;
    first.hear().await;
    assert!(
        tokio_tungstenite::connect_async(&third).await.is_ok(),
        "one has said who it is"
    );
    street.order(&ada).await;
    assert_eq!(events.numbers(1).await, [1]);
}

/// One address cannot keep those of another from saying who they are.
#[tokio::test]
async fn rsk_7_an_address_has_only_so_much_room_for_strangers() {
    let street = Street::with(StreamSettings {
        strangers_per_address: 1,
        name_within: Duration::from_secs(3_600),
        ..StreamSettings::default()
    })
    .await;
    let ada = street.house.customer(100).await;
    let mut first = street.socket().await;
    let tungstenite::Error::Http(refused) = stranger(&street, 1).await.unwrap_err() else {
        panic!("it is answered");
    };
    let told: Value = serde_json::from_slice(refused.body().as_deref().unwrap()).unwrap();
    let reason = "too many stream connections of this address that are not authenticated";
    assert_eq!(
        told,
        json!({"code": 42910000, "message": "rate limit exceeded", "reject_reason": reason})
    );
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"5".parse().unwrap())
    );
    assert!(refused.headers().contains_key("x-ratelimit-limit"));
    stranger(&street, 2).await.expect("another address is not concerned");
    let known = street.socket_with_headers(&ada.key_id, &ada.secret).await;
    assert!(known.is_ok(), "nor is who is known");
    first.authenticate(&ada).await;
    stranger(&street, 1).await.expect("it has said who it is");
}

/// A handshake without a key from 127.0.0.`host`.
async fn stranger(street: &Street, host: u8) -> Result<(), tungstenite::Error> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    let stream = socket.connect(street.address).await.unwrap();
    client_async(format!("ws://{}/stream", street.address), stream)
        .await
        .map(|_| ())
}
