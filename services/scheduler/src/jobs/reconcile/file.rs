//! Fetches the trade file and keeps its lines. A file that is cut or does not add up is refused whole and fetched again
//! later; the same file again is known by its digest; a corrected one is kept beside the one before, and the comparison
//! finds only what changed.

use db::{DbError, PgConnection};
use domain::{OrderId, Timestamp};
use uuid::Uuid;
use venue::trade_file::{self, TradeFile, TradeLine};
use venue::{Fault, Venue};

use super::{Day, begin};
use crate::Deps;
use crate::engine::{JobError, Run};

/// Lines of one transaction.
const BATCH: usize = 2_000;

/// What came of asking for the file.
pub(super) enum Fetched {
    /// It is here, whole, all of it in the tables.
    Loaded {
        /// Which of the day's files it is.
        version: i32,
        /// Whether its like was never seen before.
        is_new: bool,
    },
    /// There is none, or none that can be used: why, in words.
    Missing {
        /// For the operator.
        why: String,
        /// Whether the venue says only that it is too early.
        early: bool,
    },
    /// This venue writes no such files.
    NotOffered,
}

/// Brings the day's file here.
pub(super) async fn fetch<V: Venue>(deps: &Deps<V>, venue: &V, run: &Run, day: &Day) -> Result<Fetched, JobError> {
    let bytes = match venue.trade_file(day.date).await {
        Ok(bytes) => bytes,
        Err(Fault::NotOffered(_)) => return Ok(Fetched::NotOffered),
        Err(fault) => {
            let early = matches!(fault, Fault::NotYet(_));
            let why = fault.to_string();
            return Ok(Fetched::Missing { why, early });
        }
    };
    match trade_file::read(&bytes, day.date) {
        Ok(file) => load(deps, run, day, &file, &digest(&bytes)).await,
        Err(error) => {
            fail::fail_point!("recon::file_partial");
            refuse(deps, run, day, &error.to_string()).await?;
            let why = format!("the file of {} bytes is refused: {error}", bytes.len());
            Ok(Fetched::Missing { why, early: false })
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn refuse<V>(deps: &Deps<V>, run: &Run, day: &Day, why: &str) -> Result<(), JobError> {
    metrics::counter!("daybook_scheduler_recon_files_refused_total").increment(1);
    let mut tx = begin(deps, run).await?;
    sqlx::query!(
        "insert into recon_days (venue, session_date, refused, refused_at)
         values ($1, $2, $3, daybook_now())
             on conflict (venue, session_date) do update
            set refused = excluded.refused, refused_at = excluded.refused_at",
        day.venue,
        day.date,
        why,
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Keeps the lines, so many a transaction: a run that was stopped in the middle goes on where it was.
async fn load<V>(deps: &Deps<V>, run: &Run, day: &Day, file: &TradeFile, digest: &str) -> Result<Fetched, JobError> {
    let mut tx = begin(deps, run).await?;
    let (version, loaded) = note(&mut tx, day, file, digest).await?;
    tx.commit().await?;
    if loaded {
        fail::fail_point!("recon::file_again");
        return Ok(Fetched::Loaded { version, is_new: false });
    }
    let all: Vec<(&TradeLine, bool)> = file
        .lines
        .iter()
        .map(|line| (line, false))
        .chain(file.busted.iter().map(|line| (line, true)))
        .collect();
    for batch in all.chunks(BATCH) {
        let mut tx = begin(deps, run).await?;
        insert(&mut tx, day, version, batch).await?;
        tx.commit().await?;
    }
    let mut tx = begin(deps, run).await?;
    sqlx::query!(
        "update recon_files set loaded_at = daybook_now() where venue = $1 and session_date = $2 and version = $3",
        day.venue,
        day.date,
        version,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    fail::fail_point!("recon::loaded");
    Ok(Fetched::Loaded { version, is_new: true })
}

/// The file's version, and whether all its lines are here.
async fn note(conn: &mut PgConnection, day: &Day, file: &TradeFile, digest: &str) -> Result<(i32, bool), DbError> {
    let lines = i64::try_from(file.lines.len() + file.busted.len()).unwrap_or(i64::MAX);
    let row = sqlx::query!(
        r#"insert into recon_files (venue, session_date, version, digest, lines, shares, dollars, received_at, seen_at)
           select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, daybook_now(), daybook_now()
             from recon_files
            where venue = $1
              and session_date = $2
               on conflict (venue, session_date, digest) do update
              set seen_at = excluded.seen_at
        returning version, loaded_at is not null as "loaded!""#,
        day.venue,
        day.date,
        digest,
        lines,
        file.shares,
        file.dollars,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.version, row.loaded))
}

async fn insert(conn: &mut PgConnection, day: &Day, version: i32, lines: &[(&TradeLine, bool)]) -> Result<(), DbError> {
    let texts = |pick: fn(&TradeLine) -> String| lines.iter().map(|(line, _)| pick(line)).collect::<Vec<_>>();
    sqlx::query!(
        "insert into recon_trades (venue, session_date, version, number, exec_id, venue_order_id, client_order_id, order_id,
                                   symbol, side, qty, price, at, busted)
         select $1, $2, $3, l.*
           from unnest($4::int8[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::text[], $10::text[], $11::numeric[],
                       $12::numeric[], $13::timestamptz[], $14::bool[]) as l
             on conflict (venue, session_date, version, exec_id) do nothing",
        day.venue,
        day.date,
        version,
        &lines.iter().map(|(line, _)| line.number).collect::<Vec<i64>>(),
        &texts(|line| line.exec_id.to_string()),
        &texts(|line| line.venue_order_id.to_string()),
        &texts(|line| line.client_order_id.clone()),
        &lines.iter().map(|(line, _)| line.key().map(OrderId::get)).collect::<Vec<_>>() as &[Option<Uuid>],
        &texts(|line| line.symbol.to_string()),
        &texts(|line| line.side.to_string()),
        &lines.iter().map(|(line, _)| line.qty.get()).collect::<Vec<_>>(),
        &lines.iter().map(|(line, _)| line.price.get()).collect::<Vec<_>>(),
        &lines.iter().map(|(line, _)| line.at).collect::<Vec<Timestamp>>(),
        &lines.iter().map(|(_, busted)| *busted).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
