//! Messages that could not be handled. Their order waits with its later messages; everything else goes on (V12).
//!
//! Requeued messages are not appended again: later ones of the order may lie in the outbox already and would overtake
//! them, and other groups would read them twice. They are marked, and the partition's owner handles them where they
//! are, oldest first. What arrives for the order meanwhile joins the end, so its sequence stays as it was.

use std::collections::HashSet;

use domain::{OrderId, RequestId, Timestamp};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::positions::Member;
use crate::rows::request_id;
use crate::{BusError, Event, Position, Topic};

/// The cause of a message that only waits for its order.
pub(crate) const JOINED: &str = "an earlier message of the order is parked";

/// A message that waits for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Whose handler failed.
    pub group: String,
    /// Where from.
    pub topic: String,
    /// The partition of its key.
    pub partition: i16,
    /// Its place there.
    pub position: Position,
    /// The order that waits.
    pub order_id: OrderId,
    /// Name and version of the payload.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// The request that caused it.
    pub request_id: RequestId,
    /// Why it is here.
    pub cause: String,
    /// Since when.
    pub parked_at: Timestamp,
    /// When an operator said to handle it again.
    pub requeued_at: Option<Timestamp>,
}

/// Parked messages, oldest first; of one group or of all, of one order or of all.
pub async fn list(
    conn: &mut PgConnection,
    group: Option<&str>,
    order: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Parked>, BusError> {
    let rows = sqlx::query!(
        r#"select consumer_group, topic, partition, xid::text::bigint as "xid!", id, order_id, kind, payload,
                  request_id, cause, parked_at, requeued_at
             from bus_parked
            where consumer_group = coalesce($1, consumer_group)
              and order_id = coalesce($2, order_id)
            order by parked_at, consumer_group, topic, partition, bus_parked.xid, id
            limit $3"#,
        group,
        order.map(OrderId::get),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let mut parked = Vec::with_capacity(rows.len());
    for row in rows {
        let position = Position {
            xid: row.xid,
            id: row.id,
        };
        parked.push(Parked {
            group: row.consumer_group,
            topic: row.topic,
            partition: row.partition,
            position,
            order_id: OrderId::new(row.order_id),
            kind: row.kind,
            payload: row.payload,
            request_id: request_id(&row.request_id, None, "bus_parked", position)?,
            cause: row.cause,
            parked_at: row.parked_at,
            requeued_at: row.requeued_at,
        });
    }
    Ok(parked)
}

/// Has the messages of an order handled again, from the first on; answers how many. The owner of the partition sees
/// it at its next look at its leases, so within a third of a lease. Twice is once.
pub async fn requeue(conn: &mut PgConnection, group: &str, topic: Topic, order: OrderId) -> Result<u64, BusError> {
    lock_partitions(conn, group, topic, order).await?;
    let marked = sqlx::query!(
        "update bus_parked
            set requeued_at = coalesce(requeued_at, daybook_now())
          where consumer_group = $1
            and topic = $2
            and order_id = $3",
        group,
        topic.as_str(),
        order.get(),
    );
    Ok(marked.execute(conn).await?.rows_affected())
}

/// Throws the messages of an order away, unhandled; answers how many. Its next message is handled again. Whoever calls
/// this writes down who wanted it, and why.
pub async fn discard(conn: &mut PgConnection, group: &str, topic: Topic, order: OrderId) -> Result<u64, BusError> {
    lock_partitions(conn, group, topic, order).await?;
    let gone = sqlx::query!(
        "delete from bus_parked where consumer_group = $1 and topic = $2 and order_id = $3",
        group,
        topic.as_str(),
        order.get(),
    );
    Ok(gone.execute(conn).await?.rows_affected())
}

/// Throws the message away that an order waits for, and has those behind it handled; answers how many those are, or
/// nothing when the order waits for none: it has none here, or they are being handled again already. Whoever calls this
/// writes down who wanted it, and why.
pub async fn discard_first(
    conn: &mut PgConnection,
    group: &str,
    topic: Topic,
    order: OrderId,
) -> Result<Option<u64>, BusError> {
    lock_partitions(conn, group, topic, order).await?;
    let gone = sqlx::query!(
        "delete from bus_parked
          where consumer_group = $1
            and topic = $2
            and order_id = $3
            and requeued_at is null
            and not exists (select from bus_parked before
                             where before.consumer_group = bus_parked.consumer_group
                               and before.topic = bus_parked.topic
                               and before.order_id = bus_parked.order_id
                               and (before.xid, before.id) < (bus_parked.xid, bus_parked.id))",
        group,
        topic.as_str(),
        order.get(),
    );
    if gone.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(None);
    }
    requeue(conn, group, topic, order).await.map(Some)
}

/// Waits until no consumer is in the middle of a batch of the order's partition, and keeps it so: a message that joins
/// at the same moment would miss what is decided here.
async fn lock_partitions(conn: &mut PgConnection, group: &str, topic: Topic, order: OrderId) -> Result<(), BusError> {
    let locked = sqlx::query_scalar!(
        "select p.partition
           from bus_positions p
          where p.consumer_group = $1
            and p.topic = $2
            and p.partition in (select partition from bus_parked
                                 where consumer_group = $1 and topic = $2 and order_id = $3)
          order by p.partition
            for update",
        group,
        topic.as_str(),
        order.get(),
    );
    locked.fetch_all(conn).await?;
    Ok(())
}

/// Sets messages aside. One whose order is being handled again is to be handled after it.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    member: Member,
    events: &[Event],
    cause: &str,
) -> Result<(), BusError> {
    if events.is_empty() {
        return Ok(());
    }
    let partitions: Vec<i16> = events.iter().map(|event| event.partition).collect();
    let xids: Vec<i64> = events.iter().map(|event| event.position.xid).collect();
    let ids: Vec<i64> = events.iter().map(|event| event.position.id).collect();
    let orders: Vec<Uuid> = events.iter().map(|event| event.order_id.get()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    let requests: Vec<&str> = events.iter().map(|event| event.request_id.as_str()).collect();
    let traces: Vec<Option<String>> = events.iter().map(|event| event.request_id.trace_text()).collect();
    sqlx::query!(
        "insert into bus_parked (consumer_group, topic, partition, xid, id, order_id, kind, payload, request_id, cause,
                                 parked_at, requeued_at, trace_context)
         select $1, $2, e.partition, e.xid::text::xid8, e.id, e.order_id, e.kind, e.payload, e.request_id, $3,
                daybook_now(),
                (select max(p.requeued_at) from bus_parked p
                  where p.consumer_group = $1 and p.topic = $2 and p.order_id = e.order_id),
                e.trace_context
           from unnest($4::smallint[], $5::bigint[], $6::bigint[], $7::uuid[], $8::text[], $9::text[], $10::text[],
                       $11::text[])
                as e(partition, xid, id, order_id, kind, payload, request_id, trace_context)",
        member.group,
        member.topic.as_str(),
        cause,
        &partitions,
        &xids,
        &ids,
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

/// Which of these orders have parked messages.
pub(crate) async fn still_parked(
    conn: &mut PgConnection,
    member: Member,
    orders: &HashSet<OrderId>,
) -> Result<HashSet<OrderId>, BusError> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.get()).collect();
    let found = sqlx::query_scalar!(
        "select distinct order_id from bus_parked
          where consumer_group = $1
            and topic = $2
            and order_id = any($3)",
        member.group,
        member.topic.as_str(),
        &ids,
    );
    Ok(found.fetch_all(conn).await?.into_iter().map(OrderId::new).collect())
}

/// All orders with parked messages in these partitions.
pub(crate) async fn orders(pool: &PgPool, member: Member, partitions: &[i16]) -> Result<HashSet<OrderId>, BusError> {
    let found = sqlx::query_scalar!(
        "select distinct order_id from bus_parked
          where consumer_group = $1
            and topic = $2
            and partition = any($3)",
        member.group,
        member.topic.as_str(),
        partitions,
    );
    Ok(found.fetch_all(pool).await?.into_iter().map(OrderId::new).collect())
}

/// The oldest message to handle again in these partitions.
pub(crate) async fn next_requeued(
    pool: &PgPool,
    member: Member,
    partitions: &[i16],
) -> Result<Option<Event>, BusError> {
    let row = sqlx::query!(
        r#"select partition, xid::text::bigint as "xid!", id, order_id, kind, payload, request_id, parked_at,
                  trace_context
             from bus_parked
            where consumer_group = $1
              and topic = $2
              and partition = any($3)
              and requeued_at is not null
            order by bus_parked.xid, id
            limit 1"#,
        member.group,
        member.topic.as_str(),
        partitions,
    );
    let Some(row) = row.fetch_optional(pool).await? else {
        return Ok(None);
    };
    let position = Position {
        xid: row.xid,
        id: row.id,
    };
    Ok(Some(Event {
        topic: member.topic,
        partition: row.partition,
        position,
        order_id: OrderId::new(row.order_id),
        kind: row.kind,
        payload: row.payload,
        request_id: request_id(&row.request_id, row.trace_context.as_deref(), "bus_parked", position)?,
        created_at: row.parked_at,
    }))
}

/// Takes one message out, in the transaction that handles it. False: it was taken out already.
pub(crate) async fn remove(conn: &mut PgConnection, member: Member, event: &Event) -> Result<bool, BusError> {
    let gone = sqlx::query!(
        "delete from bus_parked
          where consumer_group = $1
            and topic = $2
            and partition = $3
            and xid = $4::bigint::text::xid8
            and id = $5
            and requeued_at is not null",
        member.group,
        member.topic.as_str(),
        event.partition,
        event.position.xid,
        event.position.id,
    );
    Ok(gone.execute(conn).await?.rows_affected() == 1)
}

/// A message failed again: its order waits again, with the new cause.
pub(crate) async fn wait_again(
    conn: &mut PgConnection,
    member: Member,
    event: &Event,
    cause: &str,
) -> Result<(), BusError> {
    let marked = sqlx::query!(
        "update bus_parked
            set requeued_at = null,
                cause = case when partition = $4 and xid = $5::bigint::text::xid8 and id = $6 then $7 else cause end
          where consumer_group = $1
            and topic = $2
            and order_id = $3",
        member.group,
        member.topic.as_str(),
        event.order_id.get(),
        event.partition,
        event.position.xid,
        event.position.id,
        cause,
    );
    marked.execute(conn).await?;
    Ok(())
}
