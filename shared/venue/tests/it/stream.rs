//! The stream of trade updates against a small server in this process.
#![expect(clippy::unwrap_used, reason = "tests")]

use domain::order::EndKind;
use futures::{SinkExt, StreamExt};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use uuid::Uuid;
use venue::alpaca::{AlpacaSettings, AlpacaVenue};
use venue::{Fault, UpdateKind, Updates, Venue};

type Peer = WebSocketStream<TcpStream>;

async fn heard(peer: &mut Peer) -> Value {
    let message = peer.next().await.unwrap().unwrap();
    serde_json::from_slice(&message.into_data()).unwrap()
}

async fn say(peer: &mut Peer, frame: Value) {
    // The paper service sends binary frames; both hold JSON.
    peer.send(Message::binary(frame.to_string())).await.unwrap();
}

/// Connects with `since`, and gives both ends after the greeting, with what `listen` carried.
async fn connected(since: Option<String>, silence: Duration) -> (Updates, Peer, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = AlpacaSettings::new("sim", &url, "KEY", SecretString::from("SECRET"));
    let venue = AlpacaVenue::new(AlpacaSettings {
        timeout: PATIENT,
        stream_silence: silence,
        ..settings
    })
    .unwrap();
    let server = async {
        let mut peer = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let auth = heard(&mut peer).await;
        assert_eq!(auth["data"], json!({"key_id": "KEY", "secret_key": "SECRET"}));
        say(
            &mut peer,
            json!({"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}),
        )
        .await;
        let listen = heard(&mut peer).await;
        say(
            &mut peer,
            json!({"stream": "listening", "data": {"streams": ["trade_updates"]}}),
        )
        .await;
        (peer, listen)
    };
    let (updates, (peer, listen)) = tokio::join!(venue.updates(since), server);
    (updates.unwrap(), peer, listen)
}

fn update(event: &str, key: Uuid, event_id: &str) -> Value {
    let order = json!({
        "id": Uuid::from_u128(70), "client_order_id": key, "symbol": "AAPL", "side": "buy", "qty": "10",
        "filled_qty": "3", "type": "limit", "limit_price": "190.50", "time_in_force": "day", "status": "partially_filled",
        "created_at": "2026-11-23T15:00:00Z", "updated_at": "2026-11-23T15:00:00Z", "submitted_at": "2026-11-23T15:00:00Z",
    });
    json!({"stream": "trade_updates", "data": {
        "event": event, "event_id": event_id, "execution_id": "e-1", "timestamp": "2026-11-23T15:00:00Z",
        "price": "190.4", "qty": "3", "position_qty": "3", "order": order,
    }})
}

/// Longer than a busy machine stands still.
const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn updates_carry_their_place_and_the_next_listener_goes_on_from_it() {
    let (mut updates, mut peer, listen) = connected(Some("17".to_owned()), PATIENT).await;
    assert_eq!(listen["data"], json!({"streams": ["trade_updates"], "since_id": "17"}));
    say(&mut peer, update("partial_fill", Uuid::from_u128(1), "18")).await;
    let got = updates.next().await.unwrap().unwrap();
    assert_eq!(got.event_id.as_deref(), Some("18"));
    assert!(matches!(got.kind, UpdateKind::Filled { exec_id, .. } if exec_id.as_str() == "e-1"));
}

#[tokio::test]
async fn an_unreadable_update_is_skipped_and_a_strangers_too() {
    let (mut updates, mut peer, listen) = connected(None, PATIENT).await;
    assert_eq!(listen["data"], json!({"streams": ["trade_updates"]}));
    let mut bad = update("fill", Uuid::from_u128(1), "1");
    bad["data"]["qty"] = json!("-3");
    say(&mut peer, bad).await;
    let mut strange = update("fill", Uuid::from_u128(1), "2");
    strange["data"]["order"]["client_order_id"] = json!("by hand");
    say(&mut peer, strange).await;
    say(&mut peer, update("canceled", Uuid::from_u128(1), "3")).await;
    assert_eq!(updates.next().await.unwrap().unwrap().event_id.as_deref(), Some("3"));
}

/// ORD-8: the end of the old order names the one that goes on; a refusal is told of the old order.
#[tokio::test]
async fn replacements_are_told_with_both_names_and_refusals_with_the_reason() {
    let (mut updates, mut peer, _) = connected(None, PATIENT).await;
    let mut replaced = update("replaced", Uuid::from_u128(1), "1");
    replaced["data"]["order"]["status"] = "replaced".into();
    replaced["data"]["order"]["replaced_by"] = Uuid::from_u128(71).to_string().into();
    say(&mut peer, replaced).await;
    let got = updates.next().await.unwrap().unwrap();
    assert_eq!(got.kind, UpdateKind::Ended(EndKind::Replaced));
    assert_eq!(
        got.order.replaced_by.map(|id| id.to_string()),
        Some(Uuid::from_u128(71).to_string())
    );
    say(&mut peer, update("pending_replace", Uuid::from_u128(1), "2")).await;
    let got = updates.next().await.unwrap().unwrap();
    assert_eq!(got.kind, UpdateKind::Other("pending_replace".to_owned()));
    let mut refused = update("order_replace_rejected", Uuid::from_u128(1), "3");
    refused["data"]["reason"] = "too late".into();
    say(&mut peer, refused).await;
    let got = updates.next().await.unwrap().unwrap();
    assert_eq!(
        (got.kind, got.reason.as_deref()),
        (UpdateKind::ReplaceRefused, Some("too late"))
    );
    assert_eq!(got.order.key, Some(domain::OrderId::new(Uuid::from_u128(1))));
}

#[tokio::test]
async fn a_broken_connection_is_an_error_and_then_the_end() {
    let (mut updates, peer, _) = connected(None, PATIENT).await;
    drop(peer);
    assert!(matches!(updates.next().await, Some(Err(Fault::Connection(_)))));
    assert!(updates.next().await.is_none());
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let (mut updates, _peer, _) = connected(None, Duration::from_millis(20)).await;
    assert_eq!(updates.next().await, Some(Err(Fault::Timeout)));
}
