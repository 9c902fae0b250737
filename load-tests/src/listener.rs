//! One connection that listens, over either protocol.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chassis::clock::{Clock, SystemClock};
use chrono::{DateTime, Utc};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_with_config};

use crate::customers::Customer;
use crate::http::request;
use crate::latency::{Latencies, Percentiles};

/// How often a connection is tried.
const TRIES: u32 = 10;
/// Thousands of connections share one process here, too.
const BUFFER: usize = 2 * 1_024;
const LISTEN: &str = r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#;

/// What was heard on all connections.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Latencies>);

impl Heard {
    /// Acceptances heard, one for each connection.
    pub fn accepted(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count()
    }

    /// How long they took.
    pub fn percentiles(&self) -> Percentiles {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).percentiles()
    }

    /// Counts the updates of acceptances in this text.
    fn note(&self, text: &str) {
        let now = SystemClock.now();
        for update in text.split(r#"{"event":"#).skip(1) {
            if let Some(at) = accepted_at(update) {
                let took = (now - at).to_std().unwrap_or_default();
                self.0.lock().unwrap_or_else(PoisonError::into_inner).record(took);
            }
        }
    }
}

/// When the acceptance happened that this text, cut after `{"event":`, tells of.
fn accepted_at(update: &str) -> Option<DateTime<Utc>> {
    let rest = update.strip_prefix(r#""accepted""#)?;
    let (_, rest) = rest.split_once(r#""at":""#)?;
    rest.split_once('"')?.0.parse().ok()
}

/// A connection that is known and listens.
pub enum Listener {
    /// `/stream`.
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    /// `/v2/events/trades`.
    Events(TcpStream),
}

impl Listener {
    /// Opens one.
    ///
    /// # Errors
    /// It is refused.
    pub async fn open(address: SocketAddr, customer: &Customer, websocket: bool) -> anyhow::Result<Self> {
        let mut tries = 1;
        loop {
            match Self::try_open(address, customer, websocket).await {
                Err(error) if tries < TRIES => {
                    // A busy machine answers 503 now and then, with the advice to try again in a second.
                    eprintln!("a connection was refused, once more: {error:#}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_open(address: SocketAddr, customer: &Customer, websocket: bool) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        if websocket {
            socket(address, stream, customer).await
        } else {
            events(stream, customer).await
        }
    }

    /// Listens until the connection ends.
    pub async fn listen(self, heard: std::sync::Arc<Heard>) {
        match self {
            Listener::Socket(mut socket) => {
                while let Some(Ok(message)) = socket.next().await {
                    if let Message::Text(text) = message {
                        heard.note(&text);
                    }
                }
            }
            Listener::Events(mut stream) => {
                let mut buffer = Vec::with_capacity(BUFFER);
                while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
                    // Events end with a blank line; what follows the last one is not whole yet.
                    if let Some(end) = buffer.windows(2).rposition(|two| two == b"\n\n") {
                        heard.note(&String::from_utf8_lossy(&buffer[..end]));
                        buffer.drain(..end + 2);
                    }
                }
            }
        }
    }
}

async fn socket(address: SocketAddr, stream: TcpStream, customer: &Customer) -> anyhow::Result<Listener> {
    let mut handshake = format!("ws://{address}/stream").into_client_request()?;
    for line in customer.headers.lines() {
        let (name, value) = line.split_once(": ").context("a header has a name and a value")?;
        let (name, value) = (name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
        handshake.headers_mut().insert(name, value);
    }
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
    let stream = MaybeTlsStream::Plain(stream);
    let (mut socket, _) = client_async_with_config(handshake, stream, Some(config)).await?;
    socket.send(Message::text(LISTEN)).await?;
    match socket.next().await.context("the connection ended")?? {
        Message::Text(text) if text.contains("listening") => Ok(Listener::Socket(Box::new(socket))),
        other => bail!("the answer to listen was {other:?}"),
    }
}

async fn events(mut stream: TcpStream, customer: &Customer) -> anyhow::Result<Listener> {
    let mut asked = Vec::new();
    request(&mut asked, "GET", "/v2/events/trades", &customer.headers, "");
    stream.write_all(&asked).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    ensure!(
        head.starts_with(b"HTTP/1.1 200 "),
        "the answer was {}",
        String::from_utf8_lossy(&head)
    );
    Ok(Listener::Events(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceptances_are_counted_wherever_they_stand_in_the_text() {
        let heard = Heard::default();
        heard.note(
            r#"{"stream":"trade_updates","data":{"event":"accepted","event_id":"1","at":"2026-11-23T15:00:00Z"}}"#,
        );
        heard.note(r#"{"stream":"trade_updates","data":{"event":"new","event_id":"2","at":"2026-11-23T15:00:00Z"}}"#);
        heard.note("data: {\"event\":\"accepted\",\"at\":\"2026-11-23T15:00:00Z\"}\n\ndata: {\"event\":\"accepted\",\"at\":\"2026-11-23T15:00:00Z\"}");
        assert_eq!(heard.accepted(), 3);
    }
}
