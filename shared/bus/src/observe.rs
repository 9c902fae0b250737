//! The metrics: what waits, what holds it back, what is stuck. Alerts hang on these.

use std::time::Duration;

use chassis::metrics::count;
use sqlx::PgPool;

use crate::BusError;

/// Counting stops here, per partition: beyond it the exact number says no more than "far behind".
const COUNTED: i64 = 10_000;

/// What one consumer group has not read yet of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i16,
    /// Rows beyond its position, counted up to 10,000.
    pub rows: i64,
    /// How long the oldest of them waits.
    pub oldest: Option<Duration>,
}

/// How far each group is behind in each partition.
pub async fn lags(pool: &PgPool) -> Result<Vec<Lag>, BusError> {
    let rows = sqlx::query!(
        r#"select p.consumer_group, p.topic, p.partition, d.rows as "rows!",
                  (extract(epoch from daybook_now() - d.oldest) * 1000000)::bigint as "microseconds"
             from bus_positions p
            cross join lateral (
                  select count(*) as rows, min(o.created_at) as oldest
                    from (select created_at from outbox o
                           where o.topic = p.topic
                             and o.partition = p.partition
                             and (o.xid, o.id) > (p.xid, p.id)
                           limit $1) o) d
            order by p.consumer_group, p.topic, p.partition"#,
        COUNTED,
    );
    let rows = rows.fetch_all(pool).await?;
    let lag = rows.into_iter().map(|row| Lag {
        group: row.consumer_group,
        topic: row.topic,
        partition: row.partition,
        rows: row.rows,
        oldest: row
            .microseconds
            .map(|age| Duration::from_micros(u64::try_from(age).unwrap_or(0))),
    });
    Ok(lag.collect())
}

/// What one consumer group has not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Rows beyond its positions, counted up to 10,000 a partition.
    pub rows: i64,
    /// How long the oldest of them waits.
    pub oldest: Option<Duration>,
}

/// How far each group is behind on each topic.
pub fn depths(lags: &[Lag]) -> Vec<Depth> {
    let parts = lags.chunk_by(|one, next| (&one.group, &one.topic) == (&next.group, &next.topic));
    let depth = parts.map(|part| Depth {
        group: part[0].group.clone(),
        topic: part[0].topic.clone(),
        rows: part.iter().map(|lag| lag.rows).sum(),
        oldest: part.iter().filter_map(|lag| lag.oldest).max(),
    });
    depth.collect()
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
    let lags = lags(pool).await?;
    for Depth {
        group,
        topic,
        rows,
        oldest,
    } in depths(&lags)
    {
        let age = oldest.unwrap_or_default().as_secs_f64();
        metrics::gauge!("daybook_bus_outbox_depth", "topic" => topic.clone(), "consumer_group" => group.clone())
            .set(gauge(rows));
        metrics::gauge!("daybook_bus_lag_seconds", "topic" => topic, "consumer_group" => group).set(age);
    }
    for Lag {
        group,
        topic,
        partition,
        rows,
        ..
    } in lags
    {
        metrics::gauge!("daybook_bus_lag_rows", "topic" => topic, "consumer_group" => group,
            "partition" => partition.to_string())
        .set(gauge(rows));
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
