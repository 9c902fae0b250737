//! When customers see nothing of a fault any more.
//!
//! One order in each of twenty symbols, each by a customer of its own, so that most partitions of both topics are among
//! them; placed from the moment of the fault on, again and again under the same client_order_id and at either door, as
//! clients do that are told to try again. What counts is when the exchange's fill is seen over HTTP.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::Customer;
use crate::harness::customer::{id_of, limit_order};

/// Lost after that: nothing here takes that long, on a slow machine neither.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// From a fault to the first order that was filled, and to the last one.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    first: Duration,
    all: Duration,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "first {:.1} s, all {:.1} s",
            self.first.as_secs_f64(),
            self.all.as_secs_f64()
        )
    }
}

/// Places the orders and waits for their fills.
pub async fn recovery(customers: &[Customer], doors: &[String], symbols: &[&str], since: Instant) -> Recovery {
    let probes = customers.iter().zip(symbols).map(|(customer, symbol)| {
        let customer = customer.clone();
        filled(customer, doors, symbol, since)
    });
    let times = futures::future::join_all(probes).await;
    Recovery {
        first: times.iter().min().copied().unwrap_or_default(),
        all: times.iter().max().copied().unwrap_or_default(),
    }
}

async fn filled(mut customer: Customer, doors: &[String], symbol: &str, since: Instant) -> Duration {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("probe-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut body = limit_order("buy", 1, symbol, "101.00", "day");
    body["client_order_id"] = json!(name);
    let mut order: Option<Uuid> = None;
    for door in doors.iter().cycle() {
        assert!(
            since.elapsed() < PATIENCE,
            "{name} ({order:?}) is not filled after {PATIENCE:?}"
        );
        customer.base_url.clone_from(door);
        match order {
            None => order = placed(&customer, &name, &body).await,
            Some(id) if is_filled(&customer, id).await => return since.elapsed(),
            Some(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    unreachable!("doors come again and again")
}

/// A customer who has no answer asks again; who hears that the order exists looks it up (ORD-13).
async fn placed(customer: &Customer, name: &str, body: &Value) -> Option<Uuid> {
    match customer
        .try_call(Method::POST, "/v2/orders", Some(body.clone()))
        .await
        .ok()?
    {
        (200, order) => Some(id_of(&order)),
        (422, refusal) => {
            assert_eq!(refusal["message"], "client_order_id must be unique");
            let path = format!("/v2/orders:by_client_order_id?client_order_id={name}");
            let (status, order) = customer.try_call(Method::GET, &path, None).await.ok()?;
            (status == 200).then(|| id_of(&order))
        }
        (500 | 503, _) => None,
        (status, answer) => panic!("{status}: {answer}"),
    }
}

async fn is_filled(customer: &Customer, id: Uuid) -> bool {
    let answer = customer.try_call(Method::GET, &format!("/v2/orders/{id}"), None).await;
    answer.is_ok_and(|(status, order)| status == 200 && order["status"] == "filled")
}
