//! A durable Postgres of the test's own, which can be killed with -9.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testkit::free_port;
use tokio::process::{Child, Command};

/// After a crash the log is replayed, and children of the dead server have to notice first.
const UP_WITHIN: Duration = Duration::from_secs(180);

/// The cluster: fsync and synchronous_commit on, as in production.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    /// Makes one and starts it.
    pub async fn start() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "daybook-crash-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        let mut make = Command::new("install");
        make.args(["-d", "-m", "700"]);
        if is_root() {
            make.args(["-o", "postgres", "-g", "postgres"]);
        }
        assert!(make.arg(&folder).status().await.unwrap().success());
        let data = folder.join("data");
        let made = program("initdb")
            .args([
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .await
            .unwrap();
        assert!(made.success(), "initdb failed");
        let mut cluster = Cluster {
            folder,
            port: free_port(),
            server: None,
        };
        cluster.up().await;
        cluster
    }

    /// A database's URL.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database.
    pub async fn create(&self, database: &str) {
        let mut conn = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {database}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
    }

    /// Kill -9 of the server; what it had flushed is what is left.
    pub async fn kill(&mut self) {
        self.server.take().expect("it runs").kill().await.unwrap();
    }

    /// Starts the server, as often as it takes until the dead one's children are gone.
    pub async fn up(&mut self) {
        let begun = Instant::now();
        loop {
            let mut server = self.spawn();
            while server.try_wait().unwrap().is_none() {
                if PgConnection::connect(&self.url("postgres")).await.is_ok() {
                    self.server = Some(server);
                    return;
                }
                assert!(begun.elapsed() < UP_WITHIN, "PostgreSQL is not up after {UP_WITHIN:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn spawn(&self) -> Child {
        program("postgres")
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-p", &self.port.to_string()])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
                "-c",
                "shared_buffers=64MB",
            ])
            .args([
                "-c",
                // Each process of a scaled-out installation has its own.
                "max_connections=400",
                "-c",
                "fsync=on",
                "-c",
                "synchronous_commit=on",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One of PostgreSQL's programs, as a user it agrees to run as.
fn program(name: &str) -> Command {
    let path = binaries().join(name);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"])
            .arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// `DAYBOOK_PG_BIN`, or the newest that is installed.
fn binaries() -> PathBuf {
    if let Some(folder) = std::env::var_os("DAYBOOK_PG_BIN") {
        return folder.into();
    }
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = installed
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| has_server(bin))
        .collect();
    versions.sort();
    versions
        .pop()
        .expect("PostgreSQL's server programs: set DAYBOOK_PG_BIN")
}

fn has_server(bin: &Path) -> bool {
    bin.join("initdb").exists()
}
