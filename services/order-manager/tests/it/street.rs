//! A brokerage whose door is at an address: customers who listen, and a venue that speaks.

use std::net::SocketAddr;
use std::time::Duration;

use bus::NewEvent;
use domain::order::{OrderEvent, StreamEvent};
use domain::{ExecId, OrderId, OrderStatus, Price, Qty, Timestamp};
use futures::{SinkExt, StreamExt};
use order_manager::{Config, StreamSettings};
use orders::{Execution, NewOrderEvent};
use reqwest::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;
use wire::events::v1::OrderUpdated;

use crate::house::{Customer, House, request};
use crate::promised;

/// Longer than anything here takes on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A brokerage whose door is at an address.
pub struct Street {
    pub house: House,
    pub address: SocketAddr,
}

impl Street {
    pub async fn open() -> Self {
        Self::with(StreamSettings::default()).await
    }

    pub async fn with(streams: StreamSettings) -> Self {
        let config = Config {
            streams,
            ..Config::default()
        };
        let house = House::with(config).await;
        let mut conn = house.pool().acquire().await.unwrap();
        let today = db::database_time(&mut conn).await.unwrap().date_naive();
        bus::ensure_outbox_partitions(&mut conn, today).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = chassis::http::serve(house.router.clone(), listener, house.shutdown.clone());
        house.shutdown.spawn("http", serving);
        Street { house, address }
    }

    /// A WebSocket on which nobody has said anything.
    pub async fn socket(&self) -> Socket {
        let url = format!("ws://{}/stream", self.address);
        let (socket, _) = connect_async(url).await.unwrap();
        Socket(socket)
    }

    /// Somebody who is known and listens.
    pub async fn listener(&self, who: &Customer) -> Socket {
        let mut socket = self.socket().await;
        socket.authenticate(who).await;
        socket.listen(None).await;
        socket
    }

    /// Somebody who is known and listens after this event.
    pub async fn listener_since(&self, who: &Customer, event: &str) -> Socket {
        let mut socket = self.socket().await;
        socket.authenticate(who).await;
        socket.listen(Some(event)).await;
        socket
    }

    /// The handshake with these keys in its headers; the status where it is refused.
    pub async fn socket_with_headers(&self, key_id: &str, secret: &str) -> Result<Socket, (u16, Value)> {
        let mut request = format!("ws://{}/stream", self.address).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("APCA-API-KEY-ID", key_id.parse().unwrap());
        headers.insert("APCA-API-SECRET-KEY", secret.parse().unwrap());
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Err((
                    answer.status().as_u16(),
                    serde_json::from_slice(body).unwrap_or_default(),
                ))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// `GET /v2/events/trades` with this query.
    pub async fn events(&self, who: &Customer, query: &str) -> Events {
        let answer = self.try_events(who, query).await;
        assert_eq!(answer.status(), 200, "{query}");
        Events {
            answer,
            unread: Vec::new(),
        }
    }

    pub async fn try_events(&self, who: &Customer, query: &str) -> Response {
        let client = chassis::http_client::client(chassis::http_client::ClientSettings {
            total_timeout: PATIENCE,
            ..Default::default()
        });
        client
            .get(format!("http://{}/v2/events/trades{query}", self.address))
            .header("APCA-API-KEY-ID", &who.key_id)
            .header("APCA-API-SECRET-KEY", &who.secret)
            .send()
            .await
            .unwrap()
    }

    /// A resting buy; its id.
    pub async fn order(&self, who: &Customer) -> Uuid {
        let order = self.house.order(who, "buy", "4", "10").await.ok();
        order["id"].as_str().unwrap().parse().unwrap()
    }

    /// What status-updater does, in a process of its own, when the venue speaks: nobody rings for it here.
    pub async fn venue_says(&self, order: Uuid, event: OrderEvent) {
        let id = OrderId::new(order);
        let mut tx = db::begin(self.house.pool()).await.unwrap();
        let mut order = orders::lock(&mut tx, &[id]).await.unwrap().remove(&id).unwrap();
        ledger::lock(&mut tx, &[order.account_id]).await.unwrap();
        let mut sequences = orders::sequences(&mut tx, &[order.account_id]).await.unwrap();
        let now = self.house.clock.now_shown();
        let (state, words) = order.state.after(event).unwrap();
        order.state = state;
        match state.status {
            OrderStatus::Filled => order.filled_at = Some(now),
            OrderStatus::Canceled => order.canceled_at = Some(now),
            _ => {}
        }
        for word in words {
            let (seq, at) = sequences.get_mut(&order.account_id).unwrap().next_event_at(now);
            let event = told(&order, word, event, (seq, at));
            orders::append_events(&mut tx, &[event]).await.unwrap();
            self.ring(&mut tx, &order, seq, word).await;
        }
        orders::store_sequences(&mut tx, &sequences).await.unwrap();
        orders::advance(&mut tx, &[order]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn ring(&self, tx: &mut db::Tx, order: &orders::StoredOrder, seq: i64, word: StreamEvent) {
        let updated = OrderUpdated {
            order_id: order.order_id.get(),
            account_id: order.account_id.get(),
            seq,
            event: word.to_string(),
        };
        let message = NewEvent::order_updated(&updated, order.request_id.clone());
        bus::append(tx, &[message]).await.unwrap();
    }

    /// So many events of an order, all at once and without a wake-up.
    pub async fn flood(&self, order: Uuid, events: i64) {
        sqlx::query(
            "with told as (
                insert into order_events (account_id, seq, order_id, event, at, status, filled_qty, filled_notional, cause,
                                          request_id)
                select s.account_id, s.event_seq + n, o.order_id, 'restated', s.last_event_at + n * interval '1 microsecond',
                       'accepted', 0, 0, repeat('wordy ', 100) || ': flood', 'r-1'
                  from orders o
                  join account_sequences s using (account_id)
                 cross join generate_series(1, $2) n
                 where o.order_id = $1
             returning account_id, seq, at)
             update account_sequences s
                set event_seq = t.seq, last_event_at = t.at
               from (select account_id, max(seq) as seq, max(at) as at from told group by account_id) t
              where s.account_id = t.account_id",
        )
        .bind(order)
        .bind(events)
        .execute(self.house.pool())
        .await
        .unwrap();
    }

    pub async fn revoke(&self, who: &Customer) {
        let key = identity::KeyId::parse(&who.key_id).unwrap();
        let mut conn = self.house.pool().acquire().await.unwrap();
        assert!(
            identity::revoke_key(&mut conn, &key, testkit::start_of_time())
                .await
                .unwrap()
        );
    }

    /// A plain request.
    pub async fn get(&self, who: &Customer, path: &str) -> crate::house::Answer {
        let request = request(who, axum::http::Method::GET, path);
        self.house.send(request.body(axum::body::Body::empty()).unwrap()).await
    }
}

fn told(order: &orders::StoredOrder, word: StreamEvent, event: OrderEvent, place: (i64, Timestamp)) -> NewOrderEvent {
    let execution = match event {
        OrderEvent::Filled { qty, price } => Some(Execution {
            exec_id: ExecId::new(&format!("x-{}", place.0)).unwrap(),
            qty,
            price,
            position_qty: order.state.filled.get(),
        }),
        _ => None,
    };
    NewOrderEvent {
        account_id: order.account_id,
        seq: place.0,
        order_id: order.order_id,
        event: word,
        at: place.1,
        status: order.shown_status(),
        filled_qty: order.state.filled,
        filled_notional: order.state.notional,
        execution,
        cause: "venue: as it pleased".to_owned(),
        request_id: order.request_id.clone(),
    }
}

/// An execution.
pub fn fill(qty: i64, price: &str) -> OrderEvent {
    OrderEvent::Filled {
        qty: Qty::new(Decimal::from(qty)).unwrap(),
        price: Price::new(price.parse().unwrap()).unwrap(),
    }
}

trait Shown {
    fn now_shown(&self) -> Timestamp;
}

impl Shown for chassis::clock::ManualClock {
    fn now_shown(&self) -> Timestamp {
        chassis::clock::Clock::now(self)
    }
}

/// A WebSocket from the client's side.
pub struct Socket(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub async fn say(&mut self, frame: &Value) {
        self.send(Message::text(frame.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next frame with something in it; pings are passed over (and answered).
    pub async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// How the other side closes, whatever it says before.
    pub async fn hear_the_end(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Close(None) => panic!("closed without a word"),
                _ => {}
            }
        }
    }

    /// The next message that is no ping.
    pub async fn next(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            let message = next.expect("nothing was said").expect("the connection ended").unwrap();
            if !matches!(message, Message::Ping(_)) {
                return message;
            }
        }
    }

    pub async fn authenticate(&mut self, who: &Customer) {
        self.say(&pair(who)).await;
        assert_eq!(self.hear().await, authorization("authorized", "authenticate"));
    }

    pub async fn listen(&mut self, since: Option<&str>) {
        let mut data = json!({"streams": ["trade_updates"]});
        if let Some(since) = since {
            data["since_id"] = since.into();
        }
        self.say(&json!({"action": "listen", "data": data})).await;
        let expected = json!({"stream": "listening", "data": {"streams": ["trade_updates"]}});
        assert_eq!(self.hear().await, expected);
    }

    /// The next update, without its wrapper.
    pub async fn update(&mut self) -> Value {
        let mut frame = self.hear().await;
        assert_eq!(frame["stream"], "trade_updates", "{frame}");
        promised::hold_update(&frame["data"]);
        frame["data"].take()
    }

    /// The numbers of so many updates.
    pub async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(number(&self.update().await));
        }
        numbers
    }
}

/// The number that an update's id means.
pub fn number(update: &Value) -> i64 {
    update["event_id"].as_str().unwrap().parse().unwrap()
}

pub fn pair(who: &Customer) -> Value {
    json!({"action": "authenticate", "data": {"key_id": who.key_id, "secret_key": who.secret}})
}

pub fn authorization(status: &str, action: &str) -> Value {
    json!({"stream": "authorization", "data": {"status": status, "action": action}})
}

/// Server-sent events from the client's side.
pub struct Events {
    answer: Response,
    unread: Vec<u8>,
}

impl Events {
    /// The next line, without its end; `None` at the end of the stream.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            self.unread.extend_from_slice(&self.answer.chunk().await.unwrap()?);
        }
    }

    /// The next event, read as the Go SDK reads it.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(json) = self.line().await?.strip_prefix("data: ") {
                let update = serde_json::from_str(json).unwrap();
                promised::hold_update(&update);
                return Some(update);
            }
        }
    }

    /// The numbers of so many events.
    pub async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(number(&self.next().await.expect("more events")));
        }
        numbers
    }

    /// The numbers of all events until the stream ends.
    pub async fn rest(&mut self) -> Vec<i64> {
        let mut numbers = Vec::new();
        while let Some(event) = self.next().await {
            numbers.push(number(&event));
        }
        numbers
    }

    pub fn header(&self, name: &str) -> &str {
        self.answer.headers()[name].to_str().unwrap()
    }
}
