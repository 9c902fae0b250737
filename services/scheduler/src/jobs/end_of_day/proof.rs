//! Step 10: the books are proven by the audit, and the result is chained to the proof of the date before, so that neither
//! can be changed afterwards without it showing.

use chrono::NaiveDate;
use db::{DbError, PgConnection};
use domain::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection};
use venue::Venue;

use super::steps::{EodStep, span};
use super::store::Day;
use super::{EndOfDay, overrides};
use crate::engine::alerts::{self, NewAlert};
use crate::engine::{JobError, Run};
use crate::jobs::StepOutcome;

/// The alert that the books of a date cannot be proven; its subject is the date.
pub const ALERT: &str = "eod_proof";
/// How soon books that were wrong are looked at again.
const LOOK_AGAIN: u32 = 30;

/// Tables whose rows are counted for the proof.
const COUNTED: [&str; 8] = [
    "orders",
    "open_orders",
    "order_events",
    "fills",
    "ledger_transfers",
    "ledger_entries",
    "closing_prices",
    "venue_submissions",
];

/// A proof as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Of which date.
    pub business_date: NaiveDate,
    /// 1, 2, 3 … in the order of the dates.
    pub number: i64,
    /// When.
    pub proven_at: Timestamp,
    /// Whether the audit found nothing.
    pub clean: bool,
    /// JSON as it was hashed.
    pub content: String,
    /// The digest of the proof before it.
    pub former: String,
    /// Its own.
    pub digest: String,
}

/// What was found in one snapshot.
struct Findings {
    clean: bool,
    offences: String,
    content: String,
}

impl<V: Venue> EndOfDay<V> {
    /// Proves the books. Books that are wrong are looked at again and again: only an operator who could know it lets the date
    /// go on so.
    pub(super) async fn prove(&self, run: &Run, day: &Day, now: Timestamp) -> Result<StepOutcome, JobError> {
        if of_date(&mut *self.deps.pool.acquire().await?, day.date)
            .await?
            .is_some()
        {
            return Ok(StepOutcome::Done("proven before".to_owned()));
        }
        let findings = self.findings(day.date).await?;
        let mut tx = db::begin(&self.deps.pool).await?;
        run.check(&mut tx).await?;
        if findings.clean {
            clear(&mut tx, day.date, now).await?;
        } else {
            tell(&mut tx, day.date, &findings, now).await?;
        }
        if !findings.clean && day.let_pass(EodStep::Prove).is_none() {
            overrides::failed(&mut tx, day, EodStep::Prove).await?;
            tx.commit().await?;
            let why = format!("the audit found something: {}", findings.offences);
            let until = now + span(self.settings.poll * LOOK_AGAIN);
            return Ok(StepOutcome::Wait { until, why });
        }
        let digest = insert(&mut tx, day.date, &findings, now).await?;
        tx.commit().await?;
        let verdict = if findings.clean {
            "clean"
        } else {
            "not clean, overridden"
        };
        Ok(StepOutcome::Done(format!("{verdict}, {}", &digest[..16])))
    }

    /// The audit, the row counts and the totals of every book, out of one snapshot.
    async fn findings(&self, date: NaiveDate) -> Result<Findings, JobError> {
        let mut conn = audit::connect(self.deps.pool.connect_options().as_ref().clone()).await?;
        audit::begin(&mut conn).await?;
        let report = audit::look_at_all(&mut conn, false).await?;
        let rows = counts(&mut conn).await?;
        let books = books(&mut conn).await?;
        sqlx::query("commit").execute(&mut conn).await?;
        let _ = conn.close().await;
        let content = json!({"business_date": date, "audit": report.to_json(), "rows": rows, "books": books});
        let offences = report
            .broken()
            .map(|finding| format!("{} ({} times)", finding.check.title, finding.violations));
        Ok(Findings {
            clean: report.is_clean(),
            offences: offences.collect::<Vec<_>>().join("; "),
            content: content.to_string(),
        })
    }
}

async fn tell(conn: &mut PgConnection, date: NaiveDate, findings: &Findings, now: Timestamp) -> Result<(), DbError> {
    let message = format!("The books of {date} are not as they should be: {}", findings.offences);
    let alert = NewAlert {
        kind: ALERT,
        subject: date.to_string(),
        message,
    };
    alerts::raise(conn, &alert, now).await?;
    Ok(())
}

/// The audit is over all books, so a clean one is clean for the dates before it, too: also for those that an operator let
/// close without.
async fn clear(conn: &mut PgConnection, date: NaiveDate, now: Timestamp) -> Result<(), DbError> {
    let subjects: Vec<String> = sqlx::query_scalar(
        "select subject
           from operator_alerts
          where kind = $1
            and subject <= $2
            and cleared_at is null",
    )
    .bind(ALERT)
    .bind(date.to_string())
    .fetch_all(&mut *conn)
    .await?;
    for subject in subjects {
        alerts::clear(conn, ALERT, &subject, now).await?;
    }
    Ok(())
}

async fn counts(conn: &mut PgConnection) -> Result<Value, DbError> {
    let mut rows = serde_json::Map::new();
    for table in COUNTED {
        // A constant of this file.
        let statement = AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(statement).fetch_one(&mut *conn).await?;
        rows.insert(table.to_owned(), count.into());
    }
    Ok(Value::Object(rows))
}

async fn books(conn: &mut PgConnection) -> Result<Value, DbError> {
    let sums: Vec<(String, String, String)> = sqlx::query_as(
        "select book, asset, sum(amount)::text
           from ledger_entries
          group by book, asset
          order by book, asset",
    )
    .fetch_all(conn)
    .await?;
    let lines = sums
        .into_iter()
        .map(|(book, asset, sum)| json!({"book": book, "asset": asset, "sum": sum}));
    Ok(lines.collect())
}

/// Stores the proof after the last one; gives its digest.
async fn insert(
    conn: &mut PgConnection,
    date: NaiveDate,
    findings: &Findings,
    now: Timestamp,
) -> Result<String, DbError> {
    let last = sqlx::query!("select number, digest from eod_proofs order by number desc limit 1")
        .fetch_optional(&mut *conn)
        .await?;
    let (number, former) = last.map_or((1, String::new()), |last| (last.number + 1, last.digest));
    let digest = digest(number, date, &former, &findings.content);
    sqlx::query!(
        "insert into eod_proofs (business_date, number, proven_at, clean, content, former, digest)
         values ($1, $2, $3, $4, $5, $6, $7)",
        date,
        number,
        now,
        findings.clean,
        findings.content,
        former,
        digest,
    )
    .execute(conn)
    .await?;
    Ok(digest)
}

/// What a proof is known by.
pub fn digest(number: i64, date: NaiveDate, former: &str, content: &str) -> String {
    let text = format!("{number}\n{date}\n{former}\n{content}");
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The proof of a date.
///
/// # Errors
/// What the database says.
pub async fn of_date(conn: &mut PgConnection, date: NaiveDate) -> Result<Option<Proof>, DbError> {
    let proof = sqlx::query_as!(
        Proof,
        "select business_date, number, proven_at, clean, content, former, digest from eod_proofs where business_date = $1",
        date,
    );
    Ok(proof.fetch_optional(conn).await?)
}
