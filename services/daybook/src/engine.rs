//! The engine of the event log as it is set, and what a process does about it at its start.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bus::engine::Adopted;
use bus::{Bus, Engine, KafkaSettings};
use chassis::config::ConfigError;

use crate::config::{Settings, bad};

/// A broker takes names of 249 characters; ours come behind the prefix.
const NAME_MAX: usize = 200;
/// Who died without a word keeps its leases for their length; others need a moment to stop.
const PATIENCE_LEASES: u32 = 3;
/// The least that a broker takes by default (`group.min.session.timeout.ms`).
const SESSION_MIN: Duration = Duration::from_secs(6);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What carries the events, by the settings.
///
/// # Errors
/// The bad setting by its name.
pub(crate) fn of(settings: &Settings) -> Result<Engine, ConfigError> {
    check_name("KAFKA_TOPIC_PREFIX", &settings.kafka_topic_prefix)?;
    check_name("INSTANCE", settings.instance.as_deref().unwrap_or_default())?;
    match settings.engine.as_str() {
        "postgres" => Ok(Engine::Postgres),
        "kafka" => Ok(Engine::Kafka(KafkaSettings {
            brokers: brokers(settings)?,
            prefix: settings.kafka_topic_prefix.clone(),
            instance: settings.instance.clone(),
            session: Duration::from_millis(settings.lease_ms).max(SESSION_MIN),
        })),
        other => Err(bad("ENGINE", format!("{other:?} is neither postgres nor kafka"))),
    }
}

fn brokers(settings: &Settings) -> Result<String, ConfigError> {
    let named = settings.kafka_brokers.as_deref().unwrap_or_default();
    let is_address = |one: &str| {
        let (host, port) = one.trim().rsplit_once(':').unwrap_or_default();
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if named.split(',').all(is_address) {
        return Ok(named.to_owned());
    }
    Err(bad(
        "KAFKA_BROKERS",
        "is needed with DAYBOOK_ENGINE=kafka: host:port, several with commas",
    ))
}

/// What may be part of a name at the broker.
fn check_name(setting: &str, name: &str) -> Result<(), ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.len() <= NAME_MAX && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(bad(
        setting,
        "may have letters, digits, dots, dashes and underscores, 200 at most",
    ))
}

/// Makes sure that the installation runs on the engine of this process, waiting for those of another one to stop.
///
/// # Errors
/// Somebody works on the other engine and goes on doing so.
pub(crate) async fn adopt(bus: &Bus) -> anyhow::Result<()> {
    let (begun, patience) = (Instant::now(), bus.settings().lease * PATIENCE_LEASES);
    loop {
        let adopted = bus::engine::adopt(bus).await.context("DAYBOOK_ENGINE")?;
        let Adopted::Busy { engine, members } = adopted else {
            return Ok(());
        };
        if begun.elapsed() > patience {
            bail!(still_running(bus.engine(), &engine, &members));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn still_running(mine: &str, engine: &str, members: &[(String, i64)]) -> String {
    let named: Vec<String> = members
        .iter()
        .map(|(group, count)| format!("{group} ({count})"))
        .collect();
    format!(
        "DAYBOOK_ENGINE: this process is set to {mine}, but these work on {engine}: {}. Stop all of them, then start \
         again; or set DAYBOOK_ENGINE={engine} here",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: (&str, &str) = (
        "DAYBOOK_DATABASE_URL",
        "postgres://daybook:secret@127.0.0.1:5432/daybook",
    );

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let pairs = pairs.iter().chain([&URL]);
        Settings::from_pairs(pairs.map(|(key, value)| (key.into(), value.into())).collect())
    }

    #[test]
    fn the_engine_is_postgres_unless_said_otherwise() {
        let settings = read(&[]).expect("nothing is needed");
        assert_eq!(of(&settings).expect("checked").as_str(), "postgres");
    }

    #[test]
    fn kafka_needs_to_know_where_the_broker_is() {
        for brokers in ["", "localhost", "localhost:0", "a:1,b", ":9092"] {
            let pairs = [("DAYBOOK_ENGINE", "kafka"), ("DAYBOOK_KAFKA_BROKERS", brokers)];
            let complaint = read(&pairs).expect_err(brokers).to_string();
            assert!(complaint.starts_with("DAYBOOK_KAFKA_BROKERS: "), "{complaint}");
        }
        let pairs = [("DAYBOOK_ENGINE", "kafka"), ("DAYBOOK_KAFKA_BROKERS", "a:9092,b:9092")];
        let settings = read(&pairs).expect("they are right");
        let Engine::Kafka(kafka) = of(&settings).expect("checked") else {
            panic!("it says kafka");
        };
        assert_eq!(
            (kafka.brokers.as_str(), kafka.prefix.as_str()),
            ("a:9092,b:9092", "daybook.")
        );
    }

    #[test]
    fn who_still_works_on_the_other_engine_is_named() {
        let members = [("executor".to_owned(), 2), ("notifier".to_owned(), 1)];
        let text = still_running("kafka", "postgres", &members);
        assert!(
            text.contains("executor (2), notifier (1)") && text.contains("DAYBOOK_ENGINE=postgres"),
            "{text}"
        );
    }
}
