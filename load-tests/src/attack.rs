//! One customer who places and cancels as fast as nobody may: every other request an order, every other one the end of
//! the last order that was taken, again and again.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::customers::Customer;
use crate::http::{Connection, request};
use crate::schedule::Pace;

/// What is sent, where and for how long.
#[derive(Debug, Clone)]
pub struct Attack {
    /// Daybook's door.
    pub address: SocketAddr,
    /// Who attacks: one key.
    pub who: Customer,
    /// Where.
    pub symbol: String,
    /// Requests a second, whatever comes back.
    pub rate: u64,
    /// Connections.
    pub connections: usize,
    /// How long.
    pub lasts: Duration,
    /// The number of its first request, so that no caller's order id comes twice.
    pub first: u64,
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// To orders, by status.
    pub orders: BTreeMap<String, u64>,
    /// To cancels, by status.
    pub cancels: BTreeMap<String, u64>,
}

impl Answers {
    /// Counts others, too.
    pub fn add(&mut self, other: Answers) {
        for (into, from) in [(&mut self.orders, other.orders), (&mut self.cancels, other.cancels)] {
            for (code, count) in from {
                *into.entry(code).or_default() += count;
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.orders.values().chain(self.cancels.values()).sum()
    }
}

impl Attack {
    /// Attacks from `began` on.
    pub async fn run(self, began: Instant) -> Answers {
        let (attack, next) = (Arc::new(self), Arc::new(AtomicU64::new(0)));
        let mut workers: JoinSet<Answers> = (0..attack.connections)
            .map(|_| attack.clone().work(next.clone(), began))
            .collect();
        let mut all = Answers::default();
        while let Some(answers) = workers.join_next().await {
            all.add(answers.unwrap_or_default());
        }
        all
    }

    /// One connection. One that breaks off is opened again with the next request.
    async fn work(self: Arc<Self>, next: Arc<AtomicU64>, began: Instant) -> Answers {
        let (mut answers, mut connection, mut last) = (Answers::default(), None, None);
        let pace = Pace::Open { rate: self.rate };
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let after = pace.intended(number).unwrap_or_default();
            if after >= self.lasts || began.elapsed() >= self.lasts {
                return answers;
            }
            sleep_until(began + after).await;
            let cancels = number % 2 == 1 && last.is_some();
            let outcome = self.call(&mut connection, number, &mut last, cancels).await;
            let code = outcome.map_or_else(|_| "connection".to_owned(), |status| status.to_string());
            let counted = if cancels {
                &mut answers.cancels
            } else {
                &mut answers.orders
            };
            *counted.entry(code).or_default() += 1;
        }
    }

    async fn call(
        &self,
        connection: &mut Option<Connection>,
        number: u64,
        last: &mut Option<String>,
        cancels: bool,
    ) -> io::Result<u16> {
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::open(self.address).await?,
        };
        let mut buffer = Vec::new();
        match last {
            Some(id) if cancels => request(
                &mut buffer,
                "DELETE",
                &format!("/v2/orders/{id}"),
                &self.who.headers,
                "",
            ),
            _ => request(
                &mut buffer,
                "POST",
                "/v2/orders",
                &self.who.headers,
                &self.order(number),
            ),
        }
        let answer = open.call(&buffer).await?;
        if !cancels && answer.status == 200 {
            *last = id_of(answer.body);
        }
        let (status, keep) = (answer.status, answer.keep);
        *connection = keep.then_some(open);
        Ok(status)
    }

    fn order(&self, number: u64) -> String {
        let (symbol, number) = (&self.symbol, self.first + number);
        format!(
            r#"{{"symbol":"{symbol}","side":"buy","type":"limit","time_in_force":"day","qty":"1","limit_price":"50.00","client_order_id":"churn-{number}"}}"#
        )
    }
}

fn id_of(order: &[u8]) -> Option<String> {
    let order: Value = serde_json::from_slice(order).ok()?;
    Some(order["id"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    //! What an attack sends.
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const TAKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"id\":\"x\"}";
    const REFUSED: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn every_other_request_cancels_the_last_order_that_was_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut lines, mut buffer) = (Vec::new(), [0; 4_096]);
            for answer in [TAKEN, REFUSED, REFUSED, REFUSED] {
                let read = stream.read(&mut buffer).await.expect("a request");
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                lines.push(text.lines().next().unwrap_or_default().to_owned());
                stream.write_all(answer.as_bytes()).await.expect("an answer");
            }
            lines
        });
        let attack = Attack {
            address,
            who: Customer { headers: String::new() },
            symbol: "A".to_owned(),
            rate: 1_000_000,
            connections: 1,
            lasts: Duration::ZERO,
            first: 0,
        };
        let (mut connection, mut last, mut statuses) = (None, None, Vec::new());
        for number in 0..4 {
            let cancels = number % 2 == 1 && last.is_some();
            let status = attack.call(&mut connection, number, &mut last, cancels).await;
            statuses.push(status.expect("an answer"));
        }
        assert_eq!(statuses, [200, 429, 429, 429]);
        let expected = [
            "POST /v2/orders HTTP/1.1",
            "DELETE /v2/orders/x HTTP/1.1",
            "POST /v2/orders HTTP/1.1",
            "DELETE /v2/orders/x HTTP/1.1",
        ];
        assert_eq!(server.await.expect("no panic"), expected);
    }

    #[test]
    fn answers_add_up() {
        let one = |code: &str| Answers {
            orders: [(code.to_owned(), 2)].into(),
            cancels: [("204".to_owned(), 1)].into(),
        };
        let mut all = one("200");
        all.add(one("429"));
        all.add(one("429"));
        assert_eq!((all.count(), all.orders["429"], all.cancels["204"]), (9, 4, 3));
    }
}
