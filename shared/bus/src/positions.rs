//! A group's place in each partition and who may move it: one row for both, so that storing a position is the fencing
//! check (V10).

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::rows::{interval, place_columns};
use crate::{BusError, PARTITIONS, Position, Topic};

/// A consumer within its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) group: &'static str,
    pub(crate) topic: Topic,
    pub(crate) owner: Uuid,
}

/// An owned partition: under which epoch, and how far it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: i16,
    pub(crate) epoch: i64,
    pub(crate) position: Position,
}

/// Makes the rows of a group that is new. Those that exist are looked at first: `on conflict` alone would wait for an
/// owner that is in the middle of a batch.
pub(crate) async fn register(pool: &PgPool, member: Member) -> Result<(), BusError> {
    let made = sqlx::query!(
        "insert into bus_positions (consumer_group, topic, partition, incarnation)
         select $1, $2, n, i.incarnation
           from generate_series(0, $3::integer - 1) n
          cross join bus_incarnation i
          where not exists (select from bus_positions p
                             where p.consumer_group = $1 and p.topic = $2 and p.partition = n)
             on conflict (consumer_group, topic, partition) do nothing",
        member.group,
        member.topic.as_str(),
        i32::from(PARTITIONS),
    );
    made.execute(pool).await?;
    Ok(())
}

/// Prolongs what this owner has, whether it ran out meanwhile or not, as long as nobody else took it. Answers all
/// of it, as stored: the truth after a claim or commit of unknown outcome too.
pub(crate) async fn renew(pool: &PgPool, member: Member, lease: Duration) -> Result<Vec<Place>, BusError> {
    let rows = sqlx::query!(
        r#"update bus_positions p
            set lease_until = daybook_now() + $4
           from bus_incarnation i
          where p.consumer_group = $1
            and p.topic = $2
            and p.owner = $3
      returning p.partition, p.epoch, p.xid::text::bigint as "xid!", p.id, p.incarnation, i.incarnation as "current""#,
        member.group,
        member.topic.as_str(),
        member.owner,
        interval(lease),
    )
    .fetch_all(pool)
    .await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        if row.incarnation != row.current {
            let Member { group, topic, .. } = member;
            return Err(BusError::Incarnation {
                group,
                topic,
                stored: row.incarnation,
                current: row.current,
            });
        }
        let position = Position {
            xid: row.xid,
            id: row.id,
        };
        places.push(Place {
            partition: row.partition,
            epoch: row.epoch,
            position,
        });
    }
    places.sort_unstable_by_key(|place| place.partition);
    Ok(places)
}

/// The place before everything that is not committed for good yet.
pub(crate) async fn present(pool: &PgPool) -> Result<Position, BusError> {
    let xid = sqlx::query_scalar!(r#"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "xid!""#);
    Ok(Position {
        xid: xid.fetch_one(pool).await?,
        id: 0,
    })
}

/// Frees partitions for other members.
pub(crate) async fn release(pool: &PgPool, member: Member, partitions: &[i16]) -> Result<(), BusError> {
    fail::fail_point!("lease::release");
    sqlx::query!(
        "update bus_positions
            set owner = null, lease_until = '-infinity'
          where consumer_group = $1
            and topic = $2
            and owner = $3
            and partition = any($4)",
        member.group,
        member.topic.as_str(),
        member.owner,
        partitions,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Everybody who has or had a lease of any kind.
pub(crate) async fn owners(pool: &PgPool) -> Result<Vec<Uuid>, BusError> {
    let owners = sqlx::query_scalar!(
        r#"select owner as "owner!" from bus_positions where owner is not null
            union select owner from leases where owner is not null
            union select owner from bus_members"#
    )
    .fetch_all(pool)
    .await?;
    Ok(owners)
}

/// Frees everything these owners have, and takes them off the members.
pub(crate) async fn release_all(pool: &PgPool, owners: &[Uuid]) -> Result<(), BusError> {
    sqlx::query!(
        "update bus_positions set owner = null, lease_until = '-infinity' where owner = any($1)",
        owners
    )
    .execute(pool)
    .await?;
    sqlx::query!("delete from bus_members where owner = any($1)", owners)
        .execute(pool)
        .await?;
    Ok(())
}

/// Moves positions on, from where this owner thinks they are, under its epochs. All or `Fenced`.
///
/// Comparing the old position too makes an event's effect happen once even if memory and row have come apart.
pub(crate) async fn store(
    conn: &mut PgConnection,
    member: Member,
    from: &[Place],
    to: &[Position],
) -> Result<(), BusError> {
    let (partitions, old_xids, old_ids) = place_columns(from);
    let epochs: Vec<i64> = from.iter().map(|place| place.epoch).collect();
    let xids: Vec<i64> = to.iter().map(|position| position.xid).collect();
    let ids: Vec<i64> = to.iter().map(|position| position.id).collect();
    let moved = sqlx::query!(
        "update bus_positions p
            set xid = n.xid::text::xid8, id = n.id
           from unnest($4::smallint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
                as n(partition, epoch, old_xid, old_id, xid, id),
                bus_incarnation i
          where p.consumer_group = $1
            and p.topic = $2
            and p.owner = $3
            and p.partition = n.partition
            and p.epoch = n.epoch
            and p.xid = n.old_xid::text::xid8
            and p.id = n.old_id
            and p.incarnation = i.incarnation",
        member.group,
        member.topic.as_str(),
        member.owner,
        &partitions,
        &epochs,
        &old_xids,
        &old_ids,
        &xids,
        &ids,
    )
    .execute(conn)
    .await?;
    if usize::try_from(moved.rows_affected()) == Ok(from.len()) {
        Ok(())
    } else {
        Err(BusError::Fenced)
    }
}

/// Makes sure of partitions without moving them, until the transaction ends.
pub(crate) async fn hold(conn: &mut PgConnection, member: Member, places: &[Place]) -> Result<(), BusError> {
    if places.is_empty() {
        return Ok(());
    }
    let (partitions, _, _) = place_columns(places);
    let epochs: Vec<i64> = places.iter().map(|place| place.epoch).collect();
    let held = sqlx::query_scalar!(
        "select p.partition
           from bus_positions p
           join unnest($4::smallint[], $5::bigint[]) as n(partition, epoch)
             on n.partition = p.partition and n.epoch = p.epoch
          where p.consumer_group = $1
            and p.topic = $2
            and p.owner = $3
          order by p.partition
            for share of p",
        member.group,
        member.topic.as_str(),
        member.owner,
        &partitions,
        &epochs,
    );
    let held = held.fetch_all(conn).await?;
    if held.len() == places.len() {
        Ok(())
    } else {
        Err(BusError::Fenced)
    }
}

/// Takes partitions that the group assigned: those that are `fresh` from whoever has them, who is fenced by the epoch;
/// the others once nobody has them. Waits for an owner that is in the middle of a transaction.
#[cfg_attr(
    not(feature = "kafka"),
    expect(dead_code, reason = "checked with all queries, called by the Kafka engine")
)]
pub(crate) async fn claim_assigned(
    pool: &PgPool,
    member: Member,
    lease: Duration,
    partitions: &[i16],
    fresh: &[i16],
) -> Result<(), BusError> {
    let claimed = sqlx::query!(
        "update bus_positions
            set owner = $3, epoch = epoch + 1, lease_until = daybook_now() + $4
          where consumer_group = $1
            and topic = $2
            and partition = any($5)
            and (partition = any($6) or lease_until < daybook_now())",
        member.group,
        member.topic.as_str(),
        member.owner,
        interval(lease),
        partitions,
        fresh,
    );
    if claimed.execute(pool).await?.rows_affected() > 0 {
        fail::fail_point!("lease::acquired");
    }
    Ok(())
}

/// How far the relay has shipped each partition of a topic.
#[cfg_attr(
    not(feature = "kafka"),
    expect(dead_code, reason = "checked with all queries, called by the Kafka engine")
)]
pub(crate) async fn of_relay(
    pool: &PgPool,
    topic: Topic,
) -> Result<std::collections::BTreeMap<i16, Position>, BusError> {
    let rows = sqlx::query!(
        r#"select partition, xid::text::bigint as "xid!", id
             from bus_positions
            where consumer_group = $1
              and topic = $2"#,
        crate::engine::RELAY,
        topic.as_str(),
    );
    let rows = rows.fetch_all(pool).await?;
    let place = |xid, id| Position { xid, id };
    Ok(rows
        .into_iter()
        .map(|row| (row.partition, place(row.xid, row.id)))
        .collect())
}
