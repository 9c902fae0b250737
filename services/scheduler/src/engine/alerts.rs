//! What an operator has to know: a stored row, a metric, and a call to the operator's webhook (`webhook`).
//!
//! There is at most one open alert about one thing (kind and subject). Raising it again only counts. It is over when the
//! program sees that its cause is gone ([`clear`]); an operator who has taken note says so ([`ack`]), and then it is not sent
//! any more.

use db::{DbError, PgConnection};
use domain::Timestamp;
use serde::Serialize;
use tracing::{error, info};
use uuid::Uuid;

/// Alert ids are computed from kind, subject and time under this.
const NAMESPACE: Uuid = Uuid::from_u128(0x6461_7962_6f6f_6b20_6f70_6572_6174_6f72);

/// An alert about to be raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What kind of thing; its runbook is `docs/runbooks/<kind>.md`.
    pub kind: &'static str,
    /// Which one: a schedule and its tick, an order, a date.
    pub subject: String,
    /// What happened and what to look at, in a sentence or two.
    pub message: String,
}

/// An alert as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// The same in each call to the webhook.
    pub alert_id: Uuid,
    /// What kind of thing.
    pub kind: String,
    /// Which one.
    pub subject: String,
    /// What happened, as told last.
    pub message: String,
    /// When it was raised first.
    pub raised_at: Timestamp,
    /// When it was raised last.
    pub last_raised_at: Timestamp,
    /// How often.
    pub times: i64,
    /// When an operator took note.
    pub acked_at: Option<Timestamp>,
    /// Who that was.
    pub acked_by: Option<String>,
    /// When its cause was gone.
    pub cleared_at: Option<Timestamp>,
    /// When the webhook's target had it.
    pub delivered_at: Option<Timestamp>,
    /// Calls of the webhook so far.
    pub deliveries: i32,
    /// Why the last one failed.
    pub delivery_error: Option<String>,
}

/// Raises an alert, in the caller's transaction. True when it is a new one, false when one about this was open.
pub async fn raise(conn: &mut PgConnection, alert: &NewAlert, now: Timestamp) -> Result<bool, DbError> {
    let name = format!("{}/{}/{now}", alert.kind, alert.subject);
    let times = sqlx::query_scalar!(
        "insert into operator_alerts as a (alert_id, kind, subject, message, raised_at, last_raised_at, deliver_after)
         values ($1, $2, $3, $4, $5, $5, $5)
             on conflict (kind, subject) where cleared_at is null do update
            set message = excluded.message,
                last_raised_at = greatest(a.last_raised_at, excluded.last_raised_at),
                times = a.times + 1
      returning times",
        Uuid::new_v5(&NAMESPACE, name.as_bytes()),
        alert.kind,
        alert.subject,
        alert.message,
        now,
    )
    .fetch_one(conn)
    .await?;
    if times == 1 {
        metrics::counter!("daybook_scheduler_alerts_total", "kind" => alert.kind).increment(1);
        error!(
            alert = alert.kind,
            subject = alert.subject,
            "{}: {}",
            alert.subject,
            alert.message
        );
    }
    Ok(times == 1)
}

/// Its cause is gone. True when there was an open one.
pub async fn clear(conn: &mut PgConnection, kind: &str, subject: &str, now: Timestamp) -> Result<bool, DbError> {
    let cleared = sqlx::query!(
        "update operator_alerts
            set cleared_at = $3
          where kind = $1
            and subject = $2
            and cleared_at is null",
        kind,
        subject,
        now,
    )
    .execute(conn)
    .await?
    .rows_affected();
    if cleared > 0 {
        info!(alert = kind, subject, "{subject}: {kind} is over");
    }
    Ok(cleared > 0)
}

/// An operator takes note. True when there was an open one that nobody had taken note of.
pub async fn ack(conn: &mut PgConnection, alert: Uuid, by: &str, now: Timestamp) -> Result<bool, DbError> {
    let acked = sqlx::query!(
        "update operator_alerts
            set acked_at = $3, acked_by = $2
          where alert_id = $1
            and acked_at is null
            and cleared_at is null",
        alert,
        by,
        now,
    );
    Ok(acked.execute(conn).await?.rows_affected() > 0)
}

/// Alerts, newest first, at most `limit`: those that want somebody, or all that are kept.
pub async fn list(conn: &mut PgConnection, all: bool, limit: i64) -> Result<Vec<Alert>, DbError> {
    let alerts = sqlx::query_as!(
        Alert,
        "select alert_id, kind, subject, message, raised_at, last_raised_at, times, acked_at, acked_by, cleared_at,
                delivered_at, deliveries, delivery_error
           from operator_alerts
          where $1
             or (acked_at is null and cleared_at is null)
          order by raised_at desc, alert_id desc
          limit $2",
        all,
        limit,
    );
    Ok(alerts.fetch_all(conn).await?)
}

/// Makes the open alerts of a kind exactly these: raises what is missing, clears what is over, and leaves alone what is known.
/// For conditions that are looked at again and again.
pub async fn keep(
    conn: &mut PgConnection,
    kind: &'static str,
    wanted: &[NewAlert],
    now: Timestamp,
) -> Result<(), DbError> {
    let open = sqlx::query_scalar!(
        "select subject from operator_alerts where kind = $1 and cleared_at is null",
        kind,
    )
    .fetch_all(&mut *conn)
    .await?;
    for alert in wanted.iter().filter(|alert| !open.contains(&alert.subject)) {
        raise(conn, alert, now).await?;
    }
    for subject in open
        .iter()
        .filter(|subject| wanted.iter().all(|alert| alert.subject != **subject))
    {
        clear(conn, kind, subject, now).await?;
    }
    Ok(())
}
