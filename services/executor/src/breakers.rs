//! Which venues are left alone: the row that executors share (the rule is `book`'s), and what an operator sees
//! of it and does to it. Times are the database's; an executor takes from them only how long something is from now on.

use std::time::Duration;

use db::{DbError, ExactlyOne, PgConnection};
use domain::Timestamp;

use crate::book::{BreakerWord, Change, Credit, PROBING, Stored};

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
    /// Calls that all executors together may make again.
    pub credit: Credit,
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
        r#"select venue, state, version, outages, opened_at, until, paused_until, retry_credit, retry_credit_at, cause,
                  changed_by, changed_at, daybook_now() as "now!"
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
            credit: Credit {
                hundredths: u64::try_from(row.retry_credit).unwrap_or(0),
                at: row.retry_credit_at,
            },
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

/// Takes from the credit of retries, or adds to it, if it is still what was seen; false: somebody else was quicker.
pub(crate) async fn draw(conn: &mut PgConnection, venue: &str, seen: Credit, left: Credit) -> Result<bool, DbError> {
    let hundredths = |credit: Credit| i64::try_from(credit.hundredths).unwrap_or(i64::MAX);
    let done = sqlx::query!(
        "update venue_breakers
            set retry_credit = $2, retry_credit_at = $3
          where venue = $1
            and retry_credit = $4
            and retry_credit_at is not distinct from $5",
        venue,
        hundredths(left),
        left.at,
        hundredths(seen),
        seen.at,
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

fn microseconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    //! What two executors do to one row at the same moment.
    use super::*;

    #[tokio::test]
    async fn of_two_who_read_the_same_credit_one_gets_it() {
        let db = testkit::TestDb::new().await;
        let mut conn = db.pool.acquire().await.expect("a connection");
        ensure(&mut conn, "fake").await.expect("a row");
        let seen = get(&mut conn, "fake").await.expect("the row").credit;
        let left = Credit {
            hundredths: 9_000,
            at: Some(testkit::start_of_time()),
        };
        let mut drawn = async |from, to| draw(&mut conn, "fake", from, to).await.expect("a draw");
        assert!(drawn(seen, left).await);
        assert!(!drawn(seen, left).await);
        assert!(drawn(left, seen).await);
        assert!(!drawn(left, seen).await);
    }
}
