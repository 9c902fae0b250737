//! The WebSocket of trade updates: authenticate, listen, then one update after the other.
//!
//! `listen` carries Daybook's own `since_id`: the bundled exchange replays from there. Other servers ignore it; what
//! was missed is then found by polling.

use super::{AlpacaSettings, parse};
use crate::{Fault, Updates, VenueUpdate};
use futures::{SinkExt, StreamExt, stream};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tracing::{debug, warn};
use wire::rest::TradeUpdate;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the stream; the whole greeting has the deadline of a call.
pub(super) async fn connect(settings: &AlpacaSettings, since: Option<String>) -> Result<Updates, Fault> {
    chassis::http_client::install_crypto();
    let socket = timeout(settings.timeout, greet(settings, since))
        .await
        .map_err(|_| Fault::Timeout)??;
    Ok(Updates::new(updates(socket, settings.stream_silence)))
}

async fn greet(settings: &AlpacaSettings, since: Option<String>) -> Result<Socket, Fault> {
    let url = format!("{}/stream", settings.base_url.replacen("http", "ws", 1));
    let (mut socket, _) = connect_async_with_config(url, None, true)
        .await
        .map_err(|error| Fault::NotSent(error.to_string()))?;
    let keys = json!({"key_id": settings.key_id, "secret_key": settings.secret.expose_secret()});
    send(&mut socket, &json!({"action": "authenticate", "data": keys})).await?;
    await_frame(&mut socket, "authorization").await?;
    let mut wanted = json!({"streams": ["trade_updates"]});
    if let Some(since) = since {
        wanted["since_id"] = since.into();
    }
    send(&mut socket, &json!({"action": "listen", "data": wanted})).await?;
    await_frame(&mut socket, "listening").await?;
    Ok(socket)
}

async fn send(socket: &mut Socket, frame: &serde_json::Value) -> Result<(), Fault> {
    socket.send(Message::text(frame.to_string())).await.map_err(broken)
}

async fn await_frame(socket: &mut Socket, wanted: &str) -> Result<(), Fault> {
    loop {
        let message = socket.next().await.ok_or_else(closed)?.map_err(broken)?;
        let Some(frame) = frame(&message)? else { continue };
        let status = frame.data.get("status").and_then(serde_json::Value::as_str);
        match frame.stream.as_str() {
            "authorization" if status == Some("unauthorized") => return Err(Fault::Unauthorized),
            stream if stream == wanted => return Ok(()),
            other => debug!(stream = other, "a frame before its time is skipped"),
        }
    }
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    data: serde_json::Value,
}

/// Text and binary frames both hold JSON; control frames hold nothing for us.
fn frame(message: &Message) -> Result<Option<Frame>, Fault> {
    let bytes: &[u8] = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        Message::Close(_) => return Err(closed()),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Ok(None),
    };
    serde_json::from_slice(bytes)
        .map(Some)
        .map_err(|error| Fault::Garbage(error.to_string()))
}

#[derive(Deserialize)]
struct UpdateFrame {
    data: TradeUpdate,
}

/// What one message brings: an update of ours, or nothing. An unreadable update is skipped and logged, since it would
/// come again with every replay; the record of executions, which is polled, has what it was about.
fn read(message: &Message) -> Result<Option<VenueUpdate>, Fault> {
    let Some(frame) = frame(message)? else { return Ok(None) };
    if frame.stream != "trade_updates" {
        return Ok(None);
    }
    // Read anew from the bytes: through a `Value` a number would lose its text.
    let update: Result<UpdateFrame, _> = serde_json::from_slice(&message.clone().into_data());
    let update = update.map_err(|error| Fault::Garbage(error.to_string()));
    match update.and_then(|frame| parse::update(&frame.data)) {
        Ok(update) => Ok(update),
        Err(fault) => {
            warn!(%fault, "an update of the venue cannot be read and is left to polling");
            Ok(None)
        }
    }
}

struct Reader {
    socket: Socket,
    silence: Duration,
    quiet: u8,
}

fn updates(socket: Socket, silence: Duration) -> impl futures::Stream<Item = Result<VenueUpdate, Fault>> + Send {
    let reader = Reader {
        socket,
        silence,
        quiet: 0,
    };
    stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(update) => Some((Ok(update), Some(reader))),
            Err(fault) => Some((Err(fault), None)),
        }
    })
}

impl Reader {
    async fn next(&mut self) -> Result<VenueUpdate, Fault> {
        loop {
            match timeout(self.silence, self.socket.next()).await {
                Ok(message) => {
                    self.quiet = 0;
                    if let Some(update) = read(&message.ok_or_else(closed)?.map_err(broken)?)? {
                        return Ok(update);
                    }
                }
                Err(_) => self.ask_for_life().await?,
            }
        }
    }

    /// A connection whose other end is gone looks like a quiet one; a ping tells them apart.
    async fn ask_for_life(&mut self) -> Result<(), Fault> {
        self.quiet += 1;
        if self.quiet > 2 {
            return Err(Fault::Timeout);
        }
        self.socket.send(Message::Ping(Vec::new().into())).await.map_err(broken)
    }
}

fn broken(error: Error) -> Fault {
    Fault::Connection(error.to_string())
}

fn closed() -> Fault {
    Fault::Connection("closed by the venue".to_owned())
}
