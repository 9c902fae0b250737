//! Processes of a run: servers that are stopped by their id, and helpers that are waited for.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

/// How long a server may take to drain.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
}

impl Server {
    /// Starts it in a process group of its own, so that the terminal's Ctrl-C reaches only the benchmark, which then
    /// stops it in order. Should the benchmark be killed, the kernel ends it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &'static str, command: &Command, log: &Path) -> anyhow::Result<Self> {
        let command = command.as_std();
        let mut guarded = Command::new("setpriv");
        guarded
            .args(["--pdeathsig", "TERM", "--"])
            .arg(command.get_program())
            .args(command.get_args());
        guarded.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let log = File::create(log).with_context(|| log.display().to_string())?;
        guarded
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let child = guarded.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Server { name, child })
    }

    /// What it is called in reports.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Fails when it ended by itself.
    ///
    /// # Errors
    /// It ended.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}", self.name),
        }
    }

    /// Asks it to drain, and ends it if it does not.
    pub async fn stop(&mut self) {
        let Some(pid) = self.pid() else { return };
        let _ = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            eprintln!("{} does not stop within {PATIENCE:?}: it is killed", self.name);
            let _ = self.child.kill().await;
        }
    }
}

/// A command that ends by itself. It is finished even when the benchmark is interrupted meanwhile: half a cluster is
/// harder to remove than a whole one.
#[derive(Debug, Default)]
pub struct Helper(Option<Child>);

impl Helper {
    /// Runs a command to its end and gives what it wrote to standard output.
    ///
    /// # Errors
    /// It cannot be run or does not end well; its standard error is passed through.
    pub async fn run(&mut self, command: &mut Command, output: &Path) -> anyhow::Result<String> {
        let words = command
            .as_std()
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let what = format!("{} {words}", command.as_std().get_program().to_string_lossy());
        command
            .stdin(Stdio::null())
            .stdout(File::create(output)?)
            .process_group(0);
        let child = self
            .0
            .insert(command.spawn().with_context(|| format!("{what} cannot be run"))?);
        let status = child.wait().await?;
        self.0 = None;
        let text = fs::read_to_string(output)?;
        if !status.success() {
            bail!("{what}: {status}\n{text}");
        }
        Ok(text)
    }

    /// Waits for the one that was under way, if any.
    pub async fn finish(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.wait().await;
        }
    }
}
