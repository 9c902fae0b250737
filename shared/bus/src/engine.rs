//! Which engine carries the events of an installation, and how that changes.
//!
//! A position is an outbox row's on both engines, so nothing is translated: whoever starts with the other engine finds
//! out that nobody works on the old one any more, and hands over in one transaction.
//!
//! | to       | what is handed over                                                                         |
//! |----------|---------------------------------------------------------------------------------------------|
//! | kafka    | the relay begins where the slowest group is; consumers skip what they have                  |
//! | postgres | the relay is taken off, so that nothing is kept for it; consumers go on where they are      |

use std::time::Duration;

use domain::Timestamp;
use sqlx::{PgConnection, PgPool};
use strum::VariantArray;

use crate::observe::{depths, lags};
use crate::{Bus, BusError, PARTITIONS, Topic};

/// The consumer group of the relay.
pub const RELAY: &str = "relay";

/// What carries events from the outbox to their consumers.
#[derive(Debug, Clone, Default)]
pub enum Engine {
    /// Consumers read the outbox itself.
    #[default]
    Postgres,
    /// A relay ships the outbox to a broker, and consumers read there.
    Kafka(KafkaSettings),
}

impl Engine {
    /// Its name in settings and in the database.
    pub fn as_str(&self) -> &'static str {
        match self {
            Engine::Postgres => "postgres",
            Engine::Kafka(_) => "kafka",
        }
    }
}

/// Where the broker is, and what we are called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, with commas.
    pub brokers: String,
    /// Before the name of each topic and group: several installations may share a broker.
    pub prefix: String,
    /// This process among its equals, if it keeps its name over a restart: its partitions then wait for it.
    pub instance: Option<String>,
    /// How long a silent member keeps its partitions at the broker, which takes 6 seconds at least by default.
    pub session: Duration,
}

/// What came of [`adopt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// It is the engine in force.
    InForce,
    /// It is from now on.
    HandedOver,
    /// Somebody works on the other one.
    Busy {
        /// The other one.
        engine: String,
        /// Who works on it: group, and how many.
        members: Vec<(String, i64)>,
    },
}

/// Makes the engine of this bus the one in force, unless somebody still works on another one.
pub async fn adopt(bus: &Bus) -> Result<Adopted, BusError> {
    let mut tx = db::begin(bus.pool()).await?;
    // Of two that start at once one waits here, and finds it done.
    let engine = sqlx::query_scalar!("select engine from bus_engine for update")
        .fetch_one(&mut *tx)
        .await?;
    if engine == bus.engine() {
        return Ok(Adopted::InForce);
    }
    let members = living(&mut tx).await?;
    if !members.is_empty() {
        return Ok(Adopted::Busy { engine, members });
    }
    hand_over(&mut tx, bus.engine()).await?;
    tx.commit().await?;
    tracing::info!("the engine {} takes over from {engine}", bus.engine());
    Ok(Adopted::HandedOver)
}

/// A member of another engine than the one in force does nothing.
pub(crate) async fn require(pool: &PgPool, engine: &'static str) -> Result<(), BusError> {
    let in_force = sqlx::query_scalar!("select engine from bus_engine").fetch_one(pool);
    let in_force = in_force.await?;
    if in_force == engine {
        Ok(())
    } else {
        Err(BusError::Engine { engine, in_force })
    }
}

/// Who consumes, by leases that are not over and by what they said of themselves.
async fn living(conn: &mut PgConnection) -> Result<Vec<(String, i64)>, BusError> {
    let living = sqlx::query!(
        r#"select consumer_group as "consumer_group!", count(distinct owner) as "members!"
             from (select consumer_group, owner from bus_members where seen_until >= daybook_now()
                    union
                   select consumer_group, owner from bus_positions
                    where owner is not null and lease_until >= daybook_now()) m
            group by consumer_group
            order by consumer_group"#
    );
    let living = living.fetch_all(conn).await?;
    Ok(living
        .into_iter()
        .map(|row| (row.consumer_group, row.members))
        .collect())
}

async fn hand_over(conn: &mut PgConnection, engine: &'static str) -> Result<(), BusError> {
    sqlx::query!("delete from bus_positions where consumer_group = $1", RELAY)
        .execute(&mut *conn)
        .await?;
    if engine != Engine::Postgres.as_str() {
        register_relay(conn).await?;
    }
    sqlx::query!("update bus_engine set engine = $1, since = daybook_now()", engine)
        .execute(conn)
        .await?;
    Ok(())
}

/// The relay begins where the slowest group of each partition is; where there is none, with the oldest row kept.
async fn register_relay(conn: &mut PgConnection) -> Result<(), BusError> {
    let topics: Vec<&str> = Topic::VARIANTS.iter().map(|topic| topic.as_str()).collect();
    sqlx::query!(
        "insert into bus_positions (consumer_group, topic, partition, incarnation, xid, id)
         select $1, t.topic, n, i.incarnation, coalesce(s.xid, '0'), coalesce(s.id, 0)
           from unnest($2::text[]) as t(topic)
          cross join generate_series(0, $3::integer - 1) n
          cross join bus_incarnation i
           left join lateral (select p.xid, p.id
                                from bus_positions p
                               where p.topic = t.topic
                                 and p.partition = n
                               order by p.xid, p.id
                               limit 1) s on true",
        RELAY,
        &topics as _,
        i32::from(PARTITIONS),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What the relay ships again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Rows appended at this time or later.
    Since(Timestamp),
    /// All that is kept.
    Oldest,
}

/// What came of [`replay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The relay ships them again.
    Rows {
        /// How many partitions that sets back.
        partitions: usize,
        /// When the oldest of the rows was appended; none where no partition is set back.
        oldest: Option<Timestamp>,
    },
    /// Some of them were dropped: nothing is done.
    Dropped {
        /// Every row appended at this time or later is there.
        kept_since: Timestamp,
    },
}

/// Has the relay ship rows again, for a broker that lost its data. No consumer is moved: what it has it skips. What is set back is
/// kept until it was shipped.
pub async fn replay(conn: &mut PgConnection, again: Again) -> Result<Replayed, BusError> {
    // Whoever drops rows takes turns with us, and finds the relay where we have set it.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('bus_drop_outbox_partitions'))")
        .execute(&mut *conn)
        .await?;
    let kept_since = sqlx::query_scalar!("select since from outbox_kept")
        .fetch_one(&mut *conn)
        .await?;
    match (again, kept_since) {
        (Again::Since(since), Some(kept_since)) if since < kept_since => Ok(Replayed::Dropped { kept_since }),
        (Again::Since(since), _) => set_back(conn, Some(since)).await,
        (Again::Oldest, _) => set_back(conn, None).await,
    }
}

/// To the first row of each partition that was appended at `since` or later, or to the first one.
async fn set_back(conn: &mut PgConnection, since: Option<Timestamp>) -> Result<Replayed, BusError> {
    // The epoch fences a relay that is at work; it begins anew with the positions as they are now.
    let moved = sqlx::query_scalar!(
        r#"update bus_positions p
            set xid = f.xid, id = f.id - 1, epoch = p.epoch + 1, owner = null, lease_until = '-infinity'
           from (select r.topic, r.partition, o.xid, o.id, o.created_at
                   from bus_positions r
                  cross join lateral (select xid, id, created_at
                                        from outbox
                                       where topic = r.topic
                                         and partition = r.partition
                                         and created_at >= coalesce($2::timestamptz, '-infinity')
                                       order by outbox.xid, id
                                       limit 1) o
                  where r.consumer_group = $1) f
          where p.consumer_group = $1
            and p.topic = f.topic
            and p.partition = f.partition
            and (f.xid, f.id) <= (p.xid, p.id)
        returning f.created_at as "created_at!""#,
        RELAY,
        since,
    );
    let first_rows = moved.fetch_all(conn).await?;
    Ok(Replayed::Rows {
        partitions: first_rows.len(),
        oldest: first_rows.into_iter().min(),
    })
}

/// The log at one moment, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The engine in force.
    pub engine: String,
    /// Since when.
    pub since: Timestamp,
    /// Each group on each topic.
    pub groups: Vec<GroupStatus>,
}

/// A group on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Who shares the partitions.
    pub members: i64,
    /// Partitions that somebody works on.
    pub owned: i64,
    /// What it has not read, counted up to 10,000 a partition.
    pub rows: i64,
    /// How long the oldest of it waits.
    pub oldest: Option<Duration>,
}

/// How the log stands.
pub async fn status(pool: &PgPool) -> Result<Status, BusError> {
    let in_force = sqlx::query!("select engine, since from bus_engine")
        .fetch_one(pool)
        .await?;
    let owners = sqlx::query!(
        r#"select p.consumer_group, p.topic, count(*) filter (where p.lease_until >= daybook_now()) as "owned!",
                  (select count(*) from bus_members m
                    where m.consumer_group = p.consumer_group
                      and m.topic = p.topic
                      and m.seen_until >= daybook_now()) as "members!"
             from bus_positions p
            group by p.consumer_group, p.topic
            order by p.consumer_group, p.topic"#
    );
    let owners = owners.fetch_all(pool).await?;
    let depths = depths(&lags(pool).await?);
    let groups = owners.into_iter().map(|row| {
        let depth = depths
            .iter()
            .find(|one| one.group == row.consumer_group && one.topic == row.topic);
        GroupStatus {
            members: row.members,
            owned: row.owned,
            rows: depth.map_or(0, |depth| depth.rows),
            oldest: depth.and_then(|depth| depth.oldest),
            group: row.consumer_group,
            topic: row.topic,
        }
    });
    Ok(Status {
        engine: in_force.engine,
        since: in_force.since,
        groups: groups.collect(),
    })
}
