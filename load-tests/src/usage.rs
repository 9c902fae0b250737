//! Processor time, from `/proc`, of each process that takes part and of the machine.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;
use db::{DbError, PgPool};
use serde::Serialize;

use crate::latency::Fixed;

/// Microseconds of one clock tick: Linux counts processor time in hundredths of a second on every machine of today.
const TICK_MICROS: u64 = 10_000;

/// Processor time so far, in ticks.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    by_name: BTreeMap<String, u64>,
    machine: [u64; 10],
}

/// What an interval cost.
#[derive(Debug, Clone, Serialize)]
pub struct Spent {
    /// Microseconds of processor time an order, by process; PostgreSQL's by the application that asked.
    pub cpu_us_per_order: BTreeMap<String, Fixed>,
    /// Processors in use, in hundredths of the machine.
    pub busy_percent: Fixed,
    /// Idle while the disk was waited for.
    pub iowait_percent: Fixed,
    /// Taken by other guests of the host.
    pub steal_percent: Fixed,
}

/// The processes that take part.
#[derive(Debug, Clone)]
pub struct Pids {
    /// The exchange.
    pub exchange: u32,
    /// Daybook's processes by name: `daybook`, which is all of it, or its parts. The last one is the customers' door.
    pub daybook: Vec<(&'static str, u32)>,
    /// PostgreSQL's first.
    pub postmaster: u32,
    /// The broker, where there is one.
    pub kafka: Option<u32>,
}

impl Pids {
    /// All but PostgreSQL, whose work is told apart by who asked for it.
    fn named(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let kafka = self.kafka.map(|pid| ("kafka", pid));
        [("exchange", self.exchange)]
            .into_iter()
            .chain(self.daybook.iter().copied())
            .chain(kafka)
    }

    /// The process that customers talk to.
    pub fn door(&self) -> Option<u32> {
        self.daybook.last().map(|(_, pid)| *pid)
    }
}

/// What of each process is in memory, in MiB; a process that is gone has none.
pub fn memory_mib(pids: &Pids) -> BTreeMap<&'static str, u64> {
    let kib = |pid| resident_kib(pid).unwrap_or(0);
    pids.named().map(|(name, pid)| (name, kib(pid) / 1_024)).collect()
}

/// Memory of a process that is in memory.
///
/// # Errors
/// It does not run.
pub fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    resident(&status).context("/proc/PID/status has no VmRSS")
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Reads the usage of the processes that take part, of this one, and of the machine.
///
/// # Errors
/// What the database says: it knows which of its processes works for whom.
pub async fn read(superuser: &PgPool, pids: &Pids) -> Result<Usage, DbError> {
    let postmaster = pids.postmaster;
    let mut by_name: BTreeMap<String, u64> = pids
        .named()
        .chain([("client", std::process::id())])
        .map(|(name, pid)| (name.to_owned(), Stat::of(pid).map_or(0, |stat| stat.own)))
        .collect();
    let names = backends(superuser).await?;
    for (pid, stat) in children(postmaster) {
        let name = names.get(&pid).map_or("other", String::as_str);
        *by_name.entry(format!("postgres {name}")).or_default() += stat.own;
    }
    let ended = Stat::of(postmaster).map_or(0, |stat| stat.own + stat.ended_children);
    by_name.insert("postgres ended and postmaster".to_owned(), ended);
    Ok(Usage {
        by_name,
        machine: machine(),
    })
}

/// What PostgreSQL's processes work for.
async fn backends(superuser: &PgPool) -> Result<BTreeMap<u32, String>, DbError> {
    let rows = sqlx::query!(
        r#"select pid as "pid!", coalesce(nullif(application_name, ''), backend_type, 'other') as "name!"
             from pg_stat_activity
            where pid is not null"#,
    )
    .fetch_all(superuser)
    .await?;
    Ok(rows.into_iter().map(|row| (row.pid.unsigned_abs(), row.name)).collect())
}

impl Usage {
    /// What was spent since `before`, on so many orders.
    pub fn since(&self, before: &Usage, orders: u64) -> Spent {
        let spent = |name: &str, now: u64| now.saturating_sub(before.by_name.get(name).copied().unwrap_or(0));
        let cpu_us_per_order = self.by_name.iter().map(|(name, now)| (name.clone(), spent(name, *now)));
        let cpu_us_per_order = cpu_us_per_order
            .filter(|(_, ticks)| *ticks > 0)
            .map(|(name, ticks)| (name, Fixed::ratio(ticks * TICK_MICROS, orders)))
            .collect();
        let machine: Vec<u64> = self
            .machine
            .iter()
            .zip(before.machine)
            .map(|(now, was)| now.saturating_sub(was))
            .collect();
        let all: u64 = machine[..8].iter().sum();
        // user, nice, system, idle, iowait, irq, softirq, steal
        let percent = |part: u64| Fixed::ratio(part * 100, all);
        Spent {
            cpu_us_per_order,
            busy_percent: percent(all - machine[3] - machine[4]),
            iowait_percent: percent(machine[4]),
            steal_percent: percent(machine[7]),
        }
    }
}

/// The numbers of `/proc/PID/stat` that count here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The command's name is in brackets and may hold anything, so fields are counted after the last bracket.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
        let number = |n: usize| fields.get(n)?.parse::<u64>().ok();
        let parent = fields.get(1)?.parse().ok()?;
        Some(Stat {
            parent,
            own: number(11)? + number(12)?,
            ended_children: number(13)? + number(14)?,
        })
    }
}

fn children(parent: u32) -> Vec<(u32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .filter(|(_, stat)| stat.parent == parent)
        .collect()
}

/// The first line of `/proc/stat`.
fn machine() -> [u64; 10] {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut numbers = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .map(|n| n.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    //! The arithmetic of `/proc`.
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 1 1 1";
        assert_eq!(
            Stat::parse(text),
            Some(Stat {
                parent: 7,
                own: 200,
                ended_children: 50
            })
        );
        assert_eq!(Stat::parse("42"), None);
    }

    #[test]
    fn what_is_spent_is_told_an_order() {
        let usage = |client, idle| Usage {
            by_name: [("client".to_owned(), client)].into(),
            machine: [client, 0, 0, idle, 0, 0, 0, 0, 0, 0],
        };
        let spent = usage(130, 70).since(&usage(100, 0), 1_000);
        assert_eq!(
            spent.cpu_us_per_order["client"].to_string(),
            "300.000",
            "0.3 s for 1000 orders"
        );
        assert_eq!(spent.busy_percent.to_string(), "30.000");
    }

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  812 kB\n"), Some(812));
        assert_eq!(resident("Name:\tx\n"), None);
    }
}
