//! `daybook` as a process of its own.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::free_port;
use tokio::process::{Child, Command};

use crate::harness::customer::http;

/// How long a process may take to be ready: on a busy machine, with leases of a dead predecessor to wait for.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// How to start a process, again and again with the same settings.
pub struct Program {
    part: &'static str,
    settings: Vec<(String, String)>,
    port: u16,
    folder: TempDir,
}

/// A running process; killed when it is dropped.
pub struct Process {
    child: Child,
    url: String,
}

impl Program {
    pub fn new(part: &'static str, port_setting: &str, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let mut settings: Vec<(String, String)> = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        settings.push((port_setting.to_owned(), port.to_string()));
        Program {
            part,
            settings,
            port,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes a setting, for the next start.
    pub fn set(&mut self, setting: &str, value: &str) {
        self.settings.retain(|(key, _)| key != setting);
        self.settings.push((setting.to_owned(), value.to_owned()));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
        command
            .env_clear()
            .envs(self.settings.iter().cloned())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Starts it; `failpoints` as the variable `FAILPOINTS` takes them.
    pub fn start(&self, failpoints: Option<&str>) -> Process {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = self.command(&[self.part]);
        if let Some(failpoints) = failpoints {
            command.env("FAILPOINTS", failpoints);
        }
        let child = command
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process { child, url: self.url() }
    }

    /// Starts it and waits until it is ready.
    pub async fn up(&self) -> Process {
        let mut process = self.start(None);
        assert!(
            process.ready().await,
            "{} ended before it was ready:\n{}",
            self.part,
            self.last_words()
        );
        process
    }

    /// Runs another command of the executable with the same settings.
    pub async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().await.unwrap();
        let text = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        (output.status.code().unwrap_or(-1), text)
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Process {
    /// Waits until it is ready; false when it ended before.
    pub async fn ready(&mut self) -> bool {
        let (http, begun) = (http(), Instant::now());
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if http
                .get(format!("{}/readyz", self.url))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return true;
            }
            assert!(begun.elapsed() < READY_WITHIN, "not ready after {READY_WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kill -9, and gone when this returns.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end.
    pub async fn terminate(&self) {
        self.signal("-TERM").await;
    }

    /// Sends it a signal.
    pub async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it still runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await.unwrap();
        assert!(sent.success(), "{signal} did not reach {id}");
    }

    /// Whether it ended by itself, within this time.
    pub async fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(patience, self.child.wait())
            .await
            .ok()
            .map(|status| status.unwrap())
    }
}
