//! The table of reports set aside.

use crate::books::SetAside;
use crate::report::Report;
use db::{DbError, PgConnection};
use domain::{OrderId, Timestamp};
use ledger::{Cause, TransferId, TransferKind};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Those of the given reports that were set aside before, as they came. Settled ones too: they must not be booked anew.
///
/// # Errors
/// What the database says; so for all functions here.
pub async fn known(conn: &mut PgConnection, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, DbError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        "select report_id, payload from venue_reports_set_aside where report_id = any($1)",
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.report_id, row.payload)).collect())
}

/// Those of the given reports that people settled. What found its place by itself, or was taken back, left suspense by a
/// movement of its own.
///
/// # Errors
/// What the database says.
pub async fn decided(conn: &mut PgConnection, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let movement = |&id: &Uuid| TransferId::of(&Cause::Movement(TransferKind::UnknownExecution, id)).get();
    let rows = sqlx::query_scalar!(
        "select s.report_id
           from unnest($1::uuid[], $2::uuid[]) as r (report_id, movement)
           join venue_reports_set_aside s using (report_id)
          where s.resolved_at is not null
            and not exists (select from ledger_transfers t where t.transfer_id = r.movement)",
        ids,
        &ids.iter().map(movement).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Fills that wait for room in these orders (ORD-2).
///
/// # Errors
/// What the database says.
pub async fn too_much(conn: &mut PgConnection, orders: &[OrderId]) -> Result<HashMap<OrderId, Vec<Report>>, DbError> {
    let mut waiting: HashMap<OrderId, Vec<Report>> = HashMap::new();
    if orders.is_empty() {
        return Ok(waiting);
    }
    let ids: Vec<Uuid> = orders.iter().map(|order| order.get()).collect();
    let rows = sqlx::query_scalar!(
        "select payload
           from venue_reports_set_aside
          where order_id = any($1)
            and resolved_at is null
            and kind = 'too_much'
          order by at, report_id",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    for report in rows.iter().filter_map(|raw| Report::parse(raw).ok()) {
        waiting.entry(report.order).or_default().push(report);
    }
    Ok(waiting)
}

/// Keeps the reports.
///
/// # Errors
/// What the database says.
pub async fn insert(conn: &mut PgConnection, reports: &[SetAside], now: Timestamp) -> Result<(), DbError> {
    if reports.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into venue_reports_set_aside (report_id, kind, order_id, account_id, payload, cause, at)
         select r.report_id, r.kind, r.order_id, r.account_id, r.payload, r.cause, $7
           from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[])
             as r (report_id, kind, order_id, account_id, payload, cause)
         on conflict (report_id) do nothing",
        &reports.iter().map(|r| r.id).collect::<Vec<_>>(),
        &reports.iter().map(|r| r.kind.to_owned()).collect::<Vec<_>>(),
        &reports.iter().map(|r| r.order.map(OrderId::get)).collect::<Vec<_>>() as &[Option<Uuid>],
        &reports
            .iter()
            .map(|r| r.account.map(domain::AccountId::get))
            .collect::<Vec<_>>() as &[Option<Uuid>],
        &reports.iter().map(|r| r.raw.clone()).collect::<Vec<_>>(),
        &reports.iter().map(|r| r.cause.clone()).collect::<Vec<_>>(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks reports that found their place after all.
///
/// # Errors
/// What the database says.
pub async fn resolve(conn: &mut PgConnection, ids: &[Uuid], now: Timestamp) -> Result<(), DbError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update venue_reports_set_aside set resolved_at = $2 where report_id = any($1)",
        ids,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A report that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideReport {
    /// Computed from the report.
    pub report_id: Uuid,
    /// The kind of refusal.
    pub kind: String,
    /// The order it names.
    pub order_id: Option<Uuid>,
    /// Whose order.
    pub account_id: Option<Uuid>,
    /// As it came.
    pub payload: String,
    /// Why it was not applied.
    pub cause: String,
    /// When it was set aside.
    pub at: Timestamp,
    /// When it was settled.
    pub resolved_at: Option<Timestamp>,
}

/// Reports set aside, oldest first: those that wait, or all.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection, all: bool, limit: i64) -> Result<Vec<AsideReport>, DbError> {
    let reports = sqlx::query_as!(
        AsideReport,
        "select report_id, kind, order_id, account_id, payload, cause, at, resolved_at
           from venue_reports_set_aside
          where $1
             or resolved_at is null
          order by at, report_id
          limit $2",
        all,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(reports)
}

/// One of them, locked.
///
/// # Errors
/// What the database says.
pub async fn get(conn: &mut PgConnection, report: Uuid) -> Result<Option<AsideReport>, DbError> {
    let found = sqlx::query_as!(
        AsideReport,
        "select report_id, kind, order_id, account_id, payload, cause, at, resolved_at
           from venue_reports_set_aside
          where report_id = $1
            for update",
        report,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Whether the execution it tells of was booked to suspense and waits there.
///
/// # Errors
/// What the database says.
pub async fn in_suspense(conn: &mut PgConnection, report: Uuid) -> Result<bool, DbError> {
    let waits = sqlx::query_scalar!(
        r#"select exists (select
                            from venue_reports_set_aside s
                            join ledger_transfers t on t.kind = 'unknown_execution'
                             and t.cause = concat('unknown:', s.payload::json ->> 'venue', ':', s.payload::json ->> 'exec_id')
                           where s.report_id = $1
                             and s.resolved_at is null
                             and s.payload::json ->> 'fact' in ('filled', 'unmatched')
                             and s.kind not in ('contradiction', 'busted_before')) as "waits!""#,
        report,
    )
    .fetch_one(conn)
    .await?;
    Ok(waits)
}
