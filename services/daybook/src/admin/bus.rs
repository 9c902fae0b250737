//! The event log: how far each consumer is, and what Kafka is sent again.

use ::bus::engine::{self, GroupStatus, Status};
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
        Bus::Replay { since } => {
            let partitions = desk.replay(since).await?;
            println!("{partitions} partitions are shipped again from {since}");
        }
    }
    Ok(())
}

impl Desk {
    /// Sets the relay back to what was appended at `since`.
    ///
    /// # Errors
    /// There is no relay, rows of that time are dropped already, or what the database says.
    pub async fn replay(&self, since: Timestamp) -> anyhow::Result<u64> {
        let engine = engine::status(&self.pool).await?.engine;
        if engine != "kafka" {
            bail!("the installation runs on the engine {engine}: there is no relay, and nothing to ship again");
        }
        let mut tx = self.begin().await?;
        if let Some(kept) = engine::kept_since(&mut tx).await?
            && since < kept
        {
            let kept = kept.to_rfc3339_opts(SecondsFormat::Secs, true);
            bail!(
                "the outbox has no rows of before {kept}, and so they cannot be shipped again: say --since {kept} for all that is left"
            );
        }
        let partitions = engine::replay(&mut tx, since).await?;
        let detail = format!("{partitions} partitions");
        self.write_down(&mut tx, "replay_bus", since.to_rfc3339(), detail)
            .await?;
        tx.commit().await?;
        Ok(partitions)
    }
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
