//! The event log: how far each consumer is, and what Kafka is sent again.

use ::bus::engine::{self, Again, GroupStatus, Replayed, Status};
use anyhow::bail;
use chrono::SecondsFormat;
use domain::Timestamp;
use serde_json::{Value, json};

use super::Desk;
use super::show::print;
use super::table::table;
use crate::cli::Bus;

pub(super) async fn run(desk: &Desk, command: Bus) -> anyhow::Result<()> {
    match command {
        Bus::Status { json } => {
            let status = engine::status(desk.pool()).await?;
            print(json, &object(&status), || text(&status));
        }
        Bus::Replay { since, oldest: _ } => {
            // Without a time it is `--oldest`: the command line asks for one of them.
            let again = since.map_or(Again::Oldest, Again::Since);
            println!("{}", desk.replay(again).await?);
        }
    }
    Ok(())
}

impl Desk {
    /// Sets the relay back; answers what is shipped again, for people.
    ///
    /// # Errors
    /// There is no relay, rows that were asked for are dropped, or what the database says.
    pub async fn replay(&self, again: Again) -> anyhow::Result<String> {
        let engine = engine::status(&self.pool).await?.engine;
        if engine != "kafka" {
            bail!("the installation runs on the engine {engine}: there is no relay, and nothing to ship again");
        }
        let mut tx = self.begin().await?;
        let done = match engine::replay(&mut tx, again).await? {
            Replayed::Dropped { kept_since } => bail!("{}", not_kept(kept_since)),
            Replayed::Rows { partitions, oldest } => shipped_again(partitions, oldest),
        };
        let subject = match again {
            Again::Since(since) => since.to_rfc3339(),
            Again::Oldest => "the oldest row".to_owned(),
        };
        self.write_down(&mut tx, "replay_bus", subject, done.clone()).await?;
        tx.commit().await?;
        Ok(done)
    }
}

fn shipped_again(partitions: usize, oldest: Option<Timestamp>) -> String {
    match oldest {
        Some(oldest) => {
            let oldest = stamp(oldest);
            format!("{partitions} partitions are shipped again, their oldest row is of {oldest}")
        }
        None => "nothing is shipped again: no row since then had been shipped".to_owned(),
    }
}

fn not_kept(kept_since: Timestamp) -> String {
    let since = stamp(kept_since);
    format!(
        "rows before {since} are dropped, so nothing was done: say `--since {since}` or later, or `--oldest` for all that is left"
    )
}

/// As `--since` reads it.
fn stamp(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn object(status: &Status) -> Value {
    let group = |one: &GroupStatus| {
        json!({
            "group": one.group, "topic": one.topic, "members": one.members, "owned_partitions": one.owned,
            "unread_rows": one.rows, "oldest_unread_ms": one.oldest.map(|age| age.as_millis().to_string()),
        })
    };
    let groups: Vec<Value> = status.groups.iter().map(group).collect();
    json!({ "engine": status.engine, "since": status.since, "groups": groups })
}

fn text(status: &Status) -> String {
    let rows = status.groups.iter().map(|one| {
        let oldest = one.oldest.map(|age| format!("{} s", age.as_secs())).unwrap_or_default();
        vec![
            one.group.clone(),
            one.topic.clone(),
            one.members.to_string(),
            one.owned.to_string(),
            one.rows.to_string(),
            oldest,
        ]
    });
    let heads = ["group", "topic", "members", "partitions", "unread", "oldest"];
    let groups = table(&heads, &rows.collect::<Vec<_>>());
    format!("engine {} since {}\n\n{groups}", status.engine, status.since)
}
