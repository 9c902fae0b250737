//! A customer who listens to trade updates, over either protocol, and may break off at any time.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::Customer;

/// Longer than a quiet stream stays without a heartbeat.
const SILENCE: Duration = Duration::from_secs(60);

/// A connection that tells updates.
pub enum Listener {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Events { answer: reqwest::Response, unread: Vec<u8> },
}

impl Listener {
    /// The WebSocket, from the events after this number on; `None` where nobody opens.
    pub async fn socket(who: &Customer, since: i64) -> Option<Self> {
        let url = format!("{}/stream", who.base_url.replacen("http", "ws", 1));
        let (mut socket, _) = connect_async(url).await.ok()?;
        let pair = json!({"key_id": who.key_id, "secret_key": who.secret});
        let wanted = json!({"streams": ["trade_updates"], "since_id": since.to_string()});
        for (action, data) in [("authenticate", pair), ("listen", wanted)] {
            let frame = json!({"action": action, "data": data});
            socket.send(Message::text(frame.to_string())).await.ok()?;
            let answer = timeout(SILENCE, socket.next()).await.ok()??.ok()?;
            let answer: Value = serde_json::from_slice(&answer.into_data()).ok()?;
            assert!(answer["data"]["status"] != "unauthorized", "{answer}");
            // A busy brokerage may say "listen again": a client that does not would wait for ever.
            if answer["action"] == "error" {
                return None;
            }
        }
        Some(Listener::Socket(Box::new(socket)))
    }

    /// Server-sent events, from the events after this number on; `None` where nobody opens.
    pub async fn events(who: &Customer, since: i64) -> Option<Self> {
        let url = format!("{}/v2/events/trades?since_id={since}", who.base_url);
        let request = who.stream_client().get(url);
        let request = request
            .header("APCA-API-KEY-ID", &who.key_id)
            .header("APCA-API-SECRET-KEY", &who.secret);
        let answer = request.send().await.ok()?;
        let status = answer.status();
        (status == 200).then(|| Listener::Events {
            answer,
            unread: Vec::new(),
        })
    }

    /// The next update; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Value> {
        match self {
            Listener::Socket(socket) => loop {
                let message = timeout(SILENCE, socket.next()).await.expect("a sign of life")?.ok()?;
                if message.is_text() {
                    let mut frame: Value = serde_json::from_slice(&message.into_data()).ok()?;
                    return Some(frame["data"].take());
                }
            },
            Listener::Events { answer, unread } => loop {
                if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = unread.drain(..=end).collect();
                    match line.strip_prefix(b"data: ") {
                        Some(json) => return serde_json::from_slice(json).ok(),
                        None => continue,
                    }
                }
                let part = timeout(SILENCE, answer.chunk()).await.expect("a sign of life");
                unread.extend_from_slice(&part.ok()??);
            },
        }
    }
}
