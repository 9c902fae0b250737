//! Which machine this is, and which version of the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use chassis::clock::{Clock, SystemClock};
use serde::Serialize;

use crate::binary::project;

/// What a figure depends on beside the code.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many of them.
    pub cores: usize,
    /// Memory in mebibytes.
    pub memory_mib: u64,
    /// The kernel.
    pub kernel: String,
    /// The file system under the database.
    pub file_system: String,
}

impl Machine {
    /// This one; `folder` is where the database was.
    pub fn of(folder: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let memory_kib = value_of("/proc/meminfo", "MemTotal")
            .split_whitespace()
            .next()
            .and_then(|n| n.parse().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .to_owned();
        let mut stat = Command::new("stat");
        let file_system = first_line(stat.args(["-f", "-c", "%T"]).arg(folder));
        let memory_mib = memory_kib.unwrap_or(0u64) / 1_024;
        Machine {
            cpu: value_of("/proc/cpuinfo", "model name"),
            cores,
            memory_mib,
            kernel,
            file_system,
        }
    }
}

/// Where, when and from what a figure comes: every report ends with it.
#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    /// Where.
    pub machine: Machine,
    /// When.
    pub date: String,
    /// What.
    pub commit: String,
    /// How it was set up.
    pub settings: BTreeMap<String, String>,
}

impl Origin {
    /// This machine, now; `folder` is where the database was.
    pub fn of(folder: &Path, settings: BTreeMap<String, String>) -> Self {
        Origin {
            machine: Machine::of(folder),
            date: SystemClock.now().to_rfc3339(),
            commit: commit(),
            settings,
        }
    }
}

/// The commit of the source, with a plus where files differ from it.
fn commit() -> String {
    let git = |words: &[&str]| first_line(Command::new("git").arg("-C").arg(project()).args(words));
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!(
        "{}{}",
        git(&["rev-parse", "--short=12", "HEAD"]),
        if changed { "+" } else { "" }
    )
}

/// How busy the machine is with other things: processes that want to run, over one and five minutes.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The first `name: value` line of a file of `/proc`.
fn value_of(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name);
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}
