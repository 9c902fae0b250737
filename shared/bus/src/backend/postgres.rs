//! The Postgres engine: consumers read the outbox itself.
//!
//! The cursor. A row's `xid` is the transaction that wrote it, given at its first write, so rows become visible out of
//! order: "beyond my position" alone would skip a row whose transaction commits late. `pg_snapshot_xmin` is the lowest
//! transaction still running in the whole cluster; below it everything is decided, for ever. So rows below that
//! horizon, in order of (xid, id), are all there will ever be in their range.

use std::time::Duration;

use domain::OrderId;
use sqlx::PgPool;

use super::Settled;
use crate::positions::{self, Member, Place};
use crate::rows::{interval, place_columns, request_id};
use crate::{BusError, Event, Fetched, PARTITIONS, Position, Topic};

/// A member's rank among those that live, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    rank: usize,
    members: usize,
}

/// Living members share the partitions: takes what is missing of this one's share, or gives up what is too much.
pub(crate) async fn settle(pool: &PgPool, member: Member, lease: Duration) -> Result<Settled, BusError> {
    let standing = join(pool, member, lease).await?;
    let mut places = positions::renew(pool, member, lease).await?;
    let share = share(standing);
    if places.len() > share {
        let surplus: Vec<i16> = places.drain(share..).map(|place| place.partition).collect();
        positions::release(pool, member, &surplus).await?;
    } else if places.len() < share {
        claim(pool, member, lease, share - places.len()).await?;
        places = positions::renew(pool, member, lease).await?;
    }
    let complete = places.len() == share;
    Ok(Settled { places, complete })
}

/// How many partitions are a member's: equal shares, the first in rank take the remainder.
fn share(standing: Standing) -> usize {
    let all = usize::from(PARTITIONS.unsigned_abs());
    all / standing.members + usize::from(standing.rank < all % standing.members)
}

/// Shows that this member lives, on whichever engine, and forgets those that do not.
pub(crate) async fn announce(pool: &PgPool, member: Member, lease: Duration) -> Result<(), BusError> {
    let Member { group, topic, owner } = member;
    sqlx::query!(
        "insert into bus_members as m (consumer_group, topic, owner, seen_until)
         values ($1, $2, $3, daybook_now() + $4)
         on conflict (consumer_group, topic, owner) do update set seen_until = excluded.seen_until",
        group,
        topic.as_str(),
        owner,
        interval(lease),
    )
    .execute(pool)
    .await?;
    // Those who sweep at the same time take different rows, so they never wait for each other.
    let gone = sqlx::query!(
        "delete from bus_members m
          using (select owner from bus_members
                  where consumer_group = $1 and topic = $2 and seen_until < daybook_now()
                    for update skip locked) g
          where m.consumer_group = $1
            and m.topic = $2
            and m.owner = g.owner",
        group,
        topic.as_str(),
    );
    gone.execute(pool).await?;
    Ok(())
}

/// Shows that this member lives, and says where it stands.
async fn join(pool: &PgPool, member: Member, lease: Duration) -> Result<Standing, BusError> {
    announce(pool, member, lease).await?;
    let Member { group, topic, owner } = member;
    let living = sqlx::query_scalar!(
        "select owner from bus_members
          where consumer_group = $1
            and topic = $2
            and seen_until >= daybook_now()
          order by owner",
        group,
        topic.as_str(),
    );
    let living = living.fetch_all(pool).await?;
    let rank = living.iter().position(|one| *one == owner).unwrap_or(living.len());
    Ok(Standing {
        rank,
        members: living.len().max(1),
    })
}

/// Takes up to `most` partitions that nobody owns, or whose owner's lease is over, and raises their epoch.
///
/// One conditional update: of two that claim, one finds the row locked or changed. A row whose owner is in the middle
/// of a transaction is locked too, and is left to it.
async fn claim(pool: &PgPool, member: Member, lease: Duration, most: usize) -> Result<(), BusError> {
    let claimed = sqlx::query!(
        "with free as materialized (
              select partition from bus_positions
               where consumer_group = $1
                 and topic = $2
                 and lease_until < daybook_now()
                 and owner is distinct from $3
               order by partition
               limit $5
                 for update skip locked)
         update bus_positions p
            set owner = $3, epoch = p.epoch + 1, lease_until = daybook_now() + $4
           from free
          where p.consumer_group = $1
            and p.topic = $2
            and p.partition = free.partition",
        member.group,
        member.topic.as_str(),
        member.owner,
        interval(lease),
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .execute(pool)
    .await?;
    if claimed.rows_affected() > 0 {
        fail::fail_point!("lease::acquired");
    }
    Ok(())
}

/// The next events that are committed for good, and whether more are held back.
pub(crate) async fn fetch(pool: &PgPool, topic: Topic, places: &[Place], limit: i64) -> Result<Fetched, BusError> {
    let events = events_after(pool, topic, places, limit).await?;
    let held_back = events.is_empty() && held_back(pool, topic, places).await?;
    Ok(Fetched { events, held_back })
}

/// The next events after each place, at most `limit`, in the order of `places`: when there is more than that, the last
/// partition is cut short and those after it wait, so a caller that begins where it stopped starves nobody. No
/// partition's order is ever cut, and no more rows are read than are returned.
///
/// The statement is an SQL function for its settings: they keep the plan the same whatever the statistics say, which a
/// test pins (outbox_cursor on every day's table, the limits stop the reading, no sort of rows; 0.5 ms for 256 rows of
/// 200,000 unread ones, 16 partitions and nine days):
/// ```text
/// Limit
///   ->  Nested Loop
///         ->  Function Scan on p
///         ->  Limit
///               ->  Merge Append              (Sort Key: o.xid, o.id)
///                     ->  Index Scan using outbox_…_xid_id_idx on outbox_… o
///                           Index Cond: topic, partition, ROW(xid, id) > place, xid < horizon
/// ```
/// A lateral sub-query with a limit can only be run by a nested loop, which keeps the order of its two sides.
pub(crate) async fn events_after(
    pool: &PgPool,
    topic: Topic,
    places: &[Place],
    limit: i64,
) -> Result<Vec<Event>, BusError> {
    let (partitions, xids, ids) = place_columns(places);
    let rows = sqlx::query!(
        r#"select partition as "partition!", xid as "xid!", id as "id!", order_id as "order_id!", kind as "kind!",
                  payload as "payload!", request_id as "request_id!", created_at as "created_at!", trace_context
             from bus_events_after($1, $2, $3, $4, $5)"#,
        topic.as_str(),
        &partitions,
        &xids,
        &ids,
        limit,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let position = Position {
                xid: row.xid,
                id: row.id,
            };
            Ok(Event {
                topic,
                partition: row.partition,
                position,
                order_id: OrderId::new(row.order_id),
                kind: row.kind,
                payload: row.payload,
                request_id: request_id(&row.request_id, row.trace_context.as_deref(), "outbox", position)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// True when events wait above the horizon: they are committed, but something older is still being written.
async fn held_back(pool: &PgPool, topic: Topic, places: &[Place]) -> Result<bool, BusError> {
    let (partitions, _, _) = place_columns(places);
    let held_back = sqlx::query_scalar!(
        r#"select bus_held_back($1, $2) as "held_back!""#,
        topic.as_str(),
        &partitions,
    );
    Ok(held_back.fetch_one(pool).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        for members in 1..=20 {
            let shares: Vec<usize> = (0..members).map(|rank| share(Standing { rank, members })).collect();
            assert_eq!(shares.iter().sum::<usize>(), 16, "{members} members");
            let (least, most) = (shares.iter().min().expect("one"), shares.iter().max().expect("one"));
            assert!(most - least <= 1, "{shares:?}");
        }
    }
}
