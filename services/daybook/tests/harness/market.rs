//! The exchange's own door for tests: prices, misbehaviour, and its whole truth.

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::rest::Text;

use super::customer::http;

/// The exchange, wherever it runs.
#[derive(Clone)]
pub struct Market {
    http: reqwest::Client,
    base_url: String,
}

/// One order as the exchange has it.
#[derive(Debug, Clone, Deserialize)]
pub struct TrueOrder {
    pub no: i64,
    pub client_order_id: String,
    pub symbol: String,
    pub side: String,
    pub qty: Text,
    pub filled_qty: Text,
    pub status: String,
}

impl TrueOrder {
    /// Whether it may still trade.
    pub fn is_open(&self) -> bool {
        !matches!(
            self.status.as_str(),
            "filled" | "canceled" | "expired" | "rejected" | "replaced"
        )
    }
}

/// One execution as the exchange has it.
#[derive(Debug, Clone, Deserialize)]
pub struct TrueExecution {
    pub no: i64,
    pub execution_id: Uuid,
    pub client_order_id: String,
    pub price: String,
    pub qty: Text,
    pub busted: bool,
}

impl TrueExecution {
    pub fn dollars(&self) -> Decimal {
        self.price.parse().expect("a price")
    }
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    rows: Vec<T>,
    next: Option<i64>,
}

impl Market {
    /// The exchange at this address.
    pub fn at(base_url: &str) -> Self {
        Market {
            http: http(),
            base_url: base_url.to_owned(),
        }
    }

    pub fn url(&self) -> &str {
        &self.base_url
    }

    /// Holds a symbol's quote where it is said, with so many shares on each side at each step.
    pub async fn pin(&self, symbol: &str, bid: &str, ask: &str, size: u32) {
        let body = json!({"symbol": symbol, "bid": bid, "ask": ask, "bid_size": size, "ask_size": size, "pin": true});
        self.post("/sim/price", &body).await;
    }

    /// The market maker quotes anew.
    pub async fn step(&self) {
        self.post("/sim/step", &json!({})).await;
    }

    /// Puts the exchange's clock so far before the machine's, or behind it below zero.
    pub async fn shift_clock(&self, offset: chrono::TimeDelta) {
        let body = json!({"offset_ms": offset.num_milliseconds()});
        self.post("/sim/clock", &body).await;
    }

    /// Nobody reaches the exchange, or everybody again; it trades on inside.
    pub async fn outage(&self, on: bool) {
        self.post("/sim/outage", &json!({"on": on})).await;
    }

    /// Trading stops in every symbol, or goes on.
    pub async fn halt(&self, on: bool) {
        self.post("/sim/halt", &json!({"on": on})).await;
    }

    /// The exchange misbehaves by this rule from now on.
    pub async fn misbehave(&self, rule: Value) {
        self.post("/sim/faults", &rule).await;
    }

    /// How often its rules struck.
    pub async fn strikes(&self) -> u64 {
        let rules: Vec<Value> = self.get("/sim/faults").await;
        rules.iter().filter_map(|rule| rule["hits"].as_u64()).sum()
    }

    /// The exchange behaves.
    pub async fn behave(&self) {
        let answer = self
            .http
            .delete(format!("{}/sim/faults", self.base_url))
            .send()
            .await
            .expect("the exchange answers");
        assert!(answer.status().is_success());
    }

    pub async fn orders(&self) -> Vec<TrueOrder> {
        self.pages("/sim/orders").await
    }

    pub async fn executions(&self) -> Vec<TrueExecution> {
        self.pages("/sim/executions").await
    }

    async fn pages<T: serde::de::DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let (mut all, mut after) = (Vec::new(), Some(0));
        while let Some(number) = after {
            let page: Page<T> = self.get(&format!("{path}?after={number}&limit=5000")).await;
            all.extend(page.rows);
            after = page.next;
        }
        all
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let answer = self
            .http
            .get(format!("{}{path}", self.base_url))
            .send()
            .await
            .expect("the exchange answers");
        answer.json().await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn post(&self, path: &str, body: &Value) {
        let answer = self
            .http
            .post(format!("{}{path}", self.base_url))
            .json(body)
            .send()
            .await
            .expect("the exchange answers");
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path} {body}: {status} {}",
            answer.text().await.unwrap_or_default()
        );
    }
}
