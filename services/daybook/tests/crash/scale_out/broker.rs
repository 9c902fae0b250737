//! A real broker of the test's own, which can be killed with -9 and lose its disk.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Two starts of Java to format its disk, a third to run, on a busy machine; fetching it the first time.
const UP_WITHIN: Duration = Duration::from_secs(300);

/// Apache Kafka as `deploy/broker` starts it.
pub struct Broker {
    folder: TempDir,
    address: String,
    server: Option<Child>,
}

impl Broker {
    /// Makes one and starts it.
    pub async fn start() -> Self {
        let mut broker = Broker {
            folder: tempfile::tempdir().unwrap(),
            address: String::new(),
            server: None,
        };
        broker.up().await;
        broker
    }

    /// Where it listens, the same from start to start.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Kill -9; what it had given to the operating system is what is left.
    pub async fn kill(&mut self) {
        self.server.take().expect("it runs").kill().await.unwrap();
    }

    /// Takes its disk away: it starts as another cluster, which has never heard of anything.
    pub fn lose_disk(&self) {
        assert!(self.server.is_none(), "it runs");
        std::fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// Starts it and waits until it listens.
    pub async fn up(&mut self) {
        let begun = Instant::now();
        let log = self.folder.path().join("log");
        let output = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        // The script becomes the broker: the process that is killed is Java's.
        let mut server = Command::new(script())
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while !self.listens().await {
            if let Some(ended) = server.try_wait().unwrap() {
                panic!(
                    "the broker ended: {ended}\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            assert!(begun.elapsed() < UP_WITHIN, "the broker is not up after {UP_WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.server = Some(server);
    }

    async fn listens(&mut self) -> bool {
        let written = std::fs::read_to_string(self.folder.path().join("address")).unwrap_or_default();
        let address = written.trim();
        if address.is_empty() || TcpStream::connect(address).await.is_err() {
            return false;
        }
        if self.address.is_empty() {
            address.clone_into(&mut self.address);
        }
        assert_eq!(address, self.address, "somebody took its port");
        true
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/broker")
}
