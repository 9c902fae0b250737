//! How far a venue was read: the table `venue_cursors`.

use db::{DbError, PgConnection};
use domain::Timestamp;

/// Places in the venue's stream and in its record of executions, in the venue's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Cursors {
    /// The last update of the stream.
    pub(super) stream: Option<String>,
    /// The last execution of the record.
    pub(super) record: Option<String>,
}

pub(super) async fn load(conn: &mut PgConnection, venue: &str) -> Result<Cursors, DbError> {
    let row = sqlx::query!(
        "select stream_event_id, activity_id from venue_cursors where venue = $1",
        venue
    )
    .fetch_optional(conn)
    .await?;
    Ok(row
        .map(|row| Cursors {
            stream: row.stream_event_id,
            record: row.activity_id,
        })
        .unwrap_or_default())
}

pub(super) async fn store(
    conn: &mut PgConnection,
    venue: &str,
    cursors: &Cursors,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query!(
        "insert into venue_cursors (venue, stream_event_id, activity_id, updated_at)
         values ($1, $2, $3, $4)
         on conflict (venue) do update
            set stream_event_id = excluded.stream_event_id,
                activity_id = excluded.activity_id,
                updated_at = excluded.updated_at",
        venue,
        cursors.stream,
        cursors.record,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
