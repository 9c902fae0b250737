//! The WebSocket `/stream`: authenticate, listen, then one update after the other.
//!
//! The server says nothing first. Besides the dialect, `listen` may carry `since_id`: the account's events after that
//! one come first, then the live ones, without gap or repeat.

mod frames;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use chassis::http::ApiError;
use futures::{SinkExt, StreamExt};
use identity::Caller;
use identity::limits::Class;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite;

use super::Streams;
use super::door::Visit;
use super::end::{self, End};
use super::keys::Key;
use super::subscription::{Subscription, Told};
use crate::app::App;
use crate::error::StreamError;
use crate::http::{CameFrom, KeyHolder, UPDATES};
use crate::limits::sign_in::{Pair, Refused};
use frames::Asked;

/// No frame of a client's needs more.
const MESSAGE_LIMIT: usize = 16 * 1024;
/// What each connection keeps for reading and, at most, for writing while its client does not read: thousands of
/// connections are quiet most of the time.
const READ_BUFFER: usize = 2 * 1024;
const WRITE_BUFFER: usize = 4 * 1024;
const MOST_UNSENT: usize = 256 * 1024;
/// Frames that nobody understands, before the connection is closed.
const MISTAKES: u32 = 20;
/// Lists that are looked up between two pings; each costs a read.
const LISTS: u32 = 20;
/// Pings in a row that may stay without any sign of life.
const PINGS: u32 = 3;
/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Trade updates over a WebSocket.
///
/// The keys come with the handshake or in a first message,
/// `{"action": "authenticate", "data": {"key_id": "…", "secret_key": "…"}}`; then
/// `{"action": "listen", "data": {"streams": ["trade_updates"]}}`. Each update is a `TradeUpdate` in the member `data`.
#[utoipa::path(get, path = "/stream", operation_id = "trade_updates", tag = UPDATES,
    security((), ("KeyId" = [], "SecretKey" = []), ("Basic" = [])),
    responses((status = 101, description = "The protocol changes")))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Option<KeyHolder>,
    from: CameFrom,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| StreamError::NoHandshake)?;
    let streams = app.streams().clone();
    let caller = caller.map(|KeyHolder(caller)| caller);
    let visit = match &caller {
        Some(caller) => streams.door().enter_as("websocket", caller.account)?,
        None => streams.door().enter("websocket", from.0)?,
    };
    let tracked = streams.0.sessions.token();
    let upgrade = upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MOST_UNSENT);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let session = Session::new(app, streams, (socket, from), visit, caller);
        session.run().await;
        drop(tracked);
    }))
}

/// Somebody who said who it is.
struct Known {
    caller: Caller,
    key: Key,
}

struct Session {
    app: App,
    streams: Streams,
    socket: WebSocket,
    from: IpAddr,
    visit: Visit,
    known: Option<Known>,
    updates: Option<Subscription>,
    /// When to ping next; for a stranger, when its time is over.
    due: Instant,
    /// Pings since the client was last heard.
    unanswered: u32,
    mistakes: u32,
    /// Lists looked up since the last ping.
    lists: u32,
}

/// What happens next.
enum Next {
    Heard(Message),
    Told(Told),
    Due,
    End(End),
}

impl Session {
    fn new(
        app: App,
        streams: Streams,
        (socket, CameFrom(from)): (WebSocket, CameFrom),
        visit: Visit,
        caller: Option<Caller>,
    ) -> Self {
        let known = caller.map(|caller| {
            let key = streams.keys().over(&caller.key_id);
            Known { caller, key }
        });
        let settings = streams.settings();
        let wait = if known.is_some() {
            settings.heartbeat
        } else {
            settings.name_within
        };
        Session {
            due: Instant::now() + wait,
            app,
            streams,
            socket,
            from,
            visit,
            known,
            updates: None,
            unanswered: 0,
            mistakes: 0,
            lists: 0,
        }
    }

    async fn run(mut self) {
        let why = loop {
            let done = match self.next().await {
                Next::Heard(message) => self.heard(message).await,
                Next::Told(told) => self.tell(told).await,
                Next::Due => self.due().await,
                Next::End(why) => Err(why),
            };
            if let Err(why) = done {
                break why;
            }
        };
        end::count(why);
        self.leave(why).await;
    }

    async fn next(&mut self) -> Next {
        let Session {
            streams,
            socket,
            known,
            updates,
            due,
            ..
        } = self;
        tokio::select! {
            biased;
            () = streams.stopping() => Next::End(End::Stopping),
            () = revoked(known.as_ref()) => Next::End(End::Revoked),
            message = socket.next() => match message {
                Some(Ok(message)) => Next::Heard(message),
                Some(Err(error)) => Next::End(fault(error)),
                None => Next::End(End::Gone),
            },
            () = tokio::time::sleep_until(*due) => Next::Due,
            told = next_of(updates) => told.map_or_else(Next::End, Next::Told),
        }
    }

    async fn heard(&mut self, message: Message) -> Result<(), End> {
        self.unanswered = 0;
        let asked = match &message {
            Message::Text(text) => frames::read(text.as_bytes()),
            Message::Binary(bytes) => frames::read(bytes),
            Message::Close(_) => return Err(End::Gone),
            // Pings are answered by the library, with the next flush or read.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match asked {
            Ok(Asked::Authenticate { key_id, secret }) => self.authenticate(&key_id, &secret).await,
            Ok(Asked::Listen { updates, since }) => self.listen(updates, since).await,
            Err(mistake) => self.mistaken(&mistake).await,
        }
    }

    /// Answers what cannot be done. A client that learns nothing from it is cut.
    async fn mistaken(&mut self, mistake: &str) -> Result<(), End> {
        self.mistakes += 1;
        self.say(&frames::error(mistake)).await?;
        if self.mistakes > MISTAKES {
            Err(End::Garbage)
        } else {
            Ok(())
        }
    }

    async fn authenticate(&mut self, key_id: &str, secret: &str) -> Result<(), End> {
        let pair = Pair {
            key_id: key_id.to_owned(),
            secret: secret.to_owned(),
        };
        // By a message or by headers: one way in, one bucket.
        let signed_in = self.app.entrance().sign_in(&pair, Class::Stream, self.from).await;
        let caller = match signed_in.outcome {
            Ok(caller) => caller,
            Err(Refused::Denied) => return self.deny().await,
            Err(Refused::Limited) => {
                self.say(&frames::error("rate limit exceeded")).await?;
                return Err(End::Limited);
            }
            Err(Refused::Unavailable(_)) => {
                self.say(&frames::error("keys cannot be read now, connect again"))
                    .await?;
                return Err(End::Unavailable);
            }
        };
        // A connection belongs to one account for good.
        if self
            .known
            .as_ref()
            .is_some_and(|known| known.caller.account != caller.account)
        {
            return self.deny().await;
        }
        if !self.visit.belongs_to(caller.account) {
            self.say(&frames::error(&StreamError::AccountFull.to_string())).await?;
            return Err(End::Crowded);
        }
        let key = self.streams.keys().over(&caller.key_id);
        self.known = Some(Known { caller, key });
        self.due = Instant::now() + self.streams.settings().heartbeat;
        self.say(&frames::authorization(true, "authenticate")).await
    }

    async fn deny(&mut self) -> Result<(), End> {
        metrics::counter!("daybook_order_manager_denied_total").increment(1);
        self.say(&frames::authorization(false, "authenticate")).await?;
        Err(End::Unauthorized)
    }

    async fn listen(&mut self, updates: bool, since: Option<i64>) -> Result<(), End> {
        let Some(known) = &self.known else {
            return self.say(&frames::authorization(false, "listen")).await;
        };
        if !updates {
            self.updates = None;
        } else if self.updates.is_none() || since.is_some() {
            self.lists += 1;
            if self.lists > LISTS {
                return self.mistaken("too many lists in a short time, wait a moment").await;
            }
            let account = known.caller.account;
            let last = tokio::select! {
                biased;
                () = self.streams.stopping() => return Err(End::Stopping),
                () = known.key.revoked() => return Err(End::Revoked),
                last = self.streams.present(account) => last,
            };
            let Ok(last) = last else {
                return self.mistaken("events cannot be read now, listen again").await;
            };
            if since.is_some_and(|since| since > last) {
                return self.mistaken(&StreamError::UnknownEvent("since_id").to_string()).await;
            }
            self.updates = Some(self.streams.subscribe(account, since.unwrap_or(last)));
        }
        self.say(&frames::listening(updates)).await
    }

    async fn tell(&mut self, told: Told) -> Result<(), End> {
        let socket = &mut self.socket;
        let sent = told.updates.len() as u64;
        let sending = async {
            for update in &told.updates {
                socket.feed(Message::Text(update.frame())).await?;
                fail::fail_point!("ws::mid_stream", |_| Err(axum::Error::new("broken off")));
            }
            socket.flush().await
        };
        in_time(self.streams.settings().read_within, sending).await?;
        metrics::counter!("daybook_order_manager_stream_events_total", "protocol" => "websocket").increment(sent);
        Ok(())
    }

    async fn say(&mut self, frame: &Value) -> Result<(), End> {
        self.send(Message::Text(frame.to_string().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        in_time(self.streams.settings().read_within, self.socket.send(message)).await
    }

    async fn due(&mut self) -> Result<(), End> {
        if self.known.is_none() {
            return Err(End::Nameless);
        }
        if self.unanswered >= PINGS {
            return Err(End::Silent);
        }
        self.unanswered += 1;
        self.lists = 0;
        self.due = Instant::now() + self.streams.settings().heartbeat;
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    /// Says why, and waits a moment for the other side to close, so that it gets to read it.
    async fn leave(mut self, why: End) {
        self.updates = None;
        let farewell = async {
            match why.frame() {
                Some(frame) => self.socket.send(Message::Close(Some(frame))).await?,
                // The answer to a close that was heard.
                None => return self.socket.close().await,
            }
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok(())
        };
        if !matches!(timeout(FAREWELL, farewell).await, Ok(Ok(()))) {
            tracing::debug!(why = why.word(), "a stream connection ended without a goodbye");
        }
    }
}

async fn revoked(known: Option<&Known>) {
    match known {
        Some(known) => known.key.revoked().await,
        None => std::future::pending().await,
    }
}

async fn next_of(updates: &mut Option<Subscription>) -> Result<Told, End> {
    match updates {
        Some(updates) => updates.next().await,
        None => std::future::pending().await,
    }
}

/// A client that does not read in time is slow; one that cannot be written to is gone.
async fn in_time(limit: Duration, sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(limit, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Slow),
    }
}

/// What a client's broken frame means.
fn fault(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => End::TooBig,
        Some(tungstenite::Error::Utf8(_)) => End::NotText,
        Some(tungstenite::Error::Protocol(problem)) if !is_reset(problem) => End::Malformed,
        _ => End::Gone,
    }
}

/// The connection broke off: nobody is there to be told anything.
fn is_reset(problem: &tungstenite::error::ProtocolError) -> bool {
    matches!(problem, tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
}
