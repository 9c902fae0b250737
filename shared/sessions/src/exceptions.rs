//! The table of the days that are not as the rule says (CAL-4). Operators write it; what they did and undid is kept
//! with their acts.

use chrono::{NaiveDate, NaiveTime};
use db::{DbError, PgConnection};
use domain::Timestamp;
use domain::calendar::{Calendar, Exception};

/// A day that is not as the rule says, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionRow {
    /// The day.
    pub day: NaiveDate,
    /// What is different about it.
    pub exception: Exception,
    /// Why, for a person.
    pub reason: String,
    /// The operator.
    pub added_by: String,
    /// When it was entered.
    pub added_at: Timestamp,
}

/// Every exception, by day.
///
/// # Errors
/// What the database says, or a row this program cannot have written; so for all functions here.
pub async fn load(conn: &mut PgConnection) -> Result<Vec<ExceptionRow>, DbError> {
    let rows = sqlx::query!(
        "select day, kind, closes_at, reason, added_by, added_at
           from session_exceptions
          order by day",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ExceptionRow {
                day: row.day,
                exception: exception(row.day, &row.kind, row.closes_at)?,
                reason: row.reason,
                added_by: row.added_by,
                added_at: row.added_at,
            })
        })
        .collect()
}

/// The rule of this calendar with the exceptions as they are stored now.
///
/// # Errors
/// See [`load`].
pub async fn in_force(conn: &mut PgConnection, rule: &Calendar) -> Result<Calendar, DbError> {
    let rows = load(conn).await?;
    Ok(rule
        .usual()
        .with_exceptions(rows.into_iter().map(|row| (row.day, row.exception))))
}

/// Keeps everybody else from changing exceptions or sessions until the transaction ends; readers go on. Taken before
/// anything is read that a change is decided by.
///
/// # Errors
/// See [`load`].
pub async fn lock(conn: &mut PgConnection) -> Result<(), DbError> {
    sqlx::query("lock table session_exceptions in share row exclusive mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores an exception, in place of an earlier one of that day. [`crate::sync`] follows in the same transaction.
///
/// # Errors
/// See [`load`].
pub async fn put(conn: &mut PgConnection, row: &ExceptionRow) -> Result<(), DbError> {
    let (kind, closes_at) = match row.exception {
        Exception::Closed => ("closed", None),
        Exception::ClosesAt(time) => ("early_close", Some(time)),
    };
    sqlx::query!(
        "insert into session_exceptions (day, kind, closes_at, reason, added_by, added_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (day) do update
            set kind = excluded.kind, closes_at = excluded.closes_at, reason = excluded.reason,
                added_by = excluded.added_by, added_at = excluded.added_at",
        row.day,
        kind,
        closes_at,
        row.reason,
        row.added_by,
        row.added_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the exception of a day away. [`crate::sync`] follows in the same transaction.
///
/// # Errors
/// See [`load`].
pub async fn remove(conn: &mut PgConnection, day: NaiveDate) -> Result<(), DbError> {
    sqlx::query!("delete from session_exceptions where day = $1", day)
        .execute(conn)
        .await?;
    Ok(())
}

fn exception(day: NaiveDate, kind: &str, closes_at: Option<NaiveTime>) -> Result<Exception, DbError> {
    match (kind, closes_at) {
        ("closed", None) => Ok(Exception::Closed),
        ("early_close", Some(time)) => Ok(Exception::ClosesAt(time)),
        _ => Err(DbError::Inconsistent {
            table: "session_exceptions",
            what: format!("{day} is {kind:?} at {closes_at:?}"),
        }),
    }
}
