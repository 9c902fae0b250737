//! What can go wrong with the log, by what the caller can do about it.

use db::DbError;

use crate::Topic;

/// A failed call to the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Another owner has taken over, or the position is not where this one thinks: drop the transaction.
    #[error("no longer the owner, or not at this position")]
    Fenced,
    /// The payload is not what its kind says.
    #[error("cannot read {kind} on {topic}")]
    Decode {
        /// Where it came from.
        topic: Topic,
        /// What it said it was.
        kind: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Positions were made by another incarnation of the database; an operator has to say what is read again.
    #[error("positions of {group} on {topic} belong to incarnation {stored}, the database is at {current}")]
    Incarnation {
        /// The consumer group.
        group: &'static str,
        /// The topic.
        topic: Topic,
        /// What the positions say.
        stored: i64,
        /// What the database says.
        current: i64,
    },
    /// The installation runs on another engine than this process.
    #[error("this process is set to the engine {engine}, the installation runs on {in_force}")]
    Engine {
        /// What the process is set to.
        engine: &'static str,
        /// What the installation runs on.
        in_force: String,
    },
    /// The executable was built without a client for Kafka.
    #[error("this build cannot speak to Kafka: build it with `--features kafka`, which wants OpenSSL")]
    NoKafka,
    /// The broker, or the way to it, failed.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for BusError {
    fn from(error: sqlx::Error) -> Self {
        BusError::Db(error.into())
    }
}

impl db::Transient for BusError {
    fn is_transient(&self) -> bool {
        matches!(self, BusError::Db(error) if error.is_transient())
    }
}

#[cfg(feature = "kafka")]
impl From<rdkafka::error::KafkaError> for BusError {
    fn from(error: rdkafka::error::KafkaError) -> Self {
        BusError::Kafka(error.to_string())
    }
}
