//! A customer with a key, over HTTP.

use std::time::Duration;

use domain::{AccountId, Money};
use identity::AccountKind;
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use testkit::wait_until;
use uuid::Uuid;

use daybook::admin::Desk;
use daybook::admin::keys::expose;

/// How often a customer who is told so tries again.
const PATIENCE: u32 = 60;

/// An HTTP client that waits no longer than a test may.
pub fn http() -> reqwest::Client {
    chassis::http_client::client(chassis::http_client::ClientSettings::default())
}

/// A customer of the brokerage.
#[derive(Clone)]
pub struct Customer {
    pub account: AccountId,
    http: reqwest::Client,
    pub base_url: String,
    pub key_id: String,
    pub secret: String,
    /// Where in a trace of its own it is.
    traceparent: Option<String>,
}

impl Customer {
    /// A new one with so many dollars and a key.
    pub async fn open(desk: &Desk, base_url: &str, dollars: u32) -> Self {
        let account = desk
            .create_customer("A. Customer", AccountKind::LimitedMargin)
            .await
            .expect("an account");
        let named = account.id.to_string();
        // Tests ask more in a minute than customers may.
        desk.set_tier(&named, "unlimited").await.expect("a tier");
        let amount = Money::from_decimal(Decimal::from(dollars));
        desk.deposit(&named, amount, None, false).await.expect("a deposit");
        let (key_id, secret) = desk.issue_key(&named).await.expect("a key");
        let (key_id, secret) = (key_id.to_string(), expose(&secret).to_owned());
        Customer {
            account: account.id,
            http: http(),
            base_url: base_url.to_owned(),
            key_id,
            secret,
            traceparent: None,
        }
    }

    /// The same customer, whose program is at this place of a trace.
    pub fn traced(&self, traceparent: &str) -> Self {
        Customer {
            traceparent: Some(traceparent.to_owned()),
            ..self.clone()
        }
    }

    /// A client for one answer that never ends.
    pub fn stream_client(&self) -> reqwest::Client {
        let settings = chassis::http_client::ClientSettings {
            total_timeout: Duration::from_secs(3_600),
            ..Default::default()
        };
        chassis::http_client::client(settings)
    }

    /// One request; the status and the body (null when there is none), or why there was no answer.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        request = request
            .header("APCA-API-KEY-ID", &self.key_id)
            .header("APCA-API-SECRET-KEY", &self.secret);
        if let Some(traceparent) = &self.traceparent {
            request = request.header("traceparent", traceparent);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// One request that is answered.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.try_call(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What is there. A busy brokerage may say "try again", and then this does.
    pub async fn get(&self, path: &str) -> Value {
        for _ in 0..PATIENCE {
            let (status, body) = self.call(Method::GET, path, None).await;
            if status != 503 {
                assert_eq!(status, 200, "{path}: {body}");
                return body;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("{path}: 503, {PATIENCE} times");
    }

    pub async fn place(&self, order: Value) -> (u16, Value) {
        self.call(Method::POST, "/v2/orders", Some(order)).await
    }

    /// A limit order that is taken; its id.
    pub async fn order(&self, side: &str, qty: u32, symbol: &str, price: &str, time_in_force: &str) -> Uuid {
        let order = limit_order(side, qty, symbol, price, time_in_force);
        let (status, body) = self.place(order).await;
        assert_eq!(status, 200, "{body}");
        id_of(&body)
    }

    pub async fn buy(&self, qty: u32, symbol: &str, price: &str) -> Uuid {
        self.order("buy", qty, symbol, price, "day").await
    }

    pub async fn sell(&self, qty: u32, symbol: &str, price: &str) -> Uuid {
        self.order("sell", qty, symbol, price, "day").await
    }

    pub async fn cancel(&self, order: Uuid) -> (u16, Value) {
        self.call(Method::DELETE, &format!("/v2/orders/{order}"), None).await
    }

    pub async fn status(&self, order: Uuid) -> String {
        let order = self.get(&format!("/v2/orders/{order}")).await;
        order["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the order shows this status; gives the order.
    pub async fn wait_for(&self, order: Uuid, status: &str) -> Value {
        let what = format!("order {order} to be {status}");
        wait_until(&what, Duration::from_secs(90), || async {
            self.status(order).await == status
        })
        .await;
        self.get(&format!("/v2/orders/{order}")).await
    }

    /// Buying power and the fees that trades have accrued together: what the orders alone leave (BP-11).
    pub async fn spendable(&self) -> Decimal {
        let account = self.get("/v2/account").await;
        number(&account["buying_power"]) + number(&account["accrued_fees"])
    }

    /// A field of the account, such as `buying_power`.
    pub async fn account_field(&self, field: &str) -> Decimal {
        number(&self.get("/v2/account").await[field])
    }
}

/// The body of a limit order.
pub fn limit_order(side: &str, qty: u32, symbol: &str, price: &str, time_in_force: &str) -> Value {
    json!({
        "symbol": symbol, "side": side, "type": "limit", "time_in_force": time_in_force,
        "qty": qty.to_string(), "limit_price": price,
    })
}

/// The order's id.
pub fn id_of(order: &Value) -> Uuid {
    order["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(|| panic!("no id in {order}"))
}

/// A number that travels as a text.
pub fn number(value: &Value) -> Decimal {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{value} is no number"))
}
