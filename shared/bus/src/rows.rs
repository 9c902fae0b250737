//! Between rows and types.

use std::time::Duration;

use db::DbError;
use domain::RequestId;
use sqlx::postgres::types::PgInterval;

use crate::Position;
use crate::positions::Place;

/// Places as the arrays of a statement.
pub(crate) fn place_columns(places: &[Place]) -> (Vec<i16>, Vec<i64>, Vec<i64>) {
    let partitions = places.iter().map(|place| place.partition).collect();
    let xids = places.iter().map(|place| place.position.xid).collect();
    let ids = places.iter().map(|place| place.position.id).collect();
    (partitions, xids, ids)
}

/// A stored request id, which was checked before it was stored, with its place in its trace.
pub(crate) fn request_id(
    text: &str,
    trace: Option<&str>,
    table: &'static str,
    position: Position,
) -> Result<RequestId, DbError> {
    let request = RequestId::new(text).map_err(|error| {
        let Position { xid, id } = position;
        DbError::Inconsistent {
            table,
            what: format!("request_id of xid {xid}, id {id}: {error}"),
        }
    })?;
    Ok(request.traced_as(trace))
}

/// A length of time as Postgres takes it.
pub(crate) fn interval(time: Duration) -> PgInterval {
    let microseconds = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    PgInterval {
        months: 0,
        days: 0,
        microseconds,
    }
}
