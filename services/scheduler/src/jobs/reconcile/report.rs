//! What operators read: a day's reconciliation, what is in suspense and since when.

use chrono::{NaiveDate, TimeDelta};
use db::{DbError, PgConnection};
use domain::Timestamp;
use domain::calendar::Calendar;
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::FromRow;

use super::breaks::Break;
use crate::engine::alerts::{self, NewAlert};

/// One day at one venue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayReport {
    /// What was compared.
    #[serde(flatten)]
    pub totals: DayTotals,
    /// The breaks of the day, closed ones too, by number.
    pub breaks: Vec<Break>,
}

/// Both sides of a day, added up.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct DayTotals {
    /// The venue.
    pub venue: String,
    /// The session.
    pub session_date: NaiveDate,
    /// How often it was compared.
    pub passes: i32,
    /// When it was last.
    pub compared_at: Option<Timestamp>,
    /// The file in force: which of the day's.
    pub version: Option<i32>,
    /// When it came.
    pub received_at: Option<Timestamp>,
    /// Its SHA-256.
    pub digest: Option<String>,
    /// Its lines.
    pub lines: Option<i64>,
    /// Shares of those that stand.
    pub shares: Option<Decimal>,
    /// Dollars of those that stand.
    pub dollars: Option<Decimal>,
    /// Our fills of the day that stand.
    pub our_fills: i64,
    /// Their shares.
    pub our_shares: Decimal,
    /// Their dollars.
    pub our_dollars: Decimal,
    /// Executions that both sides have alike.
    pub matched: i64,
    /// Executions that agree under two names.
    pub by_terms: i64,
    /// Why the last file was refused, until a whole one came.
    pub refused: Option<String>,
}

/// The reports of a day, a venue each.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn of_day(conn: &mut PgConnection, date: NaiveDate) -> Result<Vec<DayReport>, DbError> {
    let days = sqlx::query_as!(
        DayTotals,
        r#"select d.venue, d.session_date, d.passes, d.compared_at, d.version, f.received_at as "received_at?",
                  f.digest as "digest?", f.lines as "lines?", f.shares as "shares?", f.dollars as "dollars?", d.our_fills,
                  d.our_shares, d.our_dollars, d.matched, d.by_terms, d.refused
             from recon_days d
             left join recon_files f on f.venue = d.venue and f.session_date = d.session_date and f.version = d.version
            where d.session_date = $1
            order by d.venue"#,
        date,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut reports = Vec::with_capacity(days.len());
    for totals in days {
        let breaks = breaks_of(conn, &totals.venue, date).await?;
        reports.push(DayReport { totals, breaks });
    }
    Ok(reports)
}

async fn breaks_of(conn: &mut PgConnection, venue: &str, date: NaiveDate) -> Result<Vec<Break>, DbError> {
    let breaks = sqlx::query_as!(
        Break,
        "select break_no, venue, session_date, kind, subject, exec_id, order_id, account_id, symbol, side, qty, price, cash,
                at, ours, theirs, state, suspense, round, note, owner, explanation, asked, asked_at, acted_at, proposed_act,
                proposed_account, proposed_reason, proposed_by, opened_at, closed_at
           from recon_breaks
          where venue = $1
            and session_date = $2
          order by break_no
          limit 1000",
        venue,
        date,
    )
    .fetch_all(conn)
    .await?;
    Ok(breaks)
}

/// Something that is in suspense.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Suspended {
    /// `unknown` (LED-20) or `missing` (LED-21).
    pub what: String,
    /// The venue.
    pub venue: String,
    /// The execution.
    pub exec_id: String,
    /// Since when.
    pub since: Timestamp,
    /// Its break, once its day was reconciled.
    pub break_no: Option<i64>,
    /// Whose work it is.
    pub owner: Option<String>,
    /// Shares and dollars, as the ledger has them in suspense.
    pub amounts: String,
}

/// Everything in suspense, oldest first.
///
/// # Errors
/// What the database says.
pub async fn suspense(conn: &mut PgConnection) -> Result<Vec<Suspended>, DbError> {
    let items = sqlx::query_as!(
        Suspended,
        r#"with items as (
               select 'unknown' as what, s.payload::json ->> 'venue' as venue, s.payload::json ->> 'exec_id' as exec_id,
                      s.at as since
                 from venue_reports_set_aside s
                where s.resolved_at is null
                  and s.payload::json ->> 'fact' in ('filled', 'unmatched')
                  and s.kind not in ('contradiction', 'busted_before')
                union all
               select 'missing', b.venue, b.subject, b.opened_at
                 from recon_breaks b
                where b.closed_at is null
                  and b.suspense is not null
           )
           select i.what as "what!", i.venue as "venue!", i.exec_id as "exec_id!", i.since as "since!",
                  b.break_no as "break_no?", b.owner,
                  coalesce(u.amounts, concat_ws(' ', b.side, b.qty, b.symbol, b.cash, 'USD')) as "amounts!"
             from items i
             left join lateral (select break_no, owner, side, qty, symbol, cash
                                  from recon_breaks
                                 where venue = i.venue
                                   and subject = i.exec_id
                                   and closed_at is null
                                 order by break_no
                                 limit 1) b on true
             left join lateral (select string_agg(e.amount || ' ' || e.asset, ', ' order by e.asset) as amounts
                                  from ledger_transfers t
                                  join ledger_entries e using (transfer_id)
                                 where t.cause = 'unknown:' || i.venue || ':' || i.exec_id
                                   and t.kind = 'unknown_execution'
                                   and e.book = 'firm.suspense') u on i.what = 'unknown'
            order by i.since, i.exec_id"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(items)
}

/// Whether something has been in suspense for more than a business day: past the close of the session after its own.
pub fn is_old(since: Timestamp, calendar: &Calendar, now: Timestamp) -> bool {
    let own = calendar.next_close(since);
    let next = own.and_then(|close| calendar.next_close(close + TimeDelta::seconds(1)));
    next.is_ok_and(|close| now > close)
}

/// REC-5: what is in suspense for more than a business day pages.
pub(super) async fn tell_age(conn: &mut PgConnection, calendar: &Calendar, now: Timestamp) -> Result<(), DbError> {
    let items = suspense(conn).await?;
    let old = items.iter().filter(|item| is_old(item.since, calendar, now)).count();
    metrics::gauge!("daybook_scheduler_suspense_items").set(u32::try_from(items.len()).unwrap_or(u32::MAX));
    if old == 0 {
        alerts::clear(conn, "suspense_age", "suspense", now).await?;
        return Ok(());
    }
    let alert = NewAlert {
        kind: "suspense_age",
        subject: "suspense".to_owned(),
        message: format!(
            "{old} of {} items have been in suspense for more than a business day",
            items.len()
        ),
    };
    alerts::raise(conn, &alert, now).await?;
    Ok(())
}
