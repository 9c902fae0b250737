//! The metrics: what waits, what holds it back, what is stuck. Alerts hang on these.

use std::time::Duration;

use chassis::metrics::count;
use sqlx::PgPool;

use crate::BusError;

/// Counting stops here, per partition: beyond it the exact number says no more than "far behind".
const COUNTED: i64 = 10_000;

/// What one consumer group has not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Rows beyond its positions, counted up to 10,000 a partition.
    pub rows: i64,
}

/// How far each group is behind.
pub async fn outbox_depth(pool: &PgPool) -> Result<Vec<Depth>, BusError> {
    let depths = sqlx::query_as!(
        Depth,
        r#"select p.consumer_group as "group", p.topic, sum(d.rows)::bigint as "rows!"
             from bus_positions p
            cross join lateral (
                  select count(*) as rows
                    from (select from outbox o
                           where o.topic = p.topic
                             and o.partition = p.partition
                             and (o.xid, o.id) > (p.xid, p.id)
                           limit $1) o) d
            group by p.consumer_group, p.topic
            order by p.consumer_group, p.topic"#,
        COUNTED,
    );
    Ok(depths.fetch_all(pool).await?)
}

/// The age of the oldest running writing transaction of the cluster: consumers see nothing younger.
pub async fn horizon_age(pool: &PgPool) -> Result<Duration, BusError> {
    let age =
        sqlx::query_scalar!(r#"select (extract(epoch from bus_horizon_age()) * 1000000)::bigint as "microseconds!""#);
    Ok(Duration::from_micros(
        u64::try_from(age.fetch_one(pool).await?).unwrap_or(0),
    ))
}

/// How many orders are parked, counted once a group, and how many rows lie outside the daily partitions.
async fn stuck(pool: &PgPool) -> Result<(i64, i64), BusError> {
    let row = sqlx::query!(
        r#"select (select count(*) from (select distinct consumer_group, order_id from bus_parked) d) as "parked!",
                  (select count(*) from (select from outbox_default limit $1) d) as "stray!""#,
        COUNTED,
    );
    let row = row.fetch_one(pool).await?;
    Ok((row.parked, row.stray))
}

/// Sets the gauges. A few index look-ups; every few seconds is fine.
pub async fn observe(pool: &PgPool) -> Result<(), BusError> {
    for Depth { group, topic, rows } in outbox_depth(pool).await? {
        metrics::gauge!("daybook_bus_outbox_depth", "topic" => topic, "consumer_group" => group).set(gauge(rows));
    }
    metrics::gauge!("daybook_bus_horizon_age_seconds").set(horizon_age(pool).await?.as_secs_f64());
    let (parked, stray) = stuck(pool).await?;
    metrics::gauge!("daybook_bus_parked_orders").set(gauge(parked));
    metrics::gauge!("daybook_bus_outbox_default_rows").set(gauge(stray));
    Ok(())
}

fn gauge(rows: i64) -> u32 {
    count(usize::try_from(rows).unwrap_or(0))
}
