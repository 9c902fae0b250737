//! Customers who listen to their trade updates through whatever happens: each event has to be the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use crate::harness::Customer;
use crate::harness::listener::Listener;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// From coming to rest until everybody has heard the last word.
const PATIENCE: Duration = Duration::from_secs(60);

/// One customer's connection, opened again whenever it breaks.
pub struct Hearing {
    who: Customer,
    /// The last event there will be, once that is known.
    last: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Hearing {
    pub fn start(who: &Customer) -> Self {
        let last = Arc::new(AtomicI64::new(-1));
        let task = tokio::spawn(listens(who.clone(), last.clone()));
        Hearing {
            who: who.clone(),
            last,
            task,
        }
    }

    /// Everything is at rest: waits until all of it was heard, each once and in order.
    pub async fn ends(self, url: &str) {
        let mut conn = PgConnection::connect(url).await.unwrap();
        let stored: i64 = sqlx::query_scalar("select count(*) from order_events where account_id = $1")
            .bind(self.who.account.get())
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert!(stored > 0, "{} traded", self.who.account);
        self.last.store(stored, Ordering::Relaxed);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("everything is heard").unwrap();
    }
}

fn number(update: &Value) -> i64 {
    update["event_id"].as_str().unwrap().parse().unwrap()
}

async fn listens(who: Customer, last: Arc<AtomicI64>) {
    let mut had = 0;
    loop {
        let Some(mut listener) = Listener::events(&who, had).await else {
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        loop {
            if had == last.load(Ordering::Relaxed) {
                return;
            }
            // The end may be said while nothing comes.
            match tokio::time::timeout(LOOK_EVERY, listener.next()).await {
                Ok(Some(update)) => {
                    assert_eq!(number(&update), had + 1, "of {}", who.account);
                    had += 1;
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
    }
}
