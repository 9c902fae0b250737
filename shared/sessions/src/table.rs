//! The table of all sessions (CAL-7): computed from rule and exceptions, for whoever asks in SQL.

use crate::exceptions::{in_force, lock};
use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use domain::calendar::{Calendar, SessionDate};

/// The one stretch of a day in which this product trades. Longer hours would be further rows of a day.
const REGULAR: &str = "regular";
/// What can be sent in it.
const ORDER_TYPES: [&str; 1] = ["limit"];

/// A session as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The day that names it, and the trade date.
    pub session_date: NaiveDate,
    /// When it opens.
    pub opens_at: Timestamp,
    /// When it closes.
    pub closes_at: Timestamp,
    /// When its trades settle.
    pub settle_date: NaiveDate,
    /// What can be sent in it.
    pub order_types: Vec<String>,
}

/// Brings the table in step with the rules and the stored exceptions, for every calendar there is; says how many rows
/// that changed. Idempotent; takes [`lock`].
///
/// # Errors
/// What the database says.
pub async fn sync(conn: &mut PgConnection) -> Result<u64, DbError> {
    lock(conn).await?;
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for rule in [Calendar::nyse(), Calendar::always_open()] {
        let computed = computed(&in_force(conn, &rule).await?);
        names.extend(std::iter::repeat_n(rule.to_string(), computed.len()));
        rows.extend(computed);
    }
    Ok(write(conn, &names, &rows).await? + delete_others(conn, &names, &rows).await?)
}

/// The sessions of a calendar from `from` to `to`, both included, as the table has them.
///
/// # Errors
/// What the database says.
pub async fn list(
    conn: &mut PgConnection,
    calendar: &Calendar,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<SessionRow>, DbError> {
    Ok(sqlx::query_as!(
        SessionRow,
        "select session_date, opens_at, closes_at, settle_date, order_types
           from trading_sessions
          where calendar = $1
            and session_date between $2 and $3
            and session = $4
          order by session_date",
        calendar.to_string(),
        from,
        to,
        REGULAR,
    )
    .fetch_all(conn)
    .await?)
}

/// Every session of the known days.
fn computed(calendar: &Calendar) -> Vec<SessionRow> {
    let known = Calendar::known_days();
    let days = known.start().iter_days().take_while(|day| known.contains(day));
    days.filter_map(|day| row(calendar, day)).collect()
}

fn row(calendar: &Calendar, day: NaiveDate) -> Option<SessionRow> {
    let session = calendar.session(SessionDate::new(day)).ok().flatten()?;
    Some(SessionRow {
        session_date: day,
        opens_at: session.open,
        closes_at: session.close,
        settle_date: calendar.settle_date(day).ok()?,
        order_types: ORDER_TYPES.map(str::to_owned).to_vec(),
    })
}

/// Rows that are as they should be are not touched, not even locked: that is nearly all of them, at every start.
async fn write(conn: &mut PgConnection, names: &[String], rows: &[SessionRow]) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "insert into trading_sessions as t
            (calendar, session_date, opens_at, closes_at, settle_date, session, order_types)
         select s.*, $6, $7
           from unnest($1::text[], $2::date[], $3::timestamptz[], $4::timestamptz[], $5::date[])
                s (calendar, session_date, opens_at, closes_at, settle_date)
          where not exists (
                select from trading_sessions u
                 where (u.calendar, u.session_date, u.session) = (s.calendar, s.session_date, $6)
                   and (u.opens_at, u.closes_at, u.settle_date, u.order_types)
                       = (s.opens_at, s.closes_at, s.settle_date, $7::text[]))
         on conflict (calendar, session_date, session) do update
            set opens_at = excluded.opens_at, closes_at = excluded.closes_at, settle_date = excluded.settle_date,
                order_types = excluded.order_types",
        names,
        &column(rows, |row| row.session_date),
        &column(rows, |row| row.opens_at),
        &column(rows, |row| row.closes_at),
        &column(rows, |row| row.settle_date),
        REGULAR,
        &ORDER_TYPES.map(str::to_owned),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A day that was closed, or that no rule has any more.
async fn delete_others(conn: &mut PgConnection, names: &[String], rows: &[SessionRow]) -> Result<u64, DbError> {
    let done = sqlx::query!(
        "delete from trading_sessions t
          where not exists (
                select from unnest($1::text[], $2::date[]) s (calendar, session_date)
                 where s.calendar = t.calendar
                   and s.session_date = t.session_date
                   and t.session = $3)",
        names,
        &column(rows, |row| row.session_date),
        REGULAR,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn column<T, C>(rows: &[T], pick: impl Fn(&T) -> C) -> Vec<C> {
    rows.iter().map(pick).collect()
}
