//! Trade updates of the whole product: what customers hear of what happens to their orders, however often they break off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chassis::clock::SystemClock;
use chassis::ids::{Ids, SeededIds};
use serde_json::Value;

use crate::harness::Customer;
use crate::harness::listener::Listener;
use crate::house::House;

const CUSTOMERS: u64 = 20;
const CONNECTIONS_EACH: u64 = 10;
const ROUNDS: usize = 6;
/// Told between `accepted` and `new` where the exchange took long to answer, as it does on a busy machine.
const IN_DOUBT: &str = "pending_new";
const SEED: u64 = 5;

fn number(update: &Value) -> i64 {
    update["event_id"].as_str().unwrap().parse().unwrap()
}

/// Everything that the account's log says, in one go.
async fn whole_log(who: &Customer, last: i64) -> Vec<Value> {
    let mut listener = Listener::events(who, 0).await.unwrap();
    let mut log = Vec::new();
    while log.last().is_none_or(|update| number(update) < last) {
        log.push(listener.next().await.unwrap());
    }
    log
}

/// The life of an order as its customer hears it.
#[tokio::test]
async fn a_customer_hears_what_becomes_of_an_order() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 5).await;
    let ada = house.customer(10_000).await;
    let mut socket = Listener::socket(&ada, 0).await.unwrap();
    let mut events = Listener::events(&ada, 0).await.unwrap();
    let bought = ada.buy(5, "AAPL", "100.00").await;
    ada.wait_for(bought, "filled").await;
    let resting = ada.buy(5, "AAPL", "90.00").await;
    ada.wait_for(resting, "new").await;
    ada.cancel(resting).await;
    ada.wait_for(resting, "canceled").await;
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = Value::Null;
    while last["event"] != "canceled" {
        last = socket.next().await.unwrap();
        assert_eq!(events.next().await.unwrap(), last, "both protocols tell the same");
        let order = last["order"]["id"].as_str().unwrap().to_owned();
        let word = last["event"].as_str().unwrap().to_owned();
        if word != IN_DOUBT {
            heard.entry(order).or_default().push(word);
        }
    }
    assert_eq!(heard[&bought.to_string()], ["accepted", "new", "fill"]);
    assert_eq!(
        heard[&resting.to_string()],
        ["accepted", "new", "pending_cancel", "canceled"]
    );
    assert_eq!(last["order"], ada.get(&format!("/v2/orders/{resting}")).await);
    house.at_rest().await;
}

/// One connection: breaks off when its dice say so and resumes after the last event it had, until told that all is
/// done and it has everything. Every event has to be the next one.
async fn listens(who: Customer, seed: u64, last: Arc<AtomicI64>) -> (Vec<Value>, u32) {
    let ids = SeededIds::new(seed, Arc::new(SystemClock));
    let over_socket = seed.is_multiple_of(2);
    let (mut had, mut resumed) = (Vec::new(), 0);
    loop {
        let place = had.len() as i64;
        let listener = match over_socket {
            true => Listener::socket(&who, place).await,
            false => Listener::events(&who, place).await,
        };
        let Some(mut listener) = listener else { continue };
        let mut patience = 1 + ids.jitter(12);
        while patience > 0 {
            if had.len() as i64 == last.load(Ordering::Relaxed) {
                return (had, resumed);
            }
            // The end may be said while nothing comes.
            let next = tokio::time::timeout(Duration::from_millis(200), listener.next());
            match next.await {
                Ok(Some(update)) => {
                    assert_eq!(number(&update), had.len() as i64 + 1, "of {}, seed {seed}", who.account);
                    had.push(update);
                    patience -= 1;
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
        resumed += 1;
    }
}

/// Orders that fill, and orders that rest and are canceled.
async fn trades(who: Customer) {
    for _ in 0..ROUNDS {
        let filled = who.buy(1, "AAPL", "100.00").await;
        let resting = who.buy(1, "MSFT", "1.00").await;
        who.wait_for(resting, "new").await;
        who.cancel(resting).await;
        who.wait_for(filled, "filled").await;
        who.wait_for(resting, "canceled").await;
    }
}

#[tokio::test]
async fn two_hundred_connections_that_drop_and_resume_hear_every_event_exactly_once() {
    let house = House::open().await;
    house.market.pin("AAPL", "99.00", "100.00", 100_000).await;
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        let last = Arc::new(AtomicI64::new(-1));
        customers.push((house.customer(100_000).await, last));
    }
    let mut listeners = Vec::new();
    for (n, (who, last)) in customers.iter().enumerate() {
        for connection in 0..CONNECTIONS_EACH {
            let seed = SEED * 1_000 + n as u64 * CONNECTIONS_EACH + connection;
            listeners.push((n, tokio::spawn(listens(who.clone(), seed, last.clone()))));
        }
    }
    let trading: Vec<_> = customers
        .iter()
        .map(|(who, _)| tokio::spawn(trades(who.clone())))
        .collect();
    for one in trading {
        one.await.unwrap();
    }
    house.at_rest().await;
    let mut logs = Vec::new();
    for (who, last) in &customers {
        let events: Vec<String> =
            sqlx::query_scalar("select event from order_events where account_id = $1 order by seq")
                .bind(who.account.get())
                .fetch_all(&house.db.pool)
                .await
                .unwrap();
        let sure = events.iter().filter(|event| *event != IN_DOUBT).count();
        assert_eq!(sure, 7 * ROUNDS, "{events:?}");
        let stored = events.len() as i64;
        logs.push(whole_log(who, stored).await);
        last.store(stored, Ordering::Relaxed);
    }
    let mut resumed = 0;
    for (n, listener) in listeners {
        let (had, times) = listener.await.unwrap();
        assert!(
            had == logs[n],
            "connection of customer {n} heard something else than the log says"
        );
        resumed += times;
    }
    assert!(resumed > 200, "each broke off more than once: {resumed}");
}

/// A stop says goodbye; what happens until the start is replayed.
#[tokio::test]
async fn listeners_go_on_after_a_restart_of_everything() {
    let mut house = House::open().await;
    let ada = house.customer(100_000).await;
    let mut socket = Listener::socket(&ada, 0).await.unwrap();
    let mut events = Listener::events(&ada, 0).await.unwrap();
    let order = ada.buy(1, "MSFT", "1.00").await;
    ada.wait_for(order, "new").await;
    let hears_the_end = async {
        let mut heard = [0, 0];
        while let Some(update) = socket.next().await {
            heard[0] = number(&update);
        }
        while let Some(update) = events.next().await {
            heard[1] = number(&update);
        }
        heard
    };
    let (heard, ()) = tokio::join!(hears_the_end, house.stop());
    house.start().await;
    ada.cancel(order).await;
    ada.wait_for(order, "canceled").await;
    for (mut again, last) in [
        (Listener::socket(&ada, heard[0]).await.unwrap(), heard[0]),
        (Listener::events(&ada, heard[1]).await.unwrap(), heard[1]),
    ] {
        for expected in last + 1..=4 {
            assert_eq!(number(&again.next().await.unwrap()), expected);
        }
    }
    house.at_rest().await;
}
