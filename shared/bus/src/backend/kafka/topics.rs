//! The topics at the broker: made where they are missing, refused where they are not as every row says.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use super::client::{PATIENCE, basics, topic_name};
use crate::{BusError, KafkaSettings, PARTITIONS, Topic};

/// Makes sure that the topic is there, with the partitions that rows are numbered by.
pub(crate) async fn ensure(settings: &KafkaSettings, topic: Topic) -> Result<(), BusError> {
    let name = topic_name(settings, topic);
    let admin: AdminClient<DefaultClientContext> = basics(settings).create()?;
    let ours = usize::from(PARTITIONS.unsigned_abs());
    let (admin, found) = partitions_of(admin, name.clone()).await?;
    match found {
        Some(there) if there == ours => Ok(()),
        Some(there) => Err(BusError::Kafka(format!(
            "topic {name} has {there} partitions, it must have {ours}: delete it, or set another DAYBOOK_KAFKA_TOPIC_PREFIX"
        ))),
        None => create(&admin, &name).await,
    }
}

/// How many partitions a topic has, if it is there. All topics are asked for: asking for one by its name may make it.
async fn partitions_of(
    admin: AdminClient<DefaultClientContext>,
    name: String,
) -> Result<(AdminClient<DefaultClientContext>, Option<usize>), BusError> {
    let asked = tokio::task::spawn_blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, PATIENCE)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let found = found.map(|topic| topic.partitions().len());
        Ok((admin, found))
    });
    asked.await.map_err(|error| BusError::Kafka(error.to_string()))?
}

/// With as many copies as the broker makes by default.
async fn create(admin: &AdminClient<DefaultClientContext>, name: &str) -> Result<(), BusError> {
    let new = NewTopic::new(name, PARTITIONS.into(), TopicReplication::Fixed(-1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for made in admin.create_topics([&new], &options).await? {
        match made {
            Ok(_) => tracing::info!("made the topic {name} at the broker"),
            // Another process was quicker.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(BusError::Kafka(format!("topic {name} cannot be made: {code}"))),
        }
    }
    Ok(())
}
