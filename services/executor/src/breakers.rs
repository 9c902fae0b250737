//! Which venues are left alone: the row that executors share (the rule is `book`'s), and what an operator sees
//! of it and does to it. Times are the database's; an executor takes from them only how long something is from now on.

use std::time::Duration;

use db::{DbError, ExactlyOne, PgConnection};
use domain::Timestamp;

use crate::book::{BreakerWord, Change, PROBING, Stored};

/// Who made a change, where it was no operator.
const EXECUTOR: &str = "executor";

/// A venue's breaker as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRow {
    /// The venue.
    pub venue: String,
    /// Whether it is called.
    pub state: BreakerWord,
    /// One more with each change.
    pub version: i64,
    /// Times it was opened since it was last closed.
    pub outages: i32,
    /// Since when it is not simply called.
    pub opened_at: Option<Timestamp>,
    /// When probes may go; none while it is open: an operator opened it.
    pub until: Option<Timestamp>,
    /// The end of the pause that the venue asked for.
    pub paused_until: Option<Timestamp>,
    /// Why its state is what it is.
    pub cause: String,
    /// Who made it so.
    pub changed_by: String,
    /// When.
    pub changed_at: Timestamp,
    /// The database's time of reading.
    pub now: Timestamp,
}

impl BreakerRow {
    pub(crate) fn stored(&self) -> Stored {
        Stored {
            state: self.state,
            version: self.version,
            outages: u32::try_from(self.outages).unwrap_or(0),
            wait: self.until.map(|until| self.wait(until)),
        }
    }

    /// The pause, and how long it is from now on.
    pub(crate) fn pause(&self) -> Option<(Timestamp, Duration)> {
        self.paused_until.map(|until| (until, self.wait(until)))
    }

    fn wait(&self, until: Timestamp) -> Duration {
        (until - self.now).to_std().unwrap_or_default()
    }
}

/// All breakers, by venue.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<BreakerRow>, DbError> {
    read(conn, None).await
}

/// One of them.
///
/// # Errors
/// What the database says, or that there is none.
pub(crate) async fn get(conn: &mut PgConnection, venue: &str) -> Result<BreakerRow, DbError> {
    read(conn, Some(venue)).await?.pop().ok_or(DbError::Stale)
}

async fn read(conn: &mut PgConnection, venue: Option<&str>) -> Result<Vec<BreakerRow>, DbError> {
    let rows = sqlx::query!(
        r#"select venue, state, version, outages, opened_at, until, paused_until, cause, changed_by, changed_at,
                  daybook_now() as "now!"
             from venue_breakers
            where venue = coalesce($1, venue)
            order by venue"#,
        venue,
    );
    let mut breakers = Vec::new();
    for row in rows.fetch_all(conn).await? {
        let state = row.state.parse().map_err(|_| DbError::Inconsistent {
            table: "venue_breakers",
            what: format!("{}: state {}", row.venue, row.state),
        })?;
        breakers.push(BreakerRow {
            venue: row.venue,
            state,
            version: row.version,
            outages: row.outages,
            opened_at: row.opened_at,
            until: row.until,
            paused_until: row.paused_until,
            cause: row.cause,
            changed_by: row.changed_by,
            changed_at: row.changed_at,
            now: row.now,
        });
    }
    Ok(breakers)
}

/// Makes the row of a venue that was never called before.
pub(crate) async fn ensure(conn: &mut PgConnection, venue: &str) -> Result<(), DbError> {
    sqlx::query!(
        "insert into venue_breakers (venue) values ($1) on conflict (venue) do nothing",
        venue,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes a change of the version that was seen; false: somebody else was quicker.
pub(crate) async fn change(conn: &mut PgConnection, venue: &str, change: &Change, seen: i64) -> Result<bool, DbError> {
    let (state, wait, outages, cause) = match change {
        Change::Open { wait, outages, cause } => (BreakerWord::Open, Some(*wait), Some(*outages), Some(cause.as_str())),
        Change::Probe => (BreakerWord::HalfOpen, Some(PROBING), None, None),
        Change::Close => (BreakerWord::Closed, None, Some(0), Some("it answers")),
    };
    let new = New {
        state,
        wait,
        outages,
        cause,
        by: EXECUTOR,
    };
    put(conn, venue, new, Some(seen)).await
}

/// Leaves a venue alone until [`close`], whatever state it is in; false: no executor ever called it. Whoever calls this
/// writes down who wanted it, and why.
///
/// # Errors
/// What the database says.
pub async fn open(conn: &mut PgConnection, venue: &str, by: &str, cause: &str) -> Result<bool, DbError> {
    by_hand(conn, venue, BreakerWord::Open, by, cause).await
}

/// Has a venue called again at once; false: no executor ever called it. Whoever calls this writes down who wanted it, and
/// why.
///
/// # Errors
/// What the database says.
pub async fn close(conn: &mut PgConnection, venue: &str, by: &str, cause: &str) -> Result<bool, DbError> {
    by_hand(conn, venue, BreakerWord::Closed, by, cause).await
}

async fn by_hand(
    conn: &mut PgConnection,
    venue: &str,
    state: BreakerWord,
    by: &str,
    cause: &str,
) -> Result<bool, DbError> {
    let new = New {
        state,
        wait: None,
        outages: Some(0),
        cause: Some(cause),
        by,
    };
    put(conn, venue, new, None).await
}

/// What a row is to be; what is not said stays.
struct New<'a> {
    state: BreakerWord,
    wait: Option<Duration>,
    outages: Option<u32>,
    cause: Option<&'a str>,
    by: &'a str,
}

/// Writes a row, if it still has the version that was seen.
async fn put(conn: &mut PgConnection, venue: &str, new: New<'_>, seen: Option<i64>) -> Result<bool, DbError> {
    let done = sqlx::query!(
        "update venue_breakers
            set state = $2,
                version = version + 1,
                outages = coalesce($3, outages),
                opened_at = case when $2 <> 'closed' then coalesce(opened_at, daybook_now()) end,
                until = daybook_now() + $4::bigint * interval '1 microsecond',
                cause = coalesce($5, cause),
                changed_by = $6,
                changed_at = daybook_now()
          where venue = $1
            and version = coalesce($7, version)",
        venue,
        new.state.as_str(),
        new.outages.map(|outages| i32::try_from(outages).unwrap_or(i32::MAX)),
        new.wait.map(microseconds),
        new.cause,
        new.by,
        seen,
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// The venue asked to be left alone for so long (429). Of several pauses the one that ends last counts.
pub(crate) async fn pause(conn: &mut PgConnection, venue: &str, wait: Duration) -> Result<(), DbError> {
    sqlx::query!(
        "update venue_breakers
            set paused_until = greatest(paused_until, daybook_now() + $2::bigint * interval '1 microsecond')
          where venue = $1",
        venue,
        microseconds(wait),
    )
    .execute(conn)
    .await?
    .exactly_one_row(DbError::Stale)
}

fn microseconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
}
