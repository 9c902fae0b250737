//! The WebSocket of trade updates: `/stream`.
//!
//! Besides the dialect, `listen` may carry `since_id`: then every stored report after that `event_id` comes first, and
//! the live ones follow without gap or repeat. The session counts reports by number: a number that is not the next one
//! means that something was missed, and the table is read before anything else goes out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use wire::rest::TradeUpdate;

use super::{App, render};
use crate::board::Report;
use crate::faults::{About, Kind};
use crate::store::read;

/// Reports read from the table at a time.
const PAGE: i64 = 500;
/// How often a listener without news makes sure that there is none: a commit whose outcome was unknown is not
/// published, only stored.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The only stream there is.
const TRADE_UPDATES: &str = "trade_updates";

/// `GET /stream`.
pub(super) async fn open(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        let session = Session {
            app,
            socket,
            known: false,
            cursor: 0,
            live: None,
        };
        if let Err(Gone) = session.run().await {
            tracing::debug!("a listener went away");
        }
    })
}

/// The client is not there any more, or the process stops.
struct Gone;

impl From<axum::Error> for Gone {
    fn from(_: axum::Error) -> Self {
        Gone
    }
}

struct Session {
    app: App,
    socket: WebSocket,
    known: bool,
    /// The last report that went out.
    cursor: i64,
    live: Option<Receiver<Arc<[Report]>>>,
}

#[derive(Debug, Deserialize)]
struct ClientFrame {
    action: String,
    #[serde(default)]
    data: Value,
    key: Option<String>,
    secret: Option<String>,
}

#[derive(Debug, Serialize)]
struct UpdateFrame {
    stream: &'static str,
    data: TradeUpdate,
}

enum News {
    Frame(Message),
    Reports(Arc<[Report]>),
    Look,
}

impl Session {
    async fn run(mut self) -> Result<(), Gone> {
        loop {
            match self.next().await? {
                News::Frame(Message::Text(text)) => self.heard(text.as_bytes()).await?,
                News::Frame(Message::Binary(bytes)) => self.heard(&bytes).await?,
                News::Frame(Message::Close(_)) => return Ok(()),
                // Pings are answered by the library.
                News::Frame(Message::Ping(_) | Message::Pong(_)) => {}
                News::Reports(reports) => self.deliver_live(&reports).await?,
                News::Look => self.catch_up().await?,
            }
        }
    }

    async fn next(&mut self) -> Result<News, Gone> {
        let listening = self.live.is_some();
        tokio::select! {
            () = self.app.shutdown.wait() => Err(Gone),
            () = self.app.settings.outage() => Err(Gone),
            frame = self.socket.next() => frame.ok_or(Gone)?.map(News::Frame).map_err(Gone::from),
            reports = next_reports(&mut self.live) => Ok(reports.map_or(News::Look, News::Reports)),
            () = tokio::time::sleep(LOOK_EVERY), if listening => Ok(News::Look),
        }
    }

    async fn heard(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else {
            return self.say(&error("the frame is not a JSON object with an action")).await;
        };
        match frame.action.as_str() {
            "authenticate" | "auth" => self.authenticate(&frame).await,
            "listen" if self.known => self.listen(&frame.data).await,
            "listen" => self.say(&authorization("unauthorized", "listen")).await,
            other => self.say(&error(&format!("unknown action {other:.40}"))).await,
        }
    }

    /// Both dialects: the pair inside `data`, or beside the action.
    async fn authenticate(&mut self, frame: &ClientFrame) -> Result<(), Gone> {
        let inside = |name: &str| frame.data.get(name).and_then(Value::as_str);
        let key = frame.key.as_deref().or_else(|| inside("key_id")).unwrap_or_default();
        let secret = frame
            .secret
            .as_deref()
            .or_else(|| inside("secret_key"))
            .unwrap_or_default();
        self.known = self.app.keys.opens(key, secret);
        let status = if self.known { "authorized" } else { "unauthorized" };
        self.say(&authorization(status, "authenticate")).await?;
        if self.known { Ok(()) } else { Err(Gone) }
    }

    async fn listen(&mut self, data: &Value) -> Result<(), Gone> {
        let wanted = data
            .get("streams")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| one == TRADE_UPDATES));
        let Some(since) = since(data) else {
            return self.say(&error("since_id is no event_id")).await;
        };
        // First listen, then look where the stream stands: nothing falls between.
        self.live = wanted.then(|| self.app.board.listen());
        let head = self.app.board.head();
        self.cursor = since.unwrap_or(head).min(head);
        let streams: &[&str] = if wanted { &[TRADE_UPDATES] } else { &[] };
        self.say(&json!({ "stream": "listening", "data": { "streams": streams } }))
            .await?;
        if wanted { self.catch_up().await } else { Ok(()) }
    }

    /// Sends what is stored and did not go out yet.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        while self.app.board.head() > self.cursor {
            let Ok(rows) = read::events_after(&self.app.pool, self.cursor, PAGE).await else {
                // The database is away; the next look tries again.
                return Ok(());
            };
            if rows.is_empty() {
                return Ok(());
            }
            let reports: Vec<Report> = rows
                .into_iter()
                .map(|(event, order)| (event, Arc::new(order)))
                .collect();
            self.deliver(&reports).await?;
        }
        Ok(())
    }

    async fn deliver_live(&mut self, reports: &[Report]) -> Result<(), Gone> {
        if reports.first().is_some_and(|(event, _)| event.no > self.cursor + 1) {
            self.catch_up().await?;
        }
        let done = reports.iter().take_while(|(event, _)| event.no <= self.cursor).count();
        match reports.get(done) {
            Some((event, _)) if event.no == self.cursor + 1 => self.deliver(&reports[done..]).await,
            // Nothing new, or still a gap because the database is away: the next look tries again.
            _ => Ok(()),
        }
    }

    /// Sends reports that follow the last one, as the faults spoil them.
    async fn deliver(&mut self, reports: &[Report]) -> Result<(), Gone> {
        let mut frames = Vec::with_capacity(reports.len());
        let mut swapped = false;
        for (event, order) in reports {
            self.cursor = event.no;
            let about = About {
                symbol: Some(&order.symbol),
                client_order_id: Some(&order.client_order_id),
            };
            let strikes = |kind| self.app.faults.strikes(kind, about);
            if strikes(Kind::NoReports) {
                continue;
            }
            let data = render::update(self.app.names, event, order);
            let text = serde_json::to_string(&UpdateFrame {
                stream: TRADE_UPDATES,
                data,
            })
            .map_err(|_| Gone)?;
            if strikes(Kind::DuplicateReport) {
                frames.push(text.clone());
            }
            swapped |= strikes(Kind::OutOfOrder);
            frames.push(text);
        }
        if swapped {
            frames.reverse();
        }
        for text in frames {
            self.socket.feed(Message::Text(text.into())).await?;
        }
        Ok(self.socket.flush().await?)
    }

    async fn say(&mut self, frame: &Value) -> Result<(), Gone> {
        Ok(self.socket.send(Message::Text(frame.to_string().into())).await?)
    }
}

/// The next commit's reports; `None` when some were missed. Never ends while nobody listens.
async fn next_reports(live: &mut Option<Receiver<Arc<[Report]>>>) -> Option<Arc<[Report]>> {
    let Some(receiver) = live else {
        return std::future::pending().await;
    };
    match receiver.recv().await {
        Ok(reports) => Some(reports),
        Err(RecvError::Lagged(_)) => None,
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

/// The number after which the replay starts: `Some(None)` without one, `None` when it is no number.
fn since(data: &Value) -> Option<Option<i64>> {
    match data.get("since_id") {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => text.parse().ok().map(Some),
        Some(number) => number.as_i64().map(Some),
    }
}

fn authorization(status: &str, action: &str) -> Value {
    json!({ "stream": "authorization", "data": { "status": status, "action": action } })
}

fn error(message: &str) -> Value {
    json!({ "action": "error", "data": { "error_message": message } })
}
