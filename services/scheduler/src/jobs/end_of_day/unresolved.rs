//! Orders whose end nobody told: listed, with their hold, until it is told after all or an operator lets the date close
//! without it (EOD-3). Nothing here ends an order.

use chrono::NaiveDate;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::open::{LOOK, OpenRow, Wanted, open_page};
use super::store::Day;
use crate::engine::alerts::{self, NewAlert};
use crate::engine::{JobError, Run};

/// The alert that a date has such orders; its subject is the date.
pub const ALERT: &str = "eod_unresolved";

/// An order whose end nobody told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unresolved {
    /// Which.
    pub order_id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Ticker.
    pub symbol: String,
    /// What is not known.
    pub why: String,
    /// Since when it is listed.
    pub since: Timestamp,
    /// When its end came after all.
    pub resolved_at: Option<Timestamp>,
    /// Who let the date close without it.
    pub overridden_by: Option<String>,
}

/// Lists every order that should be over or known and is not; gives how many are listed. An order that is listed already
/// stays as it is.
pub(super) async fn list(pool: &PgPool, run: &Run, day: &Day, now: Timestamp) -> Result<i64, JobError> {
    let mut after = None;
    loop {
        let mut tx = db::begin(pool).await?;
        run.check(&mut tx).await?;
        let page = open_page(&mut tx, after, LOOK).await?;
        let wants: Vec<(&OpenRow, Wanted)> = page
            .iter()
            .map(|row| (row, row.wanted(day.date, now)))
            .filter(|(_, wanted)| matches!(wanted, Wanted::End | Wanted::Word))
            .collect();
        insert(&mut tx, day.date, &wants, now).await?;
        tx.commit().await?;
        after = page.last().map(|row| (row.account_id, row.order_id));
        if after.is_none() {
            break;
        }
    }
    let mut tx = db::begin(pool).await?;
    run.check(&mut tx).await?;
    let open = refresh(&mut tx, day.date, now).await?;
    tx.commit().await?;
    Ok(open)
}

async fn insert(
    conn: &mut PgConnection,
    date: NaiveDate,
    wants: &[(&OpenRow, Wanted)],
    now: Timestamp,
) -> Result<(), DbError> {
    let column = |pick: fn(&OpenRow) -> Uuid| -> Vec<Uuid> { wants.iter().map(|(row, _)| pick(row)).collect() };
    let symbols: Vec<String> = wants.iter().map(|(row, _)| row.symbol.clone()).collect();
    let causes: Vec<String> = wants.iter().map(|(row, wanted)| row.why(*wanted)).collect();
    sqlx::query!(
        "insert into eod_unresolved (business_date, order_id, account_id, symbol, why, since)
         select $1, u.order_id, u.account_id, u.symbol, u.why, $6
           from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) as u (order_id, account_id, symbol, why)
             on conflict (business_date, order_id) do nothing",
        date,
        &column(|row| row.order_id),
        &column(|row| row.account_id),
        &symbols,
        &causes,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The dates with orders that are unresolved, closed ones too.
pub(super) async fn dates(conn: &mut PgConnection) -> Result<Vec<NaiveDate>, DbError> {
    let dates = sqlx::query_scalar(
        "select distinct business_date
           from eod_unresolved
          where resolved_at is null
          order by business_date",
    );
    Ok(dates.fetch_all(conn).await?)
}

/// Strikes out what was resolved meanwhile, and clears the date's alert with the last; gives how many are left.
pub(super) async fn strike_out(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<i64, DbError> {
    sqlx::query!(
        "update eod_unresolved u
            set resolved_at = $2
          where u.business_date = $1
            and u.resolved_at is null
            and not exists (select from open_orders w
                              join orders o using (order_id)
                             where w.account_id = u.account_id
                               and w.order_id = u.order_id
                               and (w.time_in_force <> 'gtc' or w.expires_at <= $2 or o.status = 'pending_new'))",
        date,
        now,
    )
    .execute(&mut *conn)
    .await?;
    let left = count(conn, date).await?;
    if left == 0 {
        alerts::clear(conn, ALERT, &date.to_string(), now).await?;
    }
    Ok(left)
}

/// The same, and raises the date's alert where some are left.
pub(super) async fn refresh(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<i64, DbError> {
    let left = strike_out(conn, date, now).await?;
    if left > 0 {
        let message = format!(
            "{left} orders of {date} have no known end; they keep their holds, and the date closes only by an operator's \
             override. See `daybook admin eod show {date}`."
        );
        let subject = date.to_string();
        let alert = NewAlert {
            kind: ALERT,
            subject,
            message,
        };
        alerts::raise(conn, &alert, now).await?;
    }
    Ok(left)
}

/// How many are left.
pub(super) async fn count(conn: &mut PgConnection, date: NaiveDate) -> Result<i64, DbError> {
    let left = sqlx::query_scalar!(
        r#"select count(*) as "left!" from eod_unresolved where business_date = $1 and resolved_at is null"#,
        date,
    );
    Ok(left.fetch_one(conn).await?)
}

/// Orders of the date that are open and not listed.
pub(super) async fn unlisted(conn: &mut PgConnection, date: NaiveDate) -> Result<i64, DbError> {
    let open = sqlx::query_scalar!(
        r#"select count(*) as "open!"
             from open_orders w
            where w.session_date = $1
              and w.time_in_force <> 'gtc'
              and not exists (select from eod_unresolved u
                               where u.business_date = $1
                                 and u.order_id = w.order_id
                                 and u.resolved_at is null)"#,
        date,
    );
    Ok(open.fetch_one(conn).await?)
}

/// What is, or was, unresolved of a date, by order.
///
/// # Errors
/// What the database says.
pub async fn of_date(conn: &mut PgConnection, date: NaiveDate, limit: i64) -> Result<Vec<Unresolved>, DbError> {
    let rows = sqlx::query_as!(
        Unresolved,
        "select order_id, account_id, symbol, why, since, resolved_at, overridden_by
           from eod_unresolved
          where business_date = $1
          order by order_id
          limit $2",
        date,
        limit,
    );
    Ok(rows.fetch_all(conn).await?)
}
