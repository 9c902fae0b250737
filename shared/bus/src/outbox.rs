//! Appending: the only way to publish.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{BusError, NewEvent, partition_of};

/// Appends events in the caller's transaction, in the order given: they exist when, and only when, it commits.
///
/// Ring [`crate::Bus::wake`] after the commit. (A `notify` in here would take a cluster-wide lock at each commit.)
pub async fn append(conn: &mut PgConnection, events: &[NewEvent]) -> Result<(), BusError> {
    if events.is_empty() {
        return Ok(());
    }
    let topics: Vec<&str> = events.iter().map(|event| event.topic.as_str()).collect();
    let partitions: Vec<i16> = events.iter().map(|event| partition_of(&event.key)).collect();
    let orders: Vec<Uuid> = events.iter().map(|event| event.order_id.get()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    let requests: Vec<&str> = events.iter().map(|event| event.request_id.as_str()).collect();
    let traces: Vec<Option<String>> = events.iter().map(|event| event.request_id.trace_text()).collect();
    sqlx::query!(
        // The time is asked for once: as the column's default it would be a query of its own for each row.
        "insert into outbox (topic, partition, order_id, kind, payload, request_id, created_at, trace_context)
         select e.topic, e.partition, e.order_id, e.kind, e.payload, e.request_id, (select daybook_now()), e.trace_context
           from unnest($1::text[], $2::smallint[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                       $7::text[])
                as e(topic, partition, order_id, kind, payload, request_id, trace_context)",
        &topics as _,
        &partitions,
        &orders,
        &kinds as _,
        &payloads as _,
        &requests as _,
        &traces as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
