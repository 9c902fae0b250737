//! Sends the orders of a flow at its pace, and counts the answers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cli::Common;
use crate::http::Connection;
use crate::latency::Latencies;
use crate::orders::Flow;
use crate::schedule::Pace;

/// A request that takes longer has failed. Long, because hundreds of connections wait in line for batches of one.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long after its end an open loop may go on sending what it owes.
const GRACE: Duration = Duration::from_secs(30);
/// How much of an answer that is no order is kept.
const SAMPLE: usize = 200;

/// What is sent, where, and how fast.
#[derive(Debug)]
pub struct Load {
    /// Daybook's door.
    pub address: SocketAddr,
    /// The orders.
    pub flow: Flow,
    /// Open or closed loop.
    pub pace: Pace,
    /// Connections.
    pub connections: usize,
    /// Not counted.
    pub warm_up: Duration,
    /// Counted.
    pub measured: Duration,
    /// Send no more than this many.
    pub most: u64,
    /// Orders placed so far, for who looks on.
    pub placed: Arc<AtomicU64>,
}

/// How the answers were.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Orders that were sent, whatever came back, the warm-up's included.
    pub sent: u64,
    /// Answers of 200, the warm-up's included.
    pub placed_in_all: u64,
    /// Those among them that were measured, from their intended start.
    pub placed: Latencies,
    /// Other answers and failures that were measured, by code.
    pub errors: BTreeMap<String, u64>,
    /// An example of each, of the warm-up too.
    pub samples: BTreeMap<String, String>,
    /// When the last measured answer came, counted from the end of the warm-up.
    pub took: Duration,
    /// Orders of an open loop that were still owed when it was given up.
    pub not_sent: u64,
}

struct Driver {
    load: Load,
    began: Instant,
    next: AtomicU64,
    tally: Mutex<Tally>,
}

/// One order to send.
struct Turn {
    number: u64,
    intended: Instant,
}

impl Load {
    /// Orders at a steady rate, for as long as the command line says.
    pub fn steady(address: SocketAddr, flow: Flow, rate: u64, common: &Common) -> Self {
        Load {
            address,
            flow,
            pace: Pace::Open { rate },
            connections: common.connections,
            warm_up: Duration::from_secs(common.warm_up),
            measured: Duration::from_secs(common.seconds),
            most: u64::MAX,
            placed: Arc::default(),
        }
    }

    /// Sends everything; `began` is when the first order is meant to start.
    pub async fn run(self, began: Instant) -> Tally {
        let connections = self.connections;
        let driver = Arc::new(Driver {
            load: self,
            began,
            next: AtomicU64::new(0),
            tally: Mutex::default(),
        });
        let mut workers: JoinSet<()> = (0..connections).map(|_| driver.clone().work()).collect();
        while workers.join_next().await.is_some() {}
        let mut tally = driver.tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tally.took = tally.took.max(driver.load.measured);
        tally.not_sent = driver.load.due().map_or(0, |due| due.saturating_sub(tally.sent));
        tally
    }

    /// Orders that an open loop owes.
    fn due(&self) -> Option<u64> {
        Some(self.pace.due(self.ends_after())?.min(self.most))
    }

    fn ends_after(&self) -> Duration {
        self.warm_up + self.measured
    }
}

impl Driver {
    /// One connection, order by order.
    async fn work(self: Arc<Self>) {
        let (mut connection, mut buffer) = (None, Vec::new());
        while let Some(turn) = self.turn().await {
            self.load.flow.write(turn.number, &mut buffer);
            let answer = timeout(PATIENCE, call(&mut connection, self.load.address, &buffer)).await;
            let (code, sample) = match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => ("connection".to_owned(), error.to_string()),
                Err(_) => ("timeout".to_owned(), format!("no answer within {PATIENCE:?}")),
            };
            if !code.starts_with(|c: char| c.is_ascii_digit()) {
                connection = None;
            }
            self.count(&turn, code, sample);
        }
    }

    /// Waits for the next order's time. `None` when the run is over.
    async fn turn(&self) -> Option<Turn> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let end = self.began + self.load.ends_after();
        if number >= self.load.most {
            return None;
        }
        let Some(after) = self.load.pace.intended(number) else {
            sleep_until(self.began).await;
            let intended = Instant::now();
            return (intended < end).then_some(Turn { number, intended });
        };
        let intended = self.began + after;
        if intended >= end {
            return None;
        }
        if Instant::now() > end + GRACE {
            return None;
        }
        sleep_until(intended).await;
        Some(Turn { number, intended })
    }

    fn count(&self, turn: &Turn, code: String, sample: String) {
        let now = Instant::now();
        let counts_from = self.began + self.load.warm_up;
        let mut tally = self.lock();
        let is_placed = code == "200";
        tally.sent += 1;
        tally.placed_in_all += u64::from(is_placed);
        self.load.placed.store(tally.placed_in_all, Ordering::Relaxed);
        if turn.intended >= counts_from {
            tally.took = tally.took.max(now.duration_since(counts_from));
            if is_placed {
                tally.placed.record(now.duration_since(turn.intended));
            } else {
                *tally.errors.entry(code.clone()).or_default() += 1;
            }
        }
        if !is_placed {
            tally.samples.entry(code).or_insert(sample);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status, and the beginning of the body where it is no order.
async fn call(connection: &mut Option<Connection>, address: SocketAddr, bytes: &[u8]) -> io::Result<(String, String)> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(address).await?,
    };
    let answer = open.call(bytes).await?;
    let (status, keep) = (answer.status, answer.keep);
    let body = &answer.body[..answer.body.len().min(SAMPLE)];
    let sample = if status == 200 {
        String::new()
    } else {
        String::from_utf8_lossy(body).into_owned()
    };
    if keep {
        *connection = Some(open);
    }
    Ok((status.to_string(), sample))
}

#[cfg(test)]
mod tests {
    //! A server that answers what it is told.
    use super::*;
    use crate::customers::Customer;
    use crate::orders::Kind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn load(address: SocketAddr, pace: Pace, most: u64) -> Load {
        let customers = vec![Customer { headers: String::new() }];
        let flow = Flow {
            kind: Kind::Resting,
            customers,
            symbols: vec!["A".to_owned(), "B".to_owned()],
            first: 0,
        };
        let measured = Duration::from_millis(200);
        Load {
            address,
            flow,
            pace,
            connections: 2,
            warm_up: Duration::ZERO,
            measured,
            most,
            placed: Arc::default(),
        }
    }

    /// Answers each connection's n-th request with the n-th of these, after a pause; then hangs up.
    async fn server(answers: &'static [&'static str], pause: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1_024];
                for answer in answers {
                    let _ = stream.read(&mut asked).await;
                    tokio::time::sleep(pause).await;
                    let text = format!("HTTP/1.1 {answer} X\r\ncontent-length: 2\r\n\r\n{{}}");
                    let _ = stream.write_all(text.as_bytes()).await;
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn only_200_is_an_order_and_everything_else_is_counted_by_its_code() {
        let address = server(&["200", "422"], Duration::ZERO).await;
        let tally = load(address, Pace::Open { rate: 1_000 }, 6).run(Instant::now()).await;
        let errors: u64 = tally.errors.values().sum();
        assert_eq!(tally.placed_in_all, tally.placed.count());
        assert_eq!(tally.placed_in_all + errors, 6, "each order has one outcome: {tally:?}");
        assert!(
            tally.placed_in_all >= 2 && tally.errors.contains_key("422"),
            "{tally:?}"
        );
        assert_eq!(tally.samples["422"], "{}");
    }

    #[tokio::test]
    async fn who_had_to_wait_for_a_slow_server_is_counted_from_the_intended_start() {
        let address = server(&["200"; 100], Duration::from_millis(20)).await;
        // 2 connections answer 100 orders a second; 500 are asked for.
        let tally = load(address, Pace::Open { rate: 500 }, 50).run(Instant::now()).await;
        assert_eq!(tally.placed_in_all, 50);
        let slowest = tally.placed.percentiles().p999_ms;
        assert!(
            slowest > crate::latency::Fixed::millis(200_000),
            "the last one waited for all others: {slowest} ms"
        );
    }
}
