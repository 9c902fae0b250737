//! Customers who trade without a pause, whatever happens to the brokerage, and keep every 200 they got.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use chrono::{DateTime, Utc};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::harness::Customer;
use crate::harness::customer::{id_of, limit_order, number};

/// From placing to the time that some orders ask for.
const FOR_ITS_TIME: TimeDelta = TimeDelta::seconds(2);
/// Rest after a call that was not answered or refused for now.
const BREATH: Duration = Duration::from_millis(25);

/// An order that was answered with 200.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub id: Uuid,
    pub client_order_id: String,
    pub side: &'static str,
    pub qty: Decimal,
    pub limit_price: Decimal,
}

/// Customers at work.
pub struct Load {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
}

impl Load {
    /// Each customer trades these symbols in `lanes` lanes at a time.
    pub fn start(customers: &[Customer], lanes: usize, symbols: &'static [&'static str]) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let mut tasks = JoinSet::new();
        for customer in customers {
            for _ in 0..lanes {
                tasks.spawn(trade(customer.clone(), symbols, stop.clone(), acknowledged.clone()));
            }
        }
        Load {
            tasks,
            stop,
            acknowledged,
        }
    }

    /// How many orders were answered with 200 so far.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more were answered.
    pub async fn until_more(&self, more: usize) {
        let wanted = self.count() + more;
        testkit::wait_until("orders are acknowledged", Duration::from_secs(180), || async {
            self.count() >= wanted
        })
        .await;
    }

    /// Lets everybody finish the call under way.
    pub async fn stop(mut self) -> Vec<Acknowledged> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap())
    }
}

async fn trade(
    customer: Customer,
    symbols: &'static [&'static str],
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let Some(order) = one_order(&customer, symbols).await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let cancels = order.limit_price < Decimal::from(50);
        let replacement = if cancels {
            replaced(&customer, &order).await
        } else {
            None
        };
        let id = replacement.as_ref().map_or(order.id, |new| new.id);
        acknowledged
            .lock()
            .unwrap()
            .extend([order].into_iter().chain(replacement));
        if cancels {
            let _ = customer
                .try_call(Method::DELETE, &format!("/v2/orders/{id}"), None)
                .await;
        }
    }
}

/// A little more for what rests, once the exchange has it; the new order, if that was taken.
async fn replaced(customer: &Customer, order: &Acknowledged) -> Option<Acknowledged> {
    let path = format!("/v2/orders/{}", order.id);
    let client_order_id = format!("{}-again", order.client_order_id);
    let limit_price = order.limit_price + Decimal::ONE;
    for _ in 0..20 {
        let body = json!({"limit_price": limit_price.to_string(), "client_order_id": client_order_id});
        match customer.try_call(Method::PATCH, &path, Some(body)).await {
            Ok((200, new)) => {
                return Some(Acknowledged {
                    id: id_of(&new),
                    client_order_id,
                    limit_price,
                    ..order.clone()
                });
            }
            // The exchange does not have it yet.
            Ok((422, refusal)) if refusal["message"].to_string().contains("isn't sent") => {
                tokio::time::sleep(BREATH).await;
            }
            Ok((403 | 422 | 500 | 503, _)) | Err(_) => return None,
            Ok((status, body)) => panic!("{status}: {body}"),
        }
    }
    None
}

/// Some fill at once, some in parts, some rest and are canceled, some are sold again, some wait for their time.
async fn one_order(customer: &Customer, symbols: &[&str]) -> Option<Acknowledged> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number_of = NUMBER.fetch_add(1, Ordering::Relaxed);
    let symbol = symbols[(number_of / 5) as usize % symbols.len()];
    let (side, qty, price) = [
        ("buy", 2, "101.00"),
        ("buy", 7, "100.00"),
        ("buy", 1, "40.00"),
        ("sell", 1, "99.00"),
        ("buy", 3, "100.50"),
    ][number_of as usize % 5];
    let client_order_id = format!("n-{number_of}");
    let mut body = limit_order(side, qty, symbol, price, "day");
    body["client_order_id"] = json!(client_order_id);
    if number_of.is_multiple_of(7) {
        let submit_at = time(customer).await? + FOR_ITS_TIME;
        body["submit_at"] = json!(submit_at.to_rfc3339());
    }
    match customer.try_call(Method::POST, "/v2/orders", Some(body)).await {
        Ok((200, order)) => Some(Acknowledged {
            id: id_of(&order),
            client_order_id,
            side,
            qty: number(&order["qty"]),
            limit_price: number(&order["limit_price"]),
        }),
        // Nothing to sell yet, its time passed on the way, or the brokerage is away: nothing is promised.
        Ok((403 | 500 | 503, _)) | Err(_) => None,
        Ok((422, body)) if body["message"].to_string().contains("submit_at") => None,
        Ok((status, body)) => panic!("{status}: {body}"),
    }
}

/// The brokerage's time, when it is there to tell it.
async fn time(customer: &Customer) -> Option<DateTime<Utc>> {
    let (_, clock) = customer.try_call(Method::GET, "/v2/clock", None).await.ok()?;
    clock["timestamp"].as_str()?.parse().ok()
}

/// V3: every order that was acknowledged is there, once, as it was asked.
pub async fn all_are_there(url: &str, acknowledged: &[Acknowledged]) {
    let mut conn = PgConnection::connect(url).await.unwrap();
    let rows: Vec<(Uuid, String, String, Decimal, Decimal)> =
        sqlx::query_as("select order_id, client_order_id, side, qty, limit_price from orders")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let mut stored: HashMap<String, (Uuid, String, Decimal, Decimal)> = HashMap::new();
    for (id, client, side, qty, price) in rows {
        assert!(
            stored.insert(client.clone(), (id, side, qty, price)).is_none(),
            "{client} is there twice"
        );
    }
    for order in acknowledged {
        let expected = (order.id, order.side.to_owned(), order.qty, order.limit_price);
        assert_eq!(stored.get(&order.client_order_id), Some(&expected), "{order:?}");
    }
    conn.close().await.unwrap();
}

/// Ends what still rests, so that everything can come to rest.
pub async fn cancel_all(customers: &[Customer]) {
    for customer in customers {
        let (status, body) = customer.call(Method::DELETE, "/v2/orders", None).await;
        assert_eq!(status, 207, "{body}");
    }
}
