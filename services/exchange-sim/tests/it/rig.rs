//! One exchange with its own database, driven by hand: no ticker, a clock that stands still.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::ManualClock;
use chassis::http_client::{ClientSettings, client};
use chassis::shutdown::Shutdown;
use domain::calendar::Calendar;
use exchange_sim::{Config, Deps, Exchange, KeyPair, MIGRATOR};
use futures::{SinkExt, StreamExt};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testkit::TestDb;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Long enough for a slow machine, short enough for a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running exchange and what it runs on.
pub struct Rig {
    running: Running,
    config: Config,
    pub exchange: Exchange,
    pub clock: Arc<ManualClock>,
    http: Client,
    pub db: TestDb,
}

/// Stops the exchange's tasks with the test.
struct Running(Shutdown);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.begin();
    }
}

impl Rig {
    pub async fn start() -> Self {
        let db = TestDb::with_migrator(&MIGRATOR, "exchange").await;
        Self::start_on(db, testkit::clock(), config()).await
    }

    /// On New York's calendar, the day before a session.
    pub async fn start_on_a_sunday() -> Self {
        let db = TestDb::with_migrator(&MIGRATOR, "exchange").await;
        let sunday = testkit::clock();
        sunday.set("2026-11-22T15:00:00Z".parse().unwrap());
        let nyse = Config {
            calendar: Calendar::nyse(),
            ..config()
        };
        Self::start_on(db, sunday, nyse).await
    }

    pub async fn start_on(db: TestDb, clock: Arc<ManualClock>, config: Config) -> Self {
        let shutdown = Shutdown::new();
        let exchange = Exchange::start(config.clone(), deps(&db, &clock), &shutdown)
            .await
            .unwrap();
        Self {
            running: Running(shutdown),
            config,
            exchange,
            clock,
            http: client(ClientSettings::default()),
            db,
        }
    }

    /// Stops in good order and starts anew on the same database.
    pub async fn restarted(self) -> Self {
        self.running.0.drain(PATIENCE).await.unwrap();
        Self::start_on(self.db, self.clock, self.config).await
    }

    pub fn call(&self, method: &str, path: &str) -> RequestBuilder {
        self.http
            .request(method.parse().unwrap(), format!("{}{path}", self.exchange.url()))
            .header("APCA-API-KEY-ID", "k")
            .header("APCA-API-SECRET-KEY", "s")
    }

    /// An answer that has to be JSON.
    pub async fn json(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut call = self.call(method, path);
        if let Some(body) = body {
            call = call.body(body.to_string());
        }
        let answer = call.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, json) = self.json("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, json) = self.json("POST", path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {json}");
        json
    }

    /// A page that is not JSON.
    pub async fn text(&self, path: &str) -> (StatusCode, String) {
        let answer = self.call("GET", path).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Places an order that has to be taken.
    pub async fn place(&self, body: Value) -> Value {
        self.post("/v2/orders", body).await
    }

    /// The truth about an order, by the caller's name for it.
    pub async fn order(&self, client_order_id: &str) -> Value {
        self.get(&format!(
            "/v2/orders:by_client_order_id?client_order_id={client_order_id}"
        ))
        .await
    }

    pub async fn knows(&self, client_order_id: &str) -> bool {
        let found = self
            .get(&format!("/v2/orders?client_order_ids={client_order_id}"))
            .await;
        found.as_array().unwrap().len() == 1
    }

    /// Ends the connection of whoever hangs at a lock that a test holds; waits until somebody does.
    pub async fn kill_who_waits_for_a_lock(&self) {
        testkit::wait_until("somebody waits for the lock", PATIENCE, async || {
            let killed: i64 = sqlx::query_scalar(
                "select count(*) filter (where pg_terminate_backend(pid))
                   from pg_stat_activity
                  where datname = current_database()
                    and wait_event_type = 'Lock'",
            )
            .fetch_one(&self.db.pool)
            .await
            .unwrap();
            killed > 0
        })
        .await;
    }

    /// Holds a symbol's quote, with this many shares on either side.
    pub async fn pin(&self, symbol: &str, bid: &str, ask: &str, size: i64) {
        let price =
            json!({ "symbol": symbol, "bid": bid, "ask": ask, "bid_size": size, "ask_size": size, "pin": true });
        self.post("/sim/price", price).await;
    }

    pub async fn fault(&self, rule: Value) {
        self.post("/sim/faults", rule).await;
    }

    /// Every execution, as the exchange itself knows it.
    pub async fn executions(&self) -> Vec<Value> {
        self.get("/sim/executions").await["rows"].as_array().unwrap().clone()
    }

    pub async fn listen(&self, since_id: Option<&str>) -> Listener {
        let mut listener = Listener::connect(&self.exchange).await;
        let pair = json!({ "action": "authenticate", "data": { "key_id": "k", "secret_key": "s" } });
        assert_eq!(listener.ask(pair).await["data"]["status"], "authorized");
        let mut data = json!({ "streams": ["trade_updates"] });
        if let Some(since_id) = since_id {
            data["since_id"] = since_id.into();
        }
        let listening = listener.ask(json!({ "action": "listen", "data": data })).await;
        assert_eq!(
            listening,
            json!({ "stream": "listening", "data": { "streams": ["trade_updates"] } })
        );
        listener
    }
}

pub fn config() -> Config {
    Config {
        keys: KeyPair::new("k", "s"),
        tick: None,
        ..Config::default()
    }
}

pub fn deps(db: &TestDb, clock: &Arc<ManualClock>) -> Deps {
    Deps {
        pool: db.pool.clone(),
        clock: clock.clone(),
        ids: testkit::ids(1),
    }
}

/// A limit order as an SDK sends it.
pub fn order(key: &str, side: &str, qty: i64, limit: &str) -> Value {
    json!({
        "symbol": "AAPL", "qty": qty.to_string(), "side": side, "type": "limit", "time_in_force": "gtc",
        "limit_price": limit, "client_order_id": key,
    })
}

/// A client of the stream.
pub struct Listener(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Listener {
    pub async fn connect(exchange: &Exchange) -> Self {
        let url = format!("ws://{}/stream", exchange.address());
        Self(tokio_tungstenite::connect_async(url).await.unwrap().0)
    }

    pub async fn say(&mut self, frame: Value) {
        self.0.send(Message::Text(frame.to_string().into())).await.unwrap();
    }

    pub async fn ask(&mut self, frame: Value) -> Value {
        self.say(frame).await;
        self.hear().await
    }

    /// The next frame.
    pub async fn hear(&mut self) -> Value {
        let frame = tokio::time::timeout(PATIENCE, self.0.next())
            .await
            .expect("the stream stays silent");
        serde_json::from_slice(&frame.unwrap().unwrap().into_data()).unwrap()
    }

    /// The next report: the member `data` of its frame.
    pub async fn report(&mut self) -> Value {
        let frame = self.hear().await;
        assert_eq!(frame["stream"], "trade_updates", "{frame}");
        frame["data"].clone()
    }

    /// The next reports as `<event> <client_order_id> <order status>`.
    pub async fn reports(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(told_shortly(&self.report().await));
        }
        told
    }

    /// Whether it is closed by the exchange.
    pub async fn is_closed(&mut self) -> bool {
        let end = tokio::time::timeout(PATIENCE, self.0.next())
            .await
            .expect("neither frame nor end");
        matches!(end, None | Some(Err(_) | Ok(Message::Close(_))))
    }
}

pub fn told_shortly(report: &Value) -> String {
    let words = [
        &report["event"],
        &report["order"]["client_order_id"],
        &report["order"]["status"],
    ];
    words.map(|word| word.as_str().unwrap()).join(" ")
}
