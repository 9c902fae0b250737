//! A brokerage with one door: a database, the order-manager's router, customers with money.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bus::{Bus, BusSettings};
use chassis::clock::ManualClock;
use chassis::ids::SharedIds;
use chassis::shutdown::Shutdown;
use domain::calendar::{Calendar, Exception};
use domain::{AccountId, AssetId, ExecId, Money, Price, Symbol};
use identity::limits::{Rates, Usual};
use identity::{AccountKind, NewAccount};
use instruments::{Asset, Instruments, Quote};
use ledger::{Book, Cause, Entry, Transfer};
use order_manager::{App, Config, Deps, router};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use serde_json::Value;
use sessions::{ExceptionRow, Sessions};
use sqlx::PgPool;
use testkit::{TestDb, start_of_time};
use tower::ServiceExt;
use uuid::Uuid;

use crate::promised;

/// Everything a test needs at hand.
pub struct House {
    pub db: TestDb,
    pub clock: Arc<ManualClock>,
    pub ids: SharedIds,
    pub instruments: Instruments,
    pub sessions: Sessions,
    pub shutdown: Shutdown,
    pub router: Router,
}

/// Somebody with an account and a key.
#[derive(Debug, Clone)]
pub struct Customer {
    pub account: AccountId,
    pub key_id: String,
    pub secret: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Status, code and message of an error.
    pub fn error(&self) -> (u16, i64, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_i64().unwrap_or(0),
            self.body["message"].as_str().unwrap_or(""),
        )
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }
}

impl House {
    pub async fn open() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        Self::of(TestDb::new().await, config, 1)
    }

    /// A door of its own to a database, as another process would open it. Nobody is limited: most tests ask more, while
    /// the clock stands still, than a customer may in a minute.
    pub fn of(db: TestDb, config: Config, seed: u64) -> Self {
        Self::strict(db, unlimited(config), seed)
    }

    /// As [`House::of`], with the limits as they are set.
    pub fn strict(db: TestDb, config: Config, seed: u64) -> Self {
        let (clock, ids) = (testkit::clock(), testkit::ids(seed));
        let instruments = Instruments::new();
        instruments.set_assets(vec![
            asset(1, "AAPL", true),
            asset(2, "MSFT", true),
            asset(3, "HALT", false),
        ]);
        let (sessions, shutdown) = (Sessions::fixed(Calendar::nyse()), Shutdown::new());
        let router = door(&db.pool, &clock, &ids, &instruments, &sessions, &shutdown, &config);
        House {
            db,
            clock,
            ids,
            instruments,
            sessions,
            shutdown,
            router,
        }
    }

    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    pub fn db_url(&self) -> String {
        self.db.url.clone()
    }

    /// A new customer with so many dollars.
    pub async fn customer(&self, dollars: i64) -> Customer {
        let mut tx = db::begin(self.pool()).await.unwrap();
        let new = NewAccount {
            name: "Ada".to_owned(),
            kind: AccountKind::LimitedMargin,
        };
        let account = identity::accounts::create(&mut tx, &*self.ids, &new, start_of_time())
            .await
            .unwrap()
            .id;
        ledger::open_account(&mut tx, account, false).await.unwrap();
        orders::open_sequence(&mut tx, account).await.unwrap();
        let amount = Money::from_decimal(dollars.into());
        let movement = self.ids.uuid();
        if dollars > 0 {
            let started = ledger::rules::deposit_started(account, movement, amount, start_of_time()).unwrap();
            let collected = ledger::rules::deposit_collected(account, movement, amount, start_of_time()).unwrap();
            ledger::post(&mut tx, &[started, collected]).await.unwrap();
        }
        let (key_id, secret) = identity::issue_key(&mut tx, &*self.ids, account, start_of_time())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Customer {
            account,
            key_id: key_id.to_string(),
            secret: secret.expose_secret().to_owned(),
        }
    }

    /// Shares out of the blue.
    pub async fn give(&self, who: &Customer, symbol: &str, shares: impl Into<Decimal>) {
        let shares = shares.into();
        let security = ledger::Asset::Security(Symbol::parse(symbol).unwrap());
        let line = |account, book, amount| Entry {
            account,
            book,
            asset: security.clone(),
            amount,
        };
        let cause = Cause::Fill {
            venue: "test".to_owned(),
            exec_id: ExecId::new(&self.ids.uuid().to_string()).unwrap(),
        };
        let lines = vec![
            line(Some(who.account), Book::SecAvail, shares),
            line(None, Book::StreetSecPending, -shares),
        ];
        let mut transfer = Transfer::new(cause, start_of_time(), lines).unwrap();
        transfer.account = Some(who.account);
        let mut tx = db::begin(self.pool()).await.unwrap();
        ledger::lock(&mut tx, &[who.account]).await.unwrap();
        ledger::post(&mut tx, &[transfer]).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn get(&self, who: &Customer, path: &str) -> Answer {
        self.send(request(who, Method::GET, path).body(Body::empty()).unwrap())
            .await
    }

    pub async fn delete(&self, who: &Customer, path: &str) -> Answer {
        self.send(request(who, Method::DELETE, path).body(Body::empty()).unwrap())
            .await
    }

    /// Places an order, body as given.
    pub async fn post(&self, who: &Customer, body: impl Into<Body>) -> Answer {
        self.send(request(who, Method::POST, "/v2/orders").body(body.into()).unwrap())
            .await
    }

    /// Places a limit order.
    pub async fn order(&self, who: &Customer, side: &str, qty: &str, price: &str) -> Answer {
        self.post(who, order(side, qty, price).to_string()).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        Self::answer(&self.router, request).await
    }

    /// Places an order at another door.
    pub async fn send_to(router: &Router, who: &Customer, body: Value) -> Answer {
        let body = Body::from(body.to_string());
        Self::answer(router, request(who, Method::POST, "/v2/orders").body(body).unwrap()).await
    }

    /// What a door answers.
    pub async fn answer(router: &Router, request: Request<Body>) -> Answer {
        let (request, asked) = read(request).await;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = Self::sent(router, request).await;
        promised::hold(&method, &path, &asked, &answer);
        answer
    }

    async fn sent(router: &Router, request: Request<Body>) -> Answer {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// An operator closes a day, or has it close early; felt at once.
    pub async fn except(&self, day: &str, exception: Exception) {
        let row = ExceptionRow {
            day: day.parse().unwrap(),
            exception,
            reason: String::new(),
            added_by: "test".to_owned(),
            added_at: start_of_time(),
        };
        let mut conn = self.pool().acquire().await.unwrap();
        sessions::put(&mut conn, &row).await.unwrap();
        assert!(self.sessions.refresh(&mut conn).await.unwrap());
    }

    /// Lets parts of these shares be traded, and quotes them at 99.99 to 100.01.
    pub fn fractionable(&self, symbols: &[&str]) {
        let assets = self.instruments.assets();
        let listed = assets.iter().map(|listed| Asset {
            fractionable: symbols.contains(&listed.symbol.as_str()),
            ..Asset::clone(listed)
        });
        self.instruments.set_assets(listed.collect());
        let quotes = symbols.iter().map(|symbol| Quote {
            symbol: Symbol::parse(symbol).unwrap(),
            bid: Price::parse("99.99").ok(),
            ask: Price::parse("100.01").ok(),
            at: start_of_time(),
        });
        self.instruments.set_quotes(quotes.collect());
    }

    /// A number from the database.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }

    /// Rows that an order would leave: orders, names, open orders, events, holds, outbox.
    pub async fn traces(&self) -> i64 {
        self.count(
            "select (select count(*) from orders) + (select count(*) from order_client_ids)
                  + (select count(*) from open_orders) + (select count(*) from order_events)
                  + (select count(*) from ledger_transfers where kind = 'hold') + (select count(*) from outbox)
                  + (select count(*) from ledger_cash where held <> 0)
                  + (select count(*) from ledger_shares where held <> 0)",
        )
        .await
    }
}

/// The request and what its body is, unless it is still being made.
async fn read(request: Request<Body>) -> (Request<Body>, Bytes) {
    let (parts, body) = request.into_parts();
    if axum::body::HttpBody::size_hint(&body).exact().is_none() {
        return (Request::from_parts(parts, body), Bytes::new());
    }
    let asked = to_bytes(body, usize::MAX).await.unwrap();
    (Request::from_parts(parts, Body::from(asked.clone())), asked)
}

/// The same without limits for customers.
pub fn unlimited(mut config: Config) -> Config {
    config.limits.usual = Usual {
        rates: Rates::UNLIMITED,
        churn: None,
    };
    config
}

/// Another door to the same house, as a process that was just started opens it.
pub fn router_of(house: &House, seed: u64) -> Router {
    let ids = testkit::ids(seed);
    let shutdown = &house.shutdown;
    let (pool, clock) = (house.pool(), &house.clock);
    door(
        pool,
        clock,
        &ids,
        &house.instruments,
        &house.sessions,
        shutdown,
        &Config::default(),
    )
}

/// The router of a door of its own.
pub fn door(
    pool: &PgPool,
    clock: &Arc<ManualClock>,
    ids: &SharedIds,
    instruments: &Instruments,
    sessions: &Sessions,
    shutdown: &Shutdown,
    config: &Config,
) -> Router {
    let deps = Deps {
        pool: pool.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        bus: Bus::new(pool.clone(), ids.clone(), BusSettings::default()),
        instruments: instruments.clone(),
        sessions: sessions.clone(),
    };
    chassis::http::observed(router(&App::start(config, deps, shutdown)), ids.clone())
}

fn asset(n: u128, symbol: &str, tradable: bool) -> Asset {
    Asset {
        asset_id: AssetId::new(Uuid::from_u128(n)),
        symbol: Symbol::parse(symbol).unwrap(),
        name: format!("{symbol} Inc."),
        exchange: "NASDAQ".to_owned(),
        status: "active".to_owned(),
        tradable,
        fractionable: false,
    }
}

/// The body of a limit order for AAPL.
pub fn order(side: &str, qty: &str, price: &str) -> Value {
    serde_json::json!({
        "symbol": "AAPL", "qty": qty, "side": side, "type": "limit", "time_in_force": "day", "limit_price": price,
    })
}

/// A request with the customer's keys and, as two SDKs send it, without a content type.
pub fn request(who: &Customer, method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("APCA-API-KEY-ID", &who.key_id)
        .header("APCA-API-SECRET-KEY", &who.secret)
}
