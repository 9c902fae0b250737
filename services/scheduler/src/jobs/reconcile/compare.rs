//! Finds where a trade file and our fills differ: one read-only statement, so that it holds nobody back, however long the
//! day. Executions meet by the venue's name for them; what is left over on both sides, by its terms (REC-1).

use chrono::TimeDelta;
use db::{DbError, PgConnection, PgPool};
use domain::Timestamp;
use rust_decimal::Decimal;
use sqlx::FromRow;
use uuid::Uuid;

use super::Day;

/// Differences of one pass: more than that is no day's work for anybody, the first ones are dealt with first.
const MOST: i64 = 20_000;
/// However long a full day takes to compare.
const PATIENCE: &str = "set local statement_timeout = '15min'";

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Difference {
    pub(super) kind: String,
    pub(super) exec_id: String,
    pub(super) order_id: Option<Uuid>,
    pub(super) account_id: Option<Uuid>,
    pub(super) symbol: String,
    pub(super) side: String,
    pub(super) qty: Decimal,
    pub(super) price: Decimal,
    pub(super) at: Timestamp,
    pub(super) ours: String,
    pub(super) theirs: String,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// Whether there were more than can be dealt with at once.
    pub(super) cut: bool,
    /// Executions that agree under two names.
    pub(super) by_terms: i64,
    pub(super) totals: Totals,
}

/// Both sides added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub(super) struct Totals {
    pub(super) our_fills: i64,
    pub(super) our_shares: Decimal,
    pub(super) our_dollars: Decimal,
    pub(super) matched: i64,
}

/// Compares the file `version` of a day with our fills of it.
pub(super) async fn compare(pool: &PgPool, day: &Day, version: i32) -> Result<Compared, DbError> {
    let mut tx = db::begin(pool).await?;
    sqlx::query(PATIENCE).execute(&mut *tx).await?;
    let mut differences = differences(&mut tx, day, version).await?;
    let totals = totals(&mut tx, day, version).await?;
    tx.commit().await?;
    let cut = i64::try_from(differences.len()) == Ok(MOST);
    let before = differences.len();
    pair_by_terms(&mut differences);
    let by_terms = i64::try_from((before - differences.len()) / 2).unwrap_or(0);
    Ok(Compared {
        differences,
        cut,
        by_terms,
        totals,
    })
}

async fn differences(conn: &mut PgConnection, day: &Day, version: i32) -> Result<Vec<Difference>, DbError> {
    let rows = sqlx::query_file_as!(
        Difference,
        "src/jobs/reconcile/differences.sql",
        day.venue,
        day.date,
        version,
        MOST,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

async fn totals(conn: &mut PgConnection, day: &Day, version: i32) -> Result<Totals, DbError> {
    let totals = sqlx::query_as!(
        Totals,
        r#"select count(*) as "our_fills!", coalesce(sum(f.qty), 0) as "our_shares!",
                  coalesce(sum(f.qty * f.price), 0) as "our_dollars!",
                  count(*) filter (where (f.symbol, f.side, f.order_id, f.qty, f.price)
                                         = (t.symbol, t.side, t.order_id, t.qty, t.price) and not t.busted) as "matched!"
             from fills f
             left join recon_trades t on t.venue = $1 and t.session_date = $2 and t.version = $3 and t.exec_id = f.exec_id
            where f.venue = $1
              and f.venue_at >= ($2::date)::timestamp at time zone 'America/New_York'
              and f.venue_at < ($2::date + 1)::timestamp at time zone 'America/New_York'
              and f.busted_at is null"#,
        day.venue,
        day.date,
        version,
    )
    .fetch_one(conn)
    .await?;
    Ok(totals)
}

/// REC-1's fallback: an execution that each side has under another name, of the same order and terms within a second.
fn pair_by_terms(differences: &mut Vec<Difference>) {
    let mut paired = vec![false; differences.len()];
    for (at, theirs) in differences.iter().enumerate().filter(|(_, d)| d.kind == "missing_ours") {
        let same = |ours: &Difference| {
            ours.kind == "missing_theirs"
                && (ours.order_id, &ours.symbol, &ours.side, ours.qty, ours.price)
                    == (theirs.order_id, &theirs.symbol, &theirs.side, theirs.qty, theirs.price)
                && (ours.at - theirs.at).abs() <= TimeDelta::seconds(1)
        };
        let found = differences
            .iter()
            .enumerate()
            .position(|(n, ours)| !paired[n] && same(ours));
        if let Some(found) = found {
            paired[at] = true;
            paired[found] = true;
        }
    }
    let mut keep = paired.into_iter().map(|paired| !paired);
    differences.retain(|_| keep.next().unwrap_or(true));
}
